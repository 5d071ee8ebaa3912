import math
import random

import numpy as np
import pytest

from scheduler.config import AlongRoute, Camera, Config, Mount, Unit, World
from scheduler.errors import ConfigError, MissingPartError
from scheduler.messages import VERSION, Feedback
from sim import scenarios, worlds
from sim.bridge.cameras import mount_of
from sim.bridge.feedback import FeedbackInbox
from sim.bridge.pace import Pace
from sim.bridge.safety import SafetyMeter
from sim.bridge.site import unit_position
from sim.engine.geometry import Pose
from sim.road_users import Contacts, draw_vehicles, spread
from sim.routes import Track
from sim.scenarios.stopped_car import bend_end
from sim.world import Body, Ego, EgoState

MS = 1_000_000
LINE = np.array([(float(x), 0.0, 0.0) for x in range(301)])


def feedback(tick, share, valid_for_ms=300):
    return Feedback(VERSION, "ego", tick, valid_for_ms, share, "warning", f"tick {tick}")


def test_newest_tick_wins():
    inbox = FeedbackInbox()
    assert inbox.offer(feedback(5, 1.0), 0)
    assert not inbox.offer(feedback(4, 0.0), 10 * MS)
    assert inbox.brake(20 * MS) == (1.0, "tick 5")
    assert inbox.offer(feedback(6, 0.5), 30 * MS)
    assert inbox.brake(40 * MS) == (0.5, "tick 6")
    assert (inbox.received, inbox.stale) == (2, 1)


def test_feedback_expires_after_its_time():
    inbox = FeedbackInbox()
    assert inbox.brake(0) == (0.0, "")
    inbox.offer(feedback(1, 1.0, valid_for_ms=300), 0)
    assert inbox.brake(299 * MS)[0] == 1.0
    assert inbox.brake(300 * MS)[0] == 0.0


def meter(is_loop=False):
    ego = Ego(1, "ego", LINE, is_loop, (2.3, 0.95, 0.75), 2.8, 0.6)
    return SafetyMeter(ego, Track(LINE, is_loop=is_loop))


def state(speed, x=10.0, collisions=0):
    return EgoState(Pose(x, 0.0), (speed, 0.0, 0.0), speed, 0.0, 0.0, collisions)


def car(x, y, speed=0.0, actor_id=2):
    return Body(actor_id, 0, Pose(x, y, 0.75), (2.2, 0.9, 0.75), (speed, 0.0, 0.0))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (car(40.0, 0.0), (40 - 2.2 - 12.3) / 10.0),
        (car(40.0, 0.0, speed=6.0), (40 - 2.2 - 12.3) / 4.0),
        (car(40.0, 0.0, speed=12.0), None),  # goes away
        (car(40.0, 3.5), None),  # the other lane
        (car(40.0, 1.9), (40 - 2.2 - 12.3) / 10.0),  # a wing in the path
        (car(-20.0, 0.0), None),  # behind
        (car(100.0, 0.0), None),  # too far
        (Body(1, 0, Pose(10.0, 0.0, 0.75), (2.3, 0.95, 0.75)), None),  # itself
        (Body(3, 6, Pose(40.0, 0.0, 5.0), (0.2, 0.2, 0.5)), None),  # a traffic light
    ],
)
def test_time_to_collision_by_hand(body, expected):
    found = meter().time_to_collision(state(10.0), 10.0, [body])
    assert found == (None if expected is None else pytest.approx(expected, abs=0.01))


def test_least_time_is_kept():
    safety = meter()
    for x in (10.0, 20.0, 24.0):
        safety.update(state(8.0, x), x, [car(40.0, 0.0)], 0.1)
    safety.update(state(0.0, 24.0), 24.0, [car(40.0, 0.0)], 0.1)
    assert safety.min_ttc_s == pytest.approx((40 - 2.2 - 26.3) / 8.0)


def brakes(speeds, collisions_at=()):
    safety = meter()
    for i, speed in enumerate(speeds):
        safety.update(state(speed, collisions=i in collisions_at), 10.0, [], 0.1)
    return safety.hard_brakes


def test_hard_brakes_count_once_each():
    gentle = list(np.arange(8.0, 0.0, -0.3))
    hard = list(np.arange(8.0, 0.0, -0.7))
    assert brakes(gentle) == 0
    assert brakes(hard) == 1
    assert brakes(hard + [0.0] * 5 + hard) == 2


def test_an_impact_is_no_brake():
    assert brakes([8.0, 8.0, 8.0, 1.0, 0.5, 0.0, 0.0], collisions_at=(3,)) == 0


def test_contact_counts_once_while_it_lasts():
    contacts = Contacts()
    begun = [contacts.is_new(7, t * 100 * MS) for t in (0, 1, 2, 9, 25, 26)]
    assert begun == [True, False, False, False, True, False]
    assert contacts.is_new(8, 2600 * MS)


def test_traffic_starts_rather_near_an_ego_but_not_at_it():
    points = [Pose(float(x), 0.0) for x in range(0, 2000, 10)]
    order = spread(points, [(0.0, 0.0)], random.Random(1))
    assert min(pose.x for pose in order) > 20.0
    assert sorted(order, key=lambda p: p.x) == points[3:]
    near = sum(pose.x < 150.0 for pose in order[:20])
    assert near >= 3  # of 12 near points among 197; even odds would put one there


def test_vehicles_are_drawn_by_class_then_blueprint():
    classes = {"a": "car", "b": "car", "c": "bus", "d": "bicycle"}
    points = [Pose(float(x)) for x in range(500)]
    drawn = [name for name, _ in draw_vehicles(classes, points, random.Random(1))]
    share = {name: drawn.count(name) / 500 for name in classes}
    assert share["a"] + share["b"] > 0.7
    assert min(share.values()) > 0.02
    assert drawn == [name for name, _ in draw_vehicles(classes, points, random.Random(1))]


def test_pace_over_window_and_drive():
    pace = Pace(0, 0)
    assert pace.recent() == 1.0
    for second in range(1, 11):
        pace.mark(second * 1000 * MS, second * 500 * MS)
    for second in range(11, 21):
        pace.mark(second * 1000 * MS, 5000 * MS + (second - 10) * 1000 * MS)
    assert pace.recent() == pytest.approx(1.0)
    assert pace.overall() == pytest.approx(0.75)


def test_units_stand_at_points_or_beside_the_route():
    track = {"ego": Track(LINE, is_loop=False)}
    assert unit_position(Unit(at=(1.0, 2.0, 3.0)), track) == (1.0, 2.0, 3.0)
    rule = AlongRoute(first_m=60.0, lateral_m=-6.0, height=5.0)
    assert unit_position(Unit(along=rule), track) == pytest.approx((60.0, -6.0, 5.0))
    with pytest.raises(ConfigError, match="no place"):
        unit_position(Unit(), track)
    with pytest.raises(ConfigError, match="'nobody'"):
        unit_position(Unit(along=AlongRoute(of="nobody")), track)


def test_camera_mount_is_in_the_vehicles_axes():
    config = Config(world=World())
    camera = Camera(camera_from_vehicle=Mount(x=1.0, y=0.5, z=1.6, yaw_deg=90, pitch_deg=-5))
    mount = mount_of(config, camera, 0.1)
    pose = mount.camera_from_vehicle
    assert (pose.x, pose.y, pose.z) == (1.0, 0.5, 1.6)
    assert (pose.yaw, pose.pitch) == pytest.approx((math.pi / 2, math.radians(-5)))


def test_camera_rate_is_a_part_of_the_worlds():
    config = Config(world=World())
    assert mount_of(config, Camera(rate_hz=5.0), 0.1).every_ticks == 2
    with pytest.raises(ConfigError, match="whole part"):
        mount_of(config, Camera(rate_hz=7.0), 0.1)
    with pytest.raises(ConfigError, match="whole part"):
        mount_of(config, Camera(rate_hz=30.0), 0.1)


def test_scenario_by_name_or_function():
    assert scenarios.load("stopped_car_round_bend") is not None
    assert scenarios.load("sim.scenarios.stopped_car:stopped_car_round_bend") is not None
    for wrong in (
        "stoped_car",
        "sim.nothing:here",
        "sim.scenarios:nothing",
        "sim.scenarios:SCENARIOS",
    ):
        with pytest.raises(ConfigError, match=r"world\.scenario"):
            scenarios.load(wrong)


def test_first_bend_of_a_route():
    turn = [(60.0 + 12 * math.sin(a), 12 - 12 * math.cos(a), 0.0) for a in np.linspace(0, 1.57, 20)]
    route = [(float(x), 0.0, 0.0) for x in range(60)] + turn
    route += [(72.0, 12.0 + y, 0.0) for y in range(1, 60)]
    assert bend_end(Track(np.array(route), is_loop=False)) == pytest.approx(60 + 18.8, abs=4.0)


def test_address_and_town_of_a_world():
    assert worlds.server_address(World(address="sim.example:2100")) == ("sim.example", 2100)
    assert worlds.server_address(World()) == ("127.0.0.1", 2000)
    for wrong in ("2000", "host:", "host:port", "host:99999"):
        with pytest.raises(ConfigError, match="HOST:PORT"):
            worlds.server_address(World(address=wrong))
    assert worlds.town_of("Carla/Maps/VdapTown01-7", 3) == worlds.town_of(None, 7) == "VdapTown01-7"
    with pytest.raises(ConfigError, match="Town10HD"):
        worlds.town_of("Town10HD", 1)


def test_adapter_that_is_asked_for_is_opened():
    world = World(adapter="inprocess", town="VdapTown01-2", fixed_delta_s=0.2)
    opened = worlds.open_world(Config(world=world), world)
    assert (opened.name, opened.town) == ("inprocess", "Carla/Maps/VdapTown01-2")
    assert opened.tick().sim_ns == 200_000_000


def test_carla_without_the_wheel_names_the_extra(monkeypatch):
    monkeypatch.setattr(worlds, "has_carla", lambda: False)
    world = World()
    assert worlds.open_world(Config(world=world), world).name == "inprocess"
    monkeypatch.setitem(__import__("sys").modules, "carla", None)
    world = World(adapter="carla")
    with pytest.raises(MissingPartError, match=r"vdap\[carla\]"):
        worlds.open_world(Config(world=world), world)
