"""Reads a drive's YAML: finds it, overrides it, checks it, and explains what is wrong.

Precedence: default < file < environment (`VDAP_WORLD__SEED=3`) < flag (`--set world.seed=3`).
A misspelt key fails at start, with its path and the nearest right name.
"""

import difflib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import yaml
from msgspec import Struct

from scheduler.config import SITE_PROCESSES, Bind, Config, Unit
from scheduler.errors import ConfigError


def find(name: str) -> Path:
    """The file of a config: a path, or the name of a shipped one (`demo`).

    Raises:
        ConfigError: there is no such file.
    """
    path = Path(name)
    if path.is_file():
        return path
    here = Path(__file__).parent
    shipped = [here / "configs", here.parent / "configs"]  # in a wheel, in a checkout
    for folder in shipped:
        for candidate in (folder / name, folder / f"{name}.yaml"):
            if candidate.is_file():
                return candidate
    known = sorted({file.stem for folder in shipped for file in folder.glob("*.yaml")})
    raise ConfigError(f"expected a YAML file or one of {', '.join(known)}; {name!r} is neither")


def load(
    name: str,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Read, override and check a config.

    Args:
        name: A path, or the name of a shipped config.
        overrides: `section.key=value` strings, values in YAML; lists by index (`vehicles.0.id=a`).
        environment: Defaults to the process's own.

    Raises:
        ConfigError: no such file, not YAML, a misspelt key, a value out of bounds.
    """
    path = find(name)
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: expected YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, got {type(tree).__name__}")
    variables = os.environ if environment is None else environment
    for key in sorted(variables):
        if key.startswith("VDAP_") and "__" in key:
            _override(tree, key.removeprefix("VDAP_").lower().split("__"), variables[key], key)
    for text in overrides:
        dotted, separator, value = text.partition("=")
        if not separator:
            raise ConfigError(f"--set {text}: expected section.key=value")
        _override(tree, dotted.split("."), value, f"--set {dotted}")
    tree.setdefault("source_folder", str(path.resolve().parent))
    config = decode(tree, str(path))
    _check(config, str(path))
    if config.source_folder and config.source_folder not in sys.path:
        sys.path.append(config.source_folder)
    return config


def decode(tree: object, origin: str) -> Config:
    """A config from plain data.

    Raises:
        ConfigError: names the path of the wrong key and the nearest right one.
    """
    try:
        return msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {_explain(str(error))}") from None


def replace(config: Config, *, ipc_folder: str) -> Config:
    """The same config with the folder of its unix sockets."""
    return msgspec.structs.replace(config, ipc_folder=ipc_folder)


def dump(config: Config) -> str:
    """The config as YAML that `load` reads back."""
    return yaml.safe_dump(msgspec.to_builtins(config), sort_keys=False, allow_unicode=True)


def _override(tree: dict[str, object], keys: list[str], value: str, origin: str) -> None:
    node: object = tree
    try:
        for key in keys[:-1]:
            if isinstance(node, list):
                node = node[int(key)]
            elif isinstance(node, dict):
                if node.get(key) is None:
                    node[key] = {}
                node = node[key]
        parsed = yaml.safe_load(value)
        if isinstance(node, list):
            node[int(keys[-1])] = parsed
        elif isinstance(node, dict):
            node[keys[-1]] = parsed
        else:
            raise TypeError
    except (ValueError, IndexError, TypeError):
        raise ConfigError(f"{origin}: there is no such place in the file") from None
    except yaml.YAMLError:
        raise ConfigError(f"{origin}: expected a YAML value, got {value!r}") from None


def _explain(text: str) -> str:
    unknown = re.search(r"unknown field `([^`]+)`(?: - at `\$(?P<path>[^`]*)`)?", text)
    if unknown is None:
        return text
    path = (unknown["path"] or "").lstrip(".") or "the top level"
    known = sorted(_fields_at(path))
    near = difflib.get_close_matches(unknown[1], known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
    return f"unknown key {unknown[1]!r} at {path}: {hint}"


def _fields_at(path: str) -> set[str]:
    kind: object = Config
    names = [part for part in re.split(r"[.\[\]]+", path) if part and part != "..."]
    for name in names if path != "the top level" else []:
        if name.isdigit():
            continue
        found = [f for f in msgspec.structs.fields(kind) if f.name == name]  # type: ignore[arg-type]
        if not found:
            return set()
        kind = _struct_in(found[0].type)
        if kind is None:
            return set()
    return {f.name for f in msgspec.structs.fields(kind)}  # type: ignore[arg-type]


def _struct_in(annotation: object) -> type | None:
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _struct_in(inner)
        if found is not None:
            return found
    return None


def _check(config: Config, origin: str) -> None:
    _check_ids(config, origin)
    for index, vehicle in enumerate(config.vehicles):
        where = f"{origin}: vehicles[{index}]"
        cameras = [camera.id for camera in vehicle.cameras]
        if len(set(cameras)) < len(cameras):
            raise ConfigError(f"{where}.cameras: two cameras have the same id")
        for camera in vehicle.cameras:
            if camera.source == "bridge" and config.world is None:
                raise ConfigError(
                    f"{where}: camera {camera.id!r} takes its frames from the bridge, "
                    "but the file has no `world` section"
                )
            if camera.calibration and camera.fov_deg:
                raise ConfigError(f"{where}: give fov_deg or calibration, not both")
        if not vehicle.detectors:
            raise ConfigError(f"{where}.detectors: at least one, so that a link is never needed")
    for index, unit in enumerate(config.roadside_units):
        if unit.at and unit.along:
            raise ConfigError(f"{origin}: roadside_units[{index}]: give `at` or `along`, not both")
        _check_radios(config, unit, f"{origin}: roadside_units[{index}]")
    if config.roadside_units and config.link is None:
        raise ConfigError(
            f"{origin}: roadside units need a `link` section: nothing reaches a vehicle past it"
        )
    if config.security.insecure_loopback:
        _check_loopback(config, origin)


def _check_radios(config: Config, unit: Unit, where: str) -> None:
    """A unit's radios are those of the link section, each once."""
    known = config.link.radios if config.link is not None else {}
    for name in unit.radios:
        if name not in known:
            named = ", ".join(known) or "none"
            raise ConfigError(f"{where}.radios: {name!r} is not among link.radios: {named}")
    if len(set(unit.radios)) < len(unit.radios):
        raise ConfigError(f"{where}.radios: the same radio twice is one path, not two")


def _check_ids(config: Config, origin: str) -> None:
    ids = [v.id for v in config.vehicles] + [u.id for u in expand(config).roadside_units]
    for name in ids:
        if ids.count(name) > 1:
            raise ConfigError(f"{origin}: the id {name!r} is used more than once")
        if name in SITE_PROCESSES:
            raise ConfigError(f"{origin}: the id {name!r} is the name of a process: take another")


def _check_loopback(config: Config, origin: str) -> None:
    """Without CURVE nothing may listen, or be looked for, beyond this machine."""
    binds: dict[str, Bind] = {"bridge": config.bridge.bind}
    binds |= {f"vehicle {vehicle.id}": vehicle.bind for vehicle in config.vehicles}
    binds |= {f"roadside unit {unit.id}": unit.bind for unit in config.roadside_units}
    if config.link is not None:
        binds["link"] = config.link.bind
    for name, bind in binds.items():
        for host in (bind.host, bind.connect):
            if host is not None and not host.startswith("127."):
                raise ConfigError(
                    f"{origin}: security.insecure_loopback is for 127.0.0.1 alone, but the {name} "
                    f"is at {host}: leave it out, or leave the host out"
                )


def expand(config: Config) -> Config:
    """Replace each unit with a rule (`along`) by its numbered units."""
    units: list[Unit] = []
    for unit in config.roadside_units:
        if unit.along is None or unit.along.count == 1:
            units.append(unit)
            continue
        rule = unit.along
        for index in range(rule.count):
            place = msgspec.structs.replace(
                rule, count=1, first_m=rule.first_m + index * rule.every_m
            )
            units.append(msgspec.structs.replace(unit, id=f"{unit.id}{index + 1}", along=place))
    return msgspec.structs.replace(config, roadside_units=units)
