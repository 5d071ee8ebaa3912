"""The one table of processes: command, module, ports, run condition; and the `vdap` command.

`vdap NAME ...` and the launcher both read it. A process is `python -m MODULE CONFIG --id ID
--run-folder DIR`; it writes the line `ready` on stdout when it serves, ends within a second on
SIGINT or SIGTERM, and exits 0 then.
"""

import argparse
import atexit
import logging
import runpy
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from scheduler import config_file, paths, tun_addresses
from scheduler.config import SITE_PROCESSES, Bind, Config
from scheduler.errors import ConfigError, VdapError


@dataclass(frozen=True, slots=True)
class Process:
    """One kind of process.

    Attributes:
        base_port: Of the first instance; instance n has `base_port + 10 n`.
        sockets: What it binds, in order: socket k is at port + k, or a unix socket of that name.
        is_offload: Whether its sockets are TCP with CURVE even on one host.
        is_restarted: Whether the launcher starts it again when it dies.
    """

    name: str
    module: str
    help: str
    base_port: int = 0
    sockets: tuple[str, ...] = ()
    is_offload: bool = False
    is_restarted: bool = False
    is_wanted: Callable[[Config], bool] = lambda config: True


def is_held(config: Config) -> bool:
    """Whether vehicles, links and units live in simulated time, in one process."""
    return config.world is not None and config.bridge.pace == "hold"


PROCESSES = (
    Process("world", "sim.carla_server", "the embedded CARLA 0.9.16 world", 2000,
            ("rpc", "streaming"), is_wanted=lambda c: c.world is not None),
    Process("bridge", "sim.bridge", "ticks the world, owns the egos and their cameras", 5600,
            ("frames", "feedback"), is_wanted=lambda c: c.world is not None),
    Process("rsu", "roadside_unit", "a roadside unit", 5700, ("control", "frames", "telemetry"),
            is_offload=True, is_restarted=True,
            is_wanted=lambda c: bool(c.roadside_units) and not is_held(c)),
    Process("link", "sim.link_emulator", "the radio between vehicles and roadside units", 5800,
            ("control", "frames", "telemetry"), is_offload=True, is_restarted=True,
            is_wanted=lambda c: c.link is not None and bool(c.roadside_units) and not is_held(c)),
    Process("vehicle", "vehicle", "onboard services and scheduler", 5610, ("telemetry",),
            is_wanted=lambda c: not is_held(c)),
    Process("held", "sim.lockstep.held_process", "all vehicles of a drive in hold mode",
            is_wanted=lambda c: is_held(c)),
    Process("dashboard", "vehicle.dashboard", "watch a drive in the terminal"),
)  # fmt: skip

COMMANDS = (
    ("run", "sim.launcher", "start a drive from one YAML, watch it, sum it up"),
    *((p.name, p.module, p.help) for p in PROCESSES),
    ("listen", "vehicle.listen", "print verdicts as JSON lines"),
    (
        "experiment",
        "sim.experiments",
        "compare policies in virtual time, beside an oracle",
    ),
    ("detect", "sim.evaluation.detect", "store what every detector finds in a recorded drive"),
    ("evaluate", "sim.evaluation.perception", "score detectors, drives and tracks against labels"),
    ("summary", "sim.evaluation", "sum up a run folder again: table, CSV files, picture"),
    ("trace", "sim.channel.trace_command", "show a link trace, or make one of a real drive's log"),
    ("keygen", "scheduler.security", "write the CURVE keys of a site"),
    ("dataset", "sim.dataset", "record a training set from the world"),
    ("train", "vehicle.perception.training", "train a detector on a data set"),
    ("compress", "vehicle.perception.compression", "prune, distil, quantise or split a detector"),
    ("profile", "vehicle.perception.profiling", "measure every model in every runtime here"),
)

LAUNCHER = Process("launcher", "sim.launcher", "", 5690, ("telemetry",))


def by_name(name: str) -> Process:
    """The row of a process."""
    for process in (*PROCESSES, LAUNCHER):
        if process.name == name:
            return process
    raise KeyError(name)


def pairs(config: Config) -> list[tuple[str, str]]:
    """(vehicle id, link id) of every emulated link, in the order of their ports; see `paths`."""
    return [
        (vehicle.id, link_id)
        for vehicle in config.vehicles
        for unit in config.roadside_units
        for link_id in paths.link_ids(unit.id, unit.radios)
    ]


def _instance(config: Config, process: str, instance_id: str) -> tuple[int, Bind]:
    if process == "vehicle":
        index = [v.id for v in config.vehicles].index(instance_id)
        return index, config.vehicles[index].bind
    if process == "rsu":
        index = [u.id for u in config.roadside_units].index(instance_id)
        return index, config.roadside_units[index].bind
    if process == "link":
        assert config.link is not None
        index = [f"{v}.{u}" for v, u in pairs(config)].index(instance_id) if instance_id else 0
        return index, config.link.bind
    if process == "bridge":
        return 0, config.bridge.bind
    if process == "world" and config.world is not None:
        return 0, config.world.bind
    return 0, Bind()


def port_of(config: Config, process: str, instance_id: str, socket: str) -> int:
    """The TCP port of one socket of one instance; a link's instance is `VEHICLE.LINK`."""
    row = by_name(process)
    index, bind = _instance(config, process, instance_id)
    base = row.base_port + 10 * index
    if bind.port is not None:
        base = bind.port + (10 * index if process == "link" else 0)
    return base + row.sockets.index(socket)


def address(
    config: Config, process: str, instance_id: str, socket: str, *, is_bind: bool = False
) -> str:
    """The ZeroMQ address of one socket: unix on one host, TCP where a host is given.

    Args:
        instance_id: A vehicle's or unit's id, `VEHICLE.LINK` for a link, else empty.
        is_bind: The address to listen at; else the one to connect to.
    """
    row = by_name(process)
    _, bind = _instance(config, process, instance_id)
    is_local = bind.host is None and (not row.is_offload or socket == "telemetry")
    if is_local:
        if config.ipc_folder is None:
            raise ConfigError("unix sockets need a resolved config: `ipc_folder` is not set")
        parts = (process, paths.file_name(instance_id), socket)
        name = "-".join(part for part in parts if part)
        return f"ipc://{config.ipc_folder}/{name}"
    if is_tun(config) and socket != "telemetry" and process in ("link", "rsu"):
        return _tun_address(config, process, instance_id, socket, is_bind=is_bind)
    host = bind.host or "127.0.0.1"
    if not is_bind and bind.connect is not None:
        host = bind.connect
    return f"tcp://{host}:{port_of(config, process, instance_id, socket)}"


def is_tun(config: Config) -> bool:
    """Whether vehicles and units live in network namespaces with TUN devices between them."""
    return config.link is not None and config.link.emulator == "tun"


def _tun_address(
    config: Config, process: str, instance_id: str, socket: str, *, is_bind: bool
) -> str:
    """Of a unit, at its address; of a link, the same as seen from the vehicle's end."""
    if process == "rsu":
        index, _ = _instance(config, "rsu", instance_id)
        port = port_of(config, "rsu", instance_id, socket)
        return f"tcp://{tun_addresses.unit_host(index)}:{port}"
    index, _ = _instance(config, "link", instance_id)
    unit_id = paths.unit_of(pairs(config)[index][1])
    there = _tun_address(config, "rsu", unit_id, socket, is_bind=is_bind).removeprefix("tcp://")
    return f"tcp://{tun_addresses.vehicle_host(index)}:0;{there}"


def site_names(config: Config) -> list[tuple[str, str]]:
    """(name, role) of everybody who needs a key pair in this config."""
    expanded = config_file.expand(config)
    return [
        *((vehicle.id, "vehicle") for vehicle in expanded.vehicles),
        *((unit.id, "roadside_unit") for unit in expanded.roadside_units),
        *((name, name) for name in SITE_PROCESSES),
    ]


def resolve(config: Config) -> Config:
    """Number the units and give a private folder for unix sockets, where not done yet.

    The folder goes when this process ends.
    """
    expanded = config_file.expand(config)
    if expanded.ipc_folder is not None:
        return expanded
    # Unix socket paths are limited to 107 bytes: a short folder of our own, mode 0700.
    folder = tempfile.mkdtemp(prefix="vdap-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return config_file.replace(expanded, ipc_folder=folder)


@dataclass(frozen=True, slots=True)
class Start:
    """What every process is started with."""

    config: Config
    instance_id: str
    run_folder: Path | None


def parse(name: str, argv: list[str] | None, *, has_id: bool = True) -> Start:
    """Parse the flags that all processes share, load the config and set up logging.

    Raises:
        ConfigError: a wrong config, or an id that it does not have.
    """
    parser = argparse.ArgumentParser(prog=f"vdap {name}", description=by_name(name).help)
    parser.add_argument("config", help="YAML file, or the name of a shipped one")
    if has_id:
        parser.add_argument("--id", default="", help="which instance; default: the first")
    parser.add_argument("--run-folder", type=Path, help="where to leave records")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("-v", "--verbose", action="store_true")
    flags = parser.parse_args(argv)
    set_up_logging(flags.verbose)
    config = resolve(config_file.load(flags.config, flags.set))
    return Start(config, getattr(flags, "id", ""), flags.run_folder)


def set_up_logging(is_verbose: bool = False) -> None:
    """Plain lines on stderr; the launcher keeps them in `logs/`."""
    logging.basicConfig(
        level=logging.DEBUG if is_verbose else logging.INFO,
        format="%(asctime)s %(levelname).1s %(name)s: %(message)s",
        stream=sys.stderr,
    )


def ready() -> None:
    """Tell whoever started this process that it serves now."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


class Stop:
    """Becomes true on SIGINT, SIGTERM or SIGHUP; loops look at it.

    A terminal that closes ends what runs in it in good order; under `nohup` it goes on.
    """

    def __init__(self) -> None:
        self.is_set = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._set)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._set)

    def _set(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True

    def __bool__(self) -> bool:
        return self.is_set


def entry(main: Callable[[], int]) -> int:
    """Run a process's main: one clear line and an exit code for what a user can act on."""
    try:
        return main()
    except VdapError as error:
        sys.stderr.write(f"vdap: {type(error).__name__}: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def main() -> int:
    """The `vdap` command: hand over to the module of the table."""
    names = [name for name, _, _ in COMMANDS]
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        lines = "\n".join(f"  {name:<10} {text}" for name, _, text in COMMANDS)
        sys.stdout.write(f"usage: vdap COMMAND [...]\n\n{lines}\n")
        return 0
    if sys.argv[1] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"vdap {version('vdap')}\n")
        return 0
    if sys.argv[1] not in names:
        sys.stderr.write(f"vdap: expected one of {', '.join(names)}, got {sys.argv[1]!r}\n")
        return 2
    module = next(module for name, module, _ in COMMANDS if name == sys.argv[1])
    sys.argv = [f"vdap {sys.argv[1]}", *sys.argv[2:]]
    runpy.run_module(module, run_name="__main__", alter_sys=False)
    return 0
