"""What is driven in virtual time: vehicles, roadside units, the links between them, a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from scheduler.errors import ConfigError
from scheduler.placement import Pipeline, Size
from sim.channel.trace import Trace
from sim.lockstep.stages import NOTHING, StageProfile

ENCODE = StageProfile(3_000_000, 5_000_000)  # 640x384 at q60 on one core
CAPTURE = StageProfile(1_000_000, 2_000_000)
TIMER_LAG = StageProfile(150_000, 1_000_000)
FLOW = StageProfile(2_000_000, 3_000_000)  # of ten boxes in 640x384 on one core

Option = str | int | float | bool | None | list[str | int | float | bool | None]


class PoseAt(NamedTuple):
    """Where a vehicle is, `t_ns` after the first frame: world metres, radians, m/s, rad/s."""

    t_ns: int
    x: float
    y: float
    heading: float
    speed: float
    yaw_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """Which answers of a recorded drive are a model's.

    Attributes:
        rung: Its name in the drive's file.
        size: Of its input, pixels.
        threshold: Least score of a box.
    """

    rung: str
    size: Size
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class OnboardModel:
    """A detector on board.

    Attributes:
        accuracy: Expected F1 alone, as the policy is told.
        time: From the job given to its answer, on the vehicle's declared compute.
        first_half: Of a model in two halves: time of the first; None where it has none.
        feature_bytes: What that first half sends.
        look: Its answers, where the vehicle sees a drive.
    """

    model: str
    accuracy: float
    time: StageProfile
    first_half: StageProfile | None = None
    feature_bytes: int = 2_000
    look: Look | None = None


@dataclass(frozen=True, slots=True)
class UnitModel:
    """A detector at a roadside unit.

    Attributes:
        accuracy: Expected F1 alone, as the policy is told.
        second_half: Time for features; None where it takes pictures alone.
        split_accuracy: Expected F1 of both halves.
        shrunk: Expected F1 by the size of a picture that is sent smaller.
        look: Its answers, where a vehicle sees a drive.
    """

    model: str
    accuracy: float
    infer: StageProfile
    decode: StageProfile = NOTHING
    second_half: StageProfile | None = None
    split_accuracy: float = 0.0
    shrunk: Mapping[Size, float] = field(default_factory=dict)
    look: Look | None = None


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """A camera: frames of a rate, from a phase that is drawn where it is None."""

    id: str = "front"
    width: int = 640
    height: int = 384
    rate_hz: float = 10.0
    phase_ms: float | None = None


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A vehicle's way to a unit.

    Attributes:
        unit_id: Where it ends.
        trace: What it carries; virtual time 0 is its first row.
        id: The vehicle's name for it; the unit's id where empty (with two radios they differ).
        outage: What a long outage does to connections.
        queue_kib: Of each direction's queue.
        place: x, y of the unit as the vehicle's map has it; handover chooses by it.
        range_m: Of the radio; None = learned while driving.
        is_everywhere: A distant cloud, which is never out of range.
    """

    unit_id: str
    trace: Trace
    id: str = ""
    outage: Literal["hold", "drop"] = "drop"
    queue_kib: float = 64.0
    place: tuple[float, float] | None = None
    range_m: float | None = None
    is_everywhere: bool = False

    @property
    def name(self) -> str:
        """As the vehicle calls it."""
        return self.id or self.unit_id


@dataclass(frozen=True, slots=True)
class VehicleSpec:
    """A vehicle as its section of the configuration says, with the times of its stages.

    Attributes:
        policy: Short name, entry point or `module:Class`.
        is_deadline_by_speed: Once a pose is known, `deadline_ms` gives way to `scheduler.tasks`'
            rule.
        encode: Time to write a JPEG.
        capture: From the picture taken to the vehicle that has it.
        timer_lag: How late a timer fires.
        flow: Time to measure how boxes moved since the picture before.
        flow_ns: The worker measures motion when it is free and that takes no longer; 0 = never.
            It needs a drive that holds what moved.
        drive: File of the recorded drive that it sees; empty = no pictures. Frames then come
            when the recording's did, whatever the cameras' rates say.
        poses: Where it is, in order of time; a drive brings its own.
        sees_change: Whether it measures how much of a drive's pictures changed.
    """

    id: str
    links: tuple[LinkSpec, ...] = ()
    onboard: tuple[OnboardModel, ...] = ()
    policy: str = "deadline"
    options: Mapping[str, Option] = field(default_factory=dict)
    cameras: tuple[CameraSpec, ...] = (CameraSpec(),)
    deadline_ms: float = 100.0
    is_deadline_by_speed: bool = False
    window: int = 2
    max_links: int = 3
    qualities: tuple[int, ...] = (80, 60, 40)
    resolutions: tuple[Size, ...] = ()
    pipelines: tuple[Pipeline, ...] = ("onboard", "offload")
    doubt_above: float = 2.0
    stays_on_board: bool = False
    watts: float = 10.0
    encode: StageProfile = ENCODE
    capture: StageProfile = CAPTURE
    timer_lag: StageProfile = TIMER_LAG
    flow: StageProfile = FLOW
    flow_ns: int = 0
    service: str = "object_detection"
    drive: str = ""
    poses: tuple[PoseAt, ...] = ()
    sees_change: bool = True


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """A roadside unit: one inference worker, serial.

    Attributes:
        position: Of its antenna, as its beacons tell it; world, m.
        taken: (from, until) in ns, in order: then the worker is busy with what others asked.
    """

    id: str
    models: tuple[UnitModel, ...]
    credits: int = 2
    taken: tuple[tuple[int, int], ...] = ()
    position: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole drive.

    Attributes:
        duration_s: Frames are taken for this long.
        lead_s: Links are opened this long before the first frame.
    """

    vehicles: tuple[VehicleSpec, ...]
    units: tuple[UnitSpec, ...] = ()
    seed: int = 1
    duration_s: float = 60.0
    lead_s: float = 0.5

    def __post_init__(self) -> None:
        """Checks that ids are unique and links end somewhere.

        Raises:
            ConfigError: They are not, or do not.
        """
        units = [unit.id for unit in self.units]
        vehicles = [vehicle.id for vehicle in self.vehicles]
        for what, ids in (("unit", units), ("vehicle", vehicles)):
            if len(set(ids)) != len(ids):
                raise ConfigError(f"scenario: expected each {what} id once, got {', '.join(ids)}")
        for vehicle in self.vehicles:
            names = [link.name for link in vehicle.links]
            if len(set(names)) != len(names):
                raise ConfigError(f"scenario: {vehicle.id} has two links {', '.join(names)}")
            for link in vehicle.links:
                if link.unit_id not in units:
                    known = ", ".join(units) or "none"
                    raise ConfigError(
                        f"scenario: {vehicle.id} has a link to {link.unit_id!r}, units: {known}"
                    )
