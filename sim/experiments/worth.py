"""What a verdict was worth: expected F1 of what really answered, at its real age."""

import inspect
import math

from scheduler.dispatcher import Dispatcher
from sim.experiments.encodings import Way, ways
from sim.lockstep import VerdictRow
from sim.lockstep.scenario import Scenario

# F1 of tracks moved without a model, as the deployed dispatcher takes it.
BARE = float(inspect.signature(Dispatcher).parameters["carry_accuracy"].default)


class Worth:
    """Realised utility, in units of F1 (docs/scheduling/experiments.md).

    An answer in time is worth its model's F1 for the picture as it was sent, times
    exp(-age / tau); one after the deadline nothing; carried tracks what they are without a model.
    """

    def __init__(self, scenario: Scenario, tau_s: float) -> None:
        self._tau_ns = tau_s * 1e9
        self._local = {m.model: m.accuracy for v in scenario.vehicles for m in v.onboard}
        self._remote = {m.model: m for unit in scenario.units for m in unit.models}
        vehicle = scenario.vehicles[0]
        self._ways = ways(vehicle)
        self._whole = (vehicle.cameras[0].width, vehicle.cameras[0].height)

    def of(self, row: VerdictRow) -> float:
        """Of one verdict."""
        if row.is_late:
            return 0.0
        if row.answer == "carried":
            return BARE
        accuracy = self._local[row.model] if row.answer == "onboard" else self._sent(row)
        return accuracy * math.exp(-row.age_ns / self._tau_ns)

    def _sent(self, row: VerdictRow) -> float:
        model = self._remote[row.model]
        if row.place == "split":
            return model.split_accuracy
        if not row.quality:  # a probe's copy, the smallest, of a frame that was placed on board
            return min(way.accuracy(model) for way in self._ways)
        size = (row.width, row.height)
        way = Way(*((0, 0) if size == self._whole else size), row.quality)
        return way.accuracy(model)
