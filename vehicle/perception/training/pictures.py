"""Reads a COCO data set as `vdap dataset` writes it: pictures, boxes, and what must be ignored."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scheduler.errors import SourceError
from vehicle.perception.boxes import letterbox
from vehicle.perception.classes import CLASS_ID
from vehicle.perception.scores.matching import Truth

ANNOTATIONS = "annotations.json"
PICTURES = "images"
# Below these an object is neither shown to the network nor held against it. More lenient than the
# score's limits, because what is just too small today is large enough a moment later.
LEARN_HEIGHT_PX = 7.0
LEARN_VISIBILITY = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The objects of one picture.

    Attributes:
        xyxy: (M, 4) float32 pixels.
        class_id: (M,) int16 index into CLASSES.
        visibility: (M,) float32, share of the outline that is not hidden.
    """

    xyxy: NDArray[np.float32]
    class_id: NDArray[np.int16]
    visibility: NDArray[np.float32]

    def truth(self) -> Truth:
        """What an answer is scored against."""
        return Truth.seen(self.xyxy, self.class_id, self.visibility)


class Pictures:
    """A data set in memory-mapped pixels, every picture fitted to one size.

    The pixels are decoded once, into a file beside the annotations that later trainings share.
    """

    def __init__(self, folder: Path, width: int, height: int) -> None:
        """Opens `folder`.

        Raises:
            SourceError: No annotations there, or a picture that cannot be read.
        """
        path = folder / ANNOTATIONS
        if not path.is_file():
            raise SourceError(f"data set: expected {path}; record one with vdap dataset {folder}")
        table = json.loads(path.read_text(encoding="utf-8"))
        self.width, self.height = width, height
        self.info: dict[str, Any] = table.get("info", {})
        self._rows = sorted(table["images"], key=lambda row: int(row["id"]))
        self.pixels = self._decoded(folder)
        self.labels = self._labels(table)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def weathers(self) -> list[str]:
        """Of each picture, as recorded; empty where the data set does not say."""
        return [str(row.get("weather", "")) for row in self._rows]

    def _decoded(self, folder: Path) -> NDArray[np.uint8]:
        shape = (len(self._rows), self.height, self.width, 3)
        path = folder / f"pixels_{len(self._rows)}_{self.width}x{self.height}.npy"
        if not path.exists():
            part = path.with_suffix(f".{os.getpid()}.part")  # two trainings may start together
            pixels = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
            for index, row in enumerate(self._rows):
                picture = cv2.imread(str(folder / PICTURES / row["file_name"]), cv2.IMREAD_COLOR)
                if picture is None:
                    raise SourceError(
                        f"data set: cannot read {folder / PICTURES / row['file_name']}"
                    )
                pixels[index], _ = letterbox(picture, self.width, self.height)
            pixels.flush()
            part.rename(path)
        mapped: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        return mapped

    def _labels(self, table: dict[str, list[dict[str, object]]]) -> list[Labels]:
        names = {row["id"]: str(row["name"]) for row in table["categories"]}
        by_picture: dict[object, list[dict[str, object]]] = {row["id"]: [] for row in self._rows}
        for annotation in table["annotations"]:
            if names[annotation["category_id"]] in CLASS_ID:
                by_picture[annotation["image_id"]].append(annotation)
        labels = []
        for row in self._rows:
            mine = by_picture[row["id"]]
            boxes = np.array([a["bbox"] for a in mine], np.float32).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            boxes *= np.float32(min(self.width / row["width"], self.height / row["height"]))
            class_id = [CLASS_ID[names[a["category_id"]]] for a in mine]
            visibility = [a.get("visibility", 1.0) for a in mine]
            labels.append(
                Labels(boxes, np.array(class_id, np.int16), np.array(visibility, np.float32))
            )
        return labels
