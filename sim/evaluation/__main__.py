"""`vdap summary [RUNFOLDER]`: sum a run folder up again."""

import argparse
import sys
from pathlib import Path

from scheduler.errors import ConfigError
from scheduler.processes import entry


def main() -> int:
    """Write summary, tables and picture of a run folder from its records."""
    parser = argparse.ArgumentParser(prog="vdap summary", description=main.__doc__)
    parser.add_argument("run", nargs="?", type=Path, default=Path("runs/latest"))
    parser.add_argument("--quick", action="store_true", help="without each rung alone and picture")
    flags = parser.parse_args()
    if not (flags.run / "config.yaml").is_file():
        raise ConfigError(f"expected a run folder with a config.yaml, {flags.run} is none")
    from rich.console import Console

    from sim.evaluation.report import sum_up

    sum_up(flags.run, Console(highlight=False), is_quick=flags.quick)
    return 0


if __name__ == "__main__":
    sys.exit(entry(main))
