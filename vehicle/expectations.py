"""What a vehicle expects of its models and its policy: accuracies, frame rate, time to decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scheduler.clock import Clock
from scheduler.config import Config, Detector, Vehicle
from scheduler.errors import ConfigError
from scheduler.onboard import EncoderSpec
from scheduler.pictures import sent_size
from scheduler.placement import Learner, Outcome, Placement, Policy, Size, View, split_name
from scheduler.tasks import Task
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.expected import accuracy_of, shrunk_accuracy
from vehicle.perception.split.codec import SPLIT_SIZE
from vehicle.perception.split.table import cell_of

SLOW_POLICY_NS = 10_000_000  # a policy that takes longer is counted, its frame stays on board
UNKNOWN_SPLIT_BYTES = 2_000  # of a codec that no card tells of
UNKNOWN_SPLIT_LOSS = 0.04  # F1
SHARED_FLOW_NS = 5_000_000  # of motion, where several cameras share the worker
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


class TimedLearner(TimedPolicy):
    """One that learns from outcomes."""

    def on_outcome(self, outcome: Outcome) -> None:
        """The policy's own learning."""
        assert isinstance(self._policy, Learner)
        self._policy.on_outcome(outcome)


def timed(policy: Policy, clock: Clock) -> TimedPolicy:
    """A policy that is held to its time, and still learns if it does."""
    return (TimedLearner if isinstance(policy, Learner) else TimedPolicy)(policy, clock)


def accuracies_of(config: Config, vehicle: Vehicle) -> tuple[dict[str, float], dict[str, float]]:
    """Expected F1 by model id: onboard ones, and those that units offer, in halves as well."""
    sections = [section for unit in config.roadside_units for section in unit.detectors]
    remote = {section.id: accuracy_of(section) for section in sections}
    remote |= {split_name(section.id): split_figures(section).f1 for section in sections}
    return {d.id: accuracy_of(d) for d in vehicle.detectors}, remote


def shrunk_of(config: Config, vehicle: Vehicle) -> dict[str, dict[Size, float]]:
    """Expected F1 of each unit's models by the size at which a frame is sent smaller."""
    sizes = {
        sent_size(camera.width, camera.height, wanted)
        for camera in vehicle.cameras
        for wanted in vehicle.resolutions
    } - {(0, 0)}
    sections = [section for unit in config.roadside_units for section in unit.detectors]
    return {s.id: {size: shrunk_accuracy(s, size) for size in sizes} for s in sections}


@dataclass(frozen=True, slots=True)
class SplitFigures:
    """What a model in two halves sends for a frame, and what it finds."""

    size_bytes: float
    f1: float


def split_figures(section: Detector) -> SplitFigures:
    """As measured of the shipped halves at the section's input size, else a cautious guess."""
    spec = DetectorSpec.of(section)
    if section.kind == "vdap":
        cell = cell_of(spec.weights or spec.name, spec.input_size or SPLIT_SIZE)
        if cell is not None:
            f1 = cell.f1 if section.accuracy is None else section.accuracy
            return SplitFigures(cell.bytes_mean, f1)
    return SplitFigures(UNKNOWN_SPLIT_BYTES, accuracy_of(section) - UNKNOWN_SPLIT_LOSS)


def encoders_of(vehicle: Vehicle, encode_ns: Mapping[str, int]) -> list[EncoderSpec]:
    """The first halves that run on board, as tried at start; none where `split` is not allowed.

    Raises:
        ConfigError: `split` is among the pipelines and no detector of the vehicle has a first half.
    """
    if "split" not in vehicle.pipelines:
        return []
    if not encode_ns:
        names = ", ".join(section.id for section in vehicle.detectors)
        raise ConfigError(
            f"vehicle {vehicle.id!r}: pipelines: split needs a detector with a learned bottleneck, "
            f"which none of {names} has; list one that ships with it, or leave split out"
        )
    return [
        EncoderSpec(
            section.id,
            expected_ns(encode_ns[section.id]),
            round(split_figures(section).size_bytes),
        )
        for section in vehicle.detectors
        if section.id in encode_ns
    ]


def unserved_heads(wanted: Iterable[str], brought: Mapping[str, Sequence[str]]) -> list[str]:
    """What services ask for and no model on board brings; `brought`: heads by model."""
    known = {head for heads in brought.values() for head in heads}
    return sorted(set(wanted) - known)


def expected_ns(typical_ns: int) -> int:
    """What a job takes in a drive, from its least duration on an idle machine."""
    return round(typical_ns * 1.3) + 3_000_000


def most_flow_ns(vehicle: Vehicle) -> int:
    """How long measuring motion may hold the worker: of one camera, what an idle worker has left.

    Another camera's frame comes at the same moment and may want the worker for its verdict.
    """
    is_alone = len(vehicle.cameras) == 1
    return round(vehicle.deadline_ms * 1e6 / 4) if is_alone else SHARED_FLOW_NS


def interval_ns(config: Config, vehicle: Vehicle) -> int:
    """Time between frames of a camera, as configured."""
    rates = [camera.rate_hz for camera in vehicle.cameras if camera.rate_hz is not None]
    if rates:
        return round(1e9 / max(rates))
    if config.world is not None:
        return round(config.world.fixed_delta_s * 1e9)
    return DEFAULT_INTERVAL_NS
