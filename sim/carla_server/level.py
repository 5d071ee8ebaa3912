"""The town's fixed things in CARLA's terms: building boxes and what a ray meets."""

from __future__ import annotations

import math

from sim.carla_server.axes import vector_from_carla, vector_to_carla
from sim.carla_server.layouts import BoundingBox, LabelledPoint, Rotation, Vector3D
from sim.engine.actors import Actor
from sim.engine.blocks import Building
from sim.engine.geometry import Box, Pose, Vector, ray_span
from sim.engine.render.assets.street import TRAFFIC_LIGHT_HEAD_SIZE, TRAFFIC_LIGHT_HEADS
from sim.engine.simulation import Engine
from sim.engine.town import Town

ROADS, SIDEWALKS, BUILDINGS, TERRAIN = 1, 2, 3, 10  # CityObjectLabel
PAVEMENT_HEIGHT = 0.15  # m
HEIGHT_SLACK = 0.02  # m


def building_box(building: Building) -> BoundingBox:
    """Return a building's box in the world."""
    centre = building.centre
    half_height = building.height / 2
    return BoundingBox(
        Vector3D(*vector_to_carla((centre.x, centre.y, centre.z + half_height))),
        Vector3D(building.length / 2, building.width / 2, half_height),
        Rotation(yaw=math.degrees(-centre.yaw)),
    )


def actor_box(actor: Actor) -> BoundingBox:
    """Return an actor's box in the world."""
    return _world_box(actor, actor.pose.compose(Pose(*actor.box_offset)), actor.extent)


def light_heads(actor: Actor) -> list[BoundingBox]:
    """Return the boxes of a traffic light's heads in the world; y looks at the drivers."""
    mesh_pose = actor.pose.compose(Pose(yaw=math.pi))  # the mesh's lamps look along -x
    deep, wide, tall = TRAFFIC_LIGHT_HEAD_SIZE
    return [
        _world_box(actor, mesh_pose.compose(Pose(*head, yaw=-math.pi / 2)), (wide, deep, tall), 0.5)
        for head in TRAFFIC_LIGHT_HEADS
    ]


def _world_box(actor: Actor, centre: Pose, size: Vector, share: float = 1.0) -> BoundingBox:
    return BoundingBox(
        Vector3D(*vector_to_carla((centre.x, centre.y, centre.z))),
        Vector3D(*(share * side for side in size)),
        Rotation(yaw=math.degrees(-centre.yaw)),
        actor.id,
    )


def ray_hits(engine: Engine, start: Vector3D, end: Vector3D) -> list[LabelledPoint]:
    """Return where the straight line between two points enters things, nearest first."""
    a, b = vector_from_carla(start), vector_from_carla(end)
    bodies = [(building.box(), BUILDINGS) for building in engine.town.buildings]
    bodies += [
        (actor.box(), actor.blueprint.semantic_tag)
        for actor in engine.actors.values()
        if actor.has_body
    ]
    entries = ((_entry(box, a, b), tag) for box, tag in bodies)
    found = [(share, tag) for share, tag in entries if share is not None]
    if (ground := _ground(engine.town, a, b)) is not None:
        found.append(ground)
    return [
        LabelledPoint(Vector3D(*vector_to_carla(_between(a, b, share))), label)
        for share, label in sorted(found)
    ]


def _between(a: Vector, b: Vector, share: float) -> Vector:
    return (
        a[0] + share * (b[0] - a[0]),
        a[1] + share * (b[1] - a[1]),
        a[2] + share * (b[2] - a[2]),
    )


def _entry(box: Box, a: Vector, b: Vector) -> float | None:
    """Return the share of a..b at which the line enters a box from outside."""
    span = ray_span(box, a, b)
    return span[0] if span is not None and 0.0 <= span[0] <= 1.0 else None


def _ground(town: Town, a: Vector, b: Vector) -> tuple[float, int] | None:
    """Return where the line comes down to the ground, and what lies there."""
    fall = a[2] - b[2]
    if fall <= 0.0:
        return None
    for height in (PAVEMENT_HEIGHT, 0.0):
        share = (a[2] - height) / fall
        if not 0.0 <= share <= 1.0:
            continue
        x, y, _ = _between(a, b, share)
        if abs(town.ground_height(x, y) - height) < HEIGHT_SLACK:
            return share, _ground_label(town, x, y)
    return None


def _ground_label(town: Town, x: float, y: float) -> int:
    if town.ground_height(x, y) > HEIGHT_SLACK:
        return SIDEWALKS
    lane, _, offset = town.lanes.nearest(x, y)
    return ROADS if abs(offset) <= lane.width / 2 or lane.is_junction else TERRAIN
