"""`vdap bridge CONFIG --run-folder DIR`: the one process that uses the client and ticks."""

import logging
import os
import sys
from functools import partial

from scheduler import processes
from scheduler.errors import WorldError
from sim.bridge.app import run
from sim.worlds import open_world

log = logging.getLogger("sim.bridge")


def main() -> int:
    """Bridge a world until the drive is over, or until SIGINT or SIGTERM."""
    start = processes.parse("bridge", None, has_id=True)
    stop = processes.Stop()
    try:
        summary = run(
            start.config,
            partial(open_world, should_stop=lambda: bool(stop)),
            start.run_folder,
            lambda: bool(stop),
            processes.ready,
        )
    except WorldError:
        if stop:
            return 0  # it was still waiting for the world
        raise
    log.info(
        "%.1f s driven, real-time factor %.2f; ms per tick (p50, p99): %s",
        summary.sim_s,
        summary.real_time_factor,
        ", ".join(f"{name} {a:g}, {b:g}" for name, (a, b) in summary.stages_ms.items()),
    )
    return 0


if __name__ == "__main__":
    code = processes.entry(main)
    sys.stdout.flush()
    sys.stderr.flush()
    if "carla" in sys.modules:
        # The client's threads may abort the interpreter's own end; everything is closed by now.
        os._exit(code)
    sys.exit(code)
