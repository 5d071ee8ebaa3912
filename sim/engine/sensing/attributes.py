"""Reads a sensor's attributes, which are text, and says which one is wrong and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Attributes = Mapping[str, str]
LARGEST = 1e9  # of what has no limit of its own


class SensorError(ValueError):
    """A sensor's attributes make no sensor; the text names the attribute."""


def number(
    attributes: Attributes, name: str, low: float = -LARGEST, high: float = LARGEST
) -> float:
    """Return an attribute as a number from `low` to `high`.

    Raises:
        SensorError: it is missing, no number or out of range.
    """
    text = _text(attributes, name)
    try:
        value = float(text)
    except ValueError as error:
        raise SensorError(f"{name}: expected a number, got '{text}'") from error
    if not low <= value <= high:  # true for what is no number too
        raise SensorError(f"{name}: expected {low:g} to {high:g}, got {text}")
    return value


def whole(attributes: Attributes, name: str, low: float = -LARGEST, high: float = LARGEST) -> int:
    """Return an attribute as a whole number from `low` to `high`.

    Raises:
        SensorError: it is missing, no whole number or out of range.
    """
    value = number(attributes, name, low, high)
    if value != int(value):
        raise SensorError(f"{name}: expected a whole number, got {attributes[name]}")
    return int(value)


def flag(attributes: Attributes, name: str) -> bool:
    """Return an attribute as true or false.

    Raises:
        SensorError: it is missing or neither.
    """
    text = _text(attributes, name).lower()
    if text not in ("true", "false", "1", "0"):
        raise SensorError(f"{name}: expected true or false, got '{text}'")
    return text in ("true", "1")


def choice(attributes: Attributes, name: str, values: Sequence[str]) -> str:
    """Return an attribute that is one of `values`.

    Raises:
        SensorError: it is missing or another.
    """
    text = _text(attributes, name)
    if text not in values:
        raise SensorError(f"{name}: expected one of {', '.join(values)}, got '{text}'")
    return text


def seed(attributes: Attributes) -> int:
    """Return `noise_seed`, any whole number, as numpy's generators take it."""
    return whole(attributes, "noise_seed", -(2**31), 2**32 - 1) % 2**32


def _text(attributes: Attributes, name: str) -> str:
    if name not in attributes:
        raise SensorError(f"{name}: expected a value, got none")
    return attributes[name].strip()
