import random
from collections import Counter

import pytest

from sim.engine.actors import Actor
from sim.engine.geometry import Pose
from sim.engine.lanes import Lane, LaneId
from sim.engine.simulation import Engine
from sim.engine.town import Town, build_town

MODEL3 = "vehicle.tesla.model3"
MODELS = (MODEL3, "vehicle.audi.a2", "vehicle.mercedes.sprinter", "vehicle.mitsubishi.fusorosa")


def populate(engine: Engine, cars: int, seed: int) -> list[Actor]:
    rng = random.Random(seed)
    found = [
        engine.spawn(rng.choice(MODELS), point)
        for point in rng.sample(engine.town.spawn_points, cars)
    ]
    for actor in found:
        engine.follow_lanes(actor.id)
    return found


def drive(engine: Engine, cars: list[Actor], seconds: float) -> Counter[str]:
    seen: Counter[str] = Counter()
    standing: Counter[int] = Counter()
    for _ in range(round(seconds / 0.1)):
        engine.tick(0.1)
        seen["collisions"] += len(engine.collisions)
        for car in cars:
            seen["metres"] += car.speed * 0.1
            seen["off_lane"] += abs(car.lane_offset) > 1.3
            standing[car.id] = 0 if car.speed > 0.2 else standing[car.id] + 1
            seen["longest_stand"] = max(seen["longest_stand"], round(standing[car.id] * 0.1))
    return seen


@pytest.mark.parametrize("name", ["VdapTown02", "VdapTown03", "VdapTown04"])
def test_traffic_flows_without_collisions(name: str) -> None:
    engine = Engine(build_town(name), seed=2)
    seen = drive(engine, populate(engine, 20, 2), 25.0)
    assert (seen["collisions"], seen["off_lane"]) == (0, 0)
    assert seen["metres"] / 20 / 25.0 > 3.0  # m/s on the mean, lights and all


@pytest.mark.slow
@pytest.mark.parametrize("name", ["VdapTown02", "VdapTown03", "VdapTown04"])
def test_traffic_flows_for_minutes(name: str) -> None:
    engine = Engine(build_town(name), seed=4)
    seen = drive(engine, populate(engine, 50, 4), 300.0)
    assert seen["collisions"] <= 3  # contacts in 15,000 seconds of driving
    assert seen["metres"] / 50 / 300.0 > 3.0
    assert seen["longest_stand"] < 180  # s, some four light cycles


def test_a_bus_that_turns_leaves_who_waits_in_the_next_lane_alone() -> None:
    engine = Engine(build_town("VdapTown03"))
    lanes = engine.town.lanes
    turn = lanes[LaneId(101, -1)]  # right, into a road whose stop line is near the junction
    after = lanes[turn.successors[0]]
    facing = next(
        one
        for one in lanes.lanes.values()
        if one.id.road == after.id.road and one.approach == "light" and one.light_id is not None
    )
    van = engine.spawn("vehicle.mercedes.sprinter", facing.pose_at(facing.stop_s - 3.8))
    bus = engine.spawn("vehicle.mitsubishi.fusorosa", turn.pose_at(0.5))
    engine.follow_lanes(bus.id)
    engine._traffic._find_place(engine._traffic._drivers[bus.id], bus)
    path = engine._traffic._drivers[bus.id].path
    assert path is not None
    path.lanes[:] = [turn, after]
    changes, wheels = 0.0, bus.steer_angle
    for _ in range(120):
        engine.tick(0.1)
        assert not engine.collisions
        changes, wheels = max(changes, abs(bus.steer_angle - wheels)), bus.steer_angle
        if bus.lane is after and bus.lane_s > 15.0:
            break
    assert bus.lane is after
    assert van.speed == 0.0
    assert changes < 0.1  # rad in a tick: the wheels turn smoothly


def _approach(town: Town, rule: str) -> Lane:
    return next(
        lane
        for lane in town.lanes.lanes.values()
        if lane.approach == rule and lane.length > 60.0 and lane.speed_limit < 15.0
    )


def test_one_stops_at_a_stop_sign_and_goes_on() -> None:
    engine = Engine(build_town("VdapTown02"))
    lane = _approach(engine.town, "stop")
    car = engine.spawn(MODEL3, lane.pose_at(lane.stop_s - 40.0))
    engine.follow_lanes(car.id)
    slowest, ahead = 99.0, True
    for _ in range(250):
        engine.tick(0.1)
        if car.lane is lane and lane.stop_s - car.lane_s - car.extent[0] < 3.0:
            slowest = min(slowest, car.speed)
            assert lane.stop_s - car.lane_s - car.extent[0] > -0.5 or slowest < 0.3
        ahead = car.lane is lane
    assert slowest < 0.3
    assert not ahead


def test_one_gives_way_to_who_comes_with_priority() -> None:
    engine = Engine(build_town("VdapTown04"))
    town = engine.town
    rules = engine._traffic._rules
    path, main = next(
        (path, facing)
        for path, superiors in rules.gives_way.items()
        for facing in superiors
        if facing.approach == "priority"
        and facing.length > 70.0
        and town.lanes[town.lanes[path].predecessors[0]].approach == "yield"
    )
    own = town.lanes[town.lanes[path].predecessors[0]]
    car = engine.spawn(MODEL3, own.pose_at(own.stop_s - 20.0))
    other = engine.spawn("vehicle.audi.a2", main.pose_at(main.length - 55.0))
    engine.follow_lanes(car.id)
    engine.enable_constant_velocity(other.id, (9.0, 0.0, 0.0))
    for _ in range(300):
        engine.tick(0.1)
        if other.lane is not None and (other.lane.is_junction or other.lane is not main):
            break
        assert car.lane is own  # it waits while the other comes
    assert car.speed < 4.0


def test_people_turn_round_where_a_pavement_ends() -> None:
    engine = Engine(build_town("VdapTown03"))
    index = next(i for i, one in enumerate(engine.town.pavements) if not one.is_ring)
    pavement = engine.town.pavements[index]
    at = pavement.at(pavement.length - 1.6)
    walker = engine.spawn("walker.pedestrian.0001", Pose(at.x, at.y, at.z + 0.93, at.yaw))
    engine.walk_pavement(walker.id)
    person = engine._pedestrians._people[walker.id]
    person.ring, person.s, person.way = index, pavement.length - 0.9, 1  # past the last crossing
    farthest = 0.0
    for _ in range(80):
        engine.tick(0.1)
        farthest = max(farthest, person.s)
        if person.way < 0:
            break
    assert person.way < 0
    assert farthest <= pavement.length


def test_signs_are_actors_with_their_ids_that_nobody_can_destroy() -> None:
    engine = Engine(build_town("VdapTown04"))
    signs = [one for one in engine.actors.values() if one.sign is not None]
    assert {one.attributes["sign_id"] for one in signs} == {
        sign.signal_id for sign in engine.town.signs
    }
    assert {one.blueprint.id for one in signs} >= {"traffic.stop", "traffic.yield"}
    assert not engine.destroy(signs[0].id)
