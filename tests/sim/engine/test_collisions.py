import math
import random

import pytest

from sim.engine.actors import Actor, VehicleControl, WalkerControl
from sim.engine.body import Body
from sim.engine.collisions import Collision, gap
from sim.engine.geometry import Box, Pose
from sim.engine.level import Level, Obstacle, Wall
from sim.engine.motion import Motion, clearance
from sim.engine.simulation import Engine

FIELD_Y = -400.0  # open ground
MODEL3 = "vehicle.tesla.model3"


def run(engine: Engine, seconds: float) -> list[Collision]:
    found = []
    for _ in range(round(seconds / 0.05)):
        engine.tick(0.05)
        found += engine.collisions
    return found


def moving(engine: Engine, x: float, yaw: float, speed: float, kind: str = MODEL3) -> Actor:
    actor = engine.spawn(kind, Pose(x, FIELD_Y, -0.05, yaw))
    engine.set_velocity(actor.id, (speed * math.cos(yaw), speed * math.sin(yaw), 0.0))
    return actor


def test_a_rear_end_hit_keeps_momentum_and_tells_both(engine: Engine) -> None:
    striker, struck = moving(engine, 0.0, 0.0, 10.0), moving(engine, 8.0, 0.0, 0.0)
    found = run(engine, 0.6)
    first, second = found[0], found[1]
    assert (first.actor_id, first.other_id) == (striker.id, struck.id)
    assert (second.actor_id, second.other_id) == (struck.id, striker.id)
    assert first.impulse[0] < 0.0 < second.impulse[0]
    assert sum(first.impulse[k] + second.impulse[k] for k in range(3)) == pytest.approx(0.0)
    # equal masses, e = 0.1: dv = (1 + e) v / 2 each
    assert second.impulse[0] == pytest.approx(1750 * 0.55 * 9.8, rel=0.05)
    assert struck.velocity[0] > striker.velocity[0]
    assert striker.velocity[0] + struck.velocity[0] < 10.0


def test_bodies_do_not_stay_inside_each_other(engine: Engine) -> None:
    a, b = moving(engine, 0.0, 0.0, 12.0), moving(engine, 12.0, math.pi, 12.0)
    run(engine, 1.5)
    assert abs(a.pose.x - b.pose.x) >= a.extent[0] + b.extent[0] - 0.05


def test_a_heavy_vehicle_pushes_a_light_one(engine: Engine) -> None:
    truck = moving(engine, 0.0, 0.0, 8.0, "vehicle.carlamotors.firetruck")
    small = moving(engine, 9.0, 0.0, 0.0, "vehicle.nissan.micra")
    run(engine, 0.6)
    assert small.velocity[0] > 6.0
    assert truck.velocity[0] > 6.0


def test_a_glancing_hit_turns_a_vehicle_round(engine: Engine) -> None:
    moving(engine, 0.0, 0.0, 12.0)
    struck = engine.spawn(MODEL3, Pose(6.5, FIELD_Y + 1.6, -0.05, math.pi / 2))
    found = run(engine, 0.5)
    assert found
    assert abs(math.remainder(struck.pose.yaw - math.pi / 2, math.tau)) > 0.05


def test_a_building_stops_a_vehicle(engine: Engine) -> None:
    building = engine.town.buildings[0]
    pose = building.centre
    out = building.width / 2 + 8.0
    start = pose.compose(Pose(0.0, -out, 0.0, math.pi / 2))
    actor = engine.spawn(MODEL3, Pose(start.x, start.y, 0.2, start.yaw))
    engine.set_velocity(actor.id, (12 * math.cos(start.yaw), 12 * math.sin(start.yaw), 0.0))
    found = [one for one in run(engine, 1.5) if one.actor_id == actor.id]
    assert found[0].other_id == 0
    assert found[0].level_tag == 3
    assert math.hypot(*found[0].impulse[:2]) > 1750 * 8.0
    assert actor.speed < 2.0


def test_a_walker_who_is_hit_slides_and_the_car_hardly_slows(engine: Engine) -> None:
    walker = engine.spawn("walker.pedestrian.0001", Pose(8.0, FIELD_Y, 0.9))
    car = moving(engine, 0.0, 0.0, 10.0)
    found = run(engine, 0.8)
    assert {(one.actor_id, one.other_id) for one in found} >= {
        (car.id, walker.id),
        (walker.id, car.id),
    }
    assert walker.pose.x > 9.0
    assert walker.stunned_s > 0.0
    assert car.velocity[0] > 8.0


def test_walkers_pass_each_other_without_a_hit(engine: Engine) -> None:
    for x, way in ((0.0, 1.0), (4.0, -1.0)):
        walker = engine.spawn("walker.pedestrian.0002", Pose(x, FIELD_Y, 0.9))
        engine.apply_walker_control(walker.id, WalkerControl((way, 0.0, 0.0), 1.4))
    assert run(engine, 3.0) == []


def test_what_does_not_collide_is_driven_through(engine: Engine) -> None:
    moving(engine, 0.0, 0.0, 10.0)
    ghost = moving(engine, 7.0, 0.0, 0.0)
    engine.set_collides(ghost.id, False)
    assert run(engine, 1.0) == []


def test_a_body_without_physics_is_a_wall(engine: Engine) -> None:
    wall = moving(engine, 7.0, 0.0, 0.0)
    engine.set_simulate_physics(wall.id, False)
    car = moving(engine, 0.0, 0.0, 10.0)
    assert run(engine, 1.0)
    assert wall.pose.x == 7.0
    assert car.velocity[0] < 0.5


def test_cars_that_stand_bumper_to_bumper_report_nothing(engine: Engine) -> None:
    a = moving(engine, 0.0, 0.0, 0.0)
    moving(engine, 2 * a.extent[0] + 0.01, 0.0, 0.0)
    for actor in list(engine.actors.values()):
        if actor.kind == "vehicle":
            engine.apply_vehicle_control(actor.id, VehicleControl(brake=1.0))
    assert run(engine, 1.0) == []


def test_an_absurd_speed_costs_nobody_the_tick(engine: Engine) -> None:
    rocket = moving(engine, 0.0, 0.0, 0.0)
    engine.enable_constant_velocity(rocket.id, (1e6, 0.0, 0.0))
    engine.set_velocity(rocket.id, (1e6, 0.0, 0.0))
    engine.tick(0.05)  # would list ten million cells of the level's grid
    assert rocket.pose.x == pytest.approx(5e4, rel=0.01)


@pytest.mark.parametrize("speed", [4.0, 15.0, 45.0])
@pytest.mark.parametrize("delta_s", [0.02, 0.05, 0.1])
def test_no_speed_and_no_tick_takes_a_vehicle_into_a_wall_unseen(
    engine: Engine, speed: float, delta_s: float
) -> None:
    """Free bodies take long steps: they must still see a wall in time."""
    wall = Obstacle(Box(30.0, FIELD_Y, 0.4, 0.5, 8.0), 3)
    motion = Motion(engine.town, Level([wall]))
    actor = engine.spawn("vehicle.mitsubishi.fusorosa", Pose(0.0, FIELD_Y, -0.05))
    motion.add(actor)
    actor.constant_velocity = (speed, 0.0, 0.0)
    hits = 0
    for _ in range(round(40.0 / speed / delta_s)):
        hits += len(motion.advance(delta_s))
    assert hits > 0
    assert actor.pose.x + actor.extent[0] < 31.0


def apart(a: Box, b: Box) -> float:
    """Metres between two rectangles that do not overlap."""
    return min(
        *(Wall(Obstacle(a, 3)).distance(*corner) for corner in b.corners()),
        *(Wall(Obstacle(b, 3)).distance(*corner) for corner in a.corners()),
    )


def test_clearance_never_says_more_than_there_is_to_the_nearest_wall(engine: Engine) -> None:
    rng = random.Random(5)
    body = Body(engine.spawn("vehicle.tesla.model3", engine.town.spawn_points[0]))
    shapes = [(0.2, 0.2), (6.0, 0.3), (2.0, 2.0)] * 20
    boxes = [Box(*(rng.uniform(-15, 15) for _ in range(3)), *shape) for shape in shapes]
    clear = 0
    for _ in range(300):
        body.x, body.y, yaw = (rng.uniform(-15, 15) for _ in range(3))
        body.cos, body.sin = math.cos(yaw), math.sin(yaw)
        own = Box(body.x, body.y, yaw, body.half_length, body.half_width)
        few = rng.sample(boxes, 4)
        walls = [Wall(Obstacle(box, 3)) for box in few]
        found, least = clearance(body, walls, 5.0), min(gap(body, wall) for wall in walls)
        assert min(least, 5.0) <= found
        if least > 0.0:
            clear += 1
            assert found <= min(5.0, *(apart(own, box) for box in few)) + 1e-9
        else:
            assert found <= 0.0
    assert clear > 50
