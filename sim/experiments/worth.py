"""What a verdict was worth: expected F1 of what really answered, at its real age."""

import inspect
import math
from collections.abc import Mapping

from scheduler.dispatcher import Dispatcher
from scheduler.latency import accuracy_loss
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
        self._remote: Mapping[str, float] = {
            m.model: m.accuracy for unit in scenario.units for m in unit.models
        }

    def of(self, row: VerdictRow) -> float:
        """Of one verdict."""
        if row.is_late:
            return 0.0
        if row.answer == "carried":
            return BARE
        if row.answer == "onboard":
            accuracy = self._local[row.model]
        else:
            accuracy = self._remote[row.model]
            if row.quality:
                accuracy -= accuracy_loss(row.quality)
        return accuracy * math.exp(-row.age_ns / self._tau_ns)
