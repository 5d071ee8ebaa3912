"""The town's fixed things in CARLA's terms: boxes and what a ray meets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sim.carla_server.axes import vector_from_carla, vector_to_carla
from sim.carla_server.layouts import BoundingBox, LabelledPoint, Rotation, Vector3D
from sim.engine.actors import Actor
from sim.engine.geometry import Box, Pose, Vector, ray_span
from sim.engine.lanes import ROAD_KINDS
from sim.engine.render.assets.street import TRAFFIC_LIGHT_HEAD_SIZE, TRAFFIC_LIGHT_HEADS
from sim.engine.town import Town

if TYPE_CHECKING:
    from sim.carla_server.world import ServedWorld

ROADS, SIDEWALKS, TERRAIN = 1, 2, 10  # CityObjectLabel
GROUND_STEP = 1.0  # m between looks at the ground along a ray; half of it costs twice the time
GROUND_REACH = 2000.0  # m of a ray that are looked at so closely; longer rays look less often
HALVINGS = 24  # of a step: under a micrometre


def level_box(box: Box) -> BoundingBox:
    """Return the box of a thing of the level in the world."""
    half_height = (box.z_high - box.z_low) / 2
    return BoundingBox(
        Vector3D(*vector_to_carla((box.x, box.y, box.z_low + half_height))),
        Vector3D(box.half_length, box.half_width, half_height),
        Rotation(yaw=math.degrees(-box.yaw)),
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


def ray_hits(world: ServedWorld, start: Vector3D, end: Vector3D) -> list[LabelledPoint]:
    """Return where the straight line between two points enters things, nearest first.

    Things are the boxes of the level's objects and of the actors, and the ground.
    """
    a, b = vector_from_carla(start), vector_from_carla(end)
    engine = world.engine
    hidden = engine.hidden
    bodies = [(one.box, one.tag) for one in world.inventory if one.id not in hidden]
    bodies += [
        (actor.box(), actor.blueprint.semantic_tag)
        for actor in engine.actors.values()
        if actor.has_body
    ]
    entries = ((_entry(box, a, b), tag) for box, tag in bodies if _is_near(box, a, b))
    found = [(share, tag) for share, tag in entries if share is not None]
    if (ground := ground_hit(engine.town, a, b)) is not None:
        found.append(ground)
    return [
        LabelledPoint(Vector3D(*vector_to_carla(_between(a, b, share))), label)
        for share, label in sorted(found)
    ]


def _is_near(box: Box, a: Vector, b: Vector) -> bool:
    """A quick no for what lies beside the rectangle that the line spans."""
    reach = box.radius
    return (
        min(a[0], b[0]) - reach <= box.x <= max(a[0], b[0]) + reach
        and min(a[1], b[1]) - reach <= box.y <= max(a[1], b[1]) + reach
    )


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


def ground_hit(town: Town, a: Vector, b: Vector) -> tuple[float, int] | None:
    """Return where the line first comes down through the ground, and what lies there.

    It looks every `GROUND_STEP` metres, then halves: a ridge narrower than that may be missed.
    """
    far = min(math.dist(a[:2], b[:2]), GROUND_REACH)
    steps = max(1, math.ceil(far / GROUND_STEP))
    low, is_above = 0.0, _height_over(town, a, b, 0.0) > 0.0
    for step in range(1, steps + 1):
        high = step / steps
        was_above, is_above = is_above, _height_over(town, a, b, high) > 0.0
        if was_above and not is_above:
            for _ in range(HALVINGS):
                middle = (low + high) / 2
                if _height_over(town, a, b, middle) > 0.0:
                    low = middle
                else:
                    high = middle
            x, y, _ = _between(a, b, high)
            return high, ground_label(town, x, y)
        low = high
    return None


def _height_over(town: Town, a: Vector, b: Vector, share: float) -> float:
    x, y, z = _between(a, b, share)
    return z - town.ground_height(x, y)


def ground_label(town: Town, x: float, y: float) -> int:
    """Return the tag of what the ground is made of at a point."""
    lanes = town.lanes
    if lanes.height_at(x, y, "pavement") is not None:
        return SIDEWALKS
    on_road = any(lanes.height_at(x, y, kind) is not None for kind in ROAD_KINDS) or any(
        junction.height_at(x, y) is not None for junction in town.junctions
    )
    return ROADS if on_road else TERRAIN
