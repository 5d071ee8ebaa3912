"""Keeps child processes: starts, hears `ready`, restarts what may die, ends all in order."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Literal

from scheduler.clock import NS_PER_MS, NS_PER_S, Clock

State = Literal["starting", "running", "restarting", "stopped", "failed"]
FIRST_BACK_OFF_NS = 100 * NS_PER_MS
MOST_BACK_OFF_NS = 500 * NS_PER_MS  # offloading must be back within 1 s of a unit's return
STEADY_NS = 5 * NS_PER_S  # a child that lived this long starts again without back-off

# One thread per library: the processes are the parallelism, and more threads fight for the cores.
THREAD_BOUNDS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}


class Child:
    """One supervised process.

    Attributes:
        has_terminal: It writes to our own stdout (the dashboard); then it says no `ready`.
        is_restarted: Started again when it dies, once it was ready.
        is_final: It exited and will not be started again; `code` is its exit status.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        is_restarted: bool = False,
        has_terminal: bool = False,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.is_restarted = is_restarted
        self.has_terminal = has_terminal
        self.state: State = "starting"
        self.restarts = 0
        self.is_ready = False
        self.was_ready = False
        self.is_final = False
        self.code: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.started_ns = 0
        self.due_ns = 0
        self.back_off_ns = FIRST_BACK_OFF_NS
        self.heard = b""

    @property
    def pid(self) -> int:
        """Of the running process, else 0."""
        return self.process.pid if self.process is not None else 0

    def last_line(self) -> str:
        """The last line that it logged: why it died, if it said."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        said = [line.strip() for line in lines if line.strip()]
        return said[-1].removeprefix("vdap: ")[:300] if said else ""


class Supervisor:
    """Owns the children; `poll` is called every tenth of a second or so.

    Args:
        on_change: Called with a child whose state changed.
        on_event: Called with a level and a line that a watcher wants to read.
    """

    def __init__(
        self,
        clock: Clock,
        on_change: Callable[[Child], None],
        on_event: Callable[[str, str], None],
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._on_event = on_event
        self._selector = selectors.DefaultSelector()
        self.children: list[Child] = []

    def add(self, child: Child) -> None:
        """Start a child."""
        self.children.append(child)
        self._start(child)

    def _start(self, child: Child) -> None:
        log = child.log.open("ab")
        try:
            child.process = subprocess.Popen(
                child.command,
                stdin=subprocess.DEVNULL,
                stdout=None if child.has_terminal else subprocess.PIPE,
                stderr=log,
                env={**THREAD_BOUNDS, **os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # the terminal's Ctrl-C reaches the launcher alone
            )
        finally:
            log.close()
        child.started_ns = self._clock.now_ns()
        child.heard = b""
        child.is_ready = child.has_terminal
        if child.process.stdout is not None:
            os.set_blocking(child.process.stdout.fileno(), False)
            self._selector.register(child.process.stdout, selectors.EVENT_READ, child)
        self._set(child, "running" if child.is_ready else "starting")

    def _set(self, child: Child, state: State) -> None:
        child.state = state
        self._on_change(child)

    def poll(self, timeout_s: float) -> None:
        """Hear what children say, notice deaths, start again what is due."""
        for key, _ in self._selector.select(timeout_s):
            self._hear(key.data, key.fileobj)  # type: ignore[arg-type]
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._ended(child, child.process.returncode)
            elif child.state == "restarting" and self._clock.now_ns() >= child.due_ns:
                child.restarts += 1
                self._start(child)

    def _hear(self, child: Child, pipe: IO[bytes]) -> None:
        try:
            text = os.read(pipe.fileno(), 4096)
        except BlockingIOError:
            return
        if not text:
            self._selector.unregister(pipe)
            return
        with child.log.open("ab") as log:
            log.write(text)
        if child.is_ready:
            return
        child.heard = (child.heard + text)[-4096:]
        if any(line.split(b" ")[0] == b"ready" for line in child.heard.splitlines()):
            child.is_ready = child.was_ready = True
            self._set(child, "running")
            if child.restarts:
                self._on_event("info", f"{child.name} is back (start {child.restarts + 1})")

    def _ended(self, child: Child, code: int) -> None:
        _end_orphans(child)
        self._close(child)
        if not (child.is_restarted and child.was_ready):
            child.is_final, child.code = True, code
            self._set(child, "stopped" if code == 0 else "failed")
            if code != 0:
                self._on_event("error", f"{child.name} {ending(code)}: {child.last_line()}")
            return
        if self._clock.now_ns() - child.started_ns > STEADY_NS:
            child.back_off_ns = FIRST_BACK_OFF_NS
        child.due_ns = self._clock.now_ns() + child.back_off_ns
        child.back_off_ns = min(2 * child.back_off_ns, MOST_BACK_OFF_NS)
        self._set(child, "restarting")
        self._on_event("warning", f"{child.name} {ending(code)}; starting it again")

    def _close(self, child: Child) -> None:
        pipe = child.process.stdout if child.process is not None else None
        if pipe is not None:
            if pipe in self._selector.get_map():
                self._hear(child, pipe)
            if pipe in self._selector.get_map():
                self._selector.unregister(pipe)
            pipe.close()
        child.process = None
        child.is_ready = False

    def stop(self, groups: Sequence[tuple[Sequence[Child], float]], limit_s: float) -> None:
        """End children group by group, then end by force what is left.

        Args:
            groups: Children to ask together, and the seconds to wait for them before the next.
            limit_s: For all; who runs then is killed with its own children.
        """
        end_ns = self._clock.now_ns() + int(limit_s * NS_PER_S)
        for group, wait_s in groups:
            asked = [child for child in group if child.process is not None]
            for child in group:
                child.is_restarted = False
                child.is_final = True
            for child in asked:
                _signal(child, signal.SIGTERM)
            wait_ns = self._clock.now_ns() + int(wait_s * NS_PER_S)
            self._reap(asked, min(wait_ns, end_ns))
        everyone = [child for group, _ in groups for child in group if child.process is not None]
        self._reap(everyone, end_ns)
        for child in everyone:
            if child.process is not None:
                _signal(child, signal.SIGKILL)
                child.process.wait()
                self._on_event("warning", f"{child.name} did not end in time and was killed")
                self._left(child)

    def _reap(self, children: Sequence[Child], until_ns: int) -> None:
        while True:
            for child in children:
                if child.process is not None and child.process.poll() is not None:
                    self._left(child)
            if all(child.process is None for child in children):
                return
            if self._clock.now_ns() >= until_ns:
                return
            self._selector_pause()

    def _selector_pause(self) -> None:
        for key, _ in self._selector.select(0.01):
            self._hear(key.data, key.fileobj)  # type: ignore[arg-type]

    def _left(self, child: Child) -> None:
        assert child.process is not None
        child.code = child.process.returncode
        self._close(child)
        self._set(child, "stopped")


def _signal(child: Child, number: signal.Signals) -> None:
    """Signal a child; by force also its own children, which share its session."""
    assert child.process is not None
    with contextlib.suppress(ProcessLookupError):
        if number == signal.SIGKILL:
            os.killpg(child.process.pid, number)
        else:
            child.process.send_signal(number)


def _end_orphans(child: Child) -> None:
    """End what a dead child left running in its session: its workers hold memory and sockets."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def ending(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"ended with {code}"


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules."""
    return [sys.executable, "-m", module, *arguments]
