"""The server over real sockets, asked by a client that speaks RPC and nothing else."""

import logging
import math
import signal
import socket
import subprocess
import sys
import time

import pytest

from sim.carla_server.layouts import (
    ACTOR_RECORD,
    LIGHT_UNION,
    VEHICLE_UNION,
)

from .plain_client import Caller, Snapshot, Subscriber, description, spawn_point


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


def test_attached_sensor_moves_with_its_parent_and_stays_when_it_goes(call, server):
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
    seen = Snapshot(stream.receive())
    assert car not in seen.records
    assert seen.pose(camera[0])[:3] == pytest.approx((x, y, z))  # as CARLA leaves it
    assert call.value("destroy_actor", camera[0]) is True
    call.value("tick_cue")
    assert camera[0] not in Snapshot(stream.receive()).records
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
        session._queued = 64 << 20
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


def test_library_holds_what_a_client_may_spawn(call):
    names = [definition[1] for definition in call.value("get_actor_definitions")]
    assert all(name.count(".") >= 2 for name in names)  # as CARLA's own smoke test has it
    assert {name.split(".")[0] for name in names} == {
        "vehicle", "walker", "sensor", "static", "controller"
    }  # fmt: skip
