"""A video, or a folder of its frames, with labels in COCO form or as MOTChallenge's gt.txt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from scheduler.errors import ConfigError, SourceError
from sim.evaluation.perception import coco
from sim.evaluation.perception.labels import Labelled, Picture
from vehicle.perception.classes import CLASS_ID

VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v")
DEFAULT_FPS = 25.0  # of a folder of frames that does not say; MOTChallenge's usual one

# Class numbers of MOTChallenge (Milan et al., arXiv:1603.00831). Those of IGNORED stand for
# people who are hard to tell from pedestrians: to find them is no hit, and no false box.
MOT_CLASSES = {
    1: "pedestrian", 2: "pedestrian", 3: "car", 4: "bicycle", 5: "motorcycle", 7: "pedestrian",
    8: "pedestrian", 12: "pedestrian", -1: "pedestrian",
}  # fmt: skip
IGNORED = (2, 7, 8, 12)


class LabelledVideo:
    """Frames in their order, with the ids of the objects where the labels have them."""

    def __init__(
        self,
        video: Path,
        labels: Path,
        own: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> None:
        """Opens a video file or a folder of frames.

        Args:
            video: The file; or a folder with frames, or with frames in img1/ (MOTChallenge).
            labels: COCO JSON, or comma-separated lines as in MOTChallenge's gt.txt.
            own: Class names of COCO labels -> CLASSES.
            limit: Look at the first frames alone.

        Raises:
            SourceError: Neither can be read.
            ConfigError: No class of use.
        """
        self.title = str(video)
        self._video = video
        self._files = frame_files(video) if video.is_dir() else []
        self.fps, total = self._rate()
        self._total = total if limit is None else min(total, limit)
        made: Sequence[Labelled]
        if labels.suffix == ".json":
            made, self.classes = self._of_coco(labels, own or {})
        else:
            made, self.classes = read_mot(labels, self._total)
        self.labels = made
        if not any(len(picture.xyxy) for picture in made):
            raise SourceError(f"{labels}: not one label within the {self._total} frames of {video}")

    def _rate(self) -> tuple[float | None, int]:
        if self._files:
            return _fps_of(self._video), len(self._files)
        reader = cv2.VideoCapture(str(self._video))
        try:
            if not reader.isOpened():
                raise SourceError(f"cannot open the video {self._video}")
            count = int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
            return float(reader.get(cv2.CAP_PROP_FPS)) or DEFAULT_FPS, count
        finally:
            reader.release()

    def _of_coco(self, path: Path, own: Mapping[str, str]) -> tuple[list[Labelled], frozenset[int]]:
        rows, labels, classes = coco.read_labels(coco.read_table(path), own, str(path), None)
        by_frame: dict[int, Labelled] = {}
        for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
            by_frame[int(row.get("frame_index") or row.get("frame_id") or place)] = label
        frames = [by_frame.get(i, _empty(str(i))) for i in range(self._total)]
        return frames, classes

    @property
    def fingerprint(self) -> str:
        """Changes with the video."""
        size = 0 if self._files else self._video.stat().st_size
        told = f"{self._video.resolve()} {size} {self._total} {len(self._files)}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def pictures(self, indices: Sequence[int]) -> Iterator[tuple[int, Picture]]:
        """Index and picture of each of `indices`, which rise; a video is read through."""
        if self._files:
            for index in indices:
                picture = cv2.imread(str(self._files[index]), cv2.IMREAD_COLOR)
                if picture is None:
                    raise SourceError(f"cannot read the picture {self._files[index]}")
                yield index, np.asarray(picture, np.uint8)
            return
        wanted = set(indices)
        reader = cv2.VideoCapture(str(self._video))
        try:
            for index in range(max(wanted, default=-1) + 1):
                # Seeking lands on key frames; reading on is exact.
                is_read = reader.grab()
                if is_read and index not in wanted:
                    continue
                if is_read:
                    is_read, picture = reader.retrieve()
                if not is_read:
                    raise SourceError(
                        f"{self._video} ends after {index} frames though it announces "
                        f"{self._total}; add --limit {index}"
                    )
                yield index, np.asarray(picture, np.uint8)
        finally:
            reader.release()


def frame_files(folder: Path) -> list[Path]:
    """The frames in a folder, or in its img1/, by name."""
    for place in (folder / "img1", folder):
        found = sorted(p for p in place.glob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
        if found:
            return found
    return []


def _fps_of(folder: Path) -> float:
    told = folder / "seqinfo.ini"
    if told.is_file():
        for line in told.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            if key.strip().lower() == "framerate":
                return float(value)
    return DEFAULT_FPS


def _empty(name: str) -> Labelled:
    return Labelled(
        name,
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.int16),
        np.zeros(0, np.float32),
        np.zeros(0, np.bool_),
        np.zeros(0, np.int64),
    )


def read_mot(path: Path, frames: int) -> tuple[list[Labelled], frozenset[int]]:
    """Labels of each frame, from lines `frame, id, x, y, w, h, flag, class, visibility`.

    Frames and pixels count from 1. A line with flag 0 is not to be scored.

    Raises:
        SourceError: A line of another form.
        ConfigError: No class of use.
    """
    rows: dict[int, list[tuple[float, ...]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = tuple(float(value) for value in line.split(","))
        except ValueError:
            values = ()
        if len(values) < 6:
            raise SourceError(
                f"{path}:{number}: expected MOTChallenge's frame,id,x,y,w,h,flag,class,visibility, "
                f"got {line[:60]!r}"
            )
        rows.setdefault(int(values[0]) - 1, []).append(values)
    labels = [_mot_frame(index, rows.get(index, [])) for index in range(frames)]
    scored = {int(c) for label in labels for c in label.class_id[~label.is_crowd]}
    if not scored:
        raise ConfigError(
            f"{path}: no line is of a class to be scored; expected MOTChallenge's class 1 "
            f"(pedestrian), 3 (car), 4 (bicycle) or 5 (motorcycle) with flag 1"
        )
    return labels, frozenset(scored)


def _mot_frame(index: int, rows: Sequence[tuple[float, ...]]) -> Labelled:
    kept = [row for row in rows if _mot_class(row) in MOT_CLASSES]
    boxes = np.array([row[2:6] for row in kept], np.float32).reshape(-1, 4)
    boxes[:, :2] -= 1.0
    boxes[:, 2:] += boxes[:, :2]
    # MOT15 has seven columns of use; it labels pedestrians alone and says no visibility.
    seen = [row[8] if len(row) > 8 and _mot_class(row) != -1 else 1.0 for row in kept]
    return Labelled(
        f"{index + 1:06d}",
        boxes,
        np.array([CLASS_ID[MOT_CLASSES[_mot_class(row)]] for row in kept], np.int16),
        np.array(seen, np.float32),
        np.array(
            [(len(row) > 6 and row[6] == 0) or _mot_class(row) in IGNORED for row in kept],
            np.bool_,
        ),
        np.array([int(row[1]) for row in kept], np.int64),
    )


def _mot_class(row: Sequence[float]) -> int:
    return int(row[7]) if len(row) > 7 else -1


def labels_beside(path: Path) -> Path | None:
    """The labels of a video file or of a folder of frames, where they usually lie."""
    folder = path if path.is_dir() else path.parent
    names = [folder / "gt" / "gt.txt", folder / "gt.txt"]
    if not path.is_dir():
        names = [path.with_suffix(".json"), path.with_suffix(".txt"), *names]
    return next((name for name in names if name.is_file()), None)


def labels_of(path: Path, named: Path | None) -> Path:
    """The labels that were named, or lie beside the video.

    Raises:
        ConfigError: There are none.
    """
    found = named or labels_beside(path)
    if found is None or not found.is_file():
        raise ConfigError(
            f"{path}: no labels {found or 'beside it'}; expected COCO JSON or MOTChallenge's "
            f"gt.txt ({path.with_suffix('.json').name}, {path.with_suffix('.txt').name} or "
            "gt/gt.txt), or --labels FILE"
        )
    return found
