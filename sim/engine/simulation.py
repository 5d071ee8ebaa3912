"""The engine: one world with its clock, its actors and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sim.engine.actor_calls import ActorCalls, UnknownActor
from sim.engine.actors import ZERO, Actor, Attachment
from sim.engine.attachments import follow
from sim.engine.blueprints import Blueprint
from sim.engine.catalogue import all_blueprints
from sim.engine.collisions import Collision
from sim.engine.geometry import Pose, boxes_touch
from sim.engine.level import Level, Obstacle
from sim.engine.level_calls import LevelCalls
from sim.engine.level_objects import level_obstacles
from sim.engine.light_calls import LightCalls
from sim.engine.motion import Motion
from sim.engine.pedestrians import Pedestrians
from sim.engine.pictures import Pictures
from sim.engine.road_place import TRIGGER_LENGTH, RoadPlaces
from sim.engine.sight import Sight
from sim.engine.town import Town
from sim.engine.traffic import Traffic
from sim.engine.traffic_lights import LightBoard, TrafficLight

__all__ = [
    "TRIGGER_LENGTH",
    "Collision",
    "Engine",
    "SpawnCollision",
    "UnknownActor",
    "UnknownBlueprint",
]


class UnknownBlueprint(KeyError):  # noqa: N818 - named for what happened
    """No blueprint has that id."""


class SpawnCollision(RuntimeError):  # noqa: N818 - named for what happened
    """Something already stands where an actor should spawn."""


class Engine(ActorCalls, LightCalls, LevelCalls, Sight):
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
        self._motion = Motion(town, self._level)
        self._places = RoadPlaces(town, self._lights.lights)
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
        for sign in town.signs:
            actor = self._enter(self.blueprints[sign.blueprint_id], sign.pose, {})
            actor.sign, actor.attributes["sign_id"] = sign, sign.signal_id

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
        night = self.weather.is_night
        self._traffic.guide(self.actors, self._lights.lights, delta_s, is_night=night)
        self._pedestrians.guide(self.actors, self._lights.cycles, delta_s)
        self.collisions = self._motion.advance(delta_s)
        look = self._places.look
        for actor in self.actors.values():
            if actor.parent is not None:
                follow(actor, self._level, delta_s)
            elif actor.kind == "vehicle":
                look(actor)
        self._version += 1
        self.frame += 1
        self.elapsed_s += delta_s
        return self.frame

    def _look_at_road(self, actor: Actor) -> None:
        self._places.look(actor)

    def _follow(self, actor: Actor) -> None:
        follow(actor, self._level, 0.0)

    # ---- coming and going

    def spawn(
        self,
        blueprint_id: str,
        pose: Pose,
        attributes: Mapping[str, str] | None = None,
        parent_id: int | None = None,
        attachment: Attachment = "rigid",
    ) -> Actor:
        """Bring an actor to life; with a parent, `pose` is in the parent's axes.

        Raises:
            UnknownBlueprint: no such blueprint.
            UnknownActor: no such parent.
            SpawnCollision: its body would stand in another's; props come to life anywhere.
        """
        if blueprint_id not in self.blueprints:
            raise UnknownBlueprint(blueprint_id)
        parent = None if parent_id is None else self._actor(parent_id)
        blueprint = self.blueprints[blueprint_id]
        actor = self._shape(blueprint, pose, attributes or {}, parent)
        is_solid = actor.has_body and parent is None and actor.kind != "prop"
        if is_solid and not self._is_free(actor):
            raise SpawnCollision(f"no room for {blueprint_id} at ({pose.x:.1f}, {pose.y:.1f})")
        self._add(actor)
        if actor.parent is not None:
            actor.attachment, actor.arm_yaw = attachment, actor.parent.pose.yaw
            self._follow(actor)
        elif actor.kind == "vehicle":
            self._look_at_road(actor)
        if actor.has_body and actor.parent is None:
            self._motion.add(actor)
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
            is_simulated=blueprint.kind != "prop",  # as in CARLA, until physics is switched on
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
        """End an actor; what is attached to it stays where it is. False if there is none to end."""
        actor = self.actors.get(actor_id)
        if actor is None or actor.light is not None or actor.sign is not None:
            return False
        for child in self.actors.values():
            if child.parent is actor:
                child.parent, child.velocity = None, ZERO
                if child.has_body:
                    self._motion.add(child)
        self._version += 1
        del self.actors[actor_id]
        self._motion.remove(actor_id)
        self._places.forget(actor_id)
        self._traffic.release(actor_id)
        self._pedestrians.release(actor_id)
        return True

    # ---- what can be seen

    def obstacles_near(self, x: float, y: float, reach: float) -> list[Obstacle]:
        """Fixed things of the level within `reach` metres of a point on the ground."""
        return self._level.near(x, y, reach)
