"""One drive from start to end: phases of starting, watching, ending in order."""

import shutil
from collections.abc import Callable
from pathlib import Path

import zmq
from rich.console import Console

from scheduler import messages, processes, replay_start, telemetry, transport, tun_addresses
from scheduler.clock import NS_PER_MS, NS_PER_S, Clock
from scheduler.errors import VdapError
from sim.channel.tun_devices import Namespaces
from sim.launcher.commands import child_of
from sim.launcher.listener import Listener
from sim.launcher.plan import Plan
from sim.launcher.supervisor import Child, Supervisor, ending

# Who starts together; the bridge last: its first frame finds everybody ready.
PHASES = (("world", "rsu", "link"), ("vehicle", "held"), ("dashboard",), ("bridge",))
# Who ends together, and the seconds given before the next: the vehicle first, so that it still
# answers what it holds; the world after the bridge, which hands back settings and actors.
ENDING = (
    (("vehicle", "held"), 0.8),
    (("dashboard", "rsu", "link", "bridge"), 0.7),
    (("world",), 0.3),
)
INTERRUPTED_S = 1.9  # for all, after Ctrl-C
ENDED_S = 6.0  # for all, after a drive that ended by itself: records are written out
READY_S = 90.0  # the first start compiles the renderer
SILENT_S = 5.0  # a part without the bridge ends when frames have stopped for this long
POLL_S = 0.1
REPLAY_AHEAD_NS = 500 * NS_PER_MS  # in which all who replay a run read when it begins


class DriveError(VdapError):
    """A process that the drive needs did not start or died."""


class Drive:
    """Runs a plan in its run folder.

    Args:
        is_stopped: Becomes true when the user wants the end.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        console: Console,
        clock: Clock,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._console = console
        self._clock = clock
        self._is_stopped = is_stopped
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        bind = processes.address(plan.config, "launcher", "", "telemetry", is_bind=True)
        self._publisher = telemetry.Publisher(
            transport.bind_publisher(self._context, bind, None), "launcher"
        )
        self._listener = Listener(self._context, plan, folder, clock)
        self._supervisor = Supervisor(clock, self._publish, self._event)
        self._kinds: dict[str, list[Child]] = {}
        self._told_ns = 0
        self._namespaces: Namespaces | None = None
        self.was_interrupted = False

    def run(self) -> None:
        """Start, watch until the end, end everything.

        Raises:
            DriveError: a process that the drive needs did not start or died.
        """
        is_clean = False
        try:
            self._start()
            self._watch()
            is_clean = not self.was_interrupted
        finally:
            limit_s = ENDED_S if is_clean else INTERRUPTED_S
            groups = [
                ([child for name in names for child in self._kinds.get(name, [])],
                 wait_s * (3 if is_clean else 1))
                for names, wait_s in ENDING
            ]  # fmt: skip
            with self._listener:
                self._supervisor.stop(groups, limit_s)
            self._context.destroy(linger=0)
            if self._namespaces is not None:
                self._namespaces.close()
            if self._plan.config.ipc_folder is not None:
                shutil.rmtree(self._plan.config.ipc_folder, ignore_errors=True)

    def _start(self) -> None:
        if processes.is_tun(self._plan.config):  # ours, so that they outlive a link that restarts
            self._namespaces = Namespaces(tun_addresses.namespaces(self._plan.config))
        for phase in PHASES:
            begun = []
            for instance in self._plan.instances:
                if instance.process.name in phase:
                    child = child_of(instance, self._plan.config, self._folder)
                    self._kinds.setdefault(instance.process.name, []).append(child)
                    self._supervisor.add(child)
                    begun.append(child)
            if not self._are_ready(begun):
                return
        replay = self._plan.config.replay
        if replay is not None:
            begin_ns = self._clock.now_ns() + REPLAY_AHEAD_NS
            replay_start.tell(self._plan.config.path(replay.start), begin_ns)

    def _are_ready(self, begun: list[Child]) -> bool:
        """Wait for a phase; False when the drive is over before it began."""
        end_ns = self._clock.now_ns() + int(READY_S * NS_PER_S)
        while not all(child.is_ready for child in begun):
            if self._is_over():
                return False
            if self._clock.now_ns() > end_ns:
                late = next(child for child in begun if not child.is_ready)
                raise DriveError(
                    f"expected {late.name} to be ready within {READY_S:.0f} s; "
                    f"it last said: {late.last_line() or 'nothing'} ({late.log})"
                )
            self._turn()
        return True

    def _watch(self) -> None:
        while not self._is_over():
            self._turn()
        for child in self._supervisor.children:
            if child.is_final and child.code != 0 and not child.has_terminal:
                raise DriveError(_why(child))

    def _turn(self) -> None:
        self._supervisor.poll(POLL_S)
        self._listener.poll()
        if self._clock.now_ns() - self._told_ns >= NS_PER_S:
            self._told_ns = self._clock.now_ns()
            for child in self._supervisor.children:
                self._publish(child)

    def _is_over(self) -> bool:
        if self._is_stopped():
            self.was_interrupted = True
            return True
        # A unit or link that never served cannot be restarted into serving.
        if any(
            child.is_final
            for name in ("world", "rsu", "link", "held", "bridge")
            for child in self._of(name)
        ):
            return True
        vehicles = self._of("vehicle")
        if vehicles and all(child.is_final for child in vehicles):
            return True
        return bool(vehicles) and not self._plan.is_whole and self._listener.is_silent(SILENT_S)

    def _of(self, name: str) -> list[Child]:
        return self._kinds.get(name, [])

    def _publish(self, child: Child) -> None:
        status = messages.ProcessStatus(
            messages.VERSION, child.name, child.state, child.pid, child.restarts
        )
        self._publisher.publish(status, child.name)

    def _event(self, level: str, text: str) -> None:
        self._publisher.event(level, text)
        # An error ends the drive and is its last line; a dashboard shows the rest.
        if not self._plan.of("dashboard") and level != "error":
            self._console.print(text, markup=False, soft_wrap=True)


def _why(child: Child) -> str:
    what = "is needed by the drive" if child.was_ready else "did not start"
    how = ending(child.code) if child.code is not None else "is not ready"
    said = child.last_line()
    return f"{child.name} {what} and {how}: {said or 'it said nothing'} (all of it: {child.log})"
