import struct
import subprocess
import sys
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from sim.carla_server.protocol import PROTOCOLS
from sim.carla_server.sensors import Sensor, check_sensor
from sim.carla_server.sensors.kinds import instrument
from sim.engine.actors import VehicleControl
from sim.engine.geometry import Pose
from sim.engine.sensing.attributes import SensorError
from sim.engine.simulation import Engine
from sim.engine.town import build_town

from .plain_client import Subscriber

HEADER = struct.Struct("<QQd6f")
DELTA_S = 0.05


@pytest.fixture
def engine():
    return Engine(build_town())


def world_of(engine, version="0.9.16"):
    return SimpleNamespace(
        engine=engine, protocol=PROTOCOLS[version], delta_s=DELTA_S, gravity=9.81,
        instance_ids="actor", settings=SimpleNamespace(no_rendering_mode=False),
        definition_uid=lambda name: 0, sensors={},
    )  # fmt: skip


def sensor_of(world, name, parent=None, pose=None, **attributes):
    texts = {key: str(value) for key, value in attributes.items()}
    blueprint = f"sensor.{name}"
    check_sensor(world.engine.blueprints[blueprint], texts)
    actor = world.engine.spawn(
        blueprint, pose or Pose(z=1.0), texts, None if parent is None else parent.id
    )
    return Sensor(actor, 2, world.protocol)


def tick(world, *sensors):
    world.engine.tick(DELTA_S)
    for sensor in sensors:
        sensor.follow(DELTA_S)


def bodies(sensor, world):
    """The messages without their common header, which is checked here."""
    found = []
    for message in sensor.messages(world):
        data = b"".join(message)
        kind, frame, time_s, *place = HEADER.unpack_from(data)
        pose = sensor.actor.pose
        assert kind == world.protocol.sensor_types[sensor.actor.blueprint.id]
        assert (frame, time_s) == (world.engine.frame, world.engine.elapsed_s)
        assert place[:3] == pytest.approx((pose.x, -pose.y, pose.z), abs=1e-4)
        found.append(data[HEADER.size :])
    return found


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("camera.rgb", {"fov": "0"}, "fov: expected 1 to 170, got 0"),
        ("camera.rgb", {"image_size_x": "wide"}, "image_size_x: expected a number, got 'wide'"),
        ("camera.rgb", {"image_size_y": "5000"}, "image_size_y: expected 1 to 4096, got 5000"),
        ("camera.rgb", {"iso": "high"}, "iso: expected a number, got 'high'"),
        (
            "camera.rgb",
            {"exposure_mode": "auto"},
            "exposure_mode: expected one of histogram, manual, got 'auto'",
        ),
        ("camera.depth", {"sensor_tick": "-1"}, "sensor_tick: expected 0 to 3600, got -1"),
        (
            "other.obstacle",
            {"only_dynamics": "7"},
            "only_dynamics: expected true or false, got '7'",
        ),
        ("other.radar", {"range": "0"}, "range: expected 0.01 to 2000, got 0"),
        ("other.imu", {"noise_seed": "1.5"}, "noise_seed: expected a whole number, got 1.5"),
        ("other.v2x", {}, "this world has no V2X messages between vehicles"),
        ("other.rss", {}, "the RSS library is part of special builds of the client only"),
    ],
)
def test_wrong_attributes_and_missing_sensors_are_told(engine, name, attributes, message):
    with pytest.raises(SensorError) as error:
        check_sensor(engine.blueprints[f"sensor.{name}"], attributes)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("attributes", "gain", "gamma"),
    [
        ({}, 1.0, 2.2),
        ({"exposure_compensation": "1"}, 2.0, 2.2),
        ({"iso": "400", "gamma": "1.8"}, 1.0, 1.8),
        ({"iso": "400", "exposure_mode": "manual"}, 4.0, 2.2),
        ({"shutter_speed": "400", "fstop": "2.8", "exposure_mode": "manual"}, 1 / 8, 2.2),
        ({"exposure_compensation": "3", "enable_postprocess_effects": "false"}, 1.0, 2.2),
    ],
)
def test_exposure_of_a_camera(engine, attributes, gain, gamma):
    blueprint = engine.blueprints["sensor.camera.rgb"]
    defaults = {one.id: one.value for one in blueprint.attributes}
    camera = instrument(blueprint.id, {**defaults, **attributes})
    assert camera.exposure.gain == pytest.approx(gain)
    assert camera.exposure.gamma == gamma


def test_every_sensor_can_be_made_with_its_defaults(engine):
    for blueprint in engine.blueprints.values():
        if blueprint.kind != "sensor" or blueprint.id.startswith(
            ("sensor.other.v2x", "sensor.other.rss", "sensor.camera.cosmos")
        ):
            continue
        check_sensor(blueprint, {})
        for protocol in PROTOCOLS.values():
            streams = blueprint.id in protocol.sensor_types
            assert streams == (blueprint.id != "sensor.other.lane_invasion"), blueprint.id


def test_refused_sensor_costs_its_spawn_only(call):
    transform = [[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]]
    description = [0, "sensor.other.imu", [["noise_gyro_bias_x", 3, "left"]]]
    error = call.failure("spawn_actor", description, transform)
    assert error == "sensor.other.imu: noise_gyro_bias_x: expected a number, got 'left'"
    assert call.value("spawn_actor", [0, "sensor.other.imu", []], transform)[0] > 0


def test_lane_invasion_detector_has_no_stream(call):
    actor = call.value(
        "spawn_actor", [0, "sensor.other.lane_invasion", []], [[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]]
    )
    assert actor[-1] == b""


def test_inertial_unit_feels_a_turn_in_left_handed_axes(engine):
    world = world_of(engine)
    car = engine.spawn("vehicle.tesla.model3", engine.town.spawn_points[0])
    engine.set_simulate_physics(car.id, False)
    imu = sensor_of(world, "other.imu", car, Pose(z=0.5))
    rate, radius, start = 0.4, 25.0, engine.town.spawn_points[0]
    for k in range(6):
        angle = rate * DELTA_S * k
        arc = Pose(radius * np.sin(angle), radius * (1 - np.cos(angle)), 0.0, angle)
        engine.set_pose(car.id, start.compose(arc))
        car.angular_velocity = (0.0, 0.0, rate)
        tick(world, imu)
        car.angular_velocity = (0.0, 0.0, rate)
        for child in engine.actors.values():
            if child.parent is car:
                child.angular_velocity = car.angular_velocity
    (body,) = bodies(imu, world)
    (ax, ay, az), (gx, gy, gz), compass = msgspec.msgpack.decode(body)
    # a left turn: the push comes from the left, CARLA's y points right and its yaw falls
    assert (ax, ay, az) == pytest.approx((0.0, -(rate**2) * radius, 9.81), abs=0.1)
    assert (gx, gy, gz) == pytest.approx((0.0, 0.0, -rate), abs=1e-6)
    assert np.cos(compass) == pytest.approx(np.sin(car.pose.yaw), abs=1e-6)


def test_latitude_is_that_of_the_client_s_own_version(engine):
    found = {}
    for version in ("0.9.16", "0.9.15"):
        world = world_of(engine, version)
        gnss = sensor_of(world, "other.gnss", pose=Pose(300.0, 700.0, 12.0))
        (body,) = bodies(gnss, world)
        found[version] = msgspec.msgpack.decode(body)
    # 700 m to the north: LibCarla 0.9.16 has the sign of CARLA's y, older ones that of the earth
    assert found["0.9.16"] == pytest.approx([48.9937092, 8.0041089, 12.0], abs=1e-6)
    assert found["0.9.15"] == pytest.approx([49.0062878, 8.0041078, 12.0], abs=1e-6)


def test_obstacle_detector_names_what_is_ahead(engine):
    world = world_of(engine)
    lane = engine.town.spawn_points[0]
    car = engine.spawn("vehicle.tesla.model3", lane)
    ahead = engine.spawn("vehicle.audi.tt", lane.compose(Pose(x=15.0)))
    detector = sensor_of(world, "other.obstacle", car, Pose(x=1.0, z=0.7), distance=30)
    tick(world, detector)
    (body,) = bodies(detector, world)
    own, other, distance = msgspec.msgpack.decode(body)
    assert (own[0], other[0]) == (detector.actor.id, ahead.id)
    assert distance == pytest.approx(15.0 - 1.0 - ahead.extent[0] - 0.5, abs=0.1)
    short = sensor_of(world, "other.obstacle", car, Pose(x=1.0, z=0.7), distance=5)
    assert bodies(short, world) == []


def test_obstacle_detector_sees_the_level_unless_only_dynamics(engine):
    world = world_of(engine)
    building = engine.town.buildings[0]
    centre = building.centre
    eye = centre.compose(Pose(x=building.length / 2 + 4.0, z=1.0, yaw=np.pi))
    every = sensor_of(world, "other.obstacle", pose=eye, distance=20)
    movers = sensor_of(world, "other.obstacle", pose=eye, distance=20, only_dynamics="True")
    (body,) = bodies(every, world)
    _, other, distance = msgspec.msgpack.decode(body)
    assert other[2][1] == "static.building" and distance == pytest.approx(3.5, abs=0.01)
    assert bodies(movers, world) == []


def test_collision_is_told_to_both_cars_detectors(engine):
    world = world_of(engine)
    lane = engine.town.spawn_points[0]
    car = engine.spawn("vehicle.tesla.model3", lane)
    other = engine.spawn("vehicle.audi.tt", lane.compose(Pose(x=7.0)))
    detectors = [sensor_of(world, "other.collision", one) for one in (car, other)]
    engine.apply_vehicle_control(car.id, VehicleControl(throttle=1.0))
    for _ in range(100):
        tick(world)
        if engine.collisions:
            break
    first, second = (msgspec.msgpack.decode(bodies(one, world)[0]) for one in detectors)
    named = (first[0][0], first[1][0], second[0][0], second[1][0])
    assert named == (car.id, other.id, other.id, car.id)
    assert first[2] == pytest.approx([-v for v in second[2]])


def test_sensor_tick_is_kept_over_many_ticks(engine):
    world = world_of(engine)
    gnss = sensor_of(world, "other.gnss", sensor_tick=0.12)
    taken = []
    for _ in range(60):
        tick(world)
        if gnss.is_due(engine.elapsed_s):
            taken.append(engine.elapsed_s)
    assert len(taken) == pytest.approx(60 * DELTA_S / 0.12, abs=1)
    assert np.diff(taken).max() <= 0.15 + 1e-9


def test_the_first_message_begins_the_rhythm(engine):
    world = world_of(engine)
    for _ in range(7):
        tick(world)  # so that no multiple of the period is now
    gnss = sensor_of(world, "other.gnss", sensor_tick=1.0)
    due = []
    for number in range(int(2.5 / DELTA_S)):
        tick(world)
        if gnss.is_due(engine.elapsed_s):
            due.append(number)
    assert due == [0, round(1 / DELTA_S), round(2 / DELTA_S)]


def test_stream_carries_each_frame_once(server, call):
    call.settings(True, DELTA_S)
    actor = call.value(
        "spawn_actor", [0, "sensor.other.gnss", []], [[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]]
    )
    (stream_id,) = struct.unpack_from("<I", actor[-1])
    subscriber = Subscriber(call, stream_id)
    frames = [call.value("tick_cue") for _ in range(20)]
    assert [HEADER.unpack_from(subscriber.receive())[1] for _ in frames] == frames
    assert call.value("destroy_actor", actor[0])
    subscriber.close()


def test_server_starts_without_the_compiler():
    """Numba takes a second to import; a world without cameras and lidars never needs it."""
    code = "import sys, sim.carla_server.server; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
