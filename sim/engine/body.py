"""The motion of one actor while ticks are computed: plain floats for the inner loops."""

from __future__ import annotations

import math

from sim.engine.actors import Actor
from sim.engine.drivetrain import Drivetrain, default_drivetrain
from sim.engine.geometry import Pose, Vector, wrap
from sim.engine.vehicle_physics import GRAVITY

STILL = 1e-6  # m/s and rad/s below which a body stands
LEVEL_SLOPE = 0.01  # rad of road on which tyres hold a vehicle without a brake


class Body:
    """Position, velocity and mechanics of an actor; `load` takes what others changed in it.

    Attributes:
        x, y, z: metres; the actor's origin.
        yaw: radians; `cos` and `sin` are its own.
        vx, vy, vz: m/s, world axes.
        spin: rad/s about z.
        steer: radians that the front wheels stand at, left positive.
        gear: -1 reverse, 0 neutral, 1 and up.
        shift_left: seconds without pull, of a shift under way.
        shift_wait: seconds until the automatic may shift again.
        rest: metres from the ground to the origin of a body that stands.
        ground: height of the ground under it, metres.
        slope: radians that the ground rises towards its front.
        clear: metres that it may still go before a wall can be in its way.
        front_force, rear_force: N of side force on the axles, left positive (for telemetry).
        drive_force: N along the vehicle from engine and brakes (for telemetry).
        gravity: m/s^2; 0 for who does not fall.
        pace: m/s that it may be told to go at in this tick; 0 for what rests.
        drivetrain: its mechanics (vehicles only).
    """

    __slots__ = (
        "actor", "clear", "cos", "drive_force", "drivetrain", "front_force", "gear", "gravity",
        "ground", "half_length", "half_width", "height", "inverse_inertia", "inverse_mass",
        "is_asleep", "is_driven", "is_walker", "pace", "pose", "radius", "rear_force", "rest",
        "shift_left", "shift_wait", "sin", "slope", "spin", "start", "steer", "vx", "vy", "vz",
        "x", "y", "yaw", "z",
    )  # fmt: skip

    drivetrain: Drivetrain

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.half_length, self.half_width = actor.extent[0], actor.extent[1]
        self.radius = math.hypot(self.half_length, self.half_width)
        self.height = 2.0 * actor.extent[2]
        self.rest = actor.extent[2] - actor.box_offset[2]
        self.is_driven = actor.kind == "vehicle"
        self.is_walker = actor.kind == "walker"
        self.steer = 0.0
        self.gear = 1
        self.shift_left = self.shift_wait = 0.0
        self.ground = self.slope = 0.0
        self.front_force = self.rear_force = self.drive_force = 0.0
        self.pose: Pose | None = None
        self.is_asleep = False
        self.pace = 0.0
        self.take_physics()
        self.load()

    def take_physics(self) -> None:
        """Take the mass and mechanics that the actor has now."""
        actor = self.actor
        if self.is_driven:
            self.drivetrain = drivetrain_of(actor)
        self.gravity = GRAVITY if actor.has_gravity else 0.0
        self.inverse_mass = self.inverse_inertia = 0.0
        if actor.is_simulated and actor.mass > 0.0:
            square = 4.0 * (self.half_length**2 + self.half_width**2)
            self.inverse_mass = 1.0 / actor.mass
            self.inverse_inertia = 12.0 / (actor.mass * square)

    def load(self) -> bool:
        """Take pose and velocities where somebody has set them; True if it was put elsewhere."""
        actor = self.actor
        pose = actor.pose
        is_moved = pose is not self.pose
        if is_moved:
            self.pose = pose
            self.x, self.y, self.z, self.yaw = pose.x, pose.y, pose.z, pose.yaw
            self.cos, self.sin = math.cos(pose.yaw), math.sin(pose.yaw)
            self.clear = -1.0
        self.start = actor.velocity
        self.vx, self.vy, self.vz = actor.velocity
        self.spin = actor.angular_velocity[2]
        return is_moved

    def fastest(self) -> float:
        """m/s that it goes at in this tick, but for what forces add."""
        actor = self.actor
        speed = math.hypot(self.vx, self.vy)
        if actor.constant_velocity is not None:
            speed = max(speed, math.hypot(*actor.constant_velocity[:2]))
        return max(speed, actor.walker_control.speed) if self.is_walker else speed

    def rests(self) -> bool:
        """Nothing moves it and it does not move."""
        actor = self.actor
        if not self.inverse_mass:
            return True
        if abs(self.vx) + abs(self.vy) + abs(self.vz) + abs(self.spin) > STILL:
            return False
        if actor.constant_velocity is not None or abs(self.z - self.ground - self.rest) > 1e-3:
            return False
        if self.is_walker:
            return actor.walker_control.speed == 0.0 and actor.lean == 0.0
        if not self.is_driven:
            return True
        control = actor.control
        if abs(control.steer * self.drivetrain.steer_limit(0.0) - self.steer) > STILL:
            return False  # the front wheels turn under a vehicle that stands, too
        if control.hand_brake or control.brake > 0.5 or actor.is_dead:
            return True
        return control.throttle == 0.0 and abs(self.slope) < LEVEL_SLOPE

    def write_back(self, delta_s: float) -> None:
        """Put the new motion into the actor."""
        actor, start = self.actor, self.start
        if self.is_driven:
            actor.rolled += (self.vx * self.cos + self.vy * self.sin) * delta_s
            actor.steer_angle, actor.gear = self.steer, self.gear
            pitch, roll = self._lie_of_the_land()
        elif self.is_walker:  # nose up as it falls backwards, right side down to the right
            pitch, roll = (0.0, actor.lean) if actor.falls_sideways else (actor.lean, 0.0)
        else:
            pitch, roll = actor.pose.pitch, actor.pose.roll
        actor.pose = self.pose = Pose(self.x, self.y, self.z, wrap(self.yaw), pitch, roll)
        actor.velocity = (self.vx, self.vy, self.vz)
        actor.angular_velocity = (0.0, 0.0, self.spin)
        actor.acceleration = (
            (self.vx - start[0]) / delta_s,
            (self.vy - start[1]) / delta_s,
            (self.vz - start[2]) / delta_s,
        )

    def _lie_of_the_land(self) -> tuple[float, float]:
        """Pitch and roll of a vehicle on its wheels; in the air it keeps them."""
        pose = self.actor.pose
        if self.z > self.ground + self.rest + 0.2:
            return pose.pitch, pose.roll
        return self.slope, 0.0

    def push(self, impulse: Vector, arm: tuple[float, float] = (0.0, 0.0)) -> None:
        """Add an impulse, N s in world axes, `arm` metres from the middle (x, y)."""
        share = self.inverse_mass
        self.vx += impulse[0] * share
        self.vy += impulse[1] * share
        self.vz += impulse[2] * share
        self.spin += (arm[0] * impulse[1] - arm[1] * impulse[0]) * self.inverse_inertia


def drivetrain_of(actor: Actor) -> Drivetrain:
    """The mechanics of a vehicle."""
    return actor.drivetrain or default_drivetrain(actor.blueprint)
