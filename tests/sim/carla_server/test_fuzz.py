"""Whatever arrives: the server answers in shape, goes on, and a good client loses nothing."""

import contextlib
import math
import socket
import struct
import threading

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.carla_server.protocol import NEWEST, PROTOCOLS
from sim.carla_server.server import CarlaServer, Sockets
from sim.engine.simulation import Engine
from sim.engine.town import build_town

from .plain_client import Caller, Snapshot, Subscriber, description, spawn_point
from .wire_strategies import ANYTHING, arguments

RPCS = PROTOCOLS[NEWEST].rpcs
COMMANDS = PROTOCOLS[NEWEST].commands
# They change the whole world or take long; they have tests of their own.
LEFT_OUT = {"load_new_episode", "copy_opendrive_to_file", "set_episode_settings", "tick_cue"}
CALLS = sorted(set(RPCS) - LEFT_OUT)
WITHIN = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LONGER = settings(WITHIN, max_examples=1500)
JUNK = st.binary(max_size=200) | st.lists(ANYTHING, max_size=6).map(msgspec.msgpack.encode)


@pytest.fixture(scope="module")
def fuzzed():
    server = CarlaServer(Sockets("127.0.0.1", 0), Engine(build_town()), has_pictures=False)
    server.start()
    yield server
    server.close()


class GoodClient:
    """Ticks a synchronous world with a car in it and reads every snapshot."""

    def __init__(self, server):
        self.call = Caller(server.port)
        self.call.settings(True, 0.05)
        self.stream = Subscriber(self.call, 1)
        self.car = None
        self.tick()

    def tick(self):
        """Make a frame and see it: no frame is missing, and all that is in it is finite."""
        self.call.settings(True, 0.05)
        frame = self.call.value("tick_cue")
        while (snapshot := Snapshot(self.stream.receive())).frame < frame:
            pass
        assert snapshot.frame == frame
        for actor_id in snapshot.records:
            assert all(map(math.isfinite, snapshot.pose(actor_id))), actor_id
        if self.car not in snapshot.records:
            self.car = self._car()
        return frame

    def _car(self):
        error, result = self.call(
            "spawn_actor", description(self.call, "vehicle.audi.tt"), spawn_point(self.call, 3)
        )
        return result[0][1][0] if error is None and result[0][0] == 1 else None

    def close(self):
        self.call.close()
        self.stream.close()


@pytest.fixture(scope="module")
def good(fuzzed):
    client = GoodClient(fuzzed)
    yield client
    client.close()


def check_shape(name, answer):
    """An answer to a known call never uses the error slot, and is wrapped as its result is."""
    error, result = answer
    assert error is None, (name, error)
    if RPCS[name].result == "batch":
        assert isinstance(result, list)
        return
    (wrapped,) = result
    assert wrapped[0] in ((False, True) if RPCS[name].result == "void" else (0, 1)), (name, result)


def every_call_is_answered(good, data):
    name = data.draw(st.sampled_from(CALLS))
    values = data.draw(arguments(RPCS[name].arguments))
    if good.car is not None and values and data.draw(st.booleans()):
        values[0] = good.car
    check_shape(name, good.call(name, *values))
    good.tick()


@WITHIN
@given(st.data())
def test_every_call_is_answered_in_shape_and_the_world_goes_on(good, data):
    every_call_is_answered(good, data)


@pytest.mark.slow
@LONGER
@given(st.data())
def test_every_call_is_answered_long(good, data):
    every_call_is_answered(good, data)


def every_command_is_answered(good, data):
    commands = []
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(COMMANDS)))
        kinds = COMMANDS[index].arguments if index < len(COMMANDS) else ()
        values = data.draw(arguments(kinds))
        if good.car is not None and values and data.draw(st.booleans()):
            values[0] = good.car
        commands.append([[index, values]])
    error, results = good.call("apply_batch", commands, data.draw(st.booleans()))
    assert error is None and len(results) == len(commands)
    assert all(result[0][0] in (0, 1) for result in results)
    good.tick()


@WITHIN
@given(st.data())
def test_every_batch_command_is_answered_by_its_place(good, data):
    every_command_is_answered(good, data)


@pytest.mark.slow
@LONGER
@given(st.data())
def test_every_batch_command_is_answered_long(good, data):
    every_command_is_answered(good, data)


def throw(port, data):
    """Send bytes; leave when the server closes or answers nothing."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as stranger,
        contextlib.suppress(OSError),
    ):
        stranger.sendall(data)
        stranger.shutdown(socket.SHUT_WR)
        while stranger.recv(1 << 16):
            pass


@WITHIN
@given(st.lists(JUNK, max_size=3).map(b"".join))
def test_bytes_that_are_no_calls_cost_only_their_connection(fuzzed, good, junk):
    throw(fuzzed.port, junk)
    throw(fuzzed.world.streams.port, junk)
    good.tick()


@pytest.mark.parametrize(
    "start",
    [
        b"\xdd\xff\xff\xff\xff",  # an array of 4 milliards
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",  # a text of 4 GB
        b"\xc6\x7f\xff\xff\xff",
        b"\x94\x00\x01\xdb\x10\x00\x00\x00",
        b"\x91" * 60_000 + b"\xc0",  # deeper than any stack
        b"\x94\x00\x01\xa7version" + b"\x91" * 60_000 + b"\xc0",
        b"\x94\x00\x01\xabapply_batch\x93\x91\xc2" + b"\x91" * 50_000 + b"\xc0\xc2",
    ],
)
def test_huge_lengths_and_deep_nesting(fuzzed, good, start):
    throw(fuzzed.port, start + bytes(100_000))
    good.tick()


def nested_spawns(depth):
    sensor, place = [0, "sensor.other.collision", []], [[0, 0, 9], [0, 0, 0]]
    command = [0, [sensor, place, [False], 0, "", []]]
    for _ in range(depth):
        after = [[msgspec.Raw(msgspec.msgpack.encode(command))]]
        command = [0, [sensor, place, [False], 0, "", after]]
    return msgspec.Raw(msgspec.msgpack.encode(command))


def test_spawns_that_follow_spawns_end(fuzzed, good):
    before = set(fuzzed.world.engine.actors)
    error, results = good.call("apply_batch", [[nested_spawns(50)]], False)
    assert error is None and isinstance(results, list)
    throw(
        fuzzed.port,
        msgspec.msgpack.encode([0, 1, "apply_batch", [[False], [[nested_spawns(5000)]], False]]),
    )
    good.tick()
    for actor_id in set(fuzzed.world.engine.actors) - before:
        assert good.call.value("destroy_actor", actor_id) is True


def test_a_client_that_reads_no_answers_stops_nobody(fuzzed, good):
    call = msgspec.msgpack.encode([0, 1, "get_map_data", [[False]]])
    with socket.create_connection(("127.0.0.1", fuzzed.port), timeout=5) as greedy:
        greedy.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(100_000):
                greedy.send(call * 100)
        frame = good.tick()
        assert good.tick() > frame


def test_half_open_streams_and_tokens_never_used_cost_one_second_at_most(fuzzed, good):
    streams = [
        socket.create_connection(("127.0.0.1", fuzzed.world.streams.port)) for _ in range(20)
    ]
    for number, stream in enumerate(streams):
        stream.sendall(struct.pack("<I", 1 + number % 3)[: number % 5])
    for stream_id in range(2, 200):
        good.call.value("get_sensor_token", stream_id)
    sensors = {sensor.stream_id for sensor in fuzzed.world.sensors.values()}
    assert set(fuzzed.world.streams._pending) <= sensors  # nobody waits for what there is not
    good.tick()
    for stream in streams:
        stream.close()
    good.tick()


def crowd(fuzzed, good, count):
    """Connections beyond what is allowed: a good client keeps its own and others get in."""
    rpc, streams = fuzzed._sockets.rpc, fuzzed.world.streams
    strangers = []
    try:
        for number in range(count):
            port = rpc.port if number % 2 else streams.port
            strangers.append(socket.create_connection(("127.0.0.1", port), timeout=5))
            if number % 50 == 0:
                good.tick()
        late = Caller(fuzzed.port)
        assert late.value("version") == NEWEST
        late.close()
        assert len(rpc) <= rpc._allowed and len(streams) <= streams._allowed
        good.tick()
    finally:
        for stranger in strangers:
            stranger.close()
    good.tick()


def test_a_crowd_of_connections_leaves_room_for_who_calls(fuzzed, good, monkeypatch):
    monkeypatch.setattr(fuzzed._sockets.rpc, "_allowed", 40)
    monkeypatch.setattr(fuzzed.world.streams, "_allowed", 40)
    crowd(fuzzed, good, 400)


@pytest.mark.slow
def test_thousands_of_connections(fuzzed, good):
    before = threading.active_count()
    crowd(fuzzed, good, 4000)
    assert threading.active_count() <= before + 5


def test_nothing_of_all_this_has_ended_the_world(fuzzed, good):
    """Last in the file: after every attack."""
    assert not fuzzed.has_failed
    assert good.tick() > 50
    if good.car is not None:
        assert good.call.value("destroy_actor", good.car) is True
