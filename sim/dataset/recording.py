"""Drives one segment of a data set through a world and takes its pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.dataset.plan import Segment
from sim.ego_driver import EgoDriver
from sim.ground_truth import TRAFFIC_LIGHT, GroundTruth, TruthBox
from sim.plate_truth import PlateBox, plates_in
from sim.world import HEAD_STEP, Body, CameraMount, Ego, EgoState, Light, World, WorldTick

DELTA_S = 0.1  # of a tick
EVERY_TICKS = 6  # so that pictures of one camera differ
WARM_UP_TICKS = 30  # until traffic has spread and moves
STANDING = 0.3  # m/s
MAX_STANDING = 2  # pictures of one wait at a light
LOOK_AHEAD_M = 7.0  # the least gap to what stands in the way; grows by a second of driving
MASK_STEP = 2  # picture pixels per pixel of the stored tags, either way


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture and its truth.

    Attributes:
        bgr: (H, W, 3) uint8.
        semantic: (H / 2, W / 2) uint8, CARLA's CityObjectLabel of every second pixel.
        boxes: Visible objects.
        lights: What each traffic light shows, by actor id.
        plates: Number plates that can be seen.
    """

    bgr: NDArray[np.uint8]
    semantic: NDArray[np.uint8]
    boxes: list[TruthBox]
    lights: dict[int, Light]
    plates: list[PlateBox]

    def light_of(self, box: TruthBox) -> Light | None:
        """What a traffic light's head shows; None for anything else."""
        return self.lights.get(box.actor_id % HEAD_STEP) if box.class_id == TRAFFIC_LIGHT else None


class _Driven:
    """One ego with its driver, its camera and the truth of it."""

    def __init__(self, world: World, number: int, spawn: int, speed: float, mount: CameraMount):
        self.ego: Ego = world.spawn_ego(f"ego{number}", spawn, "random")
        self.camera = world.attach_camera(self.ego, mount)
        self.intrinsics = mount.intrinsics
        self.truth = GroundTruth(mount.intrinsics, self.ego.actor_id)
        self.stood = 0  # pictures in a row that were taken without moving
        self._driver = EgoDriver(self.ego, world.stop_lines(), speed)

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
    """Drives one segment and yields its pictures with their truth."""
    world.set_weather(segment.sky.weather)
    world.traffic(segment.vehicles, segment.pedestrians, segment.traffic_seed)
    driven = [_Driven(world, number, *ego) for number, ego in enumerate(segment.egos)]
    patience = WARM_UP_TICKS + 3 * EVERY_TICKS * segment.pictures  # ticks; then stuck or not
    taken, ticks = 0, 0
    while taken < segment.pictures:
        seen = world.tick()
        ticks += 1
        for each in driven:
            each.drive(world, seen)
        if ticks < WARM_UP_TICKS or ticks % EVERY_TICKS:
            continue
        for each in driven:
            is_standing = seen.egos[each.ego.actor_id].speed < STANDING
            each.stood = each.stood + 1 if is_standing else 0
            if each.stood > MAX_STANDING and ticks < patience:
                continue
            picture = world.picture(each.camera)
            if picture is None or taken == segment.pictures:
                continue
            taken += 1
            boxes = each.truth.boxes(picture, seen.bodies)
            tags = picture.semantic[::MASK_STEP, ::MASK_STEP]
            plates = plates_in(picture, seen.bodies, each.intrinsics, each.truth.seen_as)
            yield Shot(picture.bgr, tags, boxes, dict(seen.lights), plates)
