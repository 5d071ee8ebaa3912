"""What can be spawned under CARLA's ids: each sort of actor has a file of its own."""

from __future__ import annotations

from sim.engine.blueprints import Attribute, Blueprint
from sim.engine.prop_catalogue import prop_blueprints
from sim.engine.sensor_catalogue import sensor_blueprints
from sim.engine.vehicle_catalogue import vehicle_blueprints
from sim.engine.walker_catalogue import WALKER_HEIGHTS, walker_blueprints

__all__ = ["WALKER_HEIGHTS", "all_blueprints"]

TRAFFIC_LIGHT_TAG, TRAFFIC_SIGN_TAG = 7, 8  # CityObjectLabel
SPEED_LIMITS = (20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130)  # km/h


def all_blueprints() -> dict[str, Blueprint]:
    """The whole catalogue by id."""
    found = [
        *vehicle_blueprints(),
        *walker_blueprints(),
        *sensor_blueprints(),
        *prop_blueprints(),
        *_level(),
    ]
    return {blueprint.id: blueprint for blueprint in found}


def _level() -> list[Blueprint]:
    """What the world itself owns, and the walker controller, which needs no body."""
    return [
        Blueprint(
            id="traffic.traffic_light",
            tags=("traffic", "traffic_light"),
            kind="traffic_light",
            mesh="traffic_light",
            semantic_tag=TRAFFIC_LIGHT_TAG,
        ),
        _sign("stop"),
        _sign("yield"),
        *(_sign("speed_limit", str(limit)) for limit in SPEED_LIMITS),
        Blueprint(id="spectator", tags=("spectator",), kind="spectator"),
        Blueprint(
            id="controller.ai.walker",
            tags=("controller", "ai", "walker"),
            kind="controller",
            attributes=(Attribute("role_name", "string", "default"),),
        ),
    ]


def _sign(*words: str) -> Blueprint:
    """A traffic sign, which the level spawns; the level draws it too."""
    return Blueprint(
        id=".".join(("traffic", *words)),
        tags=("traffic", *words),
        kind="sign",
        semantic_tag=TRAFFIC_SIGN_TAG,
    )
