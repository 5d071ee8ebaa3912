"""One drive of the closed loop: a scenario, a link, a policy, a seed, all in one process.

World, ego driver, advisories and safety figures are those of a drive; the vehicle lives in virtual
time (`sim.lockstep.held`), so that the machine's speed decides nothing. Lights are off: the
situation alone makes the ego brake.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from scheduler.config import Camera, Config, Detector, Link, Policy, Unit, Vehicle, World
from scheduler.errors import ConfigError, WorldError
from scheduler.messages import VERSION, Feedback
from sim.bridge.cameras import mount_of
from sim.bridge.drive import Drive
from sim.experiments.link_quality import Quality, trace
from sim.experiments.truth_eyes import TruthEyes
from sim.inprocess_world import InprocessWorld
from sim.lockstep.believer import Advised, Eyes
from sim.lockstep.detector_eyes import DetectorEyes, UnitModels, unit_models
from sim.lockstep.held import HeldDrive
from sim.scenarios import SCENARIOS
from sim.world import CameraMount, Ego, WorldTick
from vehicle.perception.classes import CLASSES
from vehicle.perception.detector import DetectorSpec
from vehicle.services.base import Frame

TOWN = "VdapTown01"
DELTA_S = 0.1
DELTA_NS = 100_000_000
LEAD_TICKS = 5  # before the first frame, in which links open
STANDS_S = 2.0  # after which a drive that has moved is over
PLACES = 60  # spawn points that are tried for one in which the situation is dangerous
NO_ADVISORIES = "no_advisories"  # in place of a policy: nothing brakes the ego but its own driver
VEHICLE, UNIT = "ego", "rsu1"

DRAWS = {
    "stopped_car_round_bend": {"after_m": (12.0, 30.0)},
    "pedestrian_steps_out": {"lead_s": (2.0, 3.0), "pace": (1.3, 2.2)},
    "lead_car_brakes": {"gap_m": (12.0, 22.0), "brakes_at_m": (45.0, 75.0)},
    "slow_cyclist": {"ahead_m": (30.0, 60.0), "speed": (2.0, 4.5)},
}
SPEEDS = (7.0, 11.0)  # m/s that the ego aims for


@dataclass(frozen=True, slots=True)
class Case:
    """What is driven.

    Attributes:
        policy: None drives without advisories.
        detections: Where answers come from: `truth` or `real`.
    """

    scenario: str
    link: str
    quality: Quality
    policy: Policy | None
    seed: int
    vehicle: Vehicle
    unit: Unit
    duration_s: float = 14.0
    detections: str = "truth"

    @property
    def title(self) -> str:
        """How tables call the policy."""
        return self.policy.name if self.policy is not None else NO_ADVISORIES


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    Attributes:
        collided: Into anything.
        impact_mps: The ego's speed when it first did; 0 without.
        min_ttc_s: Least time to collision; None where nothing was ever ahead.
        hard_brakes: Times that it braked harder than comfortable.
        driven_m: Along the route.
        braked_s: Time under advisories.
    """

    scenario: str
    link: str
    policy: str
    seed: int
    collided: bool
    impact_mps: float
    min_ttc_s: float | None
    hard_brakes: int
    driven_m: float
    braked_s: float
    frames: int
    offloaded: int
    onboard: int
    carried: int
    age_p50_ms: float
    look_p50_ms: float


@dataclass(frozen=True, slots=True)
class Situation:
    """Where and how a seed's scenario happens: dangerous for an ego that nobody warns."""

    spawn_index: int
    speed: float
    draws: tuple[tuple[str, float], ...]


@lru_cache(maxsize=256)
def situation(scenario: str, seed: int, duration_s: float) -> Situation:
    """The seed's situation: drawn anew until the ego alone would collide.

    Raises:
        WorldError: none of many places is dangerous.
    """
    random = Random(f"{seed}/{scenario}/situation")
    for _ in range(PLACES):
        index = random.randrange(10_000)
        speed = round(random.uniform(*SPEEDS), 2)
        draws = tuple((k, round(random.uniform(*span), 2)) for k, span in DRAWS[scenario].items())
        found = Situation(index, speed, draws)
        try:
            drive = _Staged(scenario, found, obeys_feedback=False)
        except WorldError:
            continue
        for _ in range(round(duration_s / DELTA_S)):
            drive.tick()
            if drive.impact_mps is not None:
                return found
    raise WorldError(f"{scenario}, seed {seed}: none of {PLACES} places was dangerous")


class _Staged:
    """World, ego and script of a situation."""

    def __init__(self, scenario: str, place: Situation, *, obeys_feedback: bool) -> None:
        self.world = InprocessWorld(town=TOWN, fixed_delta_s=DELTA_S)
        count = len(self.world.engine.town.spawn_points)
        section = Vehicle(id=VEHICLE, spawn_index=place.spawn_index % count, speed=place.speed)
        self.drive = Drive(self.world, [section], DELTA_S, obeys_feedback=obeys_feedback)
        self.driven = self.drive.egos[VEHICLE]
        self._script = SCENARIOS[scenario](self.world, [self.driven.ego], **dict(place.draws))
        self.impact_mps: float | None = None
        self.braked_s = 0.0
        self._speed = 0.0
        self._stood_s = 0.0
        self._has_moved = False

    def tick(self) -> WorldTick:
        """One step of the world, its scripts and the ego's own driver."""
        seen = replace(self.world.tick(), lights={})
        self.drive.on_tick(seen, seen.sim_ns)
        if self._script is not None:
            self._script(seen)
        state = seen.egos[self.driven.ego.actor_id]
        if state.collisions and self.impact_mps is None:
            self.impact_mps = self._speed
        self._speed = state.speed
        self.braked_s += DELTA_S * self.driven.is_braked_by_feedback
        self._has_moved = self._has_moved or state.speed > 2.0
        self._stood_s = self._stood_s + DELTA_S if state.speed < 0.2 else 0.0
        return seen

    @property
    def is_over(self) -> bool:
        """Nothing more will come of it."""
        has_stopped = self._has_moved and self._stood_s >= STANDS_S
        return has_stopped or self.impact_mps is not None


class Watch(Protocol):
    """Looks at each tick on behalf of the ego's camera."""

    @property
    def eyes(self) -> Eyes:
        """What the vehicle's answers come from."""
        ...

    def look(self, seen: WorldTick) -> NDArray[np.uint8]:
        """Take in a tick; the picture, (H, W, 3) uint8 BGR."""
        ...


class TruthWatch:
    """Draws nothing: the picture is black, what is found comes from the truth."""

    def __init__(self, case: Case, world: InprocessWorld, ego: Ego, mount: CameraMount) -> None:
        self._ego_id = ego.actor_id
        self._black = np.zeros((mount.intrinsics.height, mount.intrinsics.width, 3), np.uint8)
        self.eyes = TruthEyes(
            mount,
            ego.actor_id,
            world.buildings(),
            {detector.id: recalls(detector) for detector in case.vehicle.detectors},
            {detector.id: recalls(detector) for detector in case.unit.detectors},
            case.seed,
        )

    def look(self, seen: WorldTick) -> NDArray[np.uint8]:
        """What is in sight."""
        self.eyes.look(seen.tick, seen.egos[self._ego_id].pose, seen.bodies)
        return self._black


class DrawnWatch:
    """Draws each frame and has the real detectors look at it."""

    def __init__(self, case: Case, world: InprocessWorld, ego: Ego, mount: CameraMount) -> None:
        self._world = world
        self._handle = world.attach_camera(ego, mount)
        self._camera_id = case.vehicle.cameras[0].id
        self.eyes = DetectorEyes(case.vehicle, _models_of(case.unit), Path)

    def look(self, seen: WorldTick) -> NDArray[np.uint8]:
        """The picture of this tick."""
        picture = self._world.picture(self._handle)
        assert picture is not None
        self.eyes.show(self._camera_id, seen.tick, picture.bgr)
        return picture.bgr


_MODELS: dict[str, UnitModels] = {}


def _models_of(unit: Unit) -> UnitModels:
    """The unit's detectors, loaded once a process."""
    if unit.id not in _MODELS:
        _MODELS[unit.id] = unit_models([unit], Path)
    return _MODELS[unit.id]


def recalls(detector: Detector) -> list[float]:
    """Share of each class that a shipped rung finds: its measured AP50, in the order of CLASSES.

    Raises:
        ConfigError: It is no shipped rung.
    """
    figures = DetectorSpec.of(detector).figures
    if figures is None:
        raise ConfigError(f"detector {detector.id!r}: only shipped rungs have a measured recall")
    return [figures.ap50_by_class.get(name, 0.0) for name in CLASSES]


def run(case: Case) -> Result:
    """Drive it."""
    place = situation(case.scenario, case.seed, case.duration_s)
    staged = _Staged(case.scenario, place, obeys_feedback=case.policy is not None)
    ego = staged.driven.ego
    config = _config(case)
    camera = case.vehicle.cameras[0]
    mount = mount_of(config, camera, DELTA_S)
    watch: Watch = (
        TruthWatch(case, staged.world, ego, mount)
        if case.detections == "truth"
        else DrawnWatch(case, staged.world, ego, mount)
    )
    air = trace(case.quality, f"{case.seed}/{case.scenario}/{case.link}", case.duration_s + 2.0)
    held = HeldDrive(config, {VEHICLE: watch.eyes}, traces={(VEHICLE, UNIT): air})
    vehicle = held.vehicles[VEHICLE]
    vehicle.believer.on_route([(float(x), float(y)) for x, y in ego.route[::3, :2]])
    for number in range(round(case.duration_s / DELTA_S)):
        seen = staged.tick()
        held.advance(seen.sim_ns)
        if number >= LEAD_TICKS:
            vehicle.on_frame(_frame(camera, mount, seen, watch.look(seen)))
        vehicle.on_pose(staged.drive.pose(VEHICLE, seen, 0))
        for one in held.advance(seen.sim_ns + DELTA_NS - 1)[VEHICLE]:
            staged.drive.on_feedback(_feedback(one), one.at_ns)
        if staged.is_over:
            break
    held.shutdown()
    return _result(case, staged, held)


def _config(case: Case) -> Config:
    policy = case.policy or Policy(name="local_only")
    return Config(
        name="closed_loop",
        seed=case.seed,
        world=World(adapter="inprocess", town=TOWN, fixed_delta_s=DELTA_S),
        vehicles=[msgspec.structs.replace(case.vehicle, id=VEHICLE, policy=policy)],
        roadside_units=[msgspec.structs.replace(case.unit, id=UNIT)],
        link=Link(),
    )


def _frame(camera: Camera, mount: CameraMount, seen: WorldTick, image: NDArray[np.uint8]) -> Frame:
    k, pose = mount.intrinsics, mount.camera_from_vehicle
    return Frame(
        vehicle_id=VEHICLE,
        camera_id=camera.id,
        tick=seen.tick,
        sim_ns=seen.sim_ns,
        stamp_ns=seen.sim_ns,
        image=image,
        intrinsics=(k.fx, k.fy, k.cx, k.cy),
        distortion=k.distortion,
        camera_from_vehicle=(pose.x, pose.y, pose.z, pose.roll, pose.pitch, pose.yaw),
    )


def _feedback(one: Advised) -> Feedback:
    advisory = one.advisory
    brake = min(1.0, max(0.0, advisory.brake))
    reason = advisory.reason[:300]
    return Feedback(VERSION, VEHICLE, one.tick, advisory.valid_for_ms, brake, one.service, reason)


def _result(case: Case, staged: _Staged, held: HeldDrive) -> Result:
    verdicts = held.verdicts(VEHICLE)
    kinds = [verdict.answer for verdict in verdicts]
    safety = staged.driven.safety
    return Result(
        case.scenario,
        case.link,
        case.title,
        case.seed,
        collided=staged.impact_mps is not None,
        impact_mps=round(staged.impact_mps or 0.0, 3),
        min_ttc_s=None if safety.min_ttc_s is None else round(safety.min_ttc_s, 4),
        hard_brakes=safety.hard_brakes,
        driven_m=round(staged.driven.driver.s, 2),
        braked_s=round(staged.braked_s, 2),
        frames=len(verdicts),
        offloaded=kinds.count("offloaded"),
        onboard=kinds.count("onboard"),
        carried=kinds.count("carried"),
        age_p50_ms=_median([verdict.age_ms for verdict in verdicts]),
        look_p50_ms=_median([verdict.answer_age_ms for verdict in verdicts]),
    )


def _median(values: Sequence[float]) -> float:
    return round(float(np.median(values)), 2) if values else 0.0
