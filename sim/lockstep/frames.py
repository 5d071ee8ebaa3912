"""When each picture of a vehicle's cameras is taken: at a rate, or as in a recorded drive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from scheduler.errors import ConfigError
from sim.lockstep.loop import Loop
from sim.lockstep.pictures import Pictures
from sim.lockstep.scenario import CameraSpec, PoseAt, VehicleSpec
from sim.lockstep.vehicle import NS_PER_S, VirtualVehicle

Shot = tuple[int, int, int]  # when after the first frame, tick, sim_ns; all in ns but the tick


def at_rate(camera: CameraSpec, vehicle_id: str, seed: int) -> Iterator[Shot]:
    """Every so often, without end, from the camera's phase.

    Raises:
        ConfigError: The rate is not above 0.
    """
    if camera.rate_hz <= 0.0:
        raise ConfigError(f"camera {camera.id!r}: expected a rate above 0, got {camera.rate_hz}")
    if camera.phase_ms is not None:
        first_ns = round(camera.phase_ms * 1e6)
    else:
        draw = Random(f"{seed}/{vehicle_id}/{camera.id}/phase").random()
        first_ns = int(draw * NS_PER_S / camera.rate_hz)
    tick = 0
    while True:
        at_ns = first_ns + round(tick * NS_PER_S / camera.rate_hz)
        tick += 1
        yield at_ns, tick, at_ns


def as_recorded(pictures: Pictures) -> Iterator[Shot]:
    """As the drive's frames were."""
    for tick, sim_ns in zip(pictures.ticks, pictures.sim_ns, strict=True):
        yield sim_ns - pictures.sim_ns[0], tick, sim_ns


class Shutter:
    """One camera in virtual time; each frame schedules the next."""

    def __init__(
        self,
        loop: Loop,
        vehicle: VirtualVehicle,
        camera: CameraSpec,
        shots: Iterator[Shot],
        first_ns: int,
        end_ns: int,
    ) -> None:
        self._loop, self._vehicle, self._camera = loop, vehicle, camera
        self._shots, self._first_ns, self._end_ns = shots, first_ns, end_ns
        self._next()

    def _next(self) -> None:
        shot = next(self._shots, None)
        if shot is None:
            return
        stamp_ns = self._first_ns + shot[0]
        if stamp_ns < self._end_ns:
            self._loop.at(stamp_ns + self._vehicle.capture_ns(), self._arrive, shot, stamp_ns)

    def _arrive(self, shot: Shot, stamp_ns: int) -> None:
        _, tick, sim_ns = shot
        self._next()
        self._vehicle.arrive(self._camera, tick, sim_ns, stamp_ns)


class Journey:
    """The vehicle's poses in virtual time."""

    def __init__(
        self, loop: Loop, vehicle: VirtualVehicle, poses: tuple[PoseAt, ...], first_ns: int
    ) -> None:
        self._loop, self._vehicle, self._first_ns = loop, vehicle, first_ns
        self._poses = iter(poses)
        self._next()

    def _next(self) -> None:
        pose = next(self._poses, None)
        if pose is not None:
            self._loop.at(self._first_ns + pose.t_ns, self._drive, pose)

    def _drive(self, pose: PoseAt) -> None:
        self._vehicle.drive(pose)
        self._next()


def recorded_rate(camera: CameraSpec, pictures: Pictures) -> CameraSpec:
    """The camera as the drive has it."""
    span_ns = pictures.sim_ns[-1] - pictures.sim_ns[0]
    rate_hz = (len(pictures) - 1) * NS_PER_S / span_ns if span_ns else camera.rate_hz
    width, height = pictures.sizes[0]
    return replace(camera, rate_hz=rate_hz, width=width, height=height)


def with_drive(spec: VehicleSpec, pictures: dict[str, Pictures]) -> VehicleSpec:
    """A vehicle that sees a drive: cameras and poses are the recording's."""
    cameras = tuple(recorded_rate(camera, pictures[camera.id]) for camera in spec.cameras)
    poses = spec.poses or pictures[spec.cameras[0].id].poses
    return replace(spec, cameras=cameras, poses=poses)
