"""What one may do to an actor of an engine; every call raises `UnknownActor` for a stale id."""

from __future__ import annotations

from sim.engine.actors import ZERO, Actor, VehicleControl, WalkerControl
from sim.engine.body import drivetrain_of
from sim.engine.drivetrain import Drivetrain
from sim.engine.geometry import Pose, Vector
from sim.engine.motion import Motion
from sim.engine.pedestrians import Pedestrians
from sim.engine.telemetry import Telemetry, vehicle_telemetry
from sim.engine.traffic import Traffic
from sim.engine.vehicle_physics import VehiclePhysics

DOORS = (0, 1, 2, 3)  # CARLA's numbers: front left and right, rear left and right
ALL_DOORS = 6
FIRST_LEAN = 1e-3  # rad, forwards or backwards: enough to fall by


class UnknownActor(KeyError):  # noqa: N818 - named for what happened
    """No living actor has that id."""


class ActorCalls:
    """The part of `Engine` that moves, drives and changes actors by id."""

    actors: dict[int, Actor]
    _version: int
    _traffic: Traffic
    _pedestrians: Pedestrians
    _motion: Motion

    def _actor(self, actor_id: int) -> Actor:
        if actor_id not in self.actors:
            raise UnknownActor(actor_id)
        return self.actors[actor_id]

    def _look_at_road(self, actor: Actor) -> None:
        raise NotImplementedError

    def _follow(self, actor: Actor) -> None:
        raise NotImplementedError

    def set_pose(self, actor_id: int, pose: Pose) -> None:
        """Put an actor elsewhere; of an attached one, `pose` is in the parent's axes."""
        actor = self._actor(actor_id)
        self._version += 1
        actor.local_pose = pose
        if actor.parent is None:
            actor.pose = pose
        else:
            self._follow(actor)
        for child in self.actors.values():
            if child.parent is actor:
                self._follow(child)
        if actor.kind == "vehicle":
            self._look_at_road(actor)

    def set_velocity(self, actor_id: int, velocity: Vector) -> None:
        """Give an actor a velocity, m/s, world axes; physics goes on from there."""
        self._actor(actor_id).velocity = velocity

    def set_angular_velocity(self, actor_id: int, angular_velocity: Vector) -> None:
        """Give an actor an angular velocity, rad/s, world axes."""
        self._actor(actor_id).angular_velocity = angular_velocity

    def add_impulse(self, actor_id: int, impulse: Vector, at: Vector | None = None) -> None:
        """Push an actor, N s in world axes, at its middle or at a point of the world, metres."""
        actor = self._actor(actor_id)
        body = self._motion.body(actor_id)
        if body is None or not body.inverse_mass:
            return
        body.load()
        arm = (0.0, 0.0) if at is None else (at[0] - actor.pose.x, at[1] - actor.pose.y)
        body.push(impulse, arm)
        actor.velocity = (body.vx, body.vy, body.vz)
        actor.angular_velocity = (0.0, 0.0, body.spin)

    def add_angular_impulse(self, actor_id: int, impulse: Vector) -> None:
        """Turn an actor, N m s about the world's axes; it turns about z alone."""
        actor = self._actor(actor_id)
        body = self._motion.body(actor_id)
        if body is not None:
            x, y, z = actor.angular_velocity
            actor.angular_velocity = (x, y, z + impulse[2] * body.inverse_inertia)

    def enable_constant_velocity(self, actor_id: int, velocity: Vector) -> None:
        """Hold a velocity in the actor's own axes, m/s, whatever its pedals say."""
        self._actor(actor_id).constant_velocity = velocity

    def disable_constant_velocity(self, actor_id: int) -> None:
        """End that."""
        self._actor(actor_id).constant_velocity = None

    def apply_vehicle_control(self, actor_id: int, control: VehicleControl) -> None:
        """Set a vehicle's pedals and wheel, steer left positive; they hold until the next call."""
        self._actor(actor_id).control = control

    def apply_walker_control(self, actor_id: int, control: WalkerControl) -> None:
        """Set where a walker goes; it holds until the next call."""
        self._actor(actor_id).walker_control = control

    def set_simulate_physics(self, actor_id: int, is_on: bool) -> None:
        """Let physics move an actor, or leave it where it is put."""
        actor = self._actor(actor_id)
        actor.is_simulated = is_on
        if not is_on:
            actor.velocity = actor.angular_velocity = actor.acceleration = ZERO
        self._take_physics(actor_id)

    def set_gravity(self, actor_id: int, is_on: bool) -> None:
        """Let an actor fall, or hover."""
        self._actor(actor_id).has_gravity = is_on
        self._take_physics(actor_id)

    def set_dead(self, actor_id: int) -> None:
        """Let an actor obey no control any more: a vehicle stops, a walker falls and lies."""
        actor = self._actor(actor_id)
        actor.is_dead = True
        if actor.kind == "walker" and actor.lean == 0.0:
            actor.lean = FIRST_LEAN

    def set_physics(self, actor_id: int, physics: VehiclePhysics) -> None:
        """Give a vehicle other mechanics; they hold from the next tick."""
        actor = self._actor(actor_id)
        actor.drivetrain = Drivetrain(physics, actor.blueprint)
        actor.mass = actor.drivetrain.mass
        self._take_physics(actor_id)

    def physics(self, actor_id: int) -> VehiclePhysics:
        """A vehicle's mechanics."""
        return drivetrain_of(self._actor(actor_id)).physics

    def telemetry(self, actor_id: int) -> Telemetry:
        """What a vehicle's instruments and tyres show now."""
        actor = self._actor(actor_id)
        return vehicle_telemetry(actor, self._motion.body(actor_id))

    def set_door(self, actor_id: int, door: int, is_open: bool) -> None:
        """Open or close a vehicle's door by CARLA's number; pictures do not show it."""
        actor = self._actor(actor_id)
        others = [one for one in actor.open_doors if one != door and door != ALL_DOORS]
        added = DOORS if door == ALL_DOORS else (door,)
        actor.open_doors = tuple(sorted({*others, *(added if is_open else ())}))

    def _take_physics(self, actor_id: int) -> None:
        body = self._motion.body(actor_id)
        if body is not None:
            body.take_physics()

    def set_collides(self, actor_id: int, is_on: bool) -> None:
        """Let an actor hit others, or pass through them."""
        self._actor(actor_id).does_collide = is_on

    def set_light_flags(self, actor_id: int, flags: int) -> None:
        """Set a vehicle's lights, CARLA's bits."""
        self._version += 1
        self._actor(actor_id).light_flags = flags

    def follow_lanes(self, actor_id: int, is_on: bool = True) -> None:
        """Let the engine's own traffic drive a vehicle: lane, limit, distance, lights, turns."""
        self._actor(actor_id)
        if is_on:
            self._traffic.adopt(actor_id)
        else:
            self._traffic.release(actor_id)

    def walk_pavement(self, actor_id: int, is_on: bool = True) -> None:
        """Let the engine's own pedestrians guide a walker along pavements and crossings."""
        actor = self._actor(actor_id)
        if is_on:
            self._pedestrians.adopt(actor)
        else:
            self._pedestrians.release(actor_id)
            actor.walker_control = WalkerControl()
