"""What a vehicle expects of its models and its policy: accuracies, frame rate, time to decide."""

from __future__ import annotations

from scheduler.clock import Clock
from scheduler.config import Config, Detector, Vehicle
from scheduler.placement import Placement, Policy, View
from scheduler.tasks import Task
from vehicle.perception.detector import RUNGS

SLOW_POLICY_NS = 10_000_000  # a policy that takes longer is counted, its frame stays on board
UNKNOWN_ACCURACY = 0.5  # of a model that neither the config nor a shipped rung tells of
DEFAULT_INTERVAL_NS = 40_000_000  # of a camera whose rate nobody states


class SlowPolicyError(Exception):
    """Raised in a policy's stead, so that the frame is placed on board and counted."""


class TimedPolicy:
    """A policy that is held to its time."""

    def __init__(self, policy: Policy, clock: Clock) -> None:
        self.name = policy.name
        self._policy = policy
        self._clock = clock

    def place(self, task: Task, view: View) -> Placement:
        """The policy's own placement.

        Raises:
            SlowPolicyError: it took over 10 ms.
        """
        start_ns = self._clock.now_ns()
        placement = self._policy.place(task, view)
        took_ns = self._clock.now_ns() - start_ns
        if took_ns > SLOW_POLICY_NS:
            raise SlowPolicyError(f"took {took_ns / 1e6:.0f} ms, at most 10 are allowed")
        return placement


def accuracy_of(section: Detector) -> float:
    """Expected F1 alone: as declared, else as measured of the shipped rung of this id."""
    if section.accuracy is not None:
        return section.accuracy
    rung = RUNGS.get(section.weights or section.id) if section.kind == "vdap" else None
    return rung.streaming_f1 if rung is not None else UNKNOWN_ACCURACY


def accuracies_of(config: Config, vehicle: Vehicle) -> tuple[dict[str, float], dict[str, float]]:
    """Expected F1 by model id: onboard ones, and those that units offer."""
    remote = {d.id: accuracy_of(d) for unit in config.roadside_units for d in unit.detectors}
    return {d.id: accuracy_of(d) for d in vehicle.detectors}, remote


def interval_ns(config: Config, vehicle: Vehicle) -> int:
    """Time between frames of a camera, as configured."""
    rates = [camera.rate_hz for camera in vehicle.cameras if camera.rate_hz is not None]
    if rates:
        return round(1e9 / max(rates))
    if config.world is not None:
        return round(config.world.fixed_delta_s * 1e9)
    return DEFAULT_INTERVAL_NS
