"""Named situations in place of free traffic: `world.scenario`, by short name or module:function."""

import importlib
from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

from scheduler.errors import ConfigError
from sim.scenarios.stopped_car import stopped_car_round_bend
from sim.world import Ego, World

Scenario: TypeAlias = Callable[[World, Sequence[Ego]], None]

SCENARIOS: dict[str, Scenario] = {"stopped_car_round_bend": stopped_car_round_bend}


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
