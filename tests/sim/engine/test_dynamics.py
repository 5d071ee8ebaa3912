import math

import pytest

from sim.engine.actors import Actor, VehicleControl, WalkerControl
from sim.engine.dynamics import GRIP, pedals, steer_limit
from sim.engine.geometry import Pose
from sim.engine.simulation import Engine

MODEL3 = "vehicle.tesla.model3"
FIELD = Pose(0.0, -400.0, 0.0, 0.7)  # open ground, nothing near


def car(engine: Engine, pose: Pose = FIELD) -> Actor:
    actor = engine.spawn(MODEL3, pose)
    run(engine, 0.3)  # settles on the ground
    return actor


def run(engine: Engine, seconds: float, tick: float = 0.05) -> None:
    for _ in range(round(seconds / tick)):
        engine.tick(tick)


def test_full_throttle_accelerates_as_the_blueprint_says(engine: Engine) -> None:
    actor = car(engine)
    engine.apply_vehicle_control(actor.id, VehicleControl(throttle=1.0))
    run(engine, 1.0)
    limit = actor.blueprint.max_acceleration
    assert 0.85 * limit < actor.speed < limit
    assert math.atan2(actor.velocity[1], actor.velocity[0]) == pytest.approx(0.7, abs=1e-6)
    assert math.hypot(*actor.acceleration[:2]) == pytest.approx(limit, rel=0.15)


def test_full_brake_stops_at_eight_metres_per_second_squared_and_stays(engine: Engine) -> None:
    actor = car(engine)
    engine.set_velocity(actor.id, (16.0 * math.cos(0.7), 16.0 * math.sin(0.7), 0.0))
    start = actor.pose
    engine.apply_vehicle_control(actor.id, VehicleControl(brake=1.0))
    run(engine, 3.0)
    assert actor.speed == 0.0
    assert math.dist((start.x, start.y), (actor.pose.x, actor.pose.y)) == pytest.approx(
        16.0**2 / 16.0, rel=0.1
    )
    stopped = actor.pose
    run(engine, 1.0)
    assert actor.pose == stopped


def test_it_rolls_out_slowly_without_pedals(engine: Engine) -> None:
    actor = car(engine)
    engine.set_velocity(actor.id, (10 * math.cos(0.7), 10 * math.sin(0.7), 0.0))
    run(engine, 2.0)
    assert 8.0 < actor.speed < 9.7


def test_left_steer_turns_left_on_the_bicycle_models_circle(engine: Engine) -> None:
    actor = car(engine)
    engine.enable_constant_velocity(actor.id, (3.0, 0.0, 0.0))
    steer = 0.3
    engine.apply_vehicle_control(actor.id, VehicleControl(steer=steer))
    run(engine, 1.0)
    angle = steer * steer_limit(3.0)
    expected = 3.0 * math.tan(angle) / actor.blueprint.wheelbase
    assert actor.angular_velocity[2] == pytest.approx(expected, rel=0.01)
    assert expected > 0.0
    yaw = actor.pose.yaw
    run(engine, 1.0)
    assert math.remainder(actor.pose.yaw - yaw, math.tau) == pytest.approx(expected, rel=0.01)


def test_no_turn_asks_more_than_the_tyres_grip(engine: Engine) -> None:
    actor = car(engine)
    engine.set_velocity(actor.id, (25 * math.cos(0.7), 25 * math.sin(0.7), 0.0))
    engine.apply_vehicle_control(actor.id, VehicleControl(steer=1.0, throttle=0.5))
    for _ in range(40):
        engine.tick(0.05)
        assert math.hypot(*actor.acceleration[:2]) <= GRIP * 1.05


def test_reverse_goes_backwards_and_hand_brake_holds(engine: Engine) -> None:
    actor = car(engine)
    engine.apply_vehicle_control(actor.id, VehicleControl(throttle=0.5, reverse=True))
    run(engine, 2.0)
    ahead = actor.velocity[0] * math.cos(0.7) + actor.velocity[1] * math.sin(0.7)
    assert -8.0 < ahead < -2.0
    engine.apply_vehicle_control(actor.id, VehicleControl(throttle=1.0, hand_brake=True))
    run(engine, 3.0)
    assert actor.speed == 0.0


def test_a_spawned_vehicle_falls_to_the_ground(engine: Engine) -> None:
    spawn = engine.town.spawn_points[3]
    actor = engine.spawn(MODEL3, Pose(spawn.x, spawn.y, spawn.z + 1.0, spawn.yaw))
    engine.tick(0.05)
    assert 1.2 < actor.pose.z < 1.3
    run(engine, 1.0)
    assert actor.pose.z == 0.0


def test_the_tick_size_hardly_changes_a_drive(engine: Engine) -> None:
    ends = []
    for tick in (0.01, 0.1):
        actor = car(engine)
        engine.apply_vehicle_control(actor.id, VehicleControl(throttle=0.6, steer=0.1))
        run(engine, 3.0, tick)
        ends.append((actor.pose.x, actor.pose.y))
        engine.destroy(actor.id)
    assert math.dist(*ends) < 0.1


def test_pedals_give_the_wanted_acceleration(engine: Engine) -> None:
    for wanted, speed in ((1.5, 5.0), (-2.0, 12.0), (0.0, 10.0)):
        actor = car(engine)
        engine.set_velocity(actor.id, (speed * math.cos(0.7), speed * math.sin(0.7), 0.0))
        throttle, brake = pedals(actor, wanted, speed)
        engine.apply_vehicle_control(actor.id, VehicleControl(throttle=throttle, brake=brake))
        engine.tick(0.1)
        assert (actor.speed - speed) / 0.1 == pytest.approx(wanted, abs=0.05)
        engine.destroy(actor.id)


def test_a_parked_actor_without_physics_stays_and_can_be_put_anywhere(engine: Engine) -> None:
    actor = car(engine)
    engine.set_simulate_physics(actor.id, False)
    engine.apply_vehicle_control(actor.id, VehicleControl(throttle=1.0))
    engine.set_pose(actor.id, Pose(0.0, -420.0, 3.0, 1.0, 0.1))
    run(engine, 1.0)
    assert actor.pose == Pose(0.0, -420.0, 3.0, 1.0, 0.1)


def test_a_walker_walks_where_it_is_sent_and_turns_to_look_there(engine: Engine) -> None:
    point = engine.town.walker_spawn_points[4]
    walker = engine.spawn("walker.pedestrian.0001", point)
    run(engine, 0.5)
    start = walker.pose
    direction = (math.cos(point.yaw), math.sin(point.yaw), 0.0)
    engine.apply_walker_control(walker.id, WalkerControl(direction, 1.5))
    run(engine, 2.0)
    moved = (walker.pose.x - start.x, walker.pose.y - start.y)
    assert math.hypot(*moved) == pytest.approx(3.0, rel=0.01)
    assert math.atan2(moved[1], moved[0]) == pytest.approx(point.yaw, abs=1e-6)
    assert walker.pose.yaw == pytest.approx(point.yaw, abs=1e-3)
    assert walker.pose.z == pytest.approx(0.15 + walker.extent[2])
    assert walker.walked == pytest.approx(3.0, rel=0.01)
