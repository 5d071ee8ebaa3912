"""Boxes in metres: objects on a drawn road are projected, detected with noise, and placed again."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from scheduler.messages import Box, Pose
from vehicle.camera.base import Frame
from vehicle.perception.detections import Detections
from vehicle.perception.motion import Motion
from vehicle.perception.tracker import Tracks
from vehicle.services.base import Scene, Setup
from vehicle.services.ground import GroundCamera
from vehicle.services.object_detection import ObjectDetection
from vehicle.services.ranging import OVERHANG, OwnMotion, Ranging

FOCAL, WIDTH, HEIGHT = 320.0, 640, 384
IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
STEP_S = 0.1
CAR, PERSON, LIGHT = 0, 5, 6


@dataclass
class Thing:
    """A flat face that looks at us, where it meets the road; world metres and m/s."""

    x: float
    y: float
    vx: float = 0.0
    vy: float = 0.0
    width: float = 1.8
    height: float = 1.45
    class_id: int = CAR
    lift: float = 0.0


class Road:
    """A vehicle at the origin that drives along x, with one camera."""

    def __init__(
        self,
        *things: Thing,
        speed: float = 0.0,
        yaw_rate: float = 0.0,
        has_pose: bool = True,
        mount_yaw: float = 0.0,
        noise: float = 0.3,
        distortion: tuple[float, ...] = (),
    ) -> None:
        self.things, self.speed, self.yaw_rate = things, speed, yaw_rate
        self.x = self.y = self.yaw = 0.0
        self.now_ns = 1_000_000_000
        self.has_pose, self.noise, self.distortion = has_pose, noise, distortion
        self.mount = (1.5, 0.0, 1.5, 0.0, 0.0, mount_yaw)
        self.service = ObjectDetection(Setup("ego", "front", {}))
        self.random = np.random.default_rng(3)

    def seen(self, thing: Thing) -> tuple[float, float]:
        """Metres ahead and to the left of the vehicle."""
        dx, dy = thing.x - self.x, thing.y - self.y
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        return dx * cos + dy * sin, dy * cos - dx * sin

    def box(self, thing: Thing) -> list[float]:
        ahead, left = self.seen(thing)
        cos, sin = math.cos(self.mount[5]), math.sin(self.mount[5])
        ahead -= self.mount[0]
        z, side = ahead * cos + left * sin, left * cos - ahead * sin
        us = [-(side + half) / z for half in (-thing.width / 2, thing.width / 2)]
        vs = [(1.5 - up - thing.lift) / z for up in (0.0, thing.height)]
        xyxy = [320 + FOCAL * min(us), 192 + FOCAL * min(vs),
                320 + FOCAL * max(us), 192 + FOCAL * max(vs)]  # fmt: skip
        noisy = np.array(xyxy) + self.random.normal(0, self.noise, 4)
        return np.clip(noisy, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT]).tolist()

    def look(self) -> None:
        pose = Pose(1, "ego", 0, 0, 0, (self.x, self.y, 0.0), (0.0, 0.0, self.yaw), self.speed,
                    self.yaw_rate, 0.0, False)  # fmt: skip
        frame = Frame("ego", "front", 0, 0, self.now_ns, IMAGE, (FOCAL, FOCAL, 320.0, 192.0),
                      self.distortion, self.mount)  # fmt: skip
        self.service.on_scene(Scene(frame, pose if self.has_pose else None, self.now_ns))
        found = Detections(
            np.array([self.box(thing) for thing in self.things], np.float32),
            np.full(len(self.things), 0.9, np.float32),
            np.array([thing.class_id for thing in self.things], np.int16),
        )
        self.service.on_answer(found, self.now_ns, 0.5)

    def drive(self, seconds: float) -> list[Box]:
        """Boxes after some looks at ten a second."""
        for index in range(round(seconds / STEP_S)):
            if index:
                self.move()
            self.look()
        return self.service.boxes(self.now_ns)

    def move(self) -> None:
        self.now_ns += round(STEP_S * 1e9)
        self.yaw += self.yaw_rate * STEP_S
        self.x += self.speed * math.cos(self.yaw) * STEP_S
        self.y += self.speed * math.sin(self.yaw) * STEP_S
        for thing in self.things:
            thing.x += thing.vx * STEP_S
            thing.y += thing.vy * STEP_S


@pytest.mark.parametrize("distance", [10.0, 20.0, 35.0])
def test_a_standing_car_is_placed(distance):
    (box,) = Road(Thing(distance, 1.0)).drive(1.0)
    near = distance - OVERHANG[CAR]
    assert box.position_m == pytest.approx((near, 1.0), rel=0.08, abs=0.2)
    assert box.velocity_mps == pytest.approx((0, 0), abs=0.04 * distance)


def test_own_motion_is_taken_out_of_the_speed_of_others():
    thing = Thing(30.0, 0.0, vx=6.0)
    (box,) = Road(thing, speed=10.0).drive(2.0)
    assert box.velocity_mps == pytest.approx((6.0, 0.0), abs=0.8)


def test_a_car_that_comes_towards_us_has_a_negative_speed():
    (box,) = Road(Thing(60.0, 3.5, vx=-10.0), speed=8.0).drive(2.0)
    assert box.velocity_mps == pytest.approx((-10.0, 0.0), abs=1.6)


def test_who_crosses_moves_to_the_side():
    walker = Thing(12.0, -4.0, vy=1.5, width=0.6, height=1.75, class_id=PERSON)
    (box,) = Road(walker).drive(2.0)
    assert box.velocity_mps == pytest.approx((0.0, 1.5), abs=0.4)


def test_turning_makes_nobody_move():
    (box,) = Road(Thing(20.0, 0.0), yaw_rate=0.2).drive(1.5)
    assert box.velocity_mps == pytest.approx((0.0, 0.0), abs=0.9)


def test_the_time_to_collision_is_the_gap_over_the_closing_speed():
    thing = Thing(40.0, 0.0)
    road = Road(thing, speed=10.0)
    (box,) = road.drive(2.0)
    gap = road.seen(thing)[0] - 1.5 - OVERHANG[CAR]
    assert box.ttc_s == pytest.approx(gap / 10.0, rel=0.1)


def test_what_does_not_come_nearer_has_no_time_to_collision():
    ahead, beside = Thing(20.0, 0.0, vx=8.0), Thing(25.0, -4.0, vx=12.0)
    boxes = Road(ahead, beside, speed=8.0).drive(1.5)
    assert [box.ttc_s for box in boxes] == [None, None]


def test_without_poses_the_range_is_told_and_no_speed_over_ground():
    thing = Thing(40.0, 0.0)
    road = Road(thing, speed=10.0, has_pose=False)
    (box,) = road.drive(2.0)
    assert box.velocity_mps is None
    assert box.position_m[0] == pytest.approx(road.seen(thing)[0] - OVERHANG[CAR], rel=0.08)
    assert box.ttc_s == pytest.approx((box.position_m[0] - 1.5) / 10.0, rel=0.12)


def test_the_road_corrects_a_size_that_is_not_the_usual_one():
    low = Thing(9.0, 0.0, height=1.1)
    (box,) = Road(low).drive(2.0)
    assert box.position_m[0] == pytest.approx(9.0 - OVERHANG[CAR], rel=0.07)


def test_a_traffic_light_hangs_in_the_air_and_is_placed_by_its_size():
    light = Thing(25.0, -2.0, width=0.4, height=1.1, class_id=LIGHT, lift=4.5)
    (box,) = Road(light, noise=0.1).drive(1.0)
    assert box.position_m == pytest.approx((25.0, -2.0), rel=0.1)


def test_a_camera_that_looks_to_the_side_places_in_the_vehicles_axes():
    (box,) = Road(Thing(14.0, 12.0), mount_yaw=0.7).drive(1.0)
    assert box.position_m == pytest.approx((14.0, 12.0), rel=0.1)


@pytest.mark.parametrize("distortion", [(), (-0.2, 0.05, 0.001, 0.0, 0.0)])
def test_many_pixels_at_once_meet_the_road_where_each_alone_does(distortion):
    mount = (1.2, 0.3, 1.4, 0.02, -0.05, 0.3)
    camera = GroundCamera((300.0, 310.0, 320.0, 190.0), distortion, mount)
    u, v = np.array([100.0, 320.0, 600.0, 300.0]), np.array([250.0, 300.0, 380.0, 50.0])
    depth, bearing = camera.depths(u, v), camera.bearings(u, v)
    assert np.isnan(depth[3]) and camera.point(300.0, 50.0) is None
    cos, sin = math.cos(0.3), math.sin(0.3)
    for index in range(3):
        x, y = camera.point(u[index], v[index])
        ahead = (x - 1.2) * cos + (y - 0.3) * sin
        left = (y - 0.3) * cos - (x - 1.2) * sin
        assert depth[index] == pytest.approx(ahead)
        assert bearing[index] == pytest.approx(
            left / ahead, rel=0.04, abs=0.03
        )  # roll and pitch are small


def test_a_box_that_the_picture_cuts_off_keeps_its_place_by_what_was_known():
    thing = Thing(6.5, 0.0)
    road = Road(thing, speed=3.0)
    road.drive(0.9)
    for _ in range(4):
        road.move()
        road.look()
    (box,) = road.service.boxes(road.now_ns)  # its lower side is below the picture by now
    assert road.box(thing)[3] == HEIGHT
    assert box.position_m[0] == pytest.approx(road.seen(thing)[0] - OVERHANG[CAR], abs=0.7)


def test_places_hold_at_the_instant_that_is_asked_for():
    road = Road(Thing(40.0, 0.0), speed=10.0)
    (now,) = road.drive(2.0)
    (later,) = road.service.boxes(road.now_ns + 200_000_000)
    assert now.position_m[0] - later.position_m[0] == pytest.approx(2.0, abs=0.3)
    assert now.ttc_s - later.ttc_s == pytest.approx(0.2, abs=0.05)


def test_growth_that_flow_measured_tells_the_rate_before_a_second_look():
    road = Road(Thing(20.0, 0.0), speed=0.0, noise=0.0)
    road.look()
    box = np.array([road.box(road.things[0])], np.float32)
    grown = Motion(
        road.now_ns, road.now_ns + 100_000_000, box, np.zeros((1, 2), np.float32),
        np.array([1.08], np.float32), np.array([0.2], np.float32),
    )  # fmt: skip
    before = road.service.boxes(road.now_ns)[0]
    road.service.on_motion(grown)
    (after,) = road.service.boxes(road.now_ns + 100_000_000)
    assert before.velocity_mps[0] == pytest.approx(0.0, abs=0.01)
    assert after.velocity_mps[0] < -3.0


def test_a_late_answer_moves_nothing_back_in_time():
    thing = Thing(30.0, 0.0)
    road = Road(thing, speed=10.0)
    road.drive(1.5)
    (before,) = road.service.boxes(road.now_ns)
    old = Detections(
        np.array([road.box(thing)], np.float32), np.array([0.9], np.float32), np.zeros(1, np.int16)
    )
    road.service.on_answer(old, road.now_ns - 50_000_000, 0.5)
    (after,) = road.service.boxes(road.now_ns)
    assert after.position_m == pytest.approx(before.position_m, rel=0.05, abs=0.1)


def test_an_option_of_the_wrong_kind_is_refused():
    with pytest.raises(ValueError, match="motion: expected true or false"):
        ObjectDetection(Setup("ego", "front", {"motion": 1}))
    assert not ObjectDetection(Setup("ego", "front", {"motion": False})).wants_motion


@pytest.mark.parametrize("seed", range(4))
def test_whatever_boxes_come_the_numbers_stay_finite(seed):
    random = np.random.default_rng(seed)
    ranging, now_ns = Ranging(), 0
    mount = (1.5, 0.0, 1.5, 0.0, 0.0, 0.0)
    ranging.aim(GroundCamera((FOCAL, FOCAL, 320.0, 192.0), (), mount), WIDTH, HEIGHT)
    for _ in range(120):
        now_ns += int(random.choice([0, 1, 33_000_000, 100_000_000, 3_000_000_000]))
        count = int(random.integers(0, 7))
        corner = random.uniform(-20, 620, (count, 2))
        boxes = np.concatenate([corner, corner + random.uniform(0, 300, (count, 2))], axis=1)
        tracks = Tracks(
            now_ns,
            boxes.astype(np.float32),
            np.full(count, 0.9, np.float32),
            random.integers(0, 7, count).astype(np.int16),
            random.permutation(9)[:count].astype(np.int32),
            np.zeros((count, 4), np.float32),
        )
        ranging.drive(OwnMotion(*random.normal(0, [15, 0.5])) if random.random() < 0.8 else None)
        ranging.look(tracks)
        scale = np.exp(random.normal(0, 0.2, count)).astype(np.float32)
        shift, sigma = np.zeros((count, 2), np.float32), np.full(count, 0.3, np.float32)
        motion = Motion(now_ns - 50_000_000, now_ns, tracks.xyxy, shift, scale, sigma)
        ranging.move(motion, tracks)
        places = ranging.places(now_ns + int(random.integers(0, 1_000_000_000)))
        assert set(places) == set(tracks.track_id.tolist())
        for place in places.values():
            assert all(map(math.isfinite, (place.x, place.y, place.vx, place.vy)))
            assert place.ttc_s is None or place.ttc_s >= 0.0
