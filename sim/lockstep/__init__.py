"""The driver in virtual time: whole drives without sockets, threads, clocks or models.

`run(Scenario(...))` gives an `Outcome`: the deployed dispatcher, policy, estimator and admission
over the link model and measured stage times (docs/scheduling/lockstep.md).
"""

from sim.lockstep.drive import run
from sim.lockstep.many import run_many
from sim.lockstep.outcome import Outcome, UnitTotals, VehicleTotals, VerdictRow
from sim.lockstep.scenario import (
    CameraSpec,
    LinkSpec,
    Look,
    OnboardModel,
    PoseAt,
    Scenario,
    UnitModel,
    UnitSpec,
    VehicleSpec,
)
from sim.lockstep.stages import NOTHING, StageProfile

__all__ = [
    "NOTHING",
    "CameraSpec",
    "LinkSpec",
    "Look",
    "OnboardModel",
    "Outcome",
    "PoseAt",
    "Scenario",
    "StageProfile",
    "UnitModel",
    "UnitSpec",
    "UnitTotals",
    "VehicleSpec",
    "VehicleTotals",
    "VerdictRow",
    "run",
    "run_many",
]
