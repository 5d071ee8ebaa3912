"""What a verdict was worth: expected F1 of what really answered, at its real age."""

import inspect
import math
from collections.abc import Sequence

from scheduler.carrying import Look, carried_worth
from scheduler.dispatcher import Dispatcher
from sim.experiments.encodings import Way, ways
from sim.lockstep import VerdictRow
from sim.lockstep.pictures import Pictures, load
from sim.lockstep.scenario import Scenario
from vehicle.perception.content import changed

# F1 of tracks moved without a model, as the deployed dispatcher takes it.
BARE = float(inspect.signature(Dispatcher).parameters["carry_accuracy"].default)


class Worth:
    """Realised utility, in units of F1 (docs/scheduling/experiments.md).

    An answer in time is worth its model's F1 for the picture as it was sent, times
    exp(-age / tau); one after the deadline nothing; carried tracks what they are without a model,
    or what the last look is still worth where a recorded drive tells how little has changed since.
    """

    def __init__(self, scenario: Scenario, tau_s: float, rows: Sequence[VerdictRow] = ()) -> None:
        """Knows the scenario's models and, of a drive, its thumbs.

        Args:
            scenario: With one vehicle.
            tau_s: Of an answer's worth over its age.
            rows: All of its verdicts, so that looks at earlier frames are known.
        """
        self._tau_ns = tau_s * 1e9
        self._local = {m.model: m.accuracy for v in scenario.vehicles for m in v.onboard}
        self._remote = {m.model: m for unit in scenario.units for m in unit.models}
        vehicle = scenario.vehicles[0]
        self._ways = ways(vehicle)
        self._by_stamp = {row.stamp_ns: row for row in rows}
        self._pictures: Pictures | None = None
        if vehicle.drive:
            stored, luma = load(vehicle.drive)
            self._pictures = Pictures(stored, vehicle.cameras[0].id, luma)
        self._whole = (vehicle.cameras[0].width, vehicle.cameras[0].height)

    def of(self, row: VerdictRow) -> float:
        """Of one verdict."""
        if row.is_late:
            return 0.0
        if row.answer == "carried":
            return self._carried(row)
        return self._accuracy(row) * math.exp(-row.age_ns / self._tau_ns)

    def _carried(self, row: VerdictRow) -> float:
        looked = self._by_stamp.get(row.looked_ns)
        if self._pictures is None or looked is None or looked is row:
            return BARE
        now, then = self._pictures.thumb(row.tick), self._pictures.thumb(looked.tick)
        if now is None or then is None:
            return BARE
        # Of an answer that came after its verdict nobody says whose it was: the least is taken.
        is_late = looked.answer == "carried"
        accuracy = min(self._local.values()) if is_late else self._accuracy(looked)
        look = Look(row.looked_ns, accuracy)
        return carried_worth(look, row.stamp_ns, changed(now, then), BARE)

    def _accuracy(self, row: VerdictRow) -> float:
        return self._local[row.model] if row.answer == "onboard" else self._sent(row)

    def _sent(self, row: VerdictRow) -> float:
        model = self._remote[row.model]
        if row.place == "split":
            return model.split_accuracy
        if not row.quality:  # a probe's copy, the smallest, of a frame that was placed on board
            return min(way.accuracy(model) for way in self._ways)
        size = (row.width, row.height)
        way = Way(*((0, 0) if size == self._whole else size), row.quality)
        return way.accuracy(model)
