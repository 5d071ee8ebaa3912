"""The level's fixed things: lists of them, their boxes, hiding them, street lamps, weather."""

from __future__ import annotations

from sim.carla_server.axes import transform_from_pose
from sim.carla_server.handlers.registry import rpc
from sim.carla_server.layouts import BoundingBox, EnvironmentObject, StreetLight
from sim.carla_server.level import actor_box, level_box, light_heads
from sim.carla_server.weather import weather_from_carla, weather_to_carla
from sim.carla_server.world import ServedWorld
from sim.engine.level_inventory import LevelObject

ANY = 255  # CityObjectLabel.Any


def _objects(world: ServedWorld, tag: int) -> list[LevelObject]:
    return [one for one in world.inventory if tag in (one.tag, ANY)]


@rpc
def get_environment_objects(world: ServedWorld, tag: int) -> list[EnvironmentObject]:
    """Return the level's objects with this tag, hidden ones too, with ids to hide them by."""
    return [
        EnvironmentObject(
            transform_from_pose(one.pose), level_box(one.box), one.id, one.name, one.tag
        )
        for one in _objects(world, tag)
    ]


@rpc
def enable_environment_objects(world: ServedWorld, ids: list[int], is_enabled: bool) -> None:
    """Hide objects from pictures, rays and everybody's way, or bring them back."""
    known = {one.id for one in world.inventory}
    world.engine.hide_objects(known.intersection(ids), not is_enabled)


@rpc
def load_map_layer(world: ServedWorld, layers: int) -> None:
    """Bring back the objects of these layers: buildings, foliage, lamps, props, parked, walls."""
    world.engine.hide_objects([one.id for one in world.inventory if one.layer & layers], False)


@rpc
def unload_map_layer(world: ServedWorld, layers: int) -> None:
    """Hide the objects of these layers; ground, roads and decals always stay."""
    world.engine.hide_objects([one.id for one in world.inventory if one.layer & layers], True)


@rpc
def get_all_level_BBs(world: ServedWorld, tag: int) -> list[BoundingBox]:  # noqa: N802 - CARLA's
    """Return world boxes of everything with this tag: level objects, lights' heads, actors."""
    boxes: list[BoundingBox] = []
    for actor in world.engine.actors.values():
        if tag not in (actor.blueprint.semantic_tag, ANY):
            continue
        if actor.light is not None:
            boxes += light_heads(actor)
        elif actor.has_body:
            boxes.append(actor_box(actor))
    return boxes + [level_box(one.box) for one in _objects(world, tag)]


@rpc
def get_names_of_all_objects(world: ServedWorld) -> list[str]:
    """Return the names that `get_environment_objects` gives."""
    return [one.name for one in world.inventory]


@rpc
def query_lights_state(world: ServedWorld, _endpoint: str) -> list[StreetLight]:
    """Return every street lamp with its place and state."""
    return world.street_lights.states()


@rpc
def update_lights_state(
    world: ServedWorld, _endpoint: str, states: list[StreetLight], _discards_own: bool
) -> None:
    """Turn street lamps on or off, change their colour and brightness; all clients are told."""
    world.street_lights.update(states)
    world.show_street_lights()


@rpc
def update_day_night_cycle(world: ServedWorld, _endpoint: str, is_active: bool) -> None:
    """Let street lamps follow the sun, or leave them as they are set."""
    world.street_lights.follows_night = is_active


@rpc
def get_weather_parameters(world: ServedWorld) -> list[float]:
    """Return the weather as last set."""
    return world.weather or weather_to_carla(world.engine.weather)


@rpc
def set_weather_parameters(world: ServedWorld, parameters: list[float]) -> None:
    """Change sun, clouds, rain and fog; lamps follow the sun."""
    weather = weather_from_carla(parameters)
    world.engine.set_weather(weather)
    world.weather = parameters[: len(weather_to_carla(weather))]
    world.street_lights.night_falls(weather.is_night)
    world.show_street_lights()
