"""Each rung alone: its F1 over a sample of the drive's recorded pictures, without any delay.

What a detector could give if its answers took no time; the drive's own `f1_current` stands beside
it, which pays for delay and gains from tracking.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from scheduler import config
from scheduler.config import Config
from sim.evaluation.records import RunFolder
from sim.evaluation.truth import TruePicture
from vehicle.perception.detector import Detector, DetectorSpec, load_detector
from vehicle.perception.scores.matching import Truth
from vehicle.perception.scores.streaming import Counts, count

MOST_PICTURES = 120  # of a vehicle; the sample is spread over the whole drive


def rungs_of(configuration: Config, vehicle_id: str) -> dict[str, config.Detector]:
    """The detectors that a vehicle's frames may meet, by name; its own first."""
    sections = list(configuration.vehicle(vehicle_id).detectors)
    sections += [section for unit in configuration.roadside_units for section in unit.detectors]
    found: dict[str, config.Detector] = {}
    for section in sections:
        found.setdefault(section.id, section)
    return found


def f1_alone(
    folder: RunFolder, vehicle_id: str, truth: Mapping[str, Sequence[TruePicture]]
) -> dict[str, Counts]:
    """Hits, false boxes and misses of each rung over the sample.

    Args:
        truth: True pictures by camera.

    Raises:
        ConfigError: a detector cannot be loaded here.
    """
    import cv2  # heavy, and this is its one use here

    by_key = {(camera, p.tick): p for camera, frames in truth.items() for p in frames}
    every = max(1, -(-len(by_key) // MOST_PICTURES))
    cv2.setNumThreads(1)
    detectors: dict[str, Detector] = {}
    totals: dict[str, Counts] = {}
    for frame in folder.frames(vehicle_id, every):
        true = by_key.get((frame.camera_id, frame.tick))
        picture = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
        if true is None or picture is None:
            continue
        if not detectors:
            detectors = {
                name: load_detector(DetectorSpec.of(section, folder.config.path))
                for name, section in rungs_of(folder.config, vehicle_id).items()
            }
        seen = Truth.seen(true.xyxy, true.class_id, true.visibility)
        for name, detector in detectors.items():
            totals[name] = totals.get(name, Counts()) + count(detector.detect(picture), seen)
    return totals
