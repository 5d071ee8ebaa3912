"""Finds a channel by short name, entry point or module:Class, as the link's config names it."""

import importlib
from collections.abc import Callable
from importlib import metadata
from typing import cast

from scheduler.config import Link, Options
from scheduler.errors import ConfigError
from sim.channel.base import Channel

ENTRY_POINT_GROUP = "vdap.channels"
BUILT_IN = {"urban_80211p": "sim.channel.urban_80211p:Urban80211p"}
Factory = Callable[..., Channel]


def load(link: Link, *, seed: int, vehicle_id: str, unit_id: str) -> Channel:
    """The channel of one pair.

    Raises:
        ConfigError: unknown name, a class that cannot be imported, or wrong options.
    """
    factory = _factory(link.model)
    options: Options = link.options
    try:
        channel = factory(options, seed=seed, vehicle_id=vehicle_id, unit_id=unit_id)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"link.options of {link.model!r}: {error}") from None
    if not callable(getattr(channel, "row", None)):
        raise ConfigError(f"link.model {link.model!r}: expected an object with `row`, it has none")
    return channel


def _factory(name: str) -> Factory:
    path = BUILT_IN.get(name, name)
    if ":" in path:
        return _imported(name, path)
    found = metadata.entry_points(group=ENTRY_POINT_GROUP)
    for entry_point in found:
        if entry_point.name == name:
            return cast(Factory, entry_point.load())
    known = ", ".join([*BUILT_IN, *sorted(entry_point.name for entry_point in found)])
    raise ConfigError(f"link.model: expected one of {known}, or module:Class; got {name!r}")


def _imported(name: str, path: str) -> Factory:
    module_name, _, attribute = path.partition(":")
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"link.model {name!r}: {error}") from None
    if not callable(factory):
        raise ConfigError(f"link.model {name!r}: {attribute!r} is not a class")
    return cast(Factory, factory)
