"""Looks up what a user names in YAML: an installed entry point, or `module:Class` of their own."""

import importlib
from collections.abc import Callable
from importlib import metadata
from typing import cast

from scheduler.errors import ConfigError

Factory = Callable[..., object]


def names_of(group: str) -> list[str]:
    """Names of the installed entry points of a group."""
    return sorted(entry_point.name for entry_point in metadata.entry_points(group=group))


def find_entry_point(group: str, name: str) -> Factory | None:
    """The installed entry point of this name, None where there is none.

    Raises:
        ConfigError: it is installed and does not import.
    """
    for entry_point in metadata.entry_points(group=group):
        if entry_point.name == name:
            try:
                return cast(Factory, entry_point.load())
            except (ImportError, AttributeError) as error:
                raise ConfigError(f"{group}: cannot load {name!r}: {error}") from None
    return None


def of_module(text: str, who: str) -> Factory:
    """The class or function of `module:Class`.

    Args:
        text: As in the YAML.
        who: Names the section in the error.

    Raises:
        ConfigError: no such module, or nothing callable of that name in it.
    """
    module_name, _, attribute = text.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute, None)
    except ImportError as error:
        raise ConfigError(f"{who}: cannot import {module_name!r}: {error}") from None
    if not callable(found):
        raise ConfigError(f"{who}: {module_name!r} has no class or function {attribute!r}")
    return cast(Factory, found)
