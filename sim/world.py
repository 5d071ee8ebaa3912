"""The seam between a simulated world and whoever drives in it: seven verbs and their values.

Adapters: `sim.inprocess_world` (the engine in this process) and `sim.carla_world` (any server
that speaks CARLA's protocol). World axes are right-handed (x east, y north, z up, metres), body
axes ISO 8855 (x forward, y left, z up), yaw counter-clockwise in radians.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.calibration import Intrinsics
from sim.engine.geometry import Pose, Vector
from sim.engine.weather import Weather
from sim.road_users import SHARES

HEAD_STEP = 1 << 20
LEVEL_IDS = 1 << 40  # of vehicles that are part of the level, above any actor's
Light = Literal["red", "yellow", "green", "off"]
Quad = tuple[Vector, Vector, Vector, Vector]


@dataclass(frozen=True, slots=True)
class Body:
    """A road user, a parked vehicle or the head of a traffic light, as a box, at a tick.

    Attributes:
        actor_id: unique in a world's life; head k of a traffic light adds `HEAD_STEP` k to its
            light's, so that the low 16 bits are still the light's; a vehicle that is part of the
            level is above `LEVEL_IDS`, with low 16 bits of 0, which are no actor's.
        class_id: index in `sim.ground_truth.CLASSES`.
        pose: middle of its bounding box; of a traffic light x points where the lamps look.
        extent: half length, half width, half height, metres.
        velocity: m/s, world axes.
        plates: number plates in the body's own axes, metres: bottom left, bottom right, top right
            and top left as a reader sees them; none where the world does not know them (CARLA).
    """

    actor_id: int
    class_id: int
    pose: Pose
    extent: Vector
    velocity: Vector = (0.0, 0.0, 0.0)
    plates: tuple[Quad, ...] = ()


@dataclass(frozen=True, slots=True)
class EgoState:
    """An ego at the instant of a tick.

    Attributes:
        pose: its origin, on the ground under its middle.
        velocity: m/s, world axes.
        speed: m/s along its own x axis.
        yaw_rate: rad/s, counter-clockwise.
        speed_limit: m/s of the lane under it.
        collisions: contacts that began since the last tick.
    """

    pose: Pose
    velocity: Vector
    speed: float
    yaw_rate: float
    speed_limit: float
    collisions: int


@dataclass(frozen=True, slots=True)
class WorldTick:
    """What a world says after a tick.

    Attributes:
        tick: number of this tick; grows by one.
        sim_ns: simulated time since the world was taken over, nanoseconds.
        egos: state of each ego by its actor id.
        bodies: every road user (egos among them), parked vehicle and traffic light head.
        lights: what each traffic light shows, by actor id.
    """

    tick: int
    sim_ns: int
    egos: Mapping[int, EgoState]
    bodies: Sequence[Body]
    lights: Mapping[int, Light]


@dataclass(frozen=True, slots=True, eq=False)
class Ego:
    """A vehicle that the caller drives.

    Attributes:
        actor_id: its actor.
        vehicle_id: the id that the config gives it.
        route: (N, 3) float64, metres: lane centres about a metre apart, from where it stands.
        is_loop: the end of the route meets its start.
        extent: half length, half width, half height, metres.
        wheelbase: metres.
        max_steer: radians that the wheels turn at full steer.
    """

    actor_id: int
    vehicle_id: str
    route: NDArray[np.float64]
    is_loop: bool
    extent: Vector
    wheelbase: float
    max_steer: float


@dataclass(frozen=True, slots=True)
class StopLine:
    """Where vehicles of one lane wait for a traffic light; x of the pose is along the lane."""

    light_id: int
    pose: Pose


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What one camera gives in one tick.

    Attributes:
        bgr: (H, W, 3) uint8.
        instance: (H, W) uint16, low bits of an id: a hint only, see `sim.ground_truth`.
        semantic: (H, W) uint8, CARLA's CityObjectLabel.
        world_from_camera: (4, 4) float64, body axes of the camera.
    """

    bgr: NDArray[np.uint8]
    instance: NDArray[np.uint16]
    semantic: NDArray[np.uint8]
    world_from_camera: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CameraMount:
    """A camera to attach: where it sits in the vehicle's axes, what it sees, how often.

    Attributes:
        camera_from_vehicle: the camera's pose in the vehicle's axes, metres and radians.
        intrinsics: size, K and distortion of its pictures.
        every_ticks: a picture each so many ticks.
    """

    camera_from_vehicle: Pose
    intrinsics: Intrinsics
    every_ticks: int = 1


class World(Protocol):
    """A world that only its owner ticks."""

    @property
    def name(self) -> str:
        """The adapter and where the world is, for people to read."""
        ...

    @property
    def town(self) -> str:
        """Name of the map."""
        ...

    def spawn_ego(
        self, vehicle_id: str, spawn_index: int = 0, route: Literal["loop", "random"] = "loop"
    ) -> Ego:
        """Bring a vehicle to life at a spawn point (the next free one), with its route.

        Raises:
            WorldError: no free spawn point from this one on.
        """
        ...

    def place_vehicle(self, blueprint_id: str, pose: Pose) -> int:
        """Stand a vehicle somewhere, engine on and braking; returns its actor id.

        Raises:
            WorldError: unknown blueprint, or something stands there.
        """
        ...

    def place_walker(self, blueprint_id: str, pose: Pose) -> int:
        """Stand a pedestrian somewhere; returns its actor id.

        The pose is of its feet.

        Raises:
            WorldError: unknown blueprint, or something stands there.
        """
        ...

    def walk(self, actor_id: int, velocity: tuple[float, float]) -> None:
        """Let a placed pedestrian walk with this velocity (m/s, world axes) until the next call."""
        ...

    def attach_camera(self, ego: Ego, mount: CameraMount) -> int:
        """Attach a camera to an ego; returns its handle."""
        ...

    def traffic(
        self, vehicles: int, pedestrians: int, seed: int, shares: Mapping[str, float] = SHARES
    ) -> tuple[int, int]:
        """Let others drive and walk; returns how many of each found room.

        Those begin near the egos that are there already. `shares` is the mix of vehicle classes.
        """
        ...

    def set_weather(self, weather: Weather) -> None:
        """Change the sky from the next tick on."""
        ...

    def weather(self) -> Weather:
        """The sky as it is now."""
        ...

    def apply_control(self, actor_id: int, throttle: float, steer: float, brake: float) -> None:
        """Set pedals (0..1) and wheel (-1..1, left positive) of an ego or a placed vehicle."""
        ...

    def tick(self) -> WorldTick:
        """Advance by the fixed step and look around.

        Raises:
            WorldError: the world is gone.
        """
        ...

    def picture(self, camera: int) -> Picture | None:
        """What a camera saw in the last tick; None where it made no picture then.

        Costs the rendering in the `inprocess` adapter, so ask only for what is used.
        """
        ...

    def buildings(self) -> list[NDArray[np.float64]]:
        """Footprints, each (N, 2) float64, metres, counter-clockwise."""
        ...

    def stop_lines(self) -> list[StopLine]:
        """Where vehicles wait for traffic lights."""
        ...

    def close(self) -> None:
        """Destroy what was spawned and restore the world's settings; safe to call twice."""
        ...
