"""Eyes of a vehicle whose pictures are there: the configured detectors look at them, unhurried.

What a model takes in virtual time is its stage's draw; here it looks for as long as it needs. A
picture that is sent is written as the JPEG that would have been sent, and read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scheduler import paths
from scheduler.config import Unit, Vehicle
from scheduler.effects import Encode, Send
from scheduler.tasks import Task
from vehicle.perception.detections import Detections
from vehicle.perception.detector import Detector, DetectorSpec, load_detector
from vehicle.perception.jpeg import decode_jpeg

KEPT_FRAMES = 30  # of which an answer may still come

UnitModels = Mapping[tuple[str, str], Detector]  # by (unit, model)


def unit_models(units: Sequence[Unit], path: Callable[[str], Path]) -> UnitModels:
    """The detectors of all units.

    Raises:
        ConfigError: One of them cannot be made.
    """
    return {
        (unit.id, section.id): load_detector(DetectorSpec.of(section, path))
        for unit in units
        for section in unit.detectors
    }


class DetectorEyes:
    """Of one vehicle.

    Args:
        vehicle: Its section.
        at_units: See `unit_models`; several vehicles may share them.
        path: Where files of the configuration lie, `Config.path`.

    Raises:
        ConfigError: A detector cannot be made.
    """

    def __init__(self, vehicle: Vehicle, at_units: UnitModels, path: Callable[[str], Path]) -> None:
        self._models = {
            section.id: load_detector(DetectorSpec.of(section, path))
            for section in vehicle.detectors
        }
        self._at_units = at_units
        self._images: dict[tuple[str, int], NDArray[np.uint8]] = {}  # by (camera, tick)
        self._jpegs: dict[tuple[str, int], tuple[bytes, int, int]] = {}  # with width and height

    def show(self, camera_id: str, tick: int, image: NDArray[np.uint8]) -> None:
        """A frame, (H, W, 3) uint8 BGR."""
        self._images[camera_id, tick] = image
        for kept in (self._images, self._jpegs):
            for key in [k for k in kept if k[0] == camera_id and k[1] < tick - KEPT_FRAMES]:
                del kept[key]

    def on_board(self, task: Task, model: str) -> Detections:
        """What the vehicle's own model finds in the frame."""
        return self._models[model].detect(self._images[task.camera_id, task.tick])

    def jpeg_bytes(self, job: Encode) -> int | None:
        """Writes the JPEG."""
        import cv2

        task = job.task
        image = self._images[task.camera_id, task.tick]
        width, height = job.width or task.width, job.height or task.height
        if (width, height) != (task.width, task.height):
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, job.quality])
        jpeg: bytes = encoded.tobytes()
        self._jpegs[task.camera_id, task.tick] = jpeg, width, height
        return len(jpeg)

    def at_unit(self, sent: Send, quality: int) -> Detections:
        """What a unit's model finds in the JPEG, in pixels of the frame."""
        task = sent.task
        jpeg, width, height = self._jpegs[task.camera_id, task.tick]
        model = self._at_units[paths.unit_of(sent.unit_id), sent.model]
        found = model.detect(decode_jpeg(jpeg, width, height))
        if (width, height) == (task.width, task.height):
            return found
        scale = np.array([task.width / width, task.height / height] * 2, np.float32)
        return Detections(found.xyxy * scale, found.score, found.class_id)

    def done(self, task: Task) -> None:
        """Frames are kept for late answers, see `show`."""
