"""The vehicle model against cases worked out by hand."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from sim.engine.actors import Actor, VehicleControl
from sim.engine.body import Body
from sim.engine.drivetrain import Drivetrain, default_drivetrain
from sim.engine.dynamics import drive
from sim.engine.geometry import Pose
from sim.engine.simulation import Engine
from sim.engine.town import build_town
from sim.engine.vehicle_catalogue import vehicle_blueprints
from sim.engine.vehicle_physics import GRAVITY, GearPhysics, VehiclePhysics, default_physics

MODEL3 = "vehicle.tesla.model3"
A2 = "vehicle.audi.a2"  # has gears
YAW = 0.7
FIELD = Pose(0.0, -400.0, 0.0, YAW)  # open ground, nothing near


@pytest.fixture
def car(engine: Engine) -> Actor:
    return settled(engine, MODEL3)


def settled(engine: Engine, blueprint: str) -> Actor:
    actor = engine.spawn(blueprint, FIELD)
    run(engine, 0.3)
    return actor


def run(engine: Engine, seconds: float, tick: float = 0.05) -> None:
    for _ in range(round(seconds / tick)):
        engine.tick(tick)


def push_off(engine: Engine, actor: Actor, speed: float) -> None:
    yaw = actor.pose.yaw
    engine.set_velocity(actor.id, (speed * math.cos(yaw), speed * math.sin(yaw), 0.0))


def ticks_until(engine: Engine, actor: Actor, speed: float, most: float) -> float:
    """Seconds until an actor has come to a speed."""
    seconds = 0.0
    while actor.speed < speed:
        assert seconds < most, f"{actor.speed} m/s after {seconds} s"
        engine.tick(0.05)
        seconds += 0.05
    return seconds


def with_brakes(physics: VehiclePhysics, torque: float, friction: float = 3.5) -> VehiclePhysics:
    wheels = tuple(
        replace(w, max_brake_torque=torque, tire_friction=friction) for w in physics.wheels
    )
    return replace(physics, wheels=wheels)


def test_a_model_3_needs_between_five_and_six_seconds_to_100_km_h(
    engine: Engine, car: Actor
) -> None:
    engine.apply_vehicle_control(car.id, VehicleControl(throttle=1.0))
    assert 5.0 < ticks_until(engine, car, 100 / 3.6, 10.0) < 6.2


@pytest.mark.parametrize("blueprint", [MODEL3, A2, "vehicle.carlamotors.firetruck"])
def test_the_top_speed_is_where_drag_meets_power(engine: Engine, blueprint: str) -> None:
    train = default_drivetrain(engine.blueprints[blueprint])
    top = engine.blueprints[blueprint].max_speed
    gear = len(train.gears)
    pull = train.pull(gear, top) - train.engine_drag(gear, 1.0, top)
    assert pull == pytest.approx(train.rolling + train.air * top * top, rel=0.01)
    actor = settled(engine, blueprint)
    push_off(engine, actor, top - 1.0)
    engine.apply_vehicle_control(actor.id, VehicleControl(throttle=1.0))
    run(engine, 60.0, 0.1)
    assert actor.speed == pytest.approx(top, rel=0.02)
    assert actor.gear == gear


@pytest.mark.parametrize(("friction", "grip"), [(3.5, 0.9), (1.75, 0.45), (1.0, 0.9 / 3.5)])
def test_strong_brakes_stop_in_v_squared_over_two_mu_g(
    engine: Engine, car: Actor, friction: float, grip: float
) -> None:
    engine.set_physics(car.id, with_brakes(engine.physics(car.id), 20000.0, friction))
    push_off(engine, car, 20.0)
    start = car.pose
    engine.apply_vehicle_control(car.id, VehicleControl(brake=1.0))
    run(engine, 12.0)
    distance = math.dist((start.x, start.y), (car.pose.x, car.pose.y))
    train = default_drivetrain(car.blueprint)
    rest = (train.rolling + train.air * 20.0**2 / 2) / train.mass  # air and rolling help a little
    assert distance == pytest.approx(20.0**2 / (2 * (grip * GRAVITY + rest)), rel=0.02)
    assert car.speed == 0.0


@pytest.mark.parametrize(("speed", "steer"), [(3.0, 0.3), (8.0, 0.08), (14.0, 0.03)])
def test_the_rear_axle_runs_on_a_circle_of_wheelbase_over_tan_steer(
    engine: Engine, car: Actor, speed: float, steer: float
) -> None:
    push_off(engine, car, speed)
    engine.apply_vehicle_control(car.id, VehicleControl(steer=steer))
    run(engine, 1.0)
    places = []
    for _ in range(3):
        run(engine, 0.4)
        back = car.pose.compose(Pose(x=-car.blueprint.wheelbase / 2))
        places.append((back.x, back.y))
    expected = car.blueprint.wheelbase / math.tan(car.steer_angle)
    assert circle_radius(*places) == pytest.approx(expected, rel=0.08)


def circle_radius(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """Radius of the circle through three points."""
    sides = math.dist(a, b), math.dist(b, c), math.dist(c, a)
    area = abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2
    return math.prod(sides) / (4 * area)


def test_half_the_grip_bends_half_as_much(engine: Engine, car: Actor) -> None:
    rates = []
    for friction in (3.5, 1.75):
        engine.set_pose(car.id, FIELD)
        engine.set_physics(car.id, with_brakes(engine.physics(car.id), 1000.0, friction))
        push_off(engine, car, 20.0)
        engine.apply_vehicle_control(car.id, VehicleControl(steer=0.5))
        run(engine, 1.0)
        rates.append(math.hypot(*car.acceleration[:2]))
        engine.set_angular_velocity(car.id, (0.0, 0.0, 0.0))
    assert rates[0] == pytest.approx(0.9 * GRAVITY, rel=0.1)
    assert rates[1] == pytest.approx(0.45 * GRAVITY, rel=0.1)


def test_the_automatic_shifts_up_with_speed_and_down_again(engine: Engine) -> None:
    actor = settled(engine, A2)
    gears = [actor.gear]
    engine.apply_vehicle_control(actor.id, VehicleControl(throttle=1.0))
    for _ in range(400):
        engine.tick(0.05)
        if actor.gear != gears[-1]:
            gears.append(actor.gear)
        rpm = engine.telemetry(actor.id).engine_rpm
        assert 700.0 < rpm <= engine.physics(actor.id).max_rpm
    assert gears == [1, 2, 3]
    engine.apply_vehicle_control(actor.id, VehicleControl(brake=0.6))
    run(engine, 6.0)
    engine.apply_vehicle_control(actor.id, VehicleControl(throttle=0.3))
    run(engine, 2.0)
    assert actor.gear == 1


def test_manual_gears_hold_and_neutral_does_not_pull(engine: Engine) -> None:
    actor = settled(engine, A2)
    engine.apply_vehicle_control(
        actor.id, VehicleControl(throttle=1.0, manual_gear_shift=True, gear=0)
    )
    run(engine, 1.0)
    assert actor.speed == 0.0 and actor.gear == 0
    engine.apply_vehicle_control(
        actor.id, VehicleControl(throttle=1.0, manual_gear_shift=True, gear=1)
    )
    run(engine, 15.0)
    train = default_drivetrain(actor.blueprint)
    limit = engine.physics(actor.id).max_rpm / 30.0 * math.pi / train.gears[0]
    assert actor.gear == 1
    assert actor.speed == pytest.approx(limit, rel=0.05)  # the limiter
    engine.apply_vehicle_control(
        actor.id, VehicleControl(throttle=0.5, manual_gear_shift=True, gear=-1)
    )
    engine.set_velocity(actor.id, (0.0, 0.0, 0.0))
    run(engine, 1.0)
    assert actor.velocity[0] * math.cos(actor.pose.yaw) < -0.5 and actor.gear == -1


def test_the_engine_brakes_more_in_a_low_gear(engine: Engine) -> None:
    lost = []
    for gear in (1, 3):
        actor = settled(engine, A2)
        push_off(engine, actor, 14.0)
        control = VehicleControl(throttle=0.01, manual_gear_shift=True, gear=gear)
        engine.apply_vehicle_control(actor.id, control)
        run(engine, 0.1)
        engine.apply_vehicle_control(actor.id, replace_throttle(control))
        before = actor.speed
        run(engine, 1.0)
        lost.append(before - actor.speed)
        engine.destroy(actor.id)
    assert lost[0] > 1.5 * lost[1] > 0.0


def replace_throttle(control: VehicleControl) -> VehicleControl:
    return VehicleControl(manual_gear_shift=control.manual_gear_shift, gear=control.gear)


def test_mass_torque_and_steer_angle_have_their_effect(engine: Engine, car: Actor) -> None:
    own = engine.physics(car.id)
    assert own == default_physics(car.blueprint)
    engine.apply_vehicle_control(car.id, VehicleControl(throttle=0.5))
    engine.set_physics(car.id, replace(own, mass=2 * own.mass))
    push_off(engine, car, 1.0)
    engine.tick(0.05)
    slow = car.acceleration
    engine.set_physics(car.id, own)
    push_off(engine, car, 1.0)
    engine.tick(0.05)
    pull, weight = own.mass * math.hypot(*car.acceleration[:2]), own.mass * math.hypot(*slow[:2])
    assert pull / weight == pytest.approx(2.0, rel=0.1)
    weak = tuple((rpm, 0.25 * torque) for rpm, torque in own.torque_curve)
    engine.set_physics(car.id, replace(own, torque_curve=weak))
    push_off(engine, car, 1.0)
    engine.tick(0.05)
    assert math.hypot(*car.acceleration[:2]) < 0.3 * pull / own.mass
    narrow = tuple(replace(w, max_steer_angle=w.max_steer_angle / 2) for w in own.wheels)
    engine.set_physics(car.id, replace(own, wheels=narrow))
    engine.apply_vehicle_control(car.id, VehicleControl(steer=1.0))
    engine.set_velocity(car.id, (0.0, 0.0, 0.0))
    run(engine, 1.0)
    assert car.steer_angle == pytest.approx(math.radians(35.0), rel=0.01)


def test_drag_holds_back_by_the_square_of_the_speed(engine: Engine, car: Actor) -> None:
    own = engine.physics(car.id)
    train = default_drivetrain(car.blueprint)
    engine.set_physics(car.id, replace(own, drag_coefficient=3.0))
    push_off(engine, car, 30.0)
    engine.tick(0.01)
    bluff = math.hypot(*car.acceleration[:2])
    engine.set_physics(car.id, own)
    push_off(engine, car, 30.0)
    engine.tick(0.01)
    extra = bluff - math.hypot(*car.acceleration[:2])
    assert extra == pytest.approx(9 * train.air * 30.0**2 / own.mass, rel=0.02)


def test_gears_without_ratios_and_curves_without_points_drive_nowhere(
    engine: Engine, car: Actor
) -> None:
    own = engine.physics(car.id)
    engine.set_physics(car.id, replace(own, torque_curve=(), steering_curve=(), forward_gears=()))
    engine.apply_vehicle_control(car.id, VehicleControl(throttle=1.0, steer=0.5))
    run(engine, 0.5)
    assert car.speed < 0.01


def test_a_slope_rolls_a_vehicle_down_and_a_brake_holds_it(engine: Engine, car: Actor) -> None:
    body = Body(car)
    body.ground, body.slope = body.z - body.rest, math.atan(0.1)
    for _ in range(100):
        drive(body, 0.01)
    down = math.sin(math.atan(0.1)) * GRAVITY - 0.015 * GRAVITY
    assert math.hypot(body.vx, body.vy) == pytest.approx(down, rel=0.05)
    assert body.vx * body.cos + body.vy * body.sin < 0.0
    body.vx = body.vy = 0.0
    car.control = VehicleControl(brake=1.0)
    drive(body, 0.01)
    assert (body.vx, body.vy) == (0.0, 0.0)


def test_a_vehicle_keeps_to_a_road_that_rises_and_falls() -> None:
    town = build_town("VdapTown03")
    engine = Engine(town)
    lane, at = max(
        ((one, i) for one in town.lanes.lanes.values() for i in range(len(one.points) - 1)
         if one.kind == "driving" and 20.0 < one.lengths[i] < one.length - 35.0),
        key=lambda found: abs(found[0].points[found[1] + 1][2] - found[0].points[found[1]][2]),
    )  # fmt: skip
    start = lane.pose_at(lane.lengths[at] - 15.0)
    actor = engine.spawn(MODEL3, replace_height(start, start.z + 0.3))
    engine.follow_lanes(actor.id)
    push_off(engine, actor, 14.0)
    steepest = 0.0
    for tick in range(60):
        engine.tick(0.05)
        assert actor.lane is not None
        road = actor.lane.pose_at(actor.lane_s)
        if tick > 10:
            assert actor.pose.z == pytest.approx(road.z, abs=0.02)
            steepest = max(steepest, abs(actor.pose.pitch))
            climbed = actor.velocity[2] / max(actor.speed, 1.0)
            assert math.tan(actor.pose.pitch) == pytest.approx(climbed, abs=0.02)
    assert steepest > math.radians(1.5)


def replace_height(pose: Pose, z: float) -> Pose:
    return Pose(pose.x, pose.y, z, pose.yaw)


def test_the_hand_brake_locks_the_rear_wheels(engine: Engine, car: Actor) -> None:
    push_off(engine, car, 15.0)
    engine.apply_vehicle_control(car.id, VehicleControl(hand_brake=True))
    run(engine, 1.0)
    train = default_drivetrain(car.blueprint)
    rest = (train.engine_drag(1, 0.0, 12.0) + train.rolling + train.air * 12.0**2) / train.mass
    # half the weight brakes
    assert 15.0 - car.speed == pytest.approx(0.45 * GRAVITY + rest, rel=0.05)


def test_telemetry_is_the_models(engine: Engine, car: Actor) -> None:
    push_off(engine, car, 15.0)
    engine.apply_vehicle_control(car.id, VehicleControl(throttle=0.4, steer=0.1))
    run(engine, 1.0)
    shown = engine.telemetry(car.id)
    train = default_drivetrain(car.blueprint)
    assert (shown.throttle, shown.steer, shown.gear) == (0.4, 0.1, 1)
    assert shown.drag == pytest.approx(train.air * shown.speed**2)
    assert shown.engine_rpm == pytest.approx(train.gears[0] * shown.speed * 30 / math.pi, rel=0.01)
    assert sum(wheel.tire_load for wheel in shown.wheels) == pytest.approx(1750 * GRAVITY)
    across = -car.acceleration[0] * math.sin(car.pose.yaw)
    across += car.acceleration[1] * math.cos(car.pose.yaw)
    side = sum(wheel.lat_force for wheel in shown.wheels)
    assert side == pytest.approx(1750 * across, rel=0.1)
    along = sum(wheel.long_force for wheel in shown.wheels)
    engine_force = 0.4 * train.pull(1, shown.speed) - train.engine_drag(1, 0.4, shown.speed)
    assert along == pytest.approx(engine_force, rel=0.02)
    assert shown.wheels[0].omega == pytest.approx(shown.speed / 0.35, rel=0.05)
    assert shown.wheels[0].lat_slip > 0.0  # the tyres point farther left than they go


def curves() -> Iterator[VehiclePhysics]:
    for blueprint in vehicle_blueprints():
        yield default_physics(blueprint)


def test_every_vehicle_has_plausible_mechanics() -> None:
    for blueprint, physics in zip(vehicle_blueprints(), curves(), strict=True):
        train = Drivetrain(physics, blueprint)
        assert 1 <= len(physics.forward_gears) <= 8
        assert train.gears == sorted(train.gears, reverse=True)
        pull = train.pull(1, 0.0) - train.rolling
        assert pull / physics.mass == pytest.approx(blueprint.max_acceleration, rel=0.02)
        assert pull < train.front_grip + train.rear_grip
        ratios = [gear.ratio for gear in physics.forward_gears]
        assert all(isinstance(gear, GearPhysics) for gear in physics.forward_gears)
        assert all(a / b < 1.6 for a, b in pairwise(ratios))
