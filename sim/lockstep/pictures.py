"""What a vehicle's cameras see in virtual time: a recorded drive with its stored detections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from sim.evaluation.detect import archive
from sim.evaluation.detect.stored import RAW, Size, StoredDetections
from sim.evaluation.truth import TruePicture
from sim.lockstep.recorded_motion import RecordedMotion
from sim.lockstep.scenario import Look, PoseAt
from vehicle.perception.detections import Detections

LUMA = "luma"  # array of the frames' thumbs, beside the stored detections


class Pictures:
    """One camera's frames of a drive, in order of time."""

    def __init__(
        self,
        stored: StoredDetections,
        camera_id: str,
        luma: NDArray[np.uint8] | None = None,
        motion: RecordedMotion | None = None,
    ) -> None:
        """Picks the camera's frames; of several vehicles the first one's.

        Raises:
            ConfigError: The drive has no such camera.
        """
        about = stored.about
        if camera_id not in about.cameras:
            known = ", ".join(about.cameras)
            raise ConfigError(f"drive {about.drive}: no camera {camera_id!r}, there is {known}")
        self.stored = stored
        self.luma = luma
        self.motion = motion
        frames = [(number, stored.frame(number)) for number in range(len(stored))]
        own = [
            (cast(int, frame["sim_ns"]), number, cast(int, frame["tick"]), frame)
            for number, frame in frames
            if frame["camera"] == camera_id and frame["vehicle"] == about.vehicles[0]
        ]
        own.sort(key=lambda item: item[:2])
        self.sim_ns = [sim_ns for sim_ns, *_ in own]
        self.numbers = [number for _, number, _, _ in own]
        self.ticks = [tick for _, _, tick, _ in own]
        self.sizes = [(cast(int, f["width"]), cast(int, f["height"])) for *_, f in own]
        self._index_of = {tick: index for index, tick in enumerate(self.ticks)}
        self._number_of = dict(zip(self.ticks, self.numbers, strict=True))
        self.poses = tuple(
            pose for sim_ns, *_, f in own if (pose := _pose_of(sim_ns - own[0][0], f)) is not None
        )

    def __len__(self) -> int:
        return len(self.numbers)

    def number(self, tick: int) -> int:
        """The frame's number in the file."""
        return self._number_of[tick]

    def index(self, tick: int) -> int:
        """The frame's place among the camera's."""
        return self._index_of[tick]

    def found(self, tick: int, look: Look, size: Size | None, quality: int | str) -> Detections:
        """What a model answers, in pixels of the source frame.

        Args:
            tick: Of the frame.
            look: The model.
            size: Of the picture that was sent; None = the model's own input.
            quality: JPEG quality, `RAW` or `SPLIT`.
        """
        found = self.stored.detections(
            self._number_of[tick], look.rung, size or look.size, str(quality)
        )
        return found.select(found.score >= look.threshold)

    def jpeg_bytes(self, tick: int, size: Size, quality: int) -> int:
        """Of the frame, shrunk to a size."""
        return self.stored.jpeg_bytes(self._number_of[tick], size, quality)

    def payload_bytes(self, tick: int, look: Look) -> int:
        """Of the first half of a model; 0 where nothing is stored."""
        return self.stored.payload_bytes(self._number_of[tick], look.rung, look.size) or 0

    def thumb(self, tick: int) -> NDArray[np.uint8] | None:
        """The frame as `vehicle.perception.content.thumb` makes it small; None if not stored."""
        return self.luma[self._number_of[tick]] if self.luma is not None else None

    def truth(self) -> list[TruePicture]:
        """What was really there, where the drive says."""
        pictures: list[TruePicture] = []
        for tick, sim_ns, number in zip(self.ticks, self.sim_ns, self.numbers, strict=True):
            true = self.stored.truth(number)
            if true is not None:
                boxes = (true.actor_id, true.class_id, true.xyxy, true.visibility)
                pictures.append(TruePicture(tick, sim_ns, *boxes))
        return pictures

    def check(
        self, looks: Sequence[Look], sizes: Sequence[Size], qualities: Sequence[int | str]
    ) -> None:
        """Whether everything that may be asked for is stored.

        Raises:
            ConfigError: It is not; what is.
        """
        about = self.stored.about
        held = [tuple(size) for size in about.sizes]
        for look in looks:
            _expect("rung", look.rung, about.rungs, about.drive)
            _expect("size", tuple(look.size), held, about.drive)
        for size in sizes:
            _expect("size", tuple(size), held, about.drive)
        for quality in (RAW, *qualities):
            _expect("quality", str(quality), about.qualities, about.drive)


def _expect(what: str, wish: object, held: Sequence[object], drive: str) -> None:
    if wish not in held:
        known = ", ".join(map(str, held))
        raise ConfigError(f"drive {drive}: no {what} {wish}, there is {known}")


def _pose_of(t_ns: int, frame: dict[str, object]) -> PoseAt | None:
    x, y, _, _, _, yaw = cast(Sequence[float], frame["pose"])
    speed, yaw_rate = cast(float, frame["speed"]), cast(float, frame["yaw_rate"])
    if not all(math.isfinite(value) for value in (x, y, yaw, speed)):
        return None
    return PoseAt(t_ns, x, y, yaw, speed, yaw_rate if math.isfinite(yaw_rate) else 0.0)


@lru_cache(maxsize=4)
def load(path: str) -> tuple[StoredDetections, NDArray[np.uint8] | None]:
    """The stored detections of a file, and its frames' thumbs where it has them.

    Raises:
        SourceError: It holds no stored detections.
    """
    stored = archive.read(Path(path))
    with np.load(path, allow_pickle=False) as file:
        luma = np.asarray(file[LUMA], np.uint8) if LUMA in file.files else None
    return stored, luma
