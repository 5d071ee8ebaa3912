"""A run folder as a labelled set: the recorded pictures of its vehicles, with their truth."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from scheduler.errors import ConfigError, SourceError
from sim.evaluation import truth
from sim.evaluation.perception.labels import Labelled, Picture
from sim.evaluation.records import RunFolder
from sim.evaluation.truth import TruePicture
from vehicle.perception.classes import CLASSES

Key = tuple[str, str, int]  # vehicle, camera, tick


def labelled(name: str, true: TruePicture, weather: str = "", town: str = "") -> Labelled:
    """The truth of one picture in the form that scores take."""
    return Labelled(
        name,
        true.xyxy,
        true.class_id,
        true.visibility,
        np.zeros(len(true.class_id), np.bool_),
        true.actor_id,
        weather,
        town,
    )


class RecordedSet:
    """Pictures that the vehicles of a run recorded."""

    def __init__(self, folder: RunFolder, limit: int | None = None) -> None:
        """Joins pictures and truth.

        Args:
            folder: Of the run.
            limit: Look at so many pictures, spread over the drive.

        Raises:
            ConfigError: The run has no recorded pictures, or no truth.
        """
        self._folder = folder
        by_key: dict[Key, TruePicture] = {
            (vehicle, camera, true.tick): true
            for vehicle in folder.vehicles()
            for camera, pictures in truth.read(folder.path / "truth.mcap", vehicle).items()
            for true in pictures
        }
        if not by_key:
            raise ConfigError(f"{folder.path}: no truth.mcap with pictures; was a world driven in?")
        self._keys = self._recorded(by_key)
        if not self._keys:
            raise ConfigError(
                f"{folder.path}: no pictures were recorded; drive with record: {{frames: all}}"
            )
        if limit is not None and limit < len(self._keys):
            at = np.linspace(0, len(self._keys) - 1, limit).round().astype(int)
            self._keys = [self._keys[index] for index in at]
        world = folder.world()
        place = (world.weather, world.town.rpartition("/")[2]) if world else ("", "")
        self.labels: Sequence[Labelled] = [
            labelled("/".join(map(str, key)), by_key[key], *place) for key in self._keys
        ]
        self.title = f"pictures of {folder.path}"
        self.classes = frozenset(range(len(CLASSES)))
        self.fps: float | None = None

    def _recorded(self, known: dict[Key, TruePicture]) -> list[Key]:
        found = []
        for vehicle in self._folder.vehicles():
            for frame in self._folder.frames(vehicle, 1):
                key = (frame.vehicle_id, frame.camera_id, frame.tick)
                if key in known:
                    found.append(key)
        return found

    @property
    def fingerprint(self) -> str:
        """Changes with the pictures."""
        told = f"{self._folder.path.resolve()} {self._keys[0]} {self._keys[-1]} {len(self._keys)}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def pictures(self, indices: Sequence[int]) -> Iterator[tuple[int, Picture]]:
        """Index and picture of each of `indices`, which rise; the records are read through."""
        places = {self._keys[index]: index for index in indices}
        for vehicle in self._folder.vehicles():
            for frame in self._folder.frames(vehicle, 1):
                index = places.get((frame.vehicle_id, frame.camera_id, frame.tick))
                if index is None:
                    continue
                jpeg = np.frombuffer(frame.jpeg, np.uint8)
                picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
                if picture is None:
                    raise SourceError(f"{self._folder.path}: tick {frame.tick} holds no picture")
                yield index, np.asarray(picture, np.uint8)
