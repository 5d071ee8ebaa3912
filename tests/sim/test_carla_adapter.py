"""The parts of the CARLA adapter that need no server, on stand-ins of the client's objects."""

import math
import random
from types import SimpleNamespace as Thing

import numpy as np
import pytest

from sim import carla_axes, carla_level
from sim.calibration import Intrinsics
from sim.carla_cameras import TwinCameras
from sim.carla_walkers import Stroller, draw_strollers, long_enough
from sim.engine.geometry import Pose
from sim.engine.weather import Weather
from sim.world import CameraMount


def location(x, y, z=0.0):
    return Thing(x=x, y=y, z=z)


def rotation(yaw=0.0, pitch=0.0):
    return Thing(pitch=pitch, yaw=yaw, roll=0.0)


def test_axes_go_there_and_back():
    pose = carla_axes.pose(1.0, 2.0, 3.0, 5.0, 90.0, 0.0)
    assert (pose.x, pose.y, pose.z) == (1.0, -2.0, 3.0)
    assert (pose.yaw, pose.pitch) == pytest.approx((-math.pi / 2, math.radians(5.0)))
    assert carla_axes.degrees(pose) == pytest.approx((5.0, 90.0, 0.0))
    assert carla_axes.pose(0, 0, 0, 360.0, -180.0, 0.0).pitch == pytest.approx(0.0)


def test_weather_goes_there_and_back():
    low = Weather(sun_azimuth=1.2, sun_altitude=0.1, cloudiness=12.0, fog_density=3.0)
    back = carla_axes.weather_of(Thing(**carla_axes.weather(low)))
    assert (back.sun_azimuth, back.sun_altitude) == pytest.approx((1.2, 0.1))
    assert (back.cloudiness, back.name) == (12.0, "low sun")


def test_pose_on_the_wire_is_float32():
    pose = Pose(1.1, 2.2, 3.3, 0.4, -0.5, 0.6)
    sent = carla_axes.as_on_the_wire(pose)
    assert sent.x == float(np.float32(1.1))
    assert sent.yaw == pytest.approx(0.4, abs=1e-6)
    assert carla_axes.as_on_the_wire(sent) == sent


@pytest.mark.parametrize(("yaw", "swapped"), [(0.0, False), (90.0, True), (180.0, False)])
def test_head_of_a_light_looks_at_those_who_wait(yaw, swapped):
    box = Pose(1.0, 2.0, 3.0, math.radians(yaw))
    pose, extent = carla_axes.facing(box, (0.15, 0.3, 0.6), math.radians(170.0))
    assert pose.yaw == pytest.approx(math.pi)
    assert extent == ((0.3, 0.15, 0.6) if swapped else (0.15, 0.3, 0.6))


def test_kinds_of_actors():
    box = Thing(location=location(0.0, 0.1, 0.7), extent=location(2.0, 0.9, 0.7))
    bus = Thing(type_id="vehicle.a.b", semantic_tags=[16], attributes={}, bounding_box=box)
    van = Thing(
        type_id="vehicle.c.d", semantic_tags=[], attributes={"base_type": "van"}, bounding_box=box
    )
    walker = Thing(type_id="walker.pedestrian.0001", bounding_box=box)
    assert carla_level.kind_of(bus).class_id == 2
    assert carla_level.kind_of(bus).box_offset == Pose(0.0, -0.1, 0.7)
    assert carla_level.kind_of(van).class_id == 0
    assert carla_level.kind_of(walker).class_id == 5
    assert carla_level.kind_of(Thing(type_id="sensor.camera.rgb")) is None


def test_lights_give_lines_and_heads():
    stop = Thing(transform=Thing(location=location(10.0, 2.0), rotation=rotation(0.0)))
    boxes = [
        Thing(
            location=location(20.0, 5.0, z), extent=location(0.3, 0.15, 0.6), rotation=rotation(90)
        )
        for z in (5.0, 3.0)
    ]
    light = Thing(
        id=7,
        get_stop_waypoints=lambda: [stop],
        get_light_boxes=lambda: boxes,
        get_transform=lambda: Thing(location=location(20, 5), rotation=rotation(90)),
    )
    (line,), heads = carla_level.lines_and_heads([light])
    assert (line.light_id, line.pose.x, line.pose.y) == (7, 10.0, -2.0)
    assert [head.pose.z for head in heads] == [3.0, 5.0]
    assert [head.actor_id & 0xFFFF for head in heads] == [7, 7]
    assert heads[0].actor_id != heads[1].actor_id
    assert abs(heads[0].pose.yaw) == pytest.approx(math.pi)
    assert heads[0].extent == (0.15, 0.3, 0.6)


def test_buildings_are_counter_clockwise_and_props_are_none():
    def thing(length, width):
        box = Thing(
            location=location(10.0, 20.0, 5.0),
            extent=location(length, width, 5.0),
            rotation=rotation(30.0),
        )
        return Thing(bounding_box=box)

    (ring,) = carla_level.footprints([thing(8.0, 4.0), thing(0.5, 0.5)])
    x, y = ring.T
    area = 0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
    assert area == pytest.approx(16.0 * 8.0)
    assert ring.mean(axis=0) == pytest.approx([10.0, -20.0])


def test_parked_vehicles_of_the_level_are_bodies_with_ids_of_their_own():
    box = Thing(
        location=location(4.0, 3.0, 0.8), extent=location(2, 0.9, 0.8), rotation=rotation(90)
    )
    objects = [Thing(bounding_box=box), Thing(bounding_box=box)]
    first, second = carla_level.parked([("car", objects[:1]), ("bus", objects[1:])])
    assert (first.class_id, second.class_id) == (0, 2)
    assert (first.pose.y, first.pose.yaw) == pytest.approx((-3.0, -math.pi / 2))
    assert first.actor_id != second.actor_id
    assert {first.actor_id & 0xFFFF, second.actor_id & 0xFFFF} == {0}


def test_steering_from_wheels_or_from_the_size():
    def wheel(x, lock):
        return Thing(position=location(100.0 * x, 0.0), max_steer_angle=lock)

    car = Thing(get_physics_control=lambda: Thing(wheels=[wheel(1.4, 70), wheel(-1.4, 0)]))
    odd = Thing(get_physics_control=lambda: Thing(wheels=[wheel(0.0, 70), wheel(0.0, 0)]))
    assert carla_level.steering(car, (2.3, 0.9, 0.7)) == pytest.approx((2.8, math.radians(70)))
    assert carla_level.steering(odd, (2.5, 0.9, 0.7))[0] == pytest.approx(3.0)


def test_stroller_walks_up_and_down():
    path = np.array([(0.0, 0.0), (4.0, 0.0), (8.0, 0.0)])
    stroller = Stroller(1, path, 1.0, 1)
    x, seen = 0.0, []
    for _ in range(60):
        dx, _ = stroller.heading(x, 0.0)
        x += 0.4 * dx
        seen.append(x)
    assert max(seen) == pytest.approx(8.0, abs=0.7)
    assert min(seen[20:]) < 1.0


def test_strollers_are_drawn_by_seed():
    paths = [np.array([(float(i), float(j)) for i in range(12)]) for j in range(5)]
    first = [draw_strollers(paths, [1, 1, 1, 1, 2], random.Random(4))[1:] for _ in range(2)]
    assert first[0] == first[1]
    assert long_enough(paths[0])
    assert not long_enough(paths[0][:3])


def image(frame, blue, green, red):
    pixels = np.zeros((2, 4, 4), np.uint8)
    pixels[1, 2] = (blue, green, red, 255)
    place = Thing(location=location(1.0, 2.0, 3.0), rotation=rotation())
    return Thing(frame=frame, width=4, height=2, raw_data=pixels.tobytes(), transform=place)


def test_twin_pictures_are_joined_by_frame():
    twins = TwinCameras(CameraMount(Pose(), Intrinsics.from_fov(4, 2, 90.0)))
    rgb, ids = twins.queues
    for frame in (6, 7):
        rgb.put(image(frame, frame, 20, 30))
        ids.put(image(frame, 0x12, 0x34, 14))  # an actor's id in B and G, its tag in R
    picture = twins.picture(7)
    assert picture.bgr[1, 2].tolist() == [7, 20, 30]
    assert (picture.instance[1, 2], picture.semantic[1, 2]) == (0x1234, 14)
    assert (picture.instance.dtype, picture.bgr.shape) == (np.uint16, (2, 4, 3))
    assert picture.world_from_camera[:3, 3].tolist() == [1.0, -2.0, 3.0]


def test_pictures_nobody_asked_for_do_not_pile_up():
    twins = TwinCameras(CameraMount(Pose(), Intrinsics.from_fov(4, 2, 90.0)))
    for frame in range(50):
        twins.forget()
        for images in twins.queues:
            images.put(image(frame, 0, 0, 0))
    assert [images.qsize() for images in twins.queues] == [1, 1]


def test_camera_without_its_twin_gives_no_picture():
    twins = TwinCameras(CameraMount(Pose(), Intrinsics.from_fov(4, 2, 90.0)))
    twins.queues[0].put(image(3, 0, 0, 0))
    twins.queues[1].put(image(4, 0, 0, 0))
    assert twins.picture(3) is None
