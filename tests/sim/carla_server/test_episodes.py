"""Other towns, the user's own roads, clients that stall or die: what happens to everybody else."""

import importlib.util
import struct
import threading
import time

import pytest

from sim.carla_server.layouts import MESSAGE_HEADER
from sim.carla_server.server import CarlaServer, Sockets
from sim.engine.simulation import Engine

from .plain_client import Caller, Snapshot, Subscriber, description, spawn_point

OTHER = "VdapTown01-2"
NEEDS_CARLA = pytest.mark.skipif(
    importlib.util.find_spec("carla") is None, reason="the carla wheel is not installed"
)


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


def spawn(call, blueprint, index=0, **attributes):
    return call.value(
        "spawn_actor", description(call, blueprint, **attributes), spawn_point(call, index)
    )


def test_another_town_is_another_episode_for_everybody(call, server):
    call.settings(True, 0.05)
    other = Caller(server.port)
    stream = Subscriber(other, 1)
    car = spawn(call, "vehicle.audi.tt")
    sensor = spawn(call, "sensor.other.collision")
    (stream_id,) = struct.unpack_from("<I", sensor[5])
    silent = Subscriber(other, stream_id)
    call.value("tick_cue")
    assert Snapshot(stream.receive()).episode == 1
    name, _ = call.value("get_map_info")
    assert f"/Game/{name}" in call.value("get_available_maps")
    call.void("load_new_episode", OTHER, False, 0xFFFF)
    assert other.value("get_episode_info")[0] == 2
    assert other.value("get_map_info")[0].endswith(OTHER)
    assert other.value("get_actors_by_id", [car[0], sensor[0]]) == []
    frame = call.value("tick_cue")
    snapshot = Snapshot(stream.receive())
    assert (snapshot.episode, snapshot.state & 1, snapshot.frame) == (2, 1, frame)
    assert not server.world.has_stream(stream_id)
    assert spawn(call, "vehicle.audi.tt")[0] > sensor[0]  # a stale id means nobody
    call.value("tick_cue")
    assert Snapshot(stream.receive()).state & 1 == 0
    for one in (stream, silent, other):
        one.close()


def test_unknown_map_changes_nothing(call):
    before = call.value("get_episode_info")[0]
    for name in ("Town10HD", "OpenDriveMap", "VdapTown01-x"):
        assert call.failure("load_new_episode", name, True, 0) == f"Map '{name}' not found"
    assert call.value("get_episode_info")[0] == before


def test_towns_of_ours_stand_in_for_carlas_where_asked(town):
    running = CarlaServer(Sockets("127.0.0.1", 0), Engine(town), has_stand_ins=True)
    running.start()
    call = Caller(running.port)
    assert "/Game/Carla/Maps/Town03" in call.value("get_available_maps")
    for name in ("Town03", "Town03_Opt", "/Game/Carla/Maps/Town03"):
        call.void("load_new_episode", name, True, 0xFFFF)
        assert call.value("get_map_info")[0] == "Carla/Maps/VdapTown02"
    call.close()
    running.close()


def test_settings_stay_unless_they_are_to_be_reset(call):
    call.settings(True, 0.1)
    call.void("load_new_episode", "", False, 0)
    assert call.value("get_episode_settings")[0] is True
    call.void("load_new_episode", "", True, 0)
    assert call.value("get_episode_settings")[:3] == [False, False, [False]]


def test_others_are_answered_and_the_old_world_ticks_while_a_town_is_built(town):
    may_go_on, is_building = threading.Event(), threading.Event()

    def slow(town):
        is_building.set()
        assert may_go_on.wait(10.0)
        return Engine(town)

    server = CarlaServer(Sockets("127.0.0.1", 0), Engine(town), make_engine=slow)
    server.start()
    loader, other = Caller(server.port), Caller(server.port)
    try:
        other.settings(True, 0.05)
        loading = threading.Thread(target=loader.void, args=("load_new_episode", OTHER, False, 0))
        loading.start()
        assert is_building.wait(10.0)
        frame = other.value("tick_cue")
        assert other.value("tick_cue") == frame + 1
        assert other.value("get_episode_info")[0] == 1
        may_go_on.set()
        loading.join(10.0)
        assert other.value("get_episode_info")[0] == 2
    finally:
        may_go_on.set()
        loader.close()
        other.close()
        server.close()


def test_refused_roads_leave_the_world_as_it_is(call, server):
    before = server.world.engine
    for text in ("", "no xml", "<OpenDRIVE/>", "<OpenDRIVE><road/></OpenDRIVE>"):
        said = call.failure("copy_opendrive_to_file", text, [2.0, 50.0, 1.0, 0.6, True, True, True])
        assert said.startswith("opendrive could not be correctly parsed"), said
    assert server.world.engine is before
    assert "expected a number" in call.failure("copy_opendrive_to_file", "", [2.0, 50.0, -1.0])


@NEEDS_CARLA
def test_own_roads_become_the_world(call, town):
    call.void("copy_opendrive_to_file", town.opendrive, [2.0, 50.0, 0.0, 0.6, True, True, True])
    call.void("load_new_episode", "OpenDriveMap", True, 0)
    name, points = call.value("get_map_info")
    assert name == "Carla/Maps/OpenDriveMap" and points
    assert call.value("get_map_data") == town.opendrive
    assert "/Game/Carla/Maps/OpenDriveMap" in call.value("get_available_maps")
    call.settings(True, 0.05)
    spawn(call, "vehicle.audi.tt")
    frame = call.value("tick_cue")
    call.void("load_new_episode", "", False, 0)
    assert call.value("get_map_info")[0] == name
    assert call.value("tick_cue") > 0 and frame > 0


@pytest.mark.parametrize("is_released", [False, True])
def test_synchronous_mode_of_a_dead_client(town, is_released):
    server = CarlaServer(Sockets("127.0.0.1", 0), Engine(town), releases_synchronous=is_released)
    server.start()
    dying, other = Caller(server.port), Caller(server.port)
    stream = Subscriber(other, 1)
    try:
        dying.settings(True, 0.02)
        other.value("version")
        dying.close()
        if is_released:
            until(lambda: not other.value("get_episode_settings")[0])
            first = Snapshot(stream.receive()).frame
            assert Snapshot(stream.receive()).frame == first + 1
            assert other.value("get_episode_settings")[2] == [True, 0.02]
        else:
            until(lambda: len(server._sockets.rpc) == 1)
            assert other.value("get_episode_settings")[0] is True
            frame = server.world.engine.frame
            time.sleep(0.1)
            assert server.world.engine.frame == frame
    finally:
        stream.close()
        other.close()
        server.close()


def test_who_did_not_ask_for_the_mode_takes_it_from_nobody(town):
    server = CarlaServer(Sockets("127.0.0.1", 0), Engine(town), releases_synchronous=True)
    server.start()
    ticking, other = Caller(server.port), Caller(server.port)
    try:
        ticking.settings(True, 0.05)
        other.value("version")
        other.close()
        until(lambda: len(server._sockets.rpc) == 1)
        assert ticking.value("get_episode_settings")[0] is True
    finally:
        ticking.close()
        server.close()


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="pictures need numba")
def test_a_camera_that_nobody_reads_costs_another_client_no_frame(server_process):
    stalled, ticking = Caller(server_process.port), Caller(server_process.port)
    large = {"image_size_x": "1280", "image_size_y": "720"}
    small = {"image_size_x": "64", "image_size_y": "48"}
    ticking.settings(True, 0.05)
    cameras = [spawn(stalled, "sensor.camera.semantic_segmentation", 1, **large)]
    cameras.append(spawn(ticking, "sensor.camera.rgb", 1, **small))
    ids = [struct.unpack_from("<I", camera[5])[0] for camera in cameras]
    unread, read = Subscriber(stalled, ids[0]), Subscriber(ticking, ids[1])
    try:
        frames = [ticking.value("tick_cue") for _ in range(12)]  # 44 MB that nobody takes
        got = [MESSAGE_HEADER.unpack_from(read.receive())[1] for _ in frames]
        assert got == frames
        first = MESSAGE_HEADER.unpack_from(unread.receive())[1]
        assert first == frames[0]  # what was taken on is whole
    finally:
        ticking.settings(False)
        for camera in cameras:
            ticking.value("destroy_actor", camera[0])
        for one in (unread, read, stalled, ticking):
            one.close()


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="pictures need numba")
def test_world_can_be_read_and_changed_while_a_frame_is_drawn(call, server, monkeypatch):
    """The tick is answered, others change the world, and the picture shows the frame it names."""
    drawing, go_on, seen = threading.Event(), threading.Event(), []

    def slow(pictures, view, actors, frame, version, elapsed_s):
        drawing.set()
        assert go_on.wait(10.0)
        seen.append((frame, actors[car].pose.x))
        raise RuntimeError("no picture is needed here")

    monkeypatch.setattr("sim.engine.pictures.Pictures.take", slow)
    call.settings(True, 0.05)
    car = spawn(call, "vehicle.audi.tt")[0]
    x = server.world.engine.actors[car].pose.x
    camera = spawn(call, "sensor.camera.rgb", 1)
    stream = Subscriber(call, struct.unpack_from("<I", camera[5])[0])
    frame = call.value("tick_cue")
    assert drawing.wait(10.0)
    assert call.value("get_map_info")[1]
    call.void("set_actor_transform", car, [[900.0, 0.0, 0.3], [0, 0, 0]])
    assert server.world.engine.actors[car].pose.x == 900.0
    go_on.set()
    assert call.value("tick_cue") == frame + 1  # it has waited for the end of the drawing
    assert seen[0] == (frame, pytest.approx(x, abs=0.5))
    stream.close()
