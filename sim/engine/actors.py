"""Actors: whatever in the world has an id, a pose and a life, and how the movers are controlled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from sim.engine.blueprints import ActorKind, Blueprint
from sim.engine.drivetrain import Drivetrain
from sim.engine.geometry import Box, Pose, Vector
from sim.engine.lanes import Lane
from sim.engine.signs import Sign
from sim.engine.traffic_lights import TrafficLight

ZERO: Vector = (0.0, 0.0, 0.0)


Attachment = Literal["rigid", "spring_arm", "spring_arm_ghost"]


class VehicleControl(msgspec.Struct, frozen=True, gc=False):
    """Pedals and wheel: throttle and brake in [0, 1], steer in [-1, 1], **left positive** (ISO)."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: int = 0


class WalkerControl(msgspec.Struct, frozen=True, gc=False):
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
        sign: the sign that this actor is (traffic signs), or None.
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
        kind: what the engine does with it: vehicle, walker, sensor, ...
        mass: kg; 0 for what nothing moves.
        drivetrain: mechanics that a client has set, or None for the blueprint's (vehicles).
        gear: -1 reverse, 0 neutral, 1 and up (vehicles).
        has_gravity: it falls.
        is_dead: it obeys no control any more.
        open_doors: CARLA's door numbers that stand open (vehicles).
        attachment: how it follows its parent.
        arm_yaw: radians, heading of the arm that it is attached by.
        lean: radians by which it leans from upright, after a hit (walkers).
        falls_sideways: it leans to a side, not forwards or backwards (walkers).
        ground: height of the ground under it where it was last looked for, metres (vehicles).
        slope: radians that the ground rises towards its front (vehicles).
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
    sign: Sign | None = None
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
    kind: ActorKind = field(init=False)
    mass: float = field(init=False)
    drivetrain: Drivetrain | None = None
    gear: int = 1
    has_gravity: bool = True
    is_dead: bool = False
    open_doors: tuple[int, ...] = ()
    attachment: Attachment = "rigid"
    arm_yaw: float = 0.0
    lean: float = 0.0
    falls_sideways: bool = False
    ground: float = 0.0
    slope: float = 0.0

    def __post_init__(self) -> None:
        self.kind = self.blueprint.kind
        self.mass = self.blueprint.mass

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
