"""Actors: whatever in the world has an id, a pose and a life, and how the movers are controlled."""

from __future__ import annotations

from dataclasses import dataclass, field

from sim.engine.blueprints import Blueprint
from sim.engine.geometry import Box, Pose, Vector
from sim.engine.lanes import Lane
from sim.engine.traffic_lights import TrafficLight

ZERO: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class VehicleControl:
    """Pedals and wheel: throttle and brake in [0, 1], steer in [-1, 1], **left positive** (ISO)."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: int = 0


@dataclass(frozen=True, slots=True)
class WalkerControl:
    """Where a walker goes: a direction in the world frame and a speed, m/s."""

    direction: Vector = (1.0, 0.0, 0.0)
    speed: float = 0.0
    jump: bool = False


@dataclass(slots=True)
class Actor:
    """One actor.

    Attributes:
        id: never used twice in an engine's life.
        blueprint: what it is.
        attributes: every attribute of the blueprint with the value it was spawned with.
        pose: world pose of its origin: a vehicle's on the ground under its middle, a walker's in
            the middle of its body, a sensor's at its eye.
        velocity: m/s, world axes.
        angular_velocity: rad/s, world axes.
        acceleration: m/s^2, world axes.
        parent: the actor it is attached to, or None.
        local_pose: its pose in the parent's axes.
        extent: half length, half width, half height of its bounding box, metres.
        box_offset: middle of the bounding box in the actor's axes.
        control: pedals and wheel (vehicles).
        walker_control: direction and speed (walkers).
        light_flags: CARLA's vehicle light bits (vehicles).
        traffic_light: the light in whose trigger it stands (vehicles), or None.
        speed_limit: m/s of the lane under it (vehicles).
        light: the light that this actor is (traffic lights), or None.
        is_simulated: physics moves it; else it stays where it is put.
        constant_velocity: velocity held in its own axes, m/s, or None.
        steer_angle: radians the front wheels stand at now, left positive.
        lane: the driving lane under it and how far along (vehicles).
        lane_s: metres along `lane`.
        lane_offset: metres to the left of its middle.
        rolled: metres driven, forward counts up; wheels and pedals turn with it (vehicles).
        walked: metres walked, which choose the phase of the step (walkers).
        stunned_s: seconds left of sliding after a hit, in which the control does nothing (walkers).
        does_collide: others are hit by it and it by them.
    """

    id: int
    blueprint: Blueprint
    attributes: dict[str, str]
    pose: Pose
    velocity: Vector = ZERO
    angular_velocity: Vector = ZERO
    acceleration: Vector = ZERO
    parent: Actor | None = None
    local_pose: Pose = field(default_factory=Pose)
    extent: Vector = ZERO
    box_offset: Vector = ZERO
    control: VehicleControl = field(default_factory=VehicleControl)
    walker_control: WalkerControl = field(default_factory=WalkerControl)
    light_flags: int = 0
    traffic_light: TrafficLight | None = None
    speed_limit: float = 0.0
    light: TrafficLight | None = None
    is_simulated: bool = True
    constant_velocity: Vector | None = None
    steer_angle: float = 0.0
    lane: Lane | None = None
    lane_s: float = 0.0
    lane_offset: float = 0.0
    rolled: float = 0.0
    walked: float = 0.0
    stunned_s: float = 0.0
    does_collide: bool = True

    @property
    def kind(self) -> str:
        """What the engine does with it: vehicle, walker, sensor, ..."""
        return self.blueprint.kind

    @property
    def has_body(self) -> bool:
        """It can be seen and hit."""
        return self.extent[0] > 0.0

    @property
    def speed(self) -> float:
        """Speed over ground, m/s."""
        return float((self.velocity[0] ** 2 + self.velocity[1] ** 2) ** 0.5)

    def box(self) -> Box:
        """Its body on the ground, with its height range."""
        pose = self.pose
        middle = pose.z + self.box_offset[2]
        return Box(
            pose.x, pose.y, pose.yaw, self.extent[0], self.extent[1],
            middle - self.extent[2], middle + self.extent[2],
        )  # fmt: skip
