"""A data set in COCO form: ours or anybody's, a folder or the annotation file itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from scheduler.errors import ConfigError, SourceError
from sim.evaluation.perception.labels import Labelled, Picture, class_ids

Json = dict[str, Any]

FORM = "a COCO data set (annotations.json, or annotations/*.json, beside images/)"


def annotations_in(folder: Path) -> Path | None:
    """The annotation file of a folder; None where there is none or a choice of many."""
    for name in ("annotations.json", "_annotations.coco.json"):
        if (folder / name).is_file():
            return folder / name
    found = sorted((folder / "annotations").glob("*.json"))
    boxes = [path for path in found if path.name.startswith("instances")] or found
    return boxes[0] if len(boxes) == 1 else None


def read_table(path: Path) -> Json:
    """The tables of an annotation file.

    Raises:
        SourceError: Not JSON, or without images, annotations or categories.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: expected COCO annotations as JSON: {error}") from error
    missing = {"images", "annotations", "categories"}.difference(table)
    if not isinstance(table, dict) or missing:
        raise SourceError(
            f"{path}: expected COCO annotations, {', '.join(sorted(missing))} missing"
        )
    return table


def read_labels(
    table: Json, own: Mapping[str, str], where: str, limit: int | None
) -> tuple[list[Json], list[Labelled], frozenset[int]]:
    """Rows of the pictures in the order of their ids, their labels, and the classes labelled.

    Raises:
        ConfigError: No class of use.
        SourceError: A row without what COCO asks for.
    """
    classes = class_ids({row["id"]: row["name"] for row in table["categories"]}, own, where)
    rows = sorted(table["images"], key=lambda row: int(row["id"]))
    if limit is not None and limit < len(rows):  # neighbours are of one street and sky
        rows = [rows[index * len(rows) // limit] for index in range(limit)]
    of_picture: dict[int, list[Json]] = {row["id"]: [] for row in rows}
    for annotation in table["annotations"]:
        if annotation.get("category_id") in classes and annotation.get("image_id") in of_picture:
            of_picture[annotation["image_id"]].append(annotation)
    try:
        labels = [_labelled(row, of_picture[row["id"]], classes) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{where}: an image or annotation lacks {error}") from error
    return rows, labels, frozenset(classes.values())


def _labelled(row: Json, mine: Sequence[Json], classes: Mapping[int, int]) -> Labelled:
    boxes = np.array([a["bbox"] for a in mine], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    ids = [_object_id(a) for a in mine]
    return Labelled(
        str(row["file_name"] if "file_name" in row else row["id"]),
        boxes,
        np.array([classes[a["category_id"]] for a in mine], np.int16),
        np.array([a.get("visibility", 1.0) for a in mine], np.float32),
        np.array([bool(a.get("iscrowd") or a.get("ignore")) for a in mine], np.bool_),
        np.array([] if None in ids else ids, np.int64),
        str(row.get("weather", "")),
        str(row.get("town", "")),
    )


def _object_id(annotation: Json) -> int | None:
    for key in ("track_id", "instance_id", "object_id"):
        if isinstance(annotation.get(key), int):
            return int(annotation[key])
    return None


class CocoSet:
    """Pictures in a folder, labelled in one file."""

    def __init__(
        self, annotations: Path, own: Mapping[str, str] | None = None, limit: int | None = None
    ) -> None:
        """Opens a set.

        Args:
            annotations: The file.
            own: Class names of the set -> CLASSES, before the usual ones.
            limit: Look at so many pictures, spread over the set.

        Raises:
            SourceError: The file or the pictures cannot be read.
            ConfigError: No class of use.
        """
        table = read_table(annotations)
        self._rows, labels, self.classes = read_labels(table, own or {}, str(annotations), limit)
        self.labels: Sequence[Labelled] = labels
        if not labels:
            raise SourceError(f"{annotations}: no image is listed")
        self._folder = self._pictures_of(annotations)
        self.title = str(annotations.parent.name if annotations.stem != "annotations"
                         else annotations.parent)  # fmt: skip
        self.fps: float | None = None

    def _pictures_of(self, annotations: Path) -> Path:
        name = self._rows[0].get("file_name", "")
        root = annotations.parent
        outer = root.parent if root.name == "annotations" else root
        split = annotations.stem.removeprefix("instances_")
        for folder in (root / "images", root, outer / "images", outer / "images" / split,
                       outer / split, outer):  # fmt: skip
            if name and (folder / name).is_file():
                return folder
        raise SourceError(f"{annotations}: no picture {name!r} in {root} or {root / 'images'}")

    @property
    def fingerprint(self) -> str:
        """Changes with the list of pictures."""
        told = hashlib.sha256(str(self._folder.resolve()).encode())
        for row in self._rows:
            path = self._folder / row["file_name"]
            size = path.stat().st_size if path.is_file() else 0
            told.update(f"{row['file_name']} {size}".encode())
        return told.hexdigest()[:16]

    def pictures(self, indices: Sequence[int]) -> Iterator[tuple[int, Picture]]:
        """Index and picture (H, W, 3) uint8 BGR of each of `indices`.

        Raises:
            SourceError: A file that is no picture.
        """
        for index in indices:
            path = self._folder / self._rows[index]["file_name"]
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if picture is None:
                raise SourceError(f"cannot read the picture {path}")
            yield index, np.asarray(picture, np.uint8)


def found_in(path: Path) -> Path:
    """The annotation file that `path`, a folder or a file, stands for.

    Raises:
        ConfigError: There is none, or more than one.
    """
    if path.is_file():
        return path
    found = annotations_in(path)
    if found is None:
        many = sorted((path / "annotations").glob("*.json"))
        if many:
            names = ", ".join(str(one) for one in many)
            raise ConfigError(f"{path}: several annotation files, name one: {names}")
        raise ConfigError(f"{path}: no labels there; expected {FORM}")
    return found
