from pathlib import Path

import pytest

import sim.carla_server.handlers  # noqa: F401 - fills the registry
from sim.carla_server.call_table import filled, standing
from sim.carla_server.handlers.registry import HANDLERS
from sim.carla_server.protocol import NEW_IN_0_9_16, NEWEST, PROTOCOLS
from sim.carla_server.rpc import argument_decoder
from sim.carla_server.server import CarlaServer, Sockets
from sim.engine.simulation import Engine

from .plain_client import Caller, Snapshot, Subscriber

BATCH_ONLY = {"spawn", "apply_walker_state", "set_light_flags", "console_command"}


@pytest.mark.parametrize("version", PROTOCOLS)
def test_every_call_has_a_handler_or_a_reason(version):
    for name, rpc in PROTOCOLS[version].rpcs.items():
        assert (name in HANDLERS) != bool(rpc.missing), name


def test_every_handler_is_in_the_newest_table():
    protocol = PROTOCOLS[NEWEST]
    assert set(HANDLERS) - set(protocol.rpcs) == BATCH_ONLY - {"spawn"}
    assert {c.handler for c in protocol.commands} - set(HANDLERS) == {"spawn"}


def test_batch_commands_are_in_the_order_of_the_variant():
    commands = [command.handler for command in PROTOCOLS["0.9.16"].commands]
    assert len(commands) == 22
    numbers = {0: "spawn", 1: "destroy_actor", 6: "set_actor_transform", 16: "set_actor_autopilot"}
    numbers |= {8: "set_actor_target_velocity", 18: "set_light_flags", 19: "set_actor_location"}
    for index, name in numbers.items():
        assert commands[index] == name


@pytest.mark.parametrize("version", PROTOCOLS)
def test_every_row_makes_a_decoder(version):
    protocol = PROTOCOLS[version]
    for name, rpc in protocol.rpcs.items():
        assert argument_decoder(name, rpc.arguments) is not None
    for command in protocol.commands:
        assert argument_decoder(command.handler, command.arguments) is not None


def test_the_older_version_lacks_the_newer_calls_and_numbers_its_snapshot_before():
    newer, older = PROTOCOLS["0.9.16"], PROTOCOLS["0.9.15"]
    assert set(newer.rpcs) - set(older.rpcs) == set(NEW_IN_0_9_16)
    assert set(older.rpcs) < set(newer.rpcs)
    assert (older.snapshot_type, newer.snapshot_type) == (16, 17)


def test_server_speaks_the_older_version(town):
    server = CarlaServer(Sockets("127.0.0.1", 0), Engine(town), version="0.9.15")
    server.start()
    call = Caller(server.port)
    try:
        assert call.value("version") == "0.9.15"
        call.settings(True, 0.05)
        stream = Subscriber(call, 1)
        frame = call.value("tick_cue")
        message = stream.receive()
        assert Snapshot(message).frame == frame
        assert message[:8] == bytes([16, 0, 0, 0, 0, 0, 0, 0])
        assert call("get_actor_bounding_box", 1)[0] == "unknown RPC 'get_actor_bounding_box'"
        stream.close()
    finally:
        call.close()
        server.close()


def test_the_documented_table_of_calls_is_today_s():
    page = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert page == filled(page), "run: python -m sim.carla_server.call_table docs/protocol.md"


def test_every_call_says_what_it_does():
    for name, rpc in PROTOCOLS[NEWEST].rpcs.items():
        state, text = standing(name, rpc)
        assert state in ("works", "accepted", "refused") and len(text) > 6, name
