"""Mechanics, forces and Ackermann control through the protocol, in CARLA's axes and units."""

import math

import pytest

from sim.carla_server.ackermann import AckermannFollower
from sim.carla_server.layouts import ACTOR_RECORD, VEHICLE_UNION, AckermannControl
from sim.engine.drivetrain import default_drivetrain
from sim.engine.geometry import Pose

from .plain_client import Snapshot, Subscriber, description

FIELD = [[0.0, 400.0, 0.0], [0.0, 0.0, 0.0]]  # open ground, looking east
MASS, DRAG, GEARS, WHEELS = 11, 12, 10, 15  # places in a VehiclePhysicsControl
FRICTION, MAX_STEER, RADIUS, BRAKE, POSITION = 0, 2, 3, 4, 9  # places in a wheel


@pytest.fixture
def car(call):
    call.settings(True, 0.05)
    found = call.value("spawn_actor", description(call, "vehicle.tesla.model3"), FIELD)[0]
    ticks(call, 6)
    return found


def ticks(call, count):
    for _ in range(count):
        call.value("tick_cue")


def drive(call, car, **control):
    fields = dict.fromkeys(("throttle", "steer", "brake"), 0.0)
    fields |= dict.fromkeys(("hand_brake", "reverse", "manual"), False) | {"gear": 0} | control
    call.void("apply_control_to_vehicle", car, list(fields.values()))


def test_physics_control_comes_back_as_it_was_set(call, car):
    physics = call.value("get_physics_control", car)
    assert physics[MASS] == 1750.0 and len(physics[WHEELS]) == 4
    for wheel, (x, y) in zip(
        physics[WHEELS], ((1.4, -0.9), (1.4, 0.9), (-1.4, -0.9), (-1.4, 0.9)), strict=True
    ):
        assert wheel[POSITION][0] == pytest.approx(100 * x, abs=5.0)  # cm, left is -y
        assert wheel[POSITION][1] == pytest.approx(40000 + 100 * y, abs=5.0)
        assert wheel[RADIUS] == pytest.approx(35.0)
    physics[MASS], physics[DRAG] = 2222.0, 0.5
    physics[GEARS] = [[3.0, 0.4, 0.7], [1.5, 0.4, 0.7]]
    for wheel in physics[WHEELS]:
        wheel[FRICTION] = 2.0
    call.void("apply_physics_control", car, physics)
    again = call.value("get_physics_control", car)
    assert again[:WHEELS] == physics[:WHEELS]
    for one, other in zip(again[WHEELS], physics[WHEELS], strict=True):
        assert one[:POSITION] == pytest.approx(other[:POSITION])


def test_slippery_tyres_slide_farther(call, car, server):
    distances = []
    for friction in (3.5, 1.0):
        physics = call.value("get_physics_control", car)
        for wheel in physics[WHEELS]:
            wheel[FRICTION] = friction
        call.void("apply_physics_control", car, physics)
        call.void("set_actor_transform", car, FIELD)
        call.void("set_actor_target_velocity", car, [15.0, 0.0, 0.0])
        drive(call, car, brake=1.0)
        ticks(call, 140)
        distances.append(server.world.engine.actors[car].pose.x)
    assert distances[1] > 2.5 * distances[0] > 20.0


@pytest.mark.parametrize(
    ("place", "value"), [(MASS, 0.0), (MASS, math.nan), (1, -5.0), (WHEELS, []), (9, math.inf)]
)
def test_mechanics_that_no_vehicle_drives_with_are_refused(call, car, place, value):
    physics = call.value("get_physics_control", car)
    physics[place] = value
    assert "expected a number" in call.failure("apply_physics_control", car, physics)
    ticks(call, 2)


def test_telemetry_has_the_real_servers_shape_and_signs(call, car):
    call.void("set_actor_target_velocity", car, [12.0, 0.0, 0.0])
    drive(call, car, throttle=0.3, steer=0.1)
    ticks(call, 10)
    speed, steer, throttle, brake, rpm, gear, drag, wheels = call.value("get_telemetry_data", car)
    assert 11.0 < speed < 14.0
    assert (steer, throttle, brake, gear) == pytest.approx((0.1, 0.3, 0.0, 1))
    assert rpm > 1000.0 and drag > 50.0
    assert [len(wheel) for wheel in wheels] == [11] * 4
    assert all(wheel[8] > 0.0 for wheel in wheels)  # to the right, where it turns
    assert call.value("get_wheel_steer_angle", car, 0) > 1.0


def test_the_gear_in_the_snapshot_is_the_one_it_is_in(call, car):
    stream = Subscriber(call, 1)
    for control, gear in (({"throttle": 0.5}, 1), ({"throttle": 0.5, "reverse": True}, -1)):
        drive(call, car, **control)
        ticks(call, 3)
        for _ in range(3):
            snapshot = Snapshot(stream.receive())
        union = VEHICLE_UNION.unpack_from(snapshot.records[car], ACTOR_RECORD.size)
        assert union[6] == gear
    stream.close()


def test_impulses_push_and_turn_clockwise_by_carlas_hand(call, car, server):
    actor = server.world.engine.actors[car]
    call.void("add_actor_impulse", car, [0.0, 1750.0, 0.0])  # to the south
    assert actor.velocity == pytest.approx((0.0, -1.0, 0.0))
    call.void("set_actor_target_velocity", car, [0.0, 0.0, 0.0])
    call.void("add_actor_impulse_at_location", car, [0.0, 1750.0, 0.0], [1.0, 400.0, 0.0])
    assert actor.angular_velocity[2] < 0.0
    before = actor.angular_velocity[2]
    call.void("add_actor_angular_impulse", car, [0.0, 0.0, math.degrees(500.0)])
    length, width = 2 * actor.extent[0], 2 * actor.extent[1]
    gained = -12.0 * 500.0 / 1750.0 / (length**2 + width**2)
    assert actor.angular_velocity[2] - before == pytest.approx(gained)


def test_a_force_is_a_push_for_one_tick(call, car, server):
    call.value("tick_cue")
    call.void("add_actor_force", car, [17500.0, 0.0, 0.0])
    assert server.world.engine.actors[car].velocity[0] == pytest.approx(0.5)


def test_gravity_death_and_doors_reach_the_engine(call, car, server):
    actor = server.world.engine.actors[car]
    call.void("set_actor_enable_gravity", car, False)
    call.void("set_actor_location", car, [0.0, 400.0, 5.0])
    ticks(call, 10)
    assert actor.pose.z == 5.0
    call.void("open_vehicle_door", car, 1)
    assert actor.open_doors == (1,)
    call.void("close_vehicle_door", car, 6)
    assert actor.open_doors == ()
    call.void("set_actor_dead", car)
    assert actor.is_dead


def test_spring_arms_are_told_from_rigid_ones(call, car, server):
    camera = description(call, "sensor.camera.rgb")
    place = [[-6.0, 0.0, 3.0], [0.0, 0.0, 0.0]]
    kinds = [call.value("spawn_actor_with_parent", camera, place, car, k, "")[0] for k in (0, 1, 2)]
    actors = server.world.engine.actors
    found = [actors[one].attachment for one in kinds]
    assert found == ["rigid", "spring_arm", "spring_arm_ghost"]
    call.value("tick_cue")
    assert actors[kinds[0]].pose.pitch == 0.0 and actors[kinds[2]].pose.pitch < -0.4


def test_a_prop_of_an_unreal_asset_is_refused_with_a_reason(call):
    prop = description(call, "static.prop.mesh", mesh_path="/Game/Carla/Static/Car/SM_Car")
    assert "asset of Unreal's" in call.failure("spawn_actor", prop, FIELD)
    assert call.value("spawn_actor", description(call, "static.prop.mesh"), FIELD)[0] > 0


# ---- Ackermann


def test_ackermann_control_comes_to_its_speed_and_angle(call, car, server):
    actor = server.world.engine.actors[car]
    angle = 0.1  # to the right
    call.void("apply_ackermann_control_to_vehicle", car, [angle, 0.0, 6.0, 0.0, 0.0])
    ticks(call, 300)
    assert actor.speed == pytest.approx(6.0, abs=0.4)
    assert actor.steer_angle == pytest.approx(-angle, abs=0.005)
    expected = 6.0 * math.tan(angle) / actor.blueprint.wheelbase
    assert actor.angular_velocity[2] == pytest.approx(-expected, rel=0.1)
    call.void("apply_ackermann_control_to_vehicle", car, [0.0, 0.0, 0.0, 0.0, 0.0])
    ticks(call, 200)
    assert actor.speed == 0.0


def test_ackermann_reverses_through_standstill(call, car, server):
    actor = server.world.engine.actors[car]
    call.void("set_actor_target_velocity", car, [4.0, 0.0, 0.0])
    call.void("apply_ackermann_control_to_vehicle", car, [0.0, 0.0, -3.0, 0.0, 0.0])
    ticks(call, 300)
    assert actor.velocity[0] == pytest.approx(-3.0, abs=0.5)


def test_ackermann_settings_come_back_and_change_the_drive(call, car, server):
    assert call.value("get_ackermann_controller_settings", car) == pytest.approx(
        [0.15, 0.0, 0.25, 0.01, 0.0, 0.01]
    )
    call.void("apply_ackermann_controller_settings", car, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert call.value("get_ackermann_controller_settings", car) == [0.0] * 6
    call.void("apply_ackermann_control_to_vehicle", car, [0.0, 0.0, 6.0, 0.0, 0.0])
    ticks(call, 60)
    assert server.world.engine.actors[car].speed < 0.1  # no gain, no pedal
    assert "expected a number" in call.failure(
        "apply_ackermann_controller_settings", car, [math.nan, 0.0, 0.0, 0.0, 0.0, 0.0]
    )


def test_a_target_acceleration_is_not_exceeded_and_a_steer_speed_kept(server):
    actor = server.world.engine.spawn("vehicle.tesla.model3", Pose(0.0, -400.0, 0.0))
    follower = AckermannFollower()
    with pytest.raises(ValueError, match="aim"):
        follower.control(actor, 0.0, 0.05)
    follower.aim(AckermannControl(steer=-0.4, steer_speed=0.2, speed=20.0, acceleration=0.5))
    limit = default_drivetrain(actor.blueprint).steer_limit(0.0)
    for step in range(1, 5):
        actor.control = follower.control(actor, 0.0, 0.05)
        assert actor.control.steer * limit == pytest.approx(0.01 * step)
        assert abs(follower._wish) <= 0.5
