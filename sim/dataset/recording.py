"""Drives one segment of a data set through a world and takes its pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import WorldError
from sim.calibration import Intrinsics
from sim.dataset.plan import Segment
from sim.dataset.rig import MOUNTED
from sim.ego_driver import EgoDriver
from sim.ground_truth import TRAFFIC_LIGHT, GroundTruth, TruthBox
from sim.plate_truth import PlateBox, plates_in
from sim.world import HEAD_STEP, Body, Ego, EgoState, Light, World, WorldTick

DELTA_S = 0.1  # of a tick
WARM_UP_TICKS = 30  # until traffic has spread and moves
STANDING = 0.3  # m/s
MAX_STANDING = 2  # pictures of one wait at a light
LOOK_AHEAD_M = 7.0  # the least gap to what stands in the way; grows by a second of driving
# More of what is rare than streets have: some thousand pictures then hold hundreds of each.
MIX = {"car": 0.5, "truck": 0.13, "bus": 0.11, "motorcycle": 0.14, "bicycle": 0.12}
MASK_STEP = 2  # picture pixels per pixel of the stored tags, either way
STATE_VISIBILITY = 0.5  # of a traffic light's head, below which its lamps may be the hidden part


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture and its truth.

    Attributes:
        vehicle: Whose camera.
        camera: Its id.
        sim_ns: Simulated time since the segment's world began.
        bgr: (H, W, 3) uint8.
        semantic: (H / 2, W / 2) uint8, CARLA's CityObjectLabel of every second pixel.
        boxes: Visible objects.
        lights: What each traffic light shows, by actor id.
        plates: Number plates that can be seen.
    """

    vehicle: str
    camera: str
    sim_ns: int
    bgr: NDArray[np.uint8]
    semantic: NDArray[np.uint8]
    boxes: list[TruthBox]
    lights: dict[int, Light]
    plates: list[PlateBox]

    def light_of(self, box: TruthBox) -> Light | None:
        """What a traffic light's head shows, where its lamps can be seen; else None."""
        height, width = self.bgr.shape[:2]
        x1, y1, x2, y2 = box.xyxy
        is_cut = x1 <= 0 or y1 <= 0 or x2 >= width or y2 >= height
        if box.class_id != TRAFFIC_LIGHT or is_cut or box.visibility < STATE_VISIBILITY:
            return None
        return self.lights.get(box.actor_id % HEAD_STEP)


@dataclass(frozen=True, slots=True, eq=False)
class _Camera:
    """One camera of an ego and the truth of its pictures."""

    camera_id: str
    handle: int
    intrinsics: Intrinsics
    truth: GroundTruth


class _Driven:
    """One ego with its driver and its cameras."""

    def __init__(self, world: World, number: int, spawn: int, speed: float, rig: MOUNTED) -> None:
        self.vehicle_id = f"ego{number}"
        self.ego: Ego = world.spawn_ego(self.vehicle_id, spawn, "random")
        self.cameras: list[_Camera] = []
        self.stood = 0  # looks in a row that were taken without moving
        self._rig = rig
        self._driver = EgoDriver(self.ego, world.stop_lines(), speed)

    def attach(self, world: World) -> None:
        """Bring its cameras to life; before that a server draws nothing for them."""
        self.cameras = [
            _Camera(
                camera_id,
                world.attach_camera(self.ego, mount),
                mount.intrinsics,
                GroundTruth(mount.intrinsics, self.ego.actor_id),
            )
            for camera_id, mount in self._rig
        ]

    def look(self, world: World, seen: WorldTick) -> Iterator[Shot]:
        """The pictures of its cameras in this tick."""
        for camera in self.cameras:
            picture = world.picture(camera.handle)
            if picture is None:
                continue
            boxes = camera.truth.boxes(picture, seen.bodies)
            seen_as = camera.truth.seen_as
            yield Shot(
                self.vehicle_id,
                camera.camera_id,
                seen.sim_ns,
                picture.bgr,
                picture.semantic[::MASK_STEP, ::MASK_STEP],
                boxes,
                dict(seen.lights),
                plates_in(picture, seen.bodies, camera.intrinsics, seen_as),
            )

    def drive(self, world: World, seen: WorldTick) -> None:
        """Pedals for the next tick; unlike a demo's ego it stops for what stands in its way."""
        state = seen.egos[self.ego.actor_id]
        control = self._driver.control(state, seen.lights, DELTA_S)
        if is_blocked(self.ego.actor_id, state, seen.bodies):
            world.apply_control(self.ego.actor_id, 0.0, control.steer, 1.0)
            return
        world.apply_control(self.ego.actor_id, control.throttle, control.steer, control.brake)


def is_blocked(actor_id: int, state: EgoState, bodies: Sequence[Body]) -> bool:
    """Whether a road user stands in the ego's lane within what it drives in a second."""
    cos, sin = math.cos(state.pose.yaw), math.sin(state.pose.yaw)
    for body in bodies:
        if body.actor_id == actor_id or body.class_id == TRAFFIC_LIGHT:
            continue
        dx, dy = body.pose.x - state.pose.x, body.pose.y - state.pose.y
        ahead, left = cos * dx + sin * dy, cos * dy - sin * dx
        if 0.0 < ahead < LOOK_AHEAD_M + state.speed and abs(left) < 1.6:
            return True
    return False


def record(world: World, segment: Segment) -> Iterator[Shot]:
    """Drives one segment and yields its pictures with their truth.

    Raises:
        WorldError: The cameras gave no picture for long.
    """
    world.set_weather(segment.sky.weather)
    driven = [_Driven(world, number, *ego) for number, ego in enumerate(segment.egos)]
    world.traffic(segment.vehicles, segment.pedestrians, segment.traffic_seed, MIX)
    every = segment.every_ticks
    patience = WARM_UP_TICKS + 3 * every * segment.pictures  # ticks; then stuck or not
    taken, ticks = 0, 0
    while taken < segment.pictures:
        if ticks == WARM_UP_TICKS - 1:
            for each in driven:
                each.attach(world)
        seen = world.tick()
        ticks += 1
        for each in driven:
            each.drive(world, seen)
        if ticks > 3 * patience:
            raise WorldError(f"{world.name}: {taken} pictures in {ticks} ticks, gave up")
        if ticks < WARM_UP_TICKS or ticks % every:
            continue
        for each in driven:
            is_standing = seen.egos[each.ego.actor_id].speed < STANDING
            each.stood = each.stood + 1 if is_standing else 0
            if each.stood > MAX_STANDING and ticks < patience:
                continue
            for shot in each.look(world, seen):
                taken += 1
                yield shot
                if taken == segment.pictures:
                    return
