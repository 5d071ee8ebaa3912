"""What one may do to an actor of an engine; every call raises `UnknownActor` for a stale id."""

from __future__ import annotations

from sim.engine.actors import ZERO, Actor, VehicleControl, WalkerControl
from sim.engine.geometry import Pose, Vector
from sim.engine.pedestrians import Pedestrians
from sim.engine.traffic import Traffic


class UnknownActor(KeyError):  # noqa: N818 - named for what happened
    """No living actor has that id."""


class ActorCalls:
    """The part of `Engine` that moves, drives and changes actors by id."""

    actors: dict[int, Actor]
    _version: int
    _traffic: Traffic
    _pedestrians: Pedestrians

    def _actor(self, actor_id: int) -> Actor:
        if actor_id not in self.actors:
            raise UnknownActor(actor_id)
        return self.actors[actor_id]

    def _look_at_road(self, actor: Actor) -> None:
        raise NotImplementedError

    def set_pose(self, actor_id: int, pose: Pose) -> None:
        """Put an actor elsewhere; of an attached one, `pose` is in the parent's axes."""
        actor = self._actor(actor_id)
        self._version += 1
        actor.local_pose = pose
        actor.pose = pose if actor.parent is None else actor.parent.pose.compose(pose)
        for child in self.actors.values():
            if child.parent is actor:
                child.pose = actor.pose.compose(child.local_pose)
        if actor.kind == "vehicle":
            self._look_at_road(actor)

    def set_velocity(self, actor_id: int, velocity: Vector) -> None:
        """Give an actor a velocity, m/s, world axes; physics goes on from there."""
        self._actor(actor_id).velocity = velocity

    def set_angular_velocity(self, actor_id: int, angular_velocity: Vector) -> None:
        """Give an actor an angular velocity, rad/s, world axes."""
        self._actor(actor_id).angular_velocity = angular_velocity

    def add_impulse(self, actor_id: int, impulse: Vector) -> None:
        """Push an actor at its middle, N s, world axes."""
        actor = self._actor(actor_id)
        if actor.blueprint.mass > 0.0:
            share = 1.0 / actor.blueprint.mass
            x, y, z = actor.velocity
            actor.velocity = (
                x + impulse[0] * share,
                y + impulse[1] * share,
                z + impulse[2] * share,
            )

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
