"""What a CARLA server's map and level say, in our axes: lanes, pavements, lights, buildings.

It takes the client's objects and imports none: `sim.carla_world` is the only user of `carla`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import carla_axes
from sim.carla_walkers import long_enough
from sim.engine.geometry import Pose, Vector
from sim.ground_truth import CLASSES, PEDESTRIAN, TRAFFIC_LIGHT
from sim.road_users import CLASS_OF_TAG
from sim.routes import LaneKey, RouteLane, Track
from sim.world import HEAD_STEP, LEVEL_IDS, Body, StopLine

LANE_STEP_M = 1.0  # between the samples of a lane's centre
PAVEMENT_STEP_M = 4.0
MIN_BUILDING_M = 2.0  # smaller boxes are parts and props, which block no radio
CLASS_OF_BASE_TYPE = {"van": "car", "": "car"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What never changes about a road user: its class and its box in its own axes."""

    class_id: int
    box_offset: Pose
    extent: Vector


def pose_of(transform: Any) -> Pose:
    """A `carla.Transform` in our axes."""
    at, turn = transform.location, transform.rotation
    return carla_axes.pose(at.x, at.y, at.z, turn.pitch, turn.yaw, turn.roll)


def vector_of(value: Any) -> Vector:
    """A `carla.Location` or `carla.Vector3D` in our axes."""
    return carla_axes.vector(value.x, value.y, value.z)


def kind_of(actor: Any) -> Kind | None:
    """What an actor is; None where it is no road user."""
    if actor.type_id.startswith("walker."):
        class_id = PEDESTRIAN
    elif actor.type_id.startswith("vehicle."):
        class_id = CLASSES.index(_vehicle_class(actor))
    else:
        return None
    box = actor.bounding_box
    extent = (float(box.extent.x), float(box.extent.y), float(box.extent.z))
    return Kind(class_id, Pose(*vector_of(box.location)), extent)


def _vehicle_class(actor: Any) -> str:
    for tag in actor.semantic_tags:
        if int(tag) in CLASS_OF_TAG:
            return CLASS_OF_TAG[int(tag)]
    return class_of_base_type(str(actor.attributes.get("base_type", "")))


def class_of_base_type(base_type: str) -> str:
    """The class of a vehicle blueprint by its `base_type`."""
    name = CLASS_OF_BASE_TYPE.get(base_type.lower(), base_type.lower())
    return name if name in CLASSES else "car"


def route_lanes(carla_map: Any) -> dict[LaneKey, RouteLane]:
    """Every driving lane of a map with its successors."""
    entries: dict[LaneKey, Any] = {}
    following: dict[LaneKey, dict[LaneKey, Any]] = {}
    for entry, after in carla_map.get_topology():
        entries[_key(entry)] = entry
        following.setdefault(_key(entry), {})[_key(after)] = after
    lanes = {}
    for key, entry in entries.items():
        points = [entry, *_rest_of_lane(entry, LANE_STEP_M)]
        ends = [after for name, after in sorted(following[key].items()) if name in entries]
        centre = _points(points + ends[:1])
        if len(centre) >= 2:
            lanes[key] = RouteLane(centre, [name for name in following[key] if name in entries])
    return lanes


def _rest_of_lane(entry: Any, step: float) -> list[Any]:
    try:
        return list(entry.next_until_lane_end(step))
    except RuntimeError:  # where the lane's length is a whole number of steps (a client bug)
        return list(entry.next_until_lane_end(0.97 * step))


def _key(waypoint: Any) -> LaneKey:
    return (int(waypoint.road_id), int(waypoint.section_id), int(waypoint.lane_id))


def _points(waypoints: Iterable[Any]) -> NDArray[np.float64]:
    points = np.array([vector_of(w.transform.location) for w in waypoints], np.float64)
    if len(points) < 2:
        return points.reshape(-1, 3)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    kept: NDArray[np.float64] = points[np.concatenate([[True], steps > 1e-3])]
    return kept


def lane_under(
    carla_map: Any, lanes: dict[LaneKey, RouteLane], location: Any
) -> tuple[LaneKey, float]:
    """The lane at a place and how far along it the place is, metres."""
    key = _key(carla_map.get_waypoint(location))
    x, y, _ = vector_of(location)
    return key, Track(lanes[key].centre, is_loop=False).nearest(x, y)[0]


def pavements(carla_map: Any) -> list[NDArray[np.float64]]:
    """The pavements beside the driving lanes, each (N, 3) float64, metres."""
    found = []
    for entry, _ in carla_map.get_topology():
        if entry.is_junction:
            continue
        beside = [_sidewalk(w) for w in (entry, *_rest_of_lane(entry, PAVEMENT_STEP_M))]
        path = _points([w for w in beside if w is not None])
        if long_enough(path[:, :2]):
            found.append(path)
    return found


def _sidewalk(waypoint: Any) -> Any:
    """The sidewalk to the right of a waypoint, or None."""
    for _ in range(4):
        waypoint = waypoint.get_right_lane()
        if waypoint is None or str(waypoint.lane_type) == "Sidewalk":
            return waypoint
    return None


def lines_and_heads(lights: Iterable[Any]) -> tuple[list[StopLine], list[Body]]:
    """Where vehicles wait for each traffic light, and the boxes of its heads.

    A box does not say on which side the lamps are: they look at those who wait.
    """
    lines, heads = [], []
    for light in lights:
        stops = [pose_of(w.transform) for w in light.get_stop_waypoints()]
        lines += [StopLine(int(light.id), stop) for stop in stops]
        heading = pose_of(light.get_transform()).yaw
        if stops:
            heading = stops[0].yaw + math.pi
        boxes = sorted(light.get_light_boxes(), key=lambda box: box.location.z)
        for k, box in enumerate(boxes):
            turn = box.rotation
            at = carla_axes.pose(*_xyz(box.location), turn.pitch, turn.yaw, turn.roll)
            pose, extent = carla_axes.facing(at, _xyz(box.extent), heading)
            heads.append(Body(int(light.id) + k * HEAD_STEP, TRAFFIC_LIGHT, pose, extent))
    return lines, heads


def parked(objects_by_class: Iterable[tuple[str, Iterable[Any]]]) -> list[Body]:
    """Vehicles that are part of the level and no actors, as bodies that never move.

    Args:
        objects_by_class: class name, and the level's environment objects of that class.
    """
    bodies: list[Body] = []
    for name, objects in objects_by_class:
        for one in objects:
            box = one.bounding_box
            turn = box.rotation
            pose = carla_axes.pose(*_xyz(box.location), turn.pitch, turn.yaw, turn.roll)
            actor_id = LEVEL_IDS + (len(bodies) << 16)
            bodies.append(Body(actor_id, CLASSES.index(name), pose, _xyz(box.extent)))
    return bodies


def _xyz(value: Any) -> Vector:
    return (float(value.x), float(value.y), float(value.z))


def footprints(objects: Iterable[Any]) -> list[NDArray[np.float64]]:
    """Footprints of environment objects, each (4, 2) float64, metres, counter-clockwise."""
    rings = []
    for one in objects:
        box = one.bounding_box
        length, width, _ = _xyz(box.extent)
        if min(length, width) < MIN_BUILDING_M / 2:
            continue
        turn = box.rotation
        pose = carla_axes.pose(*_xyz(box.location), turn.pitch, turn.yaw, turn.roll)
        cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
        corners = ((length, width), (-length, width), (-length, -width), (length, -width))
        rings.append(
            np.array([(pose.x + a * cos - b * sin, pose.y + a * sin + b * cos) for a, b in corners])
        )
    return rings


def steering(actor: Any, extent: Vector) -> tuple[float, float]:
    """Wheelbase in metres and radians of the front wheels at full lock."""
    front: list[tuple[float, float]] = []
    rear: list[tuple[float, float]] = []
    lock = 0.0
    for wheel in actor.get_physics_control().wheels:
        at = (wheel.position.x / 100.0, wheel.position.y / 100.0)  # cm
        (front if wheel.max_steer_angle > 1.0 else rear).append(at)
        lock = max(lock, math.radians(wheel.max_steer_angle))
    wheelbase = 0.0
    if front and rear:
        wheelbase = math.dist(np.mean(front, axis=0), np.mean(rear, axis=0))
    if not 1.0 < wheelbase < 8.0:
        wheelbase = 1.2 * extent[0]
    return wheelbase, lock or math.radians(70.0)
