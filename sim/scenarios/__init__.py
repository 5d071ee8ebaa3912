"""Named situations in place of free traffic: `world.scenario`, by short name or module:function."""

import importlib
from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

from scheduler.errors import ConfigError
from sim.scenarios.pedestrian import pedestrian_steps_out
from sim.scenarios.stopped_car import stopped_car_round_bend
from sim.scenarios.traffic_ahead import lead_car_brakes, slow_cyclist
from sim.world import Ego, World, WorldTick

# What moves the scenario's own actors: called after each tick, sets what they do in the next.
Script: TypeAlias = Callable[[WorldTick], None]
Scenario: TypeAlias = Callable[[World, Sequence[Ego]], Script | None]

SCENARIOS: dict[str, Callable[..., Script | None]] = {
    "stopped_car_round_bend": stopped_car_round_bend,
    "pedestrian_steps_out": pedestrian_steps_out,
    "lead_car_brakes": lead_car_brakes,
    "slow_cyclist": slow_cyclist,
}


def load(name: str) -> Scenario:
    """The scenario of a short name or of `module:function`.

    Raises:
        ConfigError: there is none of this name.
    """
    if name in SCENARIOS:
        return SCENARIOS[name]
    module_name, separator, function = name.partition(":")
    if not separator:
        known = ", ".join(sorted(SCENARIOS))
        raise ConfigError(f"world.scenario: expected {known} or module:function, got {name!r}")
    try:
        found = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"world.scenario: cannot load {name!r}: {error}") from None
    if not callable(found):
        raise ConfigError(f"world.scenario: {name!r} is not a function")
    return cast(Scenario, found)
