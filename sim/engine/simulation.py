"""The engine: one world with its clock, its actors and its pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sim.engine.actor_calls import ActorCalls, UnknownActor
from sim.engine.actors import ZERO, Actor
from sim.engine.blueprints import Blueprint
from sim.engine.catalogue import all_blueprints
from sim.engine.collisions import Collision, Contacts, Level, Obstacle
from sim.engine.dynamics import Body, drive, walk
from sim.engine.geometry import Pose, boxes_touch
from sim.engine.level_objects import level_obstacles
from sim.engine.light_calls import LightCalls
from sim.engine.pedestrians import Pedestrians
from sim.engine.pictures import Pictures
from sim.engine.town import Town
from sim.engine.traffic import Traffic
from sim.engine.traffic_lights import LightBoard, TrafficLight

if TYPE_CHECKING:
    from sim.engine.render.renderer import CameraView, Picture
    from sim.engine.sensing.ray_scene import RayScene

__all__ = ["Collision", "Engine", "SpawnCollision", "UnknownActor", "UnknownBlueprint"]

SUBSTEP = 0.01  # s, longest step of the motion; CARLA's max_substep_delta_time
TRIGGER_LENGTH = 12.0  # m before the stop line in which a vehicle's front counts as at the light
ON_LANE = 1.75  # m from a lane's middle within which a vehicle is on it


class UnknownBlueprint(KeyError):  # noqa: N818 - named for what happened
    """No blueprint has that id."""


class SpawnCollision(RuntimeError):  # noqa: N818 - named for what happened
    """Something already stands where an actor should spawn."""


class Engine(ActorCalls, LightCalls):
    """One world. Everything in it follows from (town, seed, asset_seed, the calls made).

    Attributes:
        town: where it plays; it never changes, several engines may share it.
        frame: number of ticks so far.
        elapsed_s: simulated seconds so far.
        actors: living actors by id; the town's traffic lights are actors from the start.
        collisions: contacts of the last tick.
        blueprints: what can be spawned, by id.
    """

    def __init__(
        self,
        town: Town,
        *,
        seed: int = 1,
        asset_seed: int = 1,
        shadows: bool = True,
        threads: int = 1,
    ) -> None:
        self.town = town
        self.frame = 0
        self.elapsed_s = 0.0
        self.actors: dict[int, Actor] = {}
        self.collisions: list[Collision] = []
        self.blueprints: dict[str, Blueprint] = all_blueprints()
        self._lights = LightBoard([replace(light) for light in town.traffic_lights])
        self._level = Level(level_obstacles(town))
        self._traffic = Traffic(town, seed)
        self._pedestrians = Pedestrians(town, seed)
        self._pictures = Pictures(
            town, asset_seed, shadows=shadows, threads=threads, noise_seed=seed
        )
        self._next_id = 1
        self._version = 0  # counts whatever a picture may show
        for light in self._lights.lights.values():
            actor = self._enter(self.blueprints["traffic.traffic_light"], light.pose, {})
            actor.light = light
            actor.attributes["sign_id"] = light.signal_id

    @property
    def traffic_lights(self) -> dict[int, TrafficLight]:
        """The town's lights by actor id."""
        return self._lights.lights

    @property
    def next_id(self) -> int:
        """Id of the next actor that comes to life."""
        return self._next_id

    def give_ids_from(self, first_id: int) -> None:
        """Give no id below this one: ids of an earlier engine mean nobody here."""
        self._next_id = max(self._next_id, first_id)

    # ---- time

    def tick(self, delta_s: float) -> int:
        """Advance the world by `delta_s` seconds; returns the number of the new frame."""
        if delta_s <= 0.0:
            raise ValueError(f"a tick must take time: delta_s > 0 expected, got {delta_s}")
        self._lights.tick(delta_s)
        self._traffic.guide(self.actors, self._lights.lights, delta_s)
        self._pedestrians.guide(self.actors, self._lights.cycles, delta_s)
        self._move(delta_s)
        for actor in self.actors.values():
            if actor.parent is not None:
                self._follow(actor, actor.parent)
            elif actor.kind == "vehicle":
                self._look_at_road(actor)
        self._version += 1
        self.frame += 1
        self.elapsed_s += delta_s
        return self.frame

    def _move(self, delta_s: float) -> None:
        """Bodies under their controls, in substeps with contacts."""
        bodies = [
            Body(actor, self._ground_under(actor))
            for actor in self.actors.values()
            if actor.has_body and actor.parent is None
        ]
        steps = max(1, math.ceil(delta_s / SUBSTEP - 1e-9))
        h = delta_s / steps
        contacts = Contacts(bodies, self._level, delta_s)
        for _ in range(steps):
            for body in bodies:
                if not body.is_asleep:
                    (walk if body.actor.kind == "walker" else drive)(body, h)
            contacts.resolve()
        for body in bodies:
            if body.actor.is_simulated:
                body.write_back(delta_s)
        self.collisions = contacts.collisions()

    def _ground_under(self, actor: Actor) -> float:
        if actor.kind == "vehicle" and actor.lane is not None and abs(actor.lane_offset) < ON_LANE:
            return 0.0
        return self.town.ground_height(actor.pose.x, actor.pose.y)

    def _look_at_road(self, actor: Actor) -> None:
        """Find a vehicle's lane, its speed limit and the light it stands at."""
        pose = actor.pose
        lanes = self.town.lanes
        place = None
        if actor.lane is not None:
            place = lanes.still_on(actor.lane, actor.lane_s, pose.x, pose.y, pose.yaw)
        if place is not None and actor.lane is not None:
            lane, s, offset = actor.lane, *place
        else:
            lane, s, offset = lanes.nearest(pose.x, pose.y, pose.yaw)
        actor.lane, actor.lane_s, actor.lane_offset = lane, s, offset
        actor.speed_limit = lane.speed_limit
        actor.traffic_light = None
        if lane.light_id is not None and abs(offset) <= ON_LANE:
            front = s + actor.extent[0]
            if front >= lane.stop_s - TRIGGER_LENGTH and s <= lane.stop_s:
                actor.traffic_light = self._lights.lights[lane.light_id]

    def _follow(self, actor: Actor, parent: Actor) -> None:
        actor.pose = parent.pose.compose(actor.local_pose)
        actor.velocity = parent.velocity
        actor.angular_velocity = parent.angular_velocity
        actor.acceleration = parent.acceleration

    # ---- coming and going

    def spawn(
        self,
        blueprint_id: str,
        pose: Pose,
        attributes: Mapping[str, str] | None = None,
        parent_id: int | None = None,
    ) -> Actor:
        """Bring an actor to life; with a parent, `pose` is in the parent's axes.

        Raises:
            UnknownBlueprint: no such blueprint.
            UnknownActor: no such parent.
            SpawnCollision: its body would stand in another's.
        """
        if blueprint_id not in self.blueprints:
            raise UnknownBlueprint(blueprint_id)
        parent = None if parent_id is None else self._actor(parent_id)
        blueprint = self.blueprints[blueprint_id]
        actor = self._shape(blueprint, pose, attributes or {}, parent)
        if actor.has_body and parent is None and not self._is_free(actor):
            raise SpawnCollision(f"no room for {blueprint_id} at ({pose.x:.1f}, {pose.y:.1f})")
        self._add(actor)
        if actor.kind == "vehicle":
            self._look_at_road(actor)
        return actor

    def _enter(self, blueprint: Blueprint, pose: Pose, attributes: Mapping[str, str]) -> Actor:
        actor = self._shape(blueprint, pose, attributes, None)
        self._add(actor)
        return actor

    def _shape(
        self,
        blueprint: Blueprint,
        pose: Pose,
        attributes: Mapping[str, str],
        parent: Actor | None,
    ) -> Actor:
        length, width, height = blueprint.size
        defaults = {attribute.id: attribute.value for attribute in blueprint.attributes}
        return Actor(
            id=self._next_id,
            blueprint=blueprint,
            attributes={**defaults, **attributes},
            pose=pose if parent is None else parent.pose.compose(pose),
            parent=parent,
            local_pose=pose,
            extent=(length / 2, width / 2, height / 2),
            box_offset=ZERO if blueprint.kind == "walker" else (0.0, 0.0, height / 2),
        )

    def _add(self, actor: Actor) -> None:
        self._version += 1
        self.actors[actor.id] = actor
        self._next_id += 1

    def _is_free(self, actor: Actor) -> bool:
        box = actor.box()
        if any(
            boxes_touch(box, obstacle.box)
            for obstacle in self._level.near(box.x, box.y, box.radius)
        ):
            return False
        return not any(
            other.has_body and boxes_touch(box, other.box()) for other in self.actors.values()
        )

    def destroy(self, actor_id: int) -> bool:
        """End an actor and whatever is attached to it; False if there is none to end."""
        actor = self.actors.get(actor_id)
        if actor is None or actor.light is not None:
            return False
        children = [one.id for one in self.actors.values() if one.parent is actor]
        for child in children:
            self.destroy(child)
        self._version += 1
        del self.actors[actor_id]
        self._traffic.release(actor_id)
        self._pedestrians.release(actor_id)
        return True

    # ---- what can be seen

    def picture(self, view: CameraView) -> Picture:
        """What a camera sees now; the same view in the same tick is drawn once."""
        return self._pictures.take(view, self.actors, self.frame, self._version, self.elapsed_s)

    def obstacles_near(self, x: float, y: float, reach: float) -> list[Obstacle]:
        """Fixed things of the level within `reach` metres of a point on the ground."""
        return self._level.near(x, y, reach)

    def rays(self) -> RayScene:
        """What rays meet now; the same object at each call."""
        return self._pictures.rays(self.actors, self._version, self.elapsed_s)
