"""`vdap run CONFIG`: a drive from one YAML, watched in this terminal, summed up at the end."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from scheduler import config_file, processes


def parser() -> argparse.ArgumentParser:
    """The flags of `vdap run`."""
    made = argparse.ArgumentParser(prog="vdap run", description=__doc__)
    add = made.add_argument
    add("config", help="YAML file, or the name of a shipped one: demo")
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
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run a drive; 0 when it went well, 1 when a process failed, 2 when the config is wrong."""
    flags = parser().parse_args(argv)
    # After the flags: `--help` answers at once.
    import logging

    from rich.console import Console

    from scheduler.clock import MonotonicClock
    from scheduler.errors import VdapError
    from sim.launcher import drive, report, run_folder
    from sim.launcher.plan import make_plan

    overrides = list(flags.set)
    if flags.duration is not None:
        overrides.append(f"duration_s={flags.duration}")
    if flags.seed is not None:
        overrides.append(f"seed={flags.seed}")
    config = config_file.load(flags.config, overrides)
    only = [name for name in flags.only.split(",") if name]
    plan = make_plan(config, only=only, world=flags.world, dashboard=not flags.no_dashboard)
    folder = run_folder.create(plan.config, Path(config.record.folder))
    logging.basicConfig(
        filename=folder / "logs" / "launcher.log",
        level=logging.INFO,
        format="%(asctime)s %(levelname).1s %(name)s: %(message)s",
    )
    console = Console(highlight=False)
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
    return 0


if __name__ == "__main__":
    sys.exit(processes.entry(main))
