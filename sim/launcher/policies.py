"""The policies that a comparison names: `deadline,static_threshold?mbps=4,my_policy:Mine`."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import yaml

from scheduler.config import Config, Options, Policy
from scheduler.errors import ConfigError
from scheduler.policies import load_policy


@dataclass(frozen=True, slots=True)
class Contender:
    """One policy of a comparison.

    Attributes:
        label: As the user wrote it.
        folder: The same as the name of a folder.
    """

    label: str
    policy: Policy

    @property
    def folder(self) -> str:
        """Letters, digits, dot, minus and underscore alone."""
        return "".join(c if c.isalnum() or c in "._-" else "_" for c in self.label)


def contenders(text: str, config: Config) -> list[Contender]:
    """The policies of `--compare`, each tried before anything starts.

    A name may carry options of its own (`NAME?key=value&key=value`); the policy that the config
    names has the config's, which these override.

    Raises:
        ConfigError: none or one twice, an unknown name, wrong options.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError("--compare: expected policies, for example deadline,local_only")
    found = [_contender(name, config) for name in names]
    folders = [contender.folder for contender in found]
    for name, folder in zip(names, folders, strict=True):
        if folders.count(folder) > 1:
            raise ConfigError(f"--compare: {name} is there twice: a policy is compared with others")
    return found


def _contender(text: str, config: Config) -> Contender:
    name, _, query = text.partition("?")
    given: Options = {}
    for vehicle in config.vehicles:
        if vehicle.policy.name == name:
            given = vehicle.policy.options
            break
    options = {**given, **_options(text, [pair for pair in query.split("&") if pair])}
    load_policy(name, options)
    return Contender(text, Policy(name=name, options=options))


def _options(text: str, pairs: Sequence[str]) -> Options:
    options: Options = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not (key and separator):
            raise ConfigError(f"--compare {text}: expected NAME?key=value&key=value")
        try:
            options[key] = msgspec.convert(yaml.safe_load(value), str | int | float | bool | None)
        except (msgspec.ValidationError, yaml.YAMLError):
            raise ConfigError(
                f"--compare {text}: expected a number, a word, true or false for {key}, "
                f"got {value!r}"
            ) from None
    return options
