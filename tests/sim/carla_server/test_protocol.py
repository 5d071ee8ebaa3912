import pytest

import sim.carla_server.handlers  # noqa: F401 - fills the registry
from sim.carla_server.handlers.registry import HANDLERS
from sim.carla_server.protocol import PROTOCOLS
from sim.carla_server.rpc import argument_decoder

BATCH_ONLY = {"spawn", "apply_walker_state", "set_light_flags", "console_command"}


@pytest.mark.parametrize("version", PROTOCOLS)
def test_every_call_has_a_handler_or_a_reason(version):
    for name, rpc in PROTOCOLS[version].rpcs.items():
        assert (name in HANDLERS) != bool(rpc.missing), name


@pytest.mark.parametrize("version", PROTOCOLS)
def test_every_handler_is_in_the_table(version):
    protocol = PROTOCOLS[version]
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
