"""Has another process compile the shading while this one compiles the rest, the first time.

Numba compiles one thing at a time in a process, and what it compiled is kept in files that
processes share: so two of them halve the wait for the first picture after an installation. Nothing
depends on the other process: what it has not left in the files is compiled here, later.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

logger = logging.getLogger(__name__)

LONGEST_S = 120.0  # to wait; it takes 10 s on an ordinary core
PARENT_GONE = 3  # exit code


class SecondCompiler:
    """The other process; at most one in the life of this one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._is_asked = False

    def start(self) -> None:
        """Start it if there is something to compile and a core to spare."""
        if self._is_asked:
            return
        self._is_asked = True
        if _cores() < 2 or _is_compiled():
            return
        # Its standard input ends when this process ends, whichever way, and it ends with that.
        path = os.pathsep.join(part for part in sys.path if part)
        with contextlib.suppress(OSError):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sim.engine.render.second_compiler"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
            )

    def wait(self) -> None:
        """Let it finish; at once where there is none."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            code = process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if process.stdin is not None:
            process.stdin.close()
        if code:
            logger.warning("kernels were not compiled beside (exit code %d): compiling here", code)


SECOND_COMPILER = SecondCompiler()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _is_compiled() -> bool:
    """Whether this Python left a compiled shader before; what it holds is numba's to judge."""
    from sim.engine.render.kernels.shade import shade

    python = f"py{sys.version_info[0]}{sys.version_info[1]}"
    return any(Path(shade.stats.cache_path).glob(f"shade.shade-*.{python}*.nbi"))


def compile_beside(work: Callable[[], None]) -> NoReturn:
    """Do the work as a second process, but no longer than standard input lasts, and end."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(PARENT_GONE)

    threading.Thread(target=watch, daemon=True).start()
    work()
    os._exit(0)  # the thread above sits on standard input


def main() -> None:
    """Compile the shading into numba's cache."""
    from sim.engine.render.warm_up import compile_shading

    compile_beside(compile_shading)


if __name__ == "__main__":
    main()
