"""Collision warning on a drawn road: boxes are projected from where objects really are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from scheduler.messages import Box, Pose, Verdict
from vehicle.camera.base import Frame
from vehicle.services.base import Advisory, Scene, Setup
from vehicle.services.collision_warning import FULL_BRAKE, CollisionWarning
from vehicle.services.ground import GroundCamera, Way, along_route, arc

FOCAL, CX, CY, WIDTH, HEIGHT = 320.0, 320.0, 192.0, 640, 384
MOUNT = (1.5, 0.0, 1.5, 0.0, 0.0, 0.0)
DT = 0.1  # s between frames
CAR = (4.5, 1.9, 1.5)  # m
PERSON = (0.5, 0.5, 1.8)


@dataclass
class Thing:
    """Something on the road, in world metres; `x` and `y` are its middle."""

    x: float
    y: float
    yaw: float = 0.0
    speed: float = 0.0
    size: tuple[float, float, float] = CAR
    class_id: int = 0
    track_id: int = 1

    def move(self) -> None:
        self.x += self.speed * math.cos(self.yaw) * DT
        self.y += self.speed * math.sin(self.yaw) * DT


@dataclass
class World:
    """An ego at (0, 0) that drives along x unless a yaw rate is given; brakes as it is told."""

    things: list[Thing]
    speed: float = 8.0
    yaw_rate: float = 0.0
    route: tuple[tuple[float, float], ...] = ()
    noise: float = 0.0
    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0
    now_ns: int = 1_000_000_000
    brakes: list[Advisory] = field(default_factory=list)
    is_obeying: bool = True
    tick: int = 0
    looked_ns: int = 0

    def __post_init__(self) -> None:
        self.service = CollisionWarning(Setup("ego", "front", {}))
        self.rng = np.random.default_rng(7)

    def box(self, thing: Thing) -> Box | None:
        length, width, height = thing.size
        corners = []
        for along in (-length / 2, length / 2):
            for left in (-width / 2, width / 2):
                wx = thing.x + along * math.cos(thing.yaw) - left * math.sin(thing.yaw)
                wy = thing.y + along * math.sin(thing.yaw) + left * math.cos(thing.yaw)
                dx, dy = wx - self.x, wy - self.y
                vx = dx * math.cos(self.yaw) + dy * math.sin(self.yaw) - MOUNT[0]
                vy = -dx * math.sin(self.yaw) + dy * math.cos(self.yaw)
                if vx < 0.3:
                    return None
                u = CX - FOCAL * vy / vx
                corners += [(u, CY - FOCAL * (up - MOUNT[2]) / vx) for up in (0.0, height)]
        points = np.clip(np.array(corners), 0, [WIDTH, HEIGHT])
        x1, y1 = points.min(axis=0)
        x2, y2 = points.max(axis=0)
        if x2 - x1 < 4 or y2 - y1 < 4:
            return None
        x1, y1, x2, y2 = np.array([x1, y1, x2, y2]) + self.rng.normal(0, self.noise, 4)
        return Box((x1, y1, x2, y2), (0, 0, 0, 0), 0.9, thing.class_id, thing.track_id)

    def step(
        self, answer: str = "onboard", *, is_blind: bool = False, looked_ms: float | None = None
    ) -> list[Advisory]:
        """One frame; `looked_ms` ago was the picture that a model saw (default: now, or before)."""
        if looked_ms is not None or answer != "carried":
            self.looked_ns = self.now_ns - round(1e6 * (looked_ms or 0.0))
        boxes = [] if is_blind else [b for t in self.things if (b := self.box(t)) is not None]
        pose = Pose(
            1, "ego", self.tick, 0, 0, (self.x, self.y, 0.0), (0.0, 0.0, self.yaw), self.speed,
            self.yaw_rate, 0.0, False,
        )  # fmt: skip
        frame = Frame(
            "ego", "front", self.tick, 0, self.now_ns, np.zeros((HEIGHT, WIDTH, 3), np.uint8),
            (FOCAL, FOCAL, CX, CY), (), MOUNT,
        )  # fmt: skip
        verdict = Verdict(
            1, "ego", "front", self.tick, 0, "object_detection", answer, "", "", "", "", "",  # type: ignore[arg-type]
            self.now_ns, self.now_ns, self.now_ns, self.now_ns, 0.0,
            (self.now_ns - self.looked_ns) / 1e6, False, {}, 0, boxes,
        )  # fmt: skip
        advisories = self.service.on_verdict(verdict, Scene(frame, pose, self.now_ns, self.route))
        self.brakes += advisories
        brake = max((a.brake for a in advisories), default=0.0) if self.is_obeying else 0.0
        self.move(brake)
        return advisories

    def move(self, brake: float) -> None:
        wanted = 8.0 if not brake else 0.0
        limit = FULL_BRAKE * brake if brake else 2.0
        change = max(-limit * DT, min(limit * DT, wanted - self.speed))
        self.speed = max(0.0, self.speed + change)
        self.yaw += self.yaw_rate * DT * (self.speed / 8.0)
        self.x += self.speed * math.cos(self.yaw) * DT
        self.y += self.speed * math.sin(self.yaw) * DT
        for thing in self.things:
            thing.move()
        self.now_ns += round(DT * 1e9)
        self.tick += 1

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / DT)):
            self.step()


def gap(world: World, thing: Thing) -> float:
    """From bumper to bumper along x."""
    return thing.x - thing.size[0] / 2 - (world.x + 2.4)


# --- geometry --------------------------------------------------------------------------------


@pytest.mark.parametrize(("x", "y"), [(10.0, 0.0), (20.0, 3.0), (6.0, -2.0)])
def test_pixel_of_a_road_point_gives_the_point_back(x: float, y: float) -> None:
    camera = GroundCamera((FOCAL, FOCAL, CX, CY), (), MOUNT)
    u = CX - FOCAL * y / (x - MOUNT[0])
    v = CY + FOCAL * MOUNT[2] / (x - MOUNT[0])
    assert camera.point(u, v) == pytest.approx((x, y))
    assert camera.point(u, CY - 1) is None


def test_pitched_camera_sees_the_same_road_point_higher() -> None:
    down = math.radians(-10.0)
    camera = GroundCamera((FOCAL, FOCAL, CX, CY), (), (0.0, 0.0, 2.0, 0.0, down, 0.0))
    assert camera.point(CX, CY) == pytest.approx((2.0 / math.tan(-down), 0.0))


def test_camera_that_looks_left_sees_the_left() -> None:
    camera = GroundCamera((FOCAL, FOCAL, CX, CY), (), (0.0, 0.0, 2.0, 0.0, 0.0, math.pi / 2))
    point = camera.point(CX, CY + 64)
    assert point is not None and point == pytest.approx((0.0, 10.0), abs=1e-9)


def test_distortion_is_undone() -> None:
    k1 = -0.2
    x, y = 0.3, 0.25
    radial = 1 + k1 * (x * x + y * y)
    plain = GroundCamera((FOCAL, FOCAL, CX, CY), (), MOUNT)
    bent = GroundCamera((FOCAL, FOCAL, CX, CY), (k1,), MOUNT)
    expected = plain.point(CX + FOCAL * x, CY + FOCAL * y)
    found = bent.point(CX + FOCAL * x * radial, CY + FOCAL * y * radial)
    assert expected is not None and found == pytest.approx(expected, rel=1e-3)


def test_place_along_a_straight_way() -> None:
    way = Way(np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0]]))
    assert way.locate(12.0, 1.5) == pytest.approx((12.0, 1.5))
    assert way.locate(5.0, -2.0) == pytest.approx((5.0, -2.0))


def test_arc_bends_to_the_side_of_the_yaw_rate() -> None:
    way = arc(8.0, 0.8)  # radius 10 m to the left
    s, offset = way.locate(10 * math.sin(1.0), 10 * (1 - math.cos(1.0)))
    assert s == pytest.approx(10.0, abs=0.2) and abs(offset) < 0.2


SQUARE = tuple(
    (float(x), float(y))
    for x, y in [(i, 0) for i in range(0, 40, 2)]
    + [(40, i) for i in range(0, 40, 2)]
    + [(40 - i, 40) for i in range(0, 40, 2)]
    + [(0, 40 - i) for i in range(0, 40, 2)]
)


def test_route_ahead_turns_with_the_street_and_starts_at_the_vehicle() -> None:
    way = along_route(np.array(SQUARE), 30.0, 0.5, 0.0)
    assert way is not None
    assert way.points[0] == pytest.approx([0.0, -0.5])
    s, offset = way.locate(10.0, 9.5)  # ten metres up the next street
    assert s == pytest.approx(20.0, abs=0.3) and abs(offset) < 0.3


@pytest.mark.parametrize(("x", "y", "yaw"), [(20.0, 10.0, 0.0), (20.0, 0.0, math.pi)])
def test_vehicle_off_its_route_has_none(x: float, y: float, yaw: float) -> None:
    assert along_route(np.array(SQUARE), x, y, yaw) is None


# --- drives ------------------------------------------------------------------------------------


def test_stops_behind_a_stopped_car() -> None:
    car = Thing(60.0, 0.0)
    world = World([car], noise=1.0)
    world.run(20)
    assert world.speed < 0.1
    assert 1.5 < gap(world, car) < 8.0
    assert world.brakes[0].is_new and "car" in world.brakes[0].reason
    assert world.brakes[0].valid_for_ms == 300


def test_brakes_comfortably_for_what_is_seen_early() -> None:
    world = World([Thing(60.0, 0.0)])
    world.run(15)
    assert max(a.brake for a in world.brakes) < 0.7


def test_car_that_appears_late_is_still_not_hit() -> None:
    car = Thing(1000.0, 0.0)
    world = World([car])
    world.run(2)
    car.x = world.x + 2.4 + 13.0 + 2.25  # 13 m to its rear at 8 m/s
    world.run(8)
    assert world.speed < 0.1 and gap(world, car) > 0.5


def test_follows_a_slower_car_without_touching_it() -> None:
    car = Thing(30.0, 0.0, speed=4.0)
    world = World([car], noise=1.0)
    for _ in range(300):
        world.step()
        assert gap(world, car) > 0.5
    assert world.speed > 1.0, "it follows"


def test_drives_on_when_the_car_ahead_has_left() -> None:
    car = Thing(30.0, 0.0)
    world = World([car])
    world.run(10)
    assert world.speed < 0.1
    car.speed = 8.0
    world.run(6)
    assert world.speed > 5.0


@pytest.mark.parametrize(
    "things",
    [
        [Thing(x, -3.0, track_id=i) for i, x in enumerate((15.0, 25.0, 40.0, 60.0))],
        [Thing(80.0, 3.5, yaw=math.pi, speed=8.0), Thing(120.0, 3.5, math.pi, 8.0, track_id=2)],
        [Thing(20.0, 0.0, speed=9.0)],
        [Thing(x, -4.5, size=PERSON, class_id=5, track_id=i) for i, x in enumerate((12.0, 30.0))],
        [Thing(20.0, 0.0, size=(0.3, 0.3, 0.9), class_id=6)],
    ],
    ids=["parked", "oncoming", "faster ahead", "on the pavement", "traffic light"],
)
def test_does_not_brake_for(things: Sequence[Thing]) -> None:
    world = World(list(things), noise=1.0)
    world.run(10)
    assert world.brakes == []


def on_route(s: float) -> tuple[float, float, float]:
    """x, y and yaw after `s` metres of SQUARE, its first corner rounded with 6 m."""
    bend = 6.0 * math.pi / 2
    if s < 34.0:
        return s, 0.0, 0.0
    if s < 34.0 + bend:
        angle = (s - 34.0) / 6.0
        return 34.0 + 6.0 * math.sin(angle), 6.0 - 6.0 * math.cos(angle), angle
    return 40.0, 6.0 + s - 34.0 - bend, math.pi / 2


def round_the_bend(thing: Thing, until: float) -> tuple[World, float]:
    """Drives the route at 5 m/s; the world and how far it came."""
    world = World([thing], route=SQUARE, speed=5.0, noise=1.0)
    s = 15.0
    while s < until and world.tick < 200:
        world.x, world.y, world.yaw = on_route(s)
        speed = world.speed
        world.step()
        world.speed = min(world.speed, 5.0)
        s += (speed + world.speed) / 2 * DT
    return world, s


def test_stops_for_a_stopped_car_round_the_bend() -> None:
    rear = 34.0 + 6.0 * math.pi / 2 + 10.0  # ten metres after the bend
    x, y, yaw = on_route(rear + 2.25)
    world, s = round_the_bend(Thing(x, y, yaw), until=80.0)
    assert world.speed == 0.0 and 1.0 < rear - (s + 2.4) < 8.0


def test_oncoming_lane_beside_a_bend_is_no_obstacle() -> None:
    world, _ = round_the_bend(Thing(36.5, 12.0, yaw=-math.pi / 2), until=60.0)
    assert world.brakes == []


def test_one_ghost_does_not_brake() -> None:
    car = Thing(12.0, 0.0)
    world = World([car])
    world.step()
    world.things = []
    world.run(2)
    assert world.brakes == []


def test_carried_boxes_alone_confirm_nothing() -> None:
    world = World([Thing(12.0, 0.0)], speed=0.0)
    world.is_obeying = False
    for _ in range(10):
        world.speed = 0.0
        world.step(answer="carried")
    assert world.brakes == []


def test_looks_that_came_after_their_verdicts_brake_too() -> None:
    """Every verdict is carried: the model needs longer than the deadline, and feeds the tracks."""
    car = Thing(40.0, 0.0)
    world = World([car])
    for _ in range(35):
        world.step(answer="carried", looked_ms=140.0)
        world.step(answer="carried")
    assert world.brakes and world.speed < 0.5
    assert gap(world, car) > 0.5


def test_braking_outlasts_a_short_miss() -> None:
    world = World([Thing(24.0, 0.0)])
    while not world.step():
        pass
    assert world.step(is_blind=True) and world.step(is_blind=True)


def test_stays_behind_what_is_too_close_to_be_detected() -> None:
    """A bus that fills the picture is often missed: it has not gone for that."""
    car = Thing(40.0, 0.0)
    world = World([car])
    world.run(12)
    assert world.speed < 0.1
    for _ in range(60):
        world.step(is_blind=True)
    assert gap(world, car) > 1.0


def test_drives_on_when_a_farther_object_shows_that_the_near_one_left() -> None:
    car = Thing(40.0, 0.0)
    world = World([car])
    world.run(12)
    world.things = [Thing(world.x + 40.0, 0.0, speed=8.0, track_id=9)]
    world.run(5)
    assert world.speed > 5.0


def test_nothing_without_a_pose() -> None:
    world = World([Thing(8.0, 0.0)])
    frame = Frame(
        "ego", "front", 1, 0, 0, np.zeros((8, 8, 3), np.uint8), (1.0, 1.0, 1.0, 1.0), (), MOUNT
    )
    verdict = Verdict(
        1, "ego", "front", 1, 0, "object_detection", "onboard", "", "", "", "", "",
        0, 0, 0, 0, 0.0, 0.0, False, {}, 0, [],
    )  # fmt: skip
    assert world.service.on_verdict(verdict, Scene(frame, None, 0)) == []
