"""`vdap vehicle CONFIG`: onboard services and scheduler."""

import sys

from scheduler import processes


def main(argv: list[str] | None = None) -> int:
    """Parse the flags, then import the rest and drive."""
    start = processes.parse("vehicle", argv)
    from vehicle.app import run

    return run(start.config, start.instance_id, start.run_folder)


if __name__ == "__main__":
    sys.exit(processes.entry(main))
