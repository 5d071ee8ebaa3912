"""The tasks that still owe their verdict, and which of them the onboard detector takes next."""

from collections.abc import Iterator

from msgspec import Struct

from scheduler.onboard import Onboard, latest_start_ns
from scheduler.placement import Placement, split_name
from scheduler.placer import LOCAL_MARGIN_NS, START_SLACK_NS
from scheduler.tasks import Task

REMEMBERED_TASKS = 64  # closed ones that a late answer may still correct


class OpenTask(Struct):
    """A task that owes its verdict.

    Attributes:
        arrived_ns: When it was placed.
        due_ns: When the timer emits the best answer there is.
        wants_local: Placed on board, or its offload is over.
        runs_beside: A rung shall look at once, beside the offload; see `Placement.hedge`.
        wants_features: Holds a credit and waits for the onboard detector to run its first half.
        problem: Why it is not answered as placed; empty while it may be.
        local: (model, answer) of an onboard run.
        doubt: How unsure the first look was, of `escalate`; None before it.
    """

    task: Task
    placement: Placement
    arrived_ns: int
    due_ns: int
    wants_local: bool
    problem: str = ""
    size_bytes: int = 0
    stages_ns: dict[str, int] = {}
    local: tuple[str, object] | None = None
    wants_features: bool = False
    doubt: float | None = None
    runs_beside: bool = False

    @property
    def sent_as(self) -> Placement:
        """The placement under which it is sent: its own, or that of a copy."""
        return self.placement.probe or self.placement

    @property
    def is_out(self) -> bool:
        """On its way to a unit: neither wanted at home nor answered there, but for a first look."""
        return not self.wants_local and (self.local is None or self.doubt is not None)

    @property
    def look(self) -> str:
        """What the first look said, in words; empty where there was none."""
        return "" if self.doubt is None else f"unsure, doubt {self.doubt:.2f}: "

    def explanation(self, why: str) -> str:
        """The reason of a verdict that is not as placed."""
        if self.problem:
            return self.look + self.problem
        if why != "deadline":
            return why
        if self.placement.unit_id and (
            self.placement.place != "escalate" or self.doubt is not None
        ):
            return f"{self.look}{self.placement.unit_id}: no answer by the deadline"
        return "no onboard rung was free in time"


class NextRun(Struct, frozen=True):
    """What the idle onboard detector does next: a rung, or a model's first half."""

    entry: OpenTask
    model: str
    is_encoding: bool = False


class OpenTasks:
    """Open tasks in order of arrival."""

    def __init__(self, onboard: Onboard) -> None:
        self._onboard = onboard
        self._entries: dict[int, OpenTask] = {}
        self._closed: dict[int, Task] = {}

    def __iter__(self) -> Iterator[OpenTask]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, task_id: int) -> OpenTask | None:
        """The open task of this id, None when it has its verdict."""
        return self._entries.get(task_id)

    def add(self, entry: OpenTask) -> None:
        """One more task."""
        self._entries[entry.task.task_id] = entry

    def ripe(self, now_ns: int) -> list[OpenTask]:
        """Those whose verdict is due, or for which the answer that they want is there."""
        if not self._entries:
            return []
        return [
            entry
            for entry in self._entries.values()
            if entry.due_ns <= now_ns or (entry.local is not None and entry.wants_local)
        ]

    def remove(self, task_id: int) -> None:
        """The task has its verdict; it is remembered for a while."""
        self._closed[task_id] = self._entries.pop(task_id).task
        if len(self._closed) > REMEMBERED_TASKS:
            del self._closed[next(iter(self._closed))]

    def closed(self, task_id: int) -> Task | None:
        """A task whose verdict is out, as long as it is remembered."""
        return self._closed.get(task_id)

    def next_run(self, now_ns: int) -> NextRun | None:
        """What the idle onboard detector does now.

        Newest first: what was placed on board or sent home, else, when its time has come, the
        fallback of what is out on links, else a first half that still leaves that its time.
        """
        onboard = self._onboard
        if not self._entries or onboard.running_task is not None or not onboard.is_ready:
            return None
        start = self.fallback_start_ns(now_ns)
        is_time = start is not None and start <= now_ns
        if not is_time and not onboard.encoders and not self._is_wanting():
            return None
        pending = [entry for entry in self._entries.values() if entry.local is None]
        if not pending:
            return None
        if len(pending) > 1:
            pending.sort(key=lambda entry: -entry.task.deadline_ns)
        wanting = [entry for entry in pending if entry.wants_local or entry.runs_beside]
        if is_time:
            wanting += [entry for entry in pending if not entry.wants_features]
        for entry in wanting:
            by_ns = entry.due_ns - LOCAL_MARGIN_NS
            model = onboard.fitting(now_ns, by_ns, entry.placement.rung)
            if model is not None:
                return NextRun(entry, model)
        return self._next_encoding(pending, now_ns) if onboard.encoders else None

    def _is_wanting(self) -> bool:
        for entry in self._entries.values():
            if entry.local is None and (entry.wants_local or entry.runs_beside):
                return True
        return False

    def _next_encoding(self, pending: list[OpenTask], now_ns: int) -> NextRun | None:
        for entry in pending:
            if not entry.wants_features:
                continue
            model = entry.placement.model
            ends_ns = now_ns + self._onboard.quantile_ns(split_name(model), 0.99, now_ns)
            start = self.fallback_start_ns(now_ns)
            if start is None or ends_ns <= start:
                return NextRun(entry, model, is_encoding=True)
        return None

    def hopeless_encodings(self, now_ns: int) -> list[OpenTask]:
        """Tasks whose first half would end after their verdict is due, started now."""
        return [
            entry
            for entry in self._entries.values()
            if entry.wants_features
            and now_ns + self._onboard.quantile_ns(split_name(entry.placement.model), 0.5, now_ns)
            > entry.due_ns
        ]

    def next_look(self, carried: OpenTask, now_ns: int) -> tuple[OpenTask, str] | None:
        """The rung that shall look at a carried frame after its verdict, for the tracks alone.

        Only where even the cheapest rung was too slow for it, and nobody else needs the detector:
        it would otherwise never run again, the tracks would die, and nobody would see that it has
        become faster.
        """
        cheapest = self._onboard.cheapest(now_ns)
        if cheapest is None or self._onboard.running_task is not None:
            return None
        was_in_time = carried.arrived_ns + cheapest.q50_ns + LOCAL_MARGIN_NS <= carried.due_ns
        if was_in_time or self.fallback_start_ns(now_ns) is not None:
            return None
        return carried, cheapest.model

    def next_timer_ns(self, due_ns: int, now_ns: int) -> int:
        """The earliest verdict that is due, or start of the fallback; `due_ns` if none is before.

        Asked for after each event.
        """
        if not self._entries:
            return due_ns
        for entry in self._entries.values():
            if entry.due_ns < due_ns:
                due_ns = entry.due_ns
        if self._onboard.running_task is None:
            start_ns = self.fallback_start_ns(now_ns)
            if start_ns is not None and start_ns < due_ns:
                due_ns = start_ns
        return due_ns

    def fallback_start_ns(self, now_ns: int) -> int | None:
        """When the fallback of what is out on links must start; None if it cannot help.

        What still waits for its first half was placed so that this takes the detector first.
        Planned with q99; a task for which that is too late already is tried as long as the median
        fits.
        """
        if not self._entries:
            return None
        cheapest = self._onboard.cheapest(now_ns)
        if cheapest is None:
            return None
        fits_until = now_ns + cheapest.q50_ns + LOCAL_MARGIN_NS
        dues = []
        for entry in self._entries.values():  # one or two: a list comprehension costs a call
            if (
                entry.local is None
                and not entry.wants_local
                and not entry.wants_features
                and entry.due_ns >= fits_until
            ):
                dues.append(entry.due_ns)  # noqa: PERF401
        if not dues:
            return None
        margin_ns = LOCAL_MARGIN_NS + START_SLACK_NS
        if len(dues) == 1:
            return dues[0] - cheapest.q99_ns - margin_ns
        dues.sort()
        return latest_start_ns(dues, cheapest.q99_ns, margin_ns)
