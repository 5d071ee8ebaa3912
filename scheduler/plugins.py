"""Finds policies, services, detectors, cameras and channels by the name that a YAML gives.

A name is a short one of ours, an entry point of an installed package, or `module:Class`; the
config's folder is on the import path, so a file beside the YAML is enough.
"""

import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from scheduler.errors import ConfigError


def find(what: str, group: str, short_names: Mapping[str, str], name: str) -> Any:
    """The class or function that a name stands for.

    Args:
        what: What it is, for the error: `policy`, `service`, ...
        group: The entry-point group, e.g. `vdap.policies`.
        short_names: Ours, name to `module:Class`.

    Raises:
        ConfigError: nothing has this name, or its module does not import.
    """
    target = short_names.get(name, name)
    if ":" not in target:
        installed = {entry.name: entry.value for entry in entry_points(group=group)}
        if target not in installed:
            known = ", ".join(sorted({*short_names, *installed}))
            raise ConfigError(
                f"unknown {what} {name!r}: expected one of {known}, or module:Class of your own"
            )
        target = installed[target]
    module_name, _, attribute = target.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{what} {name!r}: cannot import {target}: {error}") from None
    return found


def load(
    what: str,
    group: str,
    short_names: Mapping[str, str],
    name: str,
    options: Mapping[str, object],
) -> Any:
    """Build what a name stands for from its options.

    Raises:
        ConfigError: see `find`; or the constructor refuses the options.
    """
    build = find(what, group, short_names, name)
    try:
        return build(options)
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"{what} {name!r}: wrong options {dict(options)}: {error}") from None


def check_options(options: Mapping[str, object], defaults: Mapping[str, float]) -> dict[str, float]:
    """Numeric options over their defaults.

    Raises:
        ConfigError: an unknown option, or one that is no number.
    """
    values = dict(defaults)
    for key, value in options.items():
        if key not in defaults:
            known = ", ".join(defaults) or "none"
            raise ConfigError(f"unknown option {key!r}: expected one of {known}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"option {key!r}: expected a number, got {value!r}")
        values[key] = float(value)
    return values
