"""Reads a COCO data set as `vdap dataset` writes it: pictures, boxes, and what must be ignored."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scheduler.errors import SourceError
from vehicle.perception.boxes import letterbox
from vehicle.perception.classes import CLASS_ID, CLASSES
from vehicle.perception.scores.matching import Truth

ANNOTATIONS = "annotations.json"
PICTURES = "images"
# Below these an object is neither shown to the network nor held against it. More lenient than the
# score's limits, because what is just too small today is large enough a moment later.
LEARN_HEIGHT_PX = 7.0
LEARN_VISIBILITY = 0.25
FREQUENT = 0.3  # share of the pictures from which on a class is not drawn more often
SEEN_HEIGHT_PX = 15.0  # of an object for whose sake a picture is drawn more often
SMALL_WEIGHT, EMPTY_WEIGHT = 0.4, 0.15  # of pictures with smaller objects only, and with none


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

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """(N,) how often each picture is drawn, in sum 1: rare classes more, empty streets less.

        Repeat factors after Gupta et al., LVIS, CVPR 2019: of a class that is in a share f of the
        pictures max(1, sqrt(FREQUENT / f)), of a picture the greatest of its classes.
        """
        shown = np.zeros((len(self.labels), len(CLASSES)), np.bool_)
        for row, labels in zip(shown, self.labels, strict=True):
            height = labels.xyxy[:, 3] - labels.xyxy[:, 1]
            row[
                labels.class_id[
                    (height >= SEEN_HEIGHT_PX) & (labels.visibility >= LEARN_VISIBILITY)
                ]
            ] = True
        often = np.maximum(shown.mean(axis=0), 1.0 / max(1, len(shown)))
        factors = np.maximum(1.0, np.sqrt(FREQUENT / often))
        weight = np.where(shown, factors, 0.0).max(axis=1)
        has_any = np.array([len(labels.xyxy) > 0 for labels in self.labels])
        weight = np.where(weight > 0, weight, np.where(has_any, SMALL_WEIGHT, EMPTY_WEIGHT))
        return np.asarray(weight / weight.sum(), np.float64)

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
