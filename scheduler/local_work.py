"""What the onboard detector is given to do: rungs, first halves, motion, late looks (sans-IO)."""

from scheduler.effects import Effect, EncodeFeatures, RunFlow, RunLocal
from scheduler.offloading import Offloading
from scheduler.onboard import FLOW, Onboard
from scheduler.open_tasks import NextRun, OpenTask, OpenTasks
from scheduler.placement import split_name
from scheduler.tasks import Task


class LocalWork:
    """Starts runs while the detector is free.

    Args:
        flow_ns: The worker measures motion when it is free and that takes no longer; 0 = never.
    """

    def __init__(
        self, onboard: Onboard, open_tasks: OpenTasks, out: Offloading, flow_ns: int
    ) -> None:
        self.carried: OpenTask | None = None  # the newest since the detector was last given out
        self._onboard = onboard
        self._open = open_tasks
        self._out = out
        self.flow_ns = flow_ns

    def start(self, effects: list[Effect], now_ns: int) -> None:
        """Give the idle detector what is next, if there is something."""
        carried, self.carried = self.carried, None
        if self._onboard.encoders:
            for entry in self._open.hopeless_encodings(now_ns):
                self._out.give_up(entry, "no time left to encode", effects, now_ns)
        if self._onboard.running_task is not None:
            return
        run = self._open.next_run(now_ns)
        if run is None:
            chosen = self._open.next_look(carried, now_ns) if carried is not None else None
            if chosen is None:
                return
            run = NextRun(*chosen)
        task, model = run.entry.task, run.model
        if run.is_encoding:
            run.entry.wants_features = False
            self._onboard.start(task.task_id, split_name(model), now_ns)
            effects.append(EncodeFeatures(task, model))
            return
        self._onboard.start(task.task_id, model, now_ns)
        effects.append(RunLocal(task, model))

    def measure_motion(self, task: Task, effects: list[Effect], now_ns: int) -> None:
        """Where the worker has nothing else to do; it may be left out."""
        if not self.flow_ns:
            return
        takes_ns = self._onboard.quantile_ns(FLOW, 0.99, now_ns)
        is_idle = self._onboard.running_task is None and self._onboard.is_ready
        if not is_idle or takes_ns > self.flow_ns:
            return
        start_ns = self._open.fallback_start_ns(now_ns)
        if start_ns is None or now_ns + takes_ns <= start_ns:
            self._onboard.start(task.task_id, FLOW, now_ns)
            effects.append(RunFlow(task))
