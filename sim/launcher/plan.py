"""What a drive consists of: the world's adapter, the instances to start, and their ports."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scheduler import config_file, processes
from scheduler.config import Config, World
from scheduler.errors import CertificateError, ConfigError, MissingPartError
from scheduler.security import Site, write_site
from sim.launcher.ports import assign


@dataclass(frozen=True, slots=True)
class Instance:
    """One process to start.

    Attributes:
        instance_id: A vehicle's or unit's id, else empty.
        ports: TCP ports that it listens at; empty = unix sockets only.
    """

    process: processes.Process
    instance_id: str
    ports: tuple[int, ...]

    @property
    def name(self) -> str:
        """How reports, logs and events call it."""
        return "-".join(part for part in (self.process.name, self.instance_id) if part)


@dataclass(frozen=True, slots=True)
class Plan:
    """A resolved drive.

    Attributes:
        is_whole: Everything runs here; else other machines run the rest.
        notes: Lines that the user should read once.
    """

    config: Config
    instances: tuple[Instance, ...]
    is_whole: bool
    notes: tuple[str, ...]

    def of(self, process: str) -> list[Instance]:
        """The instances of one kind."""
        return [instance for instance in self.instances if instance.process.name == process]


def make_plan(
    config: Config,
    *,
    only: Sequence[str] = (),
    world: str | None = None,
    dashboard: bool = True,
    table: Sequence[processes.Process] = processes.PROCESSES,
) -> Plan:
    """Resolve a config: adapter, numbered units, keys, free ports, instances.

    Args:
        only: Names of the processes to start here; empty = all.
        world: HOST:PORT of a running CARLA server.
        dashboard: Whether to show the drive.
        table: The kinds of processes, in the order in which they are listed.

    Raises:
        ConfigError: an unknown process, or `world` with a config that has none.
        MissingPartError: the config asks for the carla client, which is not installed.
        PortInUseError: a port that the config fixes is taken.
        CertificateError: this is a part of a drive and its keys are missing.
    """
    known = [process.name for process in table]
    for name in only:
        if name not in known:
            raise ConfigError(f"--only {name}: expected some of {', '.join(known)}")
    config, notes = _with_world(config, world)
    config = config_file.expand(config)
    has_own_world = (
        config.world is not None
        and config.world.adapter == "carla"
        and config.world.address is None
    )
    wanted = [
        (process, instance_id)
        for process in table
        if (not only or process.name in only)
        and process.is_wanted(config)
        and (process.name != "world" or has_own_world)
        and (process.name != "dashboard" or dashboard)
        for instance_id in _ids(config, process.name)
    ]
    if not wanted:
        raise ConfigError(f"--only {','.join(only)}: this config needs none of these processes")
    is_whole = not only
    config, key_note = _with_keys(config, wanted, is_whole)
    config, ports, port_notes = assign(config, wanted, is_whole)
    if has_own_world and config.world is not None:
        address = f"127.0.0.1:{processes.port_of(config, 'world', '', 'rpc')}"
        config = _replace_world(config, msgspec.structs.replace(config.world, address=address))
    if not any(process.name in ("world", "bridge") for process, _ in wanted):
        notes = []  # the world is somebody else's
    instances = tuple(Instance(p, i, ports.get((p.name, i), ())) for p, i in wanted)
    config = processes.resolve(config)  # last: nothing above leaves its folder behind
    return Plan(config, instances, is_whole, (*notes, *key_note, *port_notes))


def _ids(config: Config, process: str) -> list[str]:
    if process == "vehicle":
        return [vehicle.id for vehicle in config.vehicles]
    if process == "rsu":
        return [unit.id for unit in config.roadside_units]
    return [""]


def _replace_world(config: Config, world: World) -> Config:
    return msgspec.structs.replace(config, world=world)


def _with_world(config: Config, address: str | None) -> tuple[Config, list[str]]:
    """Decide `adapter: auto` here, once, and say what was decided."""
    if config.world is None:
        if address is not None:
            raise ConfigError("--world: this config has no `world` section")
        return config, []
    world = config.world
    if address is not None:
        world = msgspec.structs.replace(world, address=address, adapter="carla")
    has_wheel = importlib.util.find_spec("carla") is not None
    if world.adapter == "carla" or world.address is not None:
        if not has_wheel:
            raise MissingPartError(
                "the world's adapter `carla` needs the CARLA client, which is not installed: "
                "pip install 'vdap[carla]' (x86_64 Linux, Python 3.10-3.12), or set "
                "`world.adapter: inprocess`"
            )
        where = world.address or "our own server"
        return _replace_world(config, msgspec.structs.replace(world, adapter="carla")), [
            f"world: the CARLA client, at {where}"
        ]
    if world.adapter == "auto" and has_wheel:
        world = msgspec.structs.replace(world, adapter="carla")
        return _replace_world(config, world), ["world: the CARLA client, at our own server (auto)"]
    why = " (auto: no carla wheel here)" if world.adapter == "auto" else ""
    world = msgspec.structs.replace(world, adapter="inprocess")
    return _replace_world(config, world), [f"world: inside the bridge{why}"]


def _with_keys(
    config: Config, wanted: Sequence[tuple[processes.Process, str]], is_whole: bool
) -> tuple[Config, list[str]]:
    """Make the site's missing keys, or, for a part of a drive, see that they are there."""
    folder = config.path(config.security.certificates)
    if not folder.exists():
        folder = Path(config.security.certificates)
    folder = folder.absolute()
    security = msgspec.structs.replace(config.security, certificates=str(folder))
    config = msgspec.structs.replace(config, security=security)
    note = []
    if is_whole and (made := write_site(folder, processes.site_names(config))):
        note.append(f"keys: made {len(made)} in {_short(folder)}")
    site = Site(folder)
    for process, instance_id in wanted:
        if process.name in ("world", "held"):
            continue  # CARLA's protocol has no keys; what is held stays on this machine
        try:
            site.keys(instance_id or process.name)
        except CertificateError as error:
            if is_whole:
                raise
            raise CertificateError(f"{error}, then copy the folder to the other machine") from None
    return config, note


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
