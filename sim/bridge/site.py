"""What does not move: buildings, routes, and where the roadside units stand."""

import math
from collections.abc import Mapping

from scheduler.config import Config, Unit
from scheduler.errors import ConfigError
from scheduler.messages import VERSION, Metres3, Site
from scheduler.messages import Unit as PlacedUnit
from sim.routes import Track
from sim.world import World

ROUTE_STEP_M = 5.0  # between the points of a published route


def site_of(config: Config, world: World, tracks: Mapping[str, Track]) -> Site:
    """The site message of a drive.

    Raises:
        ConfigError: a unit has no place, or stands along the route of an ego that is not there.
    """
    return Site(
        version=VERSION,
        town=world.town,
        units=[PlacedUnit(u.id, unit_position(u, tracks)) for u in config.roadside_units],
        buildings=[[(x, y) for x, y in ring.tolist()] for ring in world.buildings()],
        routes={name: _points(track) for name, track in tracks.items()},
    )


def unit_position(unit: Unit, tracks: Mapping[str, Track]) -> Metres3:
    """Where a roadside unit's antenna is: at a point, or beside an ego's route."""
    if unit.place is not None:
        return unit.place
    if unit.along is None:
        raise ConfigError(
            f"roadside_units: {unit.id!r} has no place: give `at: [x, y, z]` in metres, "
            "or `along` with a rule"
        )
    rule = unit.along
    if rule.of not in tracks:
        raise ConfigError(
            f"roadside_units: {unit.id!r} stands along the route of {rule.of!r}, "
            f"but the vehicles are {', '.join(sorted(tracks))}"
        )
    x, y, z, heading = tracks[rule.of].at(rule.first_m)
    left = rule.lateral_m
    return (x - math.sin(heading) * left, y + math.cos(heading) * left, z + rule.height)


def _points(track: Track) -> list[tuple[float, float]]:
    steps = range(int(track.length / ROUTE_STEP_M) + 1)
    return [track.at(step * ROUTE_STEP_M)[:2] for step in steps]
