"""The ways in which a scenario's frames may be sent, and how many bits each frame takes so."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scheduler.latency import accuracy_loss
from scheduler.pictures import sent_size
from sim.lockstep import UnitModel, wire_bytes
from sim.lockstep.pictures import Pictures, load
from sim.lockstep.scenario import Scenario, VehicleSpec
from sim.lockstep.sizes import FrameSizes


class Way(NamedTuple):
    """A size and JPEG quality; size (0, 0) is the frame as it is."""

    width: int
    height: int
    quality: int

    def accuracy(self, model: UnitModel) -> float:
        """Expected F1 of a model that looks at what was sent so."""
        size = (self.width, self.height)
        return model.shrunk.get(size, model.accuracy) - accuracy_loss(self.quality)


def ways(vehicle: VehicleSpec) -> list[Way]:
    """As `scheduler.pictures` offers them to a policy."""
    camera = vehicle.cameras[0]
    sizes = [sent_size(camera.width, camera.height, wanted) for wanted in vehicle.resolutions]
    return [
        Way(*size, quality)
        for size in dict.fromkeys(sizes or [(0, 0)])
        for quality in vehicle.qualities
    ]


def request_bits(scenario: Scenario, frames: int) -> dict[Way, NDArray[np.float64]]:
    """(F,) bits of each frame's request, by way; the very sizes that lockstep draws or replays."""
    vehicle = scenario.vehicles[0]
    columns: dict[Way, list[float]] = {way: [] for way in ways(vehicle)}
    for frame in _frames(scenario, frames):
        for way, column in columns.items():
            column.append(8.0 * wire_bytes.request_bytes(frame[way]))
    return {way: np.array(column, np.float64) for way, column in columns.items()}


def _frames(scenario: Scenario, frames: int) -> Iterator[dict[Way, int]]:
    vehicle = scenario.vehicles[0]
    camera = vehicle.cameras[0]
    if vehicle.drive:
        stored, luma = load(vehicle.drive)
        yield from _replayed(Pictures(stored, camera.id, luma), vehicle, frames)
        return
    sizes = FrameSizes(f"{scenario.seed}/{vehicle.id}/{camera.id}/sizes")
    for _ in range(frames):
        sizes.step()
        yield {
            way: sizes.jpeg_bytes(
                way.quality, way.width * way.height or camera.width * camera.height
            )
            for way in ways(vehicle)
        }


def _replayed(pictures: Pictures, vehicle: VehicleSpec, frames: int) -> Iterator[dict[Way, int]]:
    for tick, size in list(zip(pictures.ticks, pictures.sizes, strict=True))[:frames]:
        yield {
            way: pictures.jpeg_bytes(
                tick, (way.width, way.height) if way.width else size, way.quality
            )
            for way in ways(vehicle)
        }
