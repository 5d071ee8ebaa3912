"""The server over real sockets, asked by a client that speaks RPC and nothing else."""

import contextlib
import logging
import math
import signal
import socket
import struct
import subprocess
import sys
import time

import msgspec
import pytest

from sim.carla_server.layouts import (
    ACTOR_RECORD,
    LIGHT_UNION,
    MESSAGE_HEADER,
    SNAPSHOT_HEADER,
    VEHICLE_UNION,
)
from sim.carla_server.server import CarlaServer, Sockets
from sim.engine.simulation import Engine
from sim.engine.town import build_town

RECORD_SIZE = 119  # bytes of an actor in a snapshot


class Caller:
    """One RPC connection."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._sent = 0

    def __call__(self, name, *arguments):
        self._sent += 1
        self._socket.sendall(msgspec.msgpack.encode([0, self._sent, name, [[False], *arguments]]))
        data = b""
        while True:
            data += self._socket.recv(1 << 20)
            with contextlib.suppress(msgspec.DecodeError):
                _, message_id, error, result = msgspec.msgpack.decode(data)
                assert message_id == self._sent
                return error, result

    def value(self, name, *arguments):
        error, result = self(name, *arguments)
        assert error is None and result[0][0] == 1, (name, error, result)
        return result[0][1]

    def void(self, name, *arguments):
        assert self(name, *arguments) == (None, [[False]])

    def failure(self, name, *arguments):
        error, result = self(name, *arguments)
        assert error is None and result[0][0] in (0, True)
        return result[0][1][0]

    def settings(self, is_synchronous, delta_s=None):
        fixed = [False] if delta_s is None else [True, delta_s]
        return self.value("set_episode_settings", [is_synchronous, False, fixed])

    def close(self):
        self._socket.close()


class Subscriber:
    """One stream."""

    def __init__(self, caller, stream_id):
        (token,) = caller.value("get_sensor_token", stream_id)
        _, port = struct.unpack_from("<IH", token)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.sendall(struct.pack("<I", stream_id))

    def receive(self):
        (size,) = struct.unpack("<I", self._exactly(4))
        return self._exactly(size)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            assert part, "the server closed a stream"
            data += part
        return data

    def close(self):
        self.socket.close()


class Snapshot:
    def __init__(self, message):
        header = MESSAGE_HEADER.unpack_from(message)
        self.type, self.frame, self.elapsed_s = header[:3]
        at = MESSAGE_HEADER.size
        self.episode, _, self.delta_s, *_, self.state = SNAPSHOT_HEADER.unpack_from(message, at)
        body = message[at + SNAPSHOT_HEADER.size :]
        assert len(body) % RECORD_SIZE == 0
        records = [body[i : i + RECORD_SIZE] for i in range(0, len(body), RECORD_SIZE)]
        self.records = {ACTOR_RECORD.unpack_from(record)[0]: record for record in records}

    def pose(self, actor_id):
        return ACTOR_RECORD.unpack_from(self.records[actor_id])[2:8]


@pytest.fixture(scope="module")
def town():
    return build_town(1)


@pytest.fixture
def server(town):
    running = CarlaServer(Sockets("127.0.0.1", 0), Engine(town))
    running.start()
    yield running
    running.close()


@pytest.fixture
def call(server):
    caller = Caller(server.port)
    yield caller
    caller.close()


def description(call, blueprint, **attributes):
    definitions = {d[1]: d for d in call.value("get_actor_definitions")}
    uid, name, _, defaults = definitions[blueprint]
    values = {a[0]: (a[1], a[2]) for a in defaults}
    values |= {name: (4, value) for name, value in attributes.items()}
    return [uid, name, [[key, *value] for key, value in values.items()]]


def spawn_point(call, index=0):
    return call.value("get_map_info")[1][index]


def test_synchronous_mode_ticks_when_told(call):
    call.settings(True, 0.1)
    frame = call.value("tick_cue")
    assert call.value("tick_cue") == frame + 1
    assert call.settings(True, 0.1) == frame + 1


def test_asynchronous_mode_ticks_by_itself(call):
    stream = Subscriber(call, 1)
    call.settings(False, 0.01)
    frames = [Snapshot(stream.receive()).frame for _ in range(4)]
    assert frames == list(range(frames[0], frames[0] + 4))
    stream.close()


def test_spawned_actor_is_in_a_snapshot_before_the_call_returns(call, server):
    call.settings(False, 0.02)
    stream = Subscriber(call, 1)
    stream.receive()
    for index in range(5):
        car = description(call, "vehicle.audi.tt")
        car_id = call.value("spawn_actor", car, spawn_point(call, index))[0]
        frame = call.settings(False, 0.02)
        while (snapshot := Snapshot(stream.receive())).frame < frame:
            pass
        assert car_id in snapshot.records
        assert server.world._published_frame >= frame
    stream.close()


def test_tick_cue_in_asynchronous_mode_names_a_frame_that_comes(call):
    stream = Subscriber(call, 1)
    call.settings(False, 0.01)
    wanted = call.value("tick_cue")
    while Snapshot(stream.receive()).frame < wanted:
        pass
    stream.close()


def test_snapshot_holds_every_actor_in_carla_axes(call, server):
    call.settings(True, 0.05)
    point = spawn_point(call)
    car = call.value("spawn_actor", description(call, "vehicle.audi.tt"), point)
    control = [0.5, 0.25, 0.0, False, False, False, 1]
    call.void("apply_control_to_vehicle", car[0], control)
    stream = Subscriber(call, 1)
    frame = call.value("tick_cue")
    snapshot = Snapshot(stream.receive())
    stream.close()
    assert (snapshot.type, snapshot.frame, snapshot.episode) == (17, frame, 1)
    assert snapshot.delta_s == pytest.approx(0.05)
    assert set(snapshot.records) == set(server.world.engine.actors)
    x, y, z, _, yaw, _ = snapshot.pose(car[0])
    assert math.dist((x, y), point[0][:2]) < 0.2 and abs(z) < 0.31
    assert (math.cos(math.radians(yaw - point[1][1]))) == pytest.approx(1.0, abs=1e-3)
    pose = server.world.engine.actors[car[0]].pose
    assert (x, y, yaw) == pytest.approx((pose.x, -pose.y, -math.degrees(pose.yaw)), abs=1e-3)
    union = VEHICLE_UNION.unpack_from(snapshot.records[car[0]], ACTOR_RECORD.size)
    assert union[:2] == pytest.approx((0.5, 0.25)) and union[7] > 10.0
    lights = server.world.engine.traffic_lights
    light_id = next(iter(lights))
    union = LIGHT_UNION.unpack_from(snapshot.records[light_id], ACTOR_RECORD.size)
    assert union[0].rstrip(b"\0").decode() == lights[light_id].signal_id
    assert union[1:4] == pytest.approx((10.0, 3.0, 2.0))
    assert union[-1] == lights[light_id].state


def test_positive_steer_turns_right(call, server):
    call.settings(True, 0.05)
    car = call.value("spawn_actor", description(call, "vehicle.audi.tt"), spawn_point(call))[0]
    before = server.world.engine.actors[car].pose.yaw
    call.void("apply_control_to_vehicle", car, [0.6, 0.5, 0.0, False, False, False, 0])
    for _ in range(30):
        call.value("tick_cue")
    after = server.world.engine.actors[car].pose.yaw
    assert math.sin(after - before) < -0.05  # counter-clockwise is left


def test_spawning_where_something_stands_fails_with_the_real_words(call):
    point = spawn_point(call)
    car = description(call, "vehicle.audi.tt")
    call.value("spawn_actor", car, point)
    text = call.failure("spawn_actor", car, point)
    assert text == "Spawn failed because of collision at spawn position"


@pytest.mark.parametrize(
    ("blueprint", "attributes", "words"),
    [
        ("sensor.camera.rgb", {"image_size_x": "wide"}, "image_size_x: expected a number"),
        ("sensor.camera.rgb", {"fov": "0"}, "fov: expected 1 to 170"),
        ("sensor.camera.rgb", {"image_size_y": "1000000"}, "image_size_y: expected 1 to 4096"),
    ],
)
def test_impossible_cameras_are_refused(call, blueprint, attributes, words):
    text = call.failure("spawn_actor", description(call, blueprint, **attributes), [[0, 0, 9]])
    assert words in text


def test_unknown_blueprint_and_parent_are_refused(call):
    nothing = [0, "vehicle.none.none", []]
    assert "vehicle.none.none" in call.failure("spawn_actor", nothing, [[0, 0, 0], [0, 0, 0]])
    camera = description(call, "sensor.camera.rgb")
    place = [[0, 0, 0], [0, 0, 0]]
    text = call.failure("spawn_actor_with_parent", camera, place, 9999, 0, "")
    assert text == "unable to attach actor: parent actor not found"


def test_attached_sensor_moves_with_its_parent_and_goes_with_it(call, server):
    call.settings(True, 0.05)
    car = call.value("spawn_actor", description(call, "vehicle.audi.tt"), spawn_point(call))[0]
    camera = call.value(
        "spawn_actor_with_parent",
        description(call, "sensor.camera.rgb"),
        [[1.5, 0.5, 2.0], [0, 90, 0]],  # half a metre right of the middle, looking right
        car,
        0,
        "",
    )
    assert camera[1] == car and len(camera[5]) == 24
    call.void("set_actor_simulate_physics", car, False)
    call.void("set_actor_transform", car, [[10.0, 20.0, 0.0], [0, 90, 0]])
    stream = Subscriber(call, 1)
    call.value("tick_cue")
    x, y, z, _, yaw, _ = Snapshot(stream.receive()).pose(camera[0])
    # Facing south (yaw 90), right is west: CARLA's -x.
    assert (x, y, z) == pytest.approx((9.5, 21.5, 2.0), abs=0.05)
    assert yaw % 360.0 == pytest.approx(180.0, abs=0.1)
    assert call.value("destroy_actor", car) is True
    call.value("tick_cue")
    assert not {car, camera[0]} & set(Snapshot(stream.receive()).records)
    stream.close()
    assert camera[0] not in server.world.sensors


def test_stale_ids_get_failures_not_errors(call):
    assert "Actor Id: 4242" in call.failure("set_actor_location", 4242, [0, 0, 0])
    assert call.failure("destroy_actor", 4242) == "unable to destroy actor: not found"
    assert call.value("get_actor_bounding_box", 4242)[1] == [0.0, 0.0, 0.0]
    assert call.value("get_actors_by_id", [4242]) == []
    call.void("set_actor_simulate_physics", 4242, True)


@pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf, 1e30])
def test_strange_numbers_are_refused_and_the_world_goes_on(call, strange):
    call.settings(True, 0.05)
    car = call.value("spawn_actor", description(call, "vehicle.audi.tt"), spawn_point(call))[0]
    light = call.value("get_group_traffic_lights", 1)[0]
    for name, arguments in (
        ("set_actor_location", (car, [strange, 0, 0])),
        ("set_actor_transform", (car, [[0, 0, 0], [0, strange, 0]])),
        ("set_actor_target_velocity", (car, [0, strange, 0])),
        ("apply_control_to_vehicle", (car, [strange, 0, 0, False, False, False, 0])),
        ("set_traffic_light_green_time", (light, -strange)),
        ("set_episode_settings", ([True, False, [True, strange]],)),
        ("cast_ray", ([0, 0, strange], [0, 0, 0])),
    ):
        assert "expected a number" in call.failure(name, *arguments)
    frame = call.value("tick_cue")
    assert call.value("tick_cue") == frame + 1


def test_batch_spawns_then_runs_what_follows(call, server):
    point, lights = spawn_point(call), 3
    car = description(call, "vehicle.audi.tt")
    follow = [[[18, [0, lights]]], [[2, [0, [0.7, 0, 0, False, False, False, 0]]]]]
    spawn = [[0, [car, point, [False], 112, "", follow]]]
    clash = [[0, [car, point, [False], 0, "", []]]]
    stale = [[1, [4242]]]
    strange = [[99, [1]]]
    error, result = call("apply_batch", [spawn, clash, stale, strange], False)
    assert error is None
    ((is_ok, car_id),) = result[0]
    assert is_ok == 1
    assert [r[0][0] for r in result[1:]] == [0, 0, 0]
    assert "99" in result[3][0][1][0]
    actor = server.world.engine.actors[car_id]
    assert actor.light_flags == lights and actor.control.throttle == pytest.approx(0.7)


def test_ackermann_control_reaches_its_speed(call, server):
    call.settings(True, 0.05)
    car = call.value("spawn_actor", description(call, "vehicle.audi.tt"), spawn_point(call))[0]
    call.void("apply_ackermann_control_to_vehicle", car, [0.0, 0.0, 5.0, 0.0, 0.0])
    for _ in range(100):
        call.value("tick_cue")
    assert server.world.engine.actors[car].speed == pytest.approx(5.0, abs=1.0)


def test_new_episode_drops_actors_and_says_that_the_map_changed(call, server):
    call.settings(True, 0.05)
    call.value("tick_cue")
    stream = Subscriber(call, 1)
    call.value("tick_cue")
    assert Snapshot(stream.receive()).state == 0
    car = call.value("spawn_actor", description(call, "vehicle.audi.tt"), spawn_point(call))[0]
    assert call.failure("load_new_episode", "Town99", True, 65535) == "Map 'Town99' not found"
    call.void("load_new_episode", "", False, 65535)
    call.value("tick_cue")
    snapshot = Snapshot(stream.receive())
    assert (snapshot.episode, snapshot.state) == (2, 1) and car not in snapshot.records
    assert call.value("get_episode_settings")[0] is True
    call.void("load_new_episode", "", True, 65535)
    assert call.value("get_episode_settings")[0] is False
    stream.close()


def test_unread_stream_does_not_stop_synchronous_ticks(call, server, monkeypatch):
    monkeypatch.setattr("sim.carla_server.world.SLOW_READER_WAIT_S", 0.01)
    call.settings(True, 0.05)
    stream = Subscriber(call, 1)
    call.value("tick_cue")
    session = server.world.streams._sessions[1][0]
    with session._lock:
        session._rest = [memoryview(bytes(64 << 20))]  # a message far larger than any buffer
    for _ in range(3):
        call.value("tick_cue")
    assert session.dropped == 3
    stream.close()


def test_traffic_manager_leaves_with_its_client(call, server):
    other = Caller(server.port)
    assert other.value("is_traffic_manager_running", 8000) is False
    assert other.value("add_traffic_manager_running", ["10.0.0.1", 8000]) is True
    assert call.value("add_traffic_manager_running", ["10.0.0.2", 8000]) is False
    assert call.value("get_traffic_manager_running", 8000) == ["10.0.0.1", 8000]
    other.close()
    end = time.monotonic() + 5.0
    while call.value("is_traffic_manager_running", 8000) and time.monotonic() < end:
        time.sleep(0.005)
    assert call.value("get_traffic_manager_running", 8000) == ["", 0]


def test_debug_drawing_is_accepted_and_mentioned_once(call, caplog):
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            shape = [[0, [[0, 0, 0], 0.1]], [255, 0, 0], 1.0, True]
            call.void("draw_debug_shape", shape)
    assert caplog.text.count("draw_debug_shape is accepted") <= 1


def test_broken_tick_is_told_to_who_started_the_server(call, server, monkeypatch, caplog):
    def broken(delta_s):
        raise ZeroDivisionError

    monkeypatch.setattr(server.world.engine, "tick", broken)
    call.settings(False, 0.01)
    server._loop.join(5.0)
    assert server.has_failed and "ZeroDivisionError" in caplog.text
    assert call.value("version") == "0.9.16"


def test_command_says_ready_and_leaves_on_signals(lazy_server):
    caller = Caller(lazy_server.port)
    assert caller.value("version") == "0.9.16"
    assert caller("warp", 9)[0] == "unknown RPC 'warp'"
    caller("warp", 9)
    caller.close()
    lazy_server.process.send_signal(signal.SIGINT)
    code, log = lazy_server.stop()
    assert code == 0
    assert log.count("warp") == 1 and "Traceback" not in log


def test_taken_port_is_one_clear_line():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "sim.carla_server", "--port", str(port), "--lazy-rendering"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and f"127.0.0.1:{port}" in done.stderr


def test_building_boxes_are_the_footprints(call, town):
    objects = call.value("get_environment_objects", 3)
    assert len(objects) == len(town.buildings)
    assert len({entry[2] for entry in objects}) == len(objects)
    for (_, box, _, _, tag), building in zip(objects, town.buildings, strict=True):
        (x, y, z), (long, wide, high), (_, yaw, _), _ = box
        assert tag == 3 and high == pytest.approx(building.height / 2)
        assert z == pytest.approx(building.centre.z + high)
        turn = math.radians(yaw)
        corners = {
            (
                round(x + i * long * math.cos(turn) - j * wide * math.sin(turn), 3) + 0.0,
                round(-(y + i * long * math.sin(turn) + j * wide * math.cos(turn)), 3) + 0.0,
            )
            for i in (-1, 1)
            for j in (-1, 1)
        }
        for corner in building.footprint.tolist():
            assert min(math.dist(corner, mine) for mine in corners) < 2e-3


def test_rays_meet_ground_vehicles_and_buildings_in_order(call, town):
    call.settings(True, 0.05)
    point = spawn_point(call)
    (x, y, _), _ = point
    call.value("spawn_actor", description(call, "vehicle.audi.tt"), point)
    hits = call.value("cast_ray", [x, y, 10.0], [x, y, -1.0])
    assert [label for _, label in hits] == [14, 1]
    assert hits[0][0][2] > 1.0 and hits[1][0][2] == pytest.approx(0.0)
    is_found, (place, label) = call.value("project_point", [x, y, 10.0], [0, 0, -1], 3.0)
    assert is_found is False
    building = town.buildings[0].centre
    is_found, (place, label) = call.value(
        "project_point", [building.x, -building.y, 300.0], [0, 0, -1], 500.0
    )
    assert (is_found, label) == (True, 3)
    assert place[2] == pytest.approx(town.buildings[0].height)


def test_traffic_light_is_turned_as_carla_blueprints_are(call, server):
    light = next(iter(server.world.engine.traffic_lights.values()))
    call.settings(True, 0.05)
    stream = Subscriber(call, 1)
    call.value("tick_cue")
    yaw = math.radians(Snapshot(stream.receive()).pose(light.id)[4])
    stream.close()
    right = (-math.sin(yaw), math.cos(yaw))  # CARLA axes
    towards = (math.cos(light.pose.yaw), -math.sin(light.pose.yaw))
    assert right == pytest.approx(towards, abs=1e-6)
    heads = call.value("get_light_boxes", light.id)
    assert len(heads) == 2
    for (x, y, z), (wide, deep, tall), _, actor_id in heads:
        assert actor_id == light.id and tall > wide >= deep and 2.0 < z < 6.0
        assert math.dist((x, -y), (light.pose.x, light.pose.y)) < 5.0
    trigger = call.value("get_actor_bounding_box", light.id)
    x = light.pose.x + 0.0
    (u, v, _), _, _, _ = trigger
    place = (
        x + u * math.cos(yaw) - v * math.sin(yaw),
        -(-light.pose.y + u * math.sin(yaw) + v * math.cos(yaw)),
    )
    stop = light.stop_line
    assert math.dist(place, (stop.x, stop.y)) == pytest.approx(6.0, abs=1e-3)
    lane, s, offset = server.world.engine.town.lanes.nearest(*place)
    assert lane.id == light.lane_id and s < light.stop_s and abs(offset) < 1e-3


def test_lights_can_be_set_frozen_and_reset(call, server):
    call.settings(True, 0.1)
    lights = server.world.engine.traffic_lights
    light_id = next(iter(lights))
    call.void("freeze_all_traffic_lights", True)
    call.void("set_traffic_light_state", light_id, 1)
    for _ in range(300):
        call.value("tick_cue")
    assert lights[light_id].state == 1
    assert "no state 4" in call.failure("set_traffic_light_state", light_id, 4)
    call.void("freeze_all_traffic_lights", False)
    call.void("set_traffic_light_green_time", light_id, 21.0)
    assert lights[light_id].green_time == 21.0
    assert light_id in call.value("get_group_traffic_lights", light_id)
    assert "not found" in call.failure("get_group_traffic_lights", 4242)
    call.void("reset_all_traffic_lights")


def test_collision_sensor_names_both_and_the_push(call, town):
    call.settings(True, 0.05)
    building = town.buildings[0]
    centre, yaw = building.centre, building.centre.yaw
    start = building.length / 2 + 4.0  # metres from the middle, in front of its short side
    place = (centre.x + start * math.cos(yaw), -(centre.y + start * math.sin(yaw)), 0.2)
    towards = math.degrees(-yaw) + 180.0
    car = call.value("spawn_actor", description(call, "vehicle.audi.tt"), [place, [0, towards, 0]])
    blueprint = description(call, "sensor.other.collision")
    here = [[0, 0, 0], [0, 0, 0]]
    sensor = call.value("spawn_actor_with_parent", blueprint, here, car[0], 0, "")
    stream = Subscriber(call, struct.unpack_from("<I", sensor[5])[0])
    fast = [5 * math.cos(math.radians(towards)), 5 * math.sin(math.radians(towards)), 0]
    call.void("set_actor_target_velocity", car[0], fast)
    for _ in range(20):
        call.value("tick_cue")
    message = stream.receive()
    stream.close()
    assert MESSAGE_HEADER.unpack_from(message)[0] == 0
    own, other, push = msgspec.msgpack.decode(message[MESSAGE_HEADER.size :])
    assert own[0] == car[0] and own[2][1] == "vehicle.audi.tt"
    assert (other[0], other[2][1], other[4]) == (0, "static.building", bytes([3]))
    # The wall pushes back, against the way it was going.
    assert push[0] * fast[0] + push[1] * fast[1] < -1000.0
