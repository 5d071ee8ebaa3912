"""`vdap run CONFIG`: a drive from one YAML, watched in this terminal, summed up at the end."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler import config_file, processes

if TYPE_CHECKING:
    from rich.console import Console


def parser() -> argparse.ArgumentParser:
    """The flags of `vdap run`."""
    made = argparse.ArgumentParser(prog="vdap run", description=__doc__)
    add = made.add_argument
    add("config", nargs="?", help="YAML file, or the name of a shipped one: demo")
    add(
        "--only",
        default="",
        metavar="NAMES",
        help="start these alone, comma-separated (world,bridge,rsu,link,vehicle,dashboard); "
        "other machines run the rest of the same file",
    )
    add("--world", metavar="HOST:PORT", help="a running CARLA server; none is started")
    add("--duration", type=float, metavar="S", help="seconds of the drive")
    add("--seed", type=int, help="of traffic, channel and every other draw")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="override the file")
    add("--no-dashboard", action="store_true", help="do not show the drive")
    add(
        "--compare",
        metavar="A,B",
        help="afterwards replay the run's own pictures and link once per policy, and print a "
        "table; NAME?key=value&key=value gives options",
    )
    add("--of", type=Path, metavar="RUN", help="compare over this run folder; no drive is started")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run a drive; 0 when it went well, 1 when a process failed, 2 when the config is wrong."""
    flags = parser().parse_args(argv)
    # After the flags: `--help` answers at once.
    from rich.console import Console

    from scheduler.errors import ConfigError

    console = Console(highlight=False)
    if flags.of is not None:
        if flags.config is not None or flags.compare is None:
            raise ConfigError("--of RUN stands in place of a config, beside --compare A,B")
        return _compare(flags, flags.of, console)
    if flags.config is None:
        raise ConfigError("expected a config: a YAML file, or the name of a shipped one (demo)")
    if flags.only and flags.compare is not None:
        raise ConfigError("--compare replays a whole drive on this machine: leave --only out")
    return _drive(flags, console)


def _drive(flags: argparse.Namespace, console: "Console") -> int:
    import logging

    from scheduler.clock import MonotonicClock
    from scheduler.errors import ConfigError, VdapError
    from sim.launcher import drive, report, run_folder
    from sim.launcher.plan import make_plan
    from sim.launcher.policies import contenders

    config = config_file.load(flags.config, _overrides(flags))
    if flags.compare is not None:
        contenders(flags.compare, config)  # what is wrong with them is said before the drive
        if processes.is_held(config):
            raise ConfigError(
                "--compare replays in real time: leave bridge.pace at realtime, or compare in "
                "virtual time (`vdap experiment`)"
            )
    only = [name for name in flags.only.split(",") if name]
    plan = make_plan(config, only=only, world=flags.world, dashboard=not flags.no_dashboard)
    folder = run_folder.create(plan.config, Path(config.record.folder))
    logging.basicConfig(
        filename=folder / "logs" / "launcher.log",
        level=logging.INFO,
        format="%(asctime)s %(levelname).1s %(name)s: %(message)s",
    )
    report.show_plan(console, plan, folder)
    stop = processes.Stop()
    going = drive.Drive(plan, folder, console, MonotonicClock(), lambda: stop.is_set)
    failure: VdapError | None = None
    try:
        going.run()
    except VdapError as error:
        failure = error
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C ends the summing up
    report.show_summary(
        console, folder, is_quick=going.was_interrupted, has_failed=failure is not None
    )
    if failure is not None:
        sys.stderr.write(f"vdap: {failure}\n")
        return 1
    if flags.compare is not None and not going.was_interrupted:
        return _compare(flags, folder, console)
    return 0


def _compare(flags: argparse.Namespace, run: Path, console: "Console") -> int:
    from scheduler.clock import MonotonicClock
    from sim.launcher import replay
    from sim.launcher.compare import compare
    from sim.launcher.policies import contenders

    recorded = replay.find(run)
    wanted = contenders(flags.compare, recorded.config)
    stop = processes.Stop()
    clock = MonotonicClock()
    is_shown = not flags.no_dashboard
    compare(recorded, wanted, console, clock, lambda: stop.is_set, dashboard=is_shown)
    return 0


def _overrides(flags: argparse.Namespace) -> list[str]:
    overrides = list(flags.set)
    if flags.duration is not None:
        overrides.append(f"duration_s={flags.duration}")
    if flags.seed is not None:
        overrides.append(f"seed={flags.seed}")
    if flags.compare is not None:
        overrides.append("record.frames=all")  # a replay needs them
    return overrides


if __name__ == "__main__":
    sys.exit(processes.entry(main))
