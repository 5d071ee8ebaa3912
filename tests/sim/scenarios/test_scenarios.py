"""Scenarios put an ego that nobody warns in danger, and move their own actors."""

import dataclasses
import math

import pytest

from scheduler.config import Vehicle
from scheduler.errors import ConfigError, WorldError
from sim.bridge.drive import Drive
from sim.inprocess_world import InprocessWorld
from sim.routes import Track
from sim.scenarios import SCENARIOS, load
from sim.scenarios.places import beside, straight_place

SPAWN = {"stopped_car_round_bend": 40}


def drive(name: str, seconds: float = 18.0) -> Drive:
    """Unwarned, past all lights, until something is hit."""
    world = InprocessWorld(fixed_delta_s=0.1)
    section = Vehicle(spawn_index=SPAWN.get(name, 0), speed=8.0)
    going = Drive(world, [section], 0.1, obeys_feedback=False)
    script = load(name)(world, [each.ego for each in going.egos.values()])
    for _ in range(round(seconds / 0.1)):
        seen = dataclasses.replace(world.tick(), lights={})
        going.on_tick(seen, seen.sim_ns)
        if script is not None:
            script(seen)
        if going.egos["ego"].safety.collisions:
            break
    return going


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_an_ego_that_nobody_warns_collides(name: str) -> None:
    ego = drive(name).egos["ego"]
    assert ego.safety.collisions == 1
    assert ego.driver.s > 20.0  # not at its start


def test_a_walker_is_placed_on_its_feet_and_walks_as_told() -> None:
    world = InprocessWorld(fixed_delta_s=0.1)
    ego = world.spawn_ego("ego", 0)
    place = beside(Track(ego.route, is_loop=ego.is_loop), 30.0, -3.6)
    walker = world.place_walker("walker.pedestrian.0001", place)

    def body():
        return next(one for one in world.tick().bodies if one.actor_id == walker)

    start = body()
    assert 0.7 < start.pose.z < 1.4  # the middle of a standing adult
    along = (math.cos(place.yaw), math.sin(place.yaw))
    world.walk(walker, (1.5 * along[0], 1.5 * along[1]))
    for _ in range(20):
        end = body()
    dx, dy = end.pose.x - start.pose.x, end.pose.y - start.pose.y
    assert dx * along[0] + dy * along[1] == pytest.approx(3.0, abs=0.5)
    assert dx * along[1] - dy * along[0] == pytest.approx(0.0, abs=0.2)


def test_what_is_no_walker_is_not_placed_as_one() -> None:
    world = InprocessWorld(fixed_delta_s=0.1)
    ego = world.spawn_ego("ego", 0)
    place = beside(Track(ego.route, is_loop=ego.is_loop), 30.0, -3.6)
    for wrong in ("vehicle.audi.tt", "walker.pedestrian.9999"):
        with pytest.raises(WorldError, match="walker"):
            world.place_walker(wrong, place)


def test_a_route_without_a_straight_stretch_is_refused() -> None:
    ego = InprocessWorld(fixed_delta_s=0.1).spawn_ego("ego", 0)
    track = Track(ego.route, is_loop=ego.is_loop)
    with pytest.raises(WorldError, match="spawn_index"):
        straight_place(track, 10.0, 5.0, 5000.0)


@pytest.mark.parametrize("name", ["stoped_car", "no.module:here", "sim.world:HEAD_STEP"])
def test_an_unknown_scenario_is_a_clear_error(name: str) -> None:
    with pytest.raises(ConfigError, match=r"world\.scenario"):
        load(name)
