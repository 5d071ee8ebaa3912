"""Has a process of the lowest priority compile what a clear day and cameras do not need.

That is pictures of rain and night, and the other sensors: half a minute of a core, once on a
machine. In the world's own process it would hold the interpreter lock against the ticks, and a
drive that uses cameras alone would pay for lidars. Numba keeps what it compiled in files that
processes share; what the other process has not left there is compiled here, when it is needed.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from sim.engine.render.second_compiler import compile_beside
from sim.engine.weather import Weather

logger = logging.getLogger(__name__)

LOWEST = 19  # niceness
RAIN = Weather(precipitation=50.0, precipitation_deposits=50.0, wetness=50.0)
NIGHT = Weather(sun_altitude=-0.5)
COMMAND = (sys.executable, "-m", "sim.engine.first_compiler")


class FirstCompiler:
    """The other process; at most one in the life of this one.

    Args:
        command: That compiles, and ends when its standard input does.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_over = False

    def run(self) -> bool:
        """Let it compile to its end; whether it did so, and not `stop` or a mishap ended it."""
        with self._lock:
            if self._is_over:
                return False
            self._is_over = True
            # Its standard input ends when this process ends, whichever way, and it ends with that.
            path = os.pathsep.join(part for part in sys.path if part)
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": path},
                )
            except OSError as error:
                logger.warning("kernels are compiled when they are needed: %s", error)
                return False
        code = self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        return code == 0

    def stop(self) -> None:
        """End it: somebody needs a kernel at once and compiles what is still missing himself."""
        with self._lock:
            self._is_over = True
            if self._process is not None and self._process.poll() is None:
                self._process.kill()


FIRST_COMPILER = FirstCompiler()


def is_compiled() -> bool:
    """Whether this Python left the last kernel compiled before; its worth is numba's to judge."""
    from sim.engine.sensing.event_kernels import by_time

    python = f"py{sys.version_info[0]}{sys.version_info[1]}"
    return any(Path(by_time.stats.cache_path).glob(f"event_kernels.by_time-*.{python}*.nbi"))


def compile_weathers() -> None:
    """Compile what pictures of rain and of night need beside those of a clear day."""
    from sim.engine.geometry import Pose
    from sim.engine.render.renderer import CameraView
    from sim.engine.simulation import Engine
    from sim.engine.town import build_town

    engine = Engine(build_town("VdapTown01"), seed=1, asset_seed=1)
    view = CameraView(64, 48, 90.0, Pose(z=2.0).matrix())
    for weather in (RAIN, NIGHT):
        engine.set_weather(weather)
        engine.picture(view)


def main() -> None:
    """Compile all of it into numba's cache."""
    if hasattr(os, "nice"):
        os.nice(LOWEST)
    from sim.engine.sensing.warm_up import compile_all

    def work() -> None:
        compile_weathers()
        compile_all()

    compile_beside(work)


if __name__ == "__main__":
    main()
