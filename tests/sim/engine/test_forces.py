"""Impulses, gravity, death, doors and arms, against cases worked out by hand."""

import math

import pytest

from sim.engine.actors import Actor, VehicleControl, WalkerControl
from sim.engine.geometry import Pose
from sim.engine.simulation import Engine, UnknownActor

MODEL3 = "vehicle.tesla.model3"
FIELD = Pose(0.0, -400.0, -0.05)  # open ground


def run(engine: Engine, seconds: float) -> None:
    for _ in range(round(seconds / 0.05)):
        engine.tick(0.05)


@pytest.fixture
def car(engine: Engine) -> Actor:
    return engine.spawn(MODEL3, FIELD)


def test_an_impulse_beside_the_middle_turns_as_well(engine: Engine, car: Actor) -> None:
    length, width = 2 * car.extent[0], 2 * car.extent[1]
    inertia = 1750.0 / 12.0 * (length**2 + width**2)
    engine.add_impulse(car.id, (0.0, 3500.0, 0.0), at=(1.5, -400.0, 0.0))
    assert car.velocity == pytest.approx((0.0, 2.0, 0.0))
    assert car.angular_velocity[2] == pytest.approx(1.5 * 3500.0 / inertia)


def test_an_angular_impulse_turns_by_its_share_of_the_inertia(engine: Engine, car: Actor) -> None:
    length, width = 2 * car.extent[0], 2 * car.extent[1]
    engine.add_angular_impulse(car.id, (0.0, 0.0, 1000.0))
    assert car.angular_velocity[2] == pytest.approx(12.0 * 1000.0 / 1750.0 / (length**2 + width**2))
    assert car.velocity == (0.0, 0.0, 0.0)


def test_an_impulse_upwards_throws_and_gravity_brings_back(engine: Engine, car: Actor) -> None:
    engine.add_impulse(car.id, (0.0, 0.0, 1750.0 * 4.0))
    highest = 0.0
    for _ in range(30):
        engine.tick(0.05)
        highest = max(highest, car.pose.z + 0.05)
    assert highest == pytest.approx(4.0**2 / (2 * 9.81), rel=0.15)
    assert car.pose.z == -0.05


def test_two_metres_up_it_lands_after_the_time_that_falling_takes(engine: Engine) -> None:
    car = engine.spawn(MODEL3, Pose(0.0, -400.0, 1.95))
    seconds = 0.0
    while car.pose.z > -0.05:
        engine.tick(0.01)
        seconds += 0.01
        assert seconds < 2.0
    assert seconds == pytest.approx(math.sqrt(2 * 2.0 / 9.81), abs=0.03)


def test_without_gravity_it_hovers_and_with_it_falls(engine: Engine) -> None:
    car = engine.spawn(MODEL3, Pose(0.0, -400.0, 3.0))
    engine.set_gravity(car.id, False)
    run(engine, 1.0)
    assert car.pose.z == 3.0
    engine.set_gravity(car.id, True)
    run(engine, 1.5)
    assert car.pose.z == -0.05


def test_what_flies_over_a_car_does_not_hit_it(engine: Engine, car: Actor) -> None:
    flyer = engine.spawn(MODEL3, Pose(-10.0, -400.0, 4.0))
    engine.set_gravity(flyer.id, False)
    engine.set_velocity(flyer.id, (20.0, 0.0, 0.0))
    for _ in range(20):
        engine.tick(0.05)
        assert engine.collisions == []
    assert flyer.pose.x > 5.0 and car.pose == FIELD


def test_a_dead_vehicle_stops_whatever_its_pedals_say(engine: Engine, car: Actor) -> None:
    engine.set_velocity(car.id, (10.0, 0.0, 0.0))
    engine.apply_vehicle_control(car.id, VehicleControl(throttle=1.0))
    engine.set_dead(car.id)
    run(engine, 3.0)
    assert car.speed == 0.0


def test_a_dead_walker_falls_and_lies_there(engine: Engine) -> None:
    walker = engine.spawn("walker.pedestrian.0001", Pose(0.0, -400.0, 0.85))
    engine.apply_walker_control(walker.id, WalkerControl((1.0, 0.0, 0.0), 1.5))
    run(engine, 0.5)
    engine.set_dead(walker.id)
    run(engine, 1.0)
    place = walker.pose
    assert abs(place.pitch) == pytest.approx(math.pi / 2, abs=1e-6)
    assert place.z == pytest.approx(-0.05 + walker.extent[0], abs=0.02)
    run(engine, 2.0)
    assert walker.pose == place


def test_a_walker_who_was_hit_lies_and_gets_up_again(engine: Engine) -> None:
    walker = engine.spawn("walker.pedestrian.0001", Pose(8.0, -400.0, 0.85))
    car = engine.spawn(MODEL3, FIELD)
    engine.set_velocity(car.id, (9.0, 0.0, 0.0))
    run(engine, 0.7)
    engine.apply_vehicle_control(car.id, VehicleControl(brake=1.0))
    run(engine, 0.8)
    lying = max(abs(walker.pose.pitch), abs(walker.pose.roll))
    assert lying == pytest.approx(math.pi / 2, abs=1e-6)
    run(engine, 4.0)
    assert (walker.pose.pitch, walker.pose.roll) == (0.0, 0.0)
    assert walker.pose.z == pytest.approx(-0.05 + walker.extent[2])


def test_a_walker_jumps(engine: Engine) -> None:
    walker = engine.spawn("walker.pedestrian.0001", Pose(0.0, -400.0, 0.85))
    engine.tick(0.05)
    engine.apply_walker_control(walker.id, WalkerControl((1.0, 0.0, 0.0), 1.0, jump=True))
    engine.tick(0.05)
    engine.apply_walker_control(walker.id, WalkerControl((1.0, 0.0, 0.0), 1.0))
    run(engine, 0.2)
    assert walker.pose.z > 0.85 + 0.2
    run(engine, 1.0)
    assert walker.pose.z == pytest.approx(-0.05 + walker.extent[2])


def test_a_prop_stands_like_a_wall_until_its_physics_is_switched_on(
    engine: Engine, car: Actor
) -> None:
    prop = engine.spawn("static.prop.barrel", Pose(6.0, -400.0, -0.05))
    engine.set_velocity(car.id, (8.0, 0.0, 0.0))
    run(engine, 1.0)
    assert prop.pose.x == 6.0 and car.pose.x < 4.0
    engine.set_simulate_physics(prop.id, True)
    engine.set_velocity(car.id, (8.0, 0.0, 0.0))
    run(engine, 1.0)
    assert prop.pose.x > 7.0
    engine.apply_vehicle_control(car.id, VehicleControl(brake=1.0))
    run(engine, 4.0)
    assert prop.speed == 0.0


def test_sheet_metal_rubs(engine: Engine, car: Actor) -> None:
    """A car that slides along a wall is slowed by it, not only pushed off."""
    wall = engine.spawn("vehicle.carlamotors.firetruck", Pose(8.0, -396.5, -0.05))
    engine.set_simulate_physics(wall.id, False)
    engine.set_pose(car.id, Pose(0.0, -400.0, -0.05, 0.3))
    engine.set_velocity(car.id, (9.55, 2.95, 0.0))
    along = []
    for _ in range(12):
        engine.tick(0.05)
        along += [one.impulse[0] for one in engine.collisions if one.actor_id == car.id]
    assert along and min(along) < -100.0


def test_doors_keep_their_state(engine: Engine, car: Actor) -> None:
    engine.set_door(car.id, 0, True)
    engine.set_door(car.id, 3, True)
    assert car.open_doors == (0, 3)
    engine.set_door(car.id, 6, True)  # all
    assert car.open_doors == (0, 1, 2, 3)
    engine.set_door(car.id, 1, False)
    assert car.open_doors == (0, 2, 3)
    engine.set_door(car.id, 6, False)
    assert car.open_doors == ()


def test_stale_ids_are_told(engine: Engine) -> None:
    for call in (engine.set_dead, engine.telemetry, engine.physics):
        with pytest.raises(UnknownActor):
            call(4242)


def test_a_spring_arm_looks_at_its_vehicle_and_lags_in_bends(engine: Engine, car: Actor) -> None:
    arm = engine.spawn(
        "sensor.camera.rgb", Pose(-6.0, 0.0, 3.0), parent_id=car.id, attachment="spring_arm_ghost"
    )
    engine.tick(0.05)
    assert (arm.pose.x, arm.pose.y, arm.pose.z) == pytest.approx((-6.0, -400.0, 2.95))
    assert arm.pose.pitch == pytest.approx(-math.atan2(3.0, 6.0))
    engine.set_angular_velocity(car.id, (0.0, 0.0, 1.0))
    engine.enable_constant_velocity(car.id, (8.0, 0.0, 0.0))
    engine.apply_vehicle_control(car.id, VehicleControl(steer=0.2))
    run(engine, 2.0)
    behind = math.remainder(car.pose.yaw - arm.pose.yaw, math.tau)
    turning = car.angular_velocity[2]
    assert behind == pytest.approx(turning / 8.0, rel=0.25)  # a lag of an eighth of a second
    distance = math.dist((arm.pose.x, arm.pose.y), (car.pose.x, car.pose.y))
    assert distance == pytest.approx(6.0)


def test_a_spring_arm_draws_in_before_a_wall_and_a_ghosts_does_not(engine: Engine) -> None:
    building = engine.town.buildings[0]
    front = building.centre.compose(Pose(0.0, -building.width / 2 - 3.0, 0.0, -math.pi / 2))
    car = engine.spawn(MODEL3, Pose(front.x, front.y, 0.3, front.yaw))  # its rear to the wall
    arms = [
        engine.spawn("sensor.camera.rgb", Pose(-8.0, 0.0, 2.0), parent_id=car.id, attachment=one)
        for one in ("spring_arm", "spring_arm_ghost")
    ]
    engine.tick(0.05)
    lengths = [math.dist((arm.pose.x, arm.pose.y), (car.pose.x, car.pose.y)) for arm in arms]
    assert 2.0 < lengths[0] < 3.2
    assert lengths[1] == pytest.approx(8.0)
