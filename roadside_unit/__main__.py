"""`vdap rsu`: one roadside unit of a config."""

import sys

from scheduler import processes
from scheduler.clock import MonotonicClock
from scheduler.errors import ConfigError


def main(argv: list[str] | None = None) -> int:
    """Serve the detectors of one roadside unit."""
    start = processes.parse("rsu", argv)
    if not start.config.roadside_units:
        raise ConfigError("expected roadside_units in the config, it has none")
    from roadside_unit.server import serve

    serve(start, MonotonicClock())
    return 0


if __name__ == "__main__":
    sys.exit(processes.entry(main))
