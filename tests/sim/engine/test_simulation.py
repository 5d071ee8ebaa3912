import subprocess
import sys

import pytest

from sim.engine.actors import VehicleControl
from sim.engine.geometry import Pose
from sim.engine.lanes import LaneId
from sim.engine.simulation import Engine, SpawnCollision, UnknownActor, UnknownBlueprint
from sim.engine.town import Town
from sim.engine.traffic_lights import LightState

MODEL3 = "vehicle.tesla.model3"


def test_the_catalogue_holds_what_the_issue_needs(engine: Engine) -> None:
    kinds = [blueprint.kind for blueprint in engine.blueprints.values()]
    assert kinds.count("vehicle") >= 40
    assert kinds.count("walker") >= 24
    assert kinds.count("prop") >= 60
    for name in ("rgb", "depth", "semantic_segmentation", "instance_segmentation"):
        values = {one.id for one in engine.blueprints[f"sensor.camera.{name}"].attributes}
        assert values >= {"image_size_x", "image_size_y", "fov", "sensor_tick", "role_name"}
    tags = {one.semantic_tag for one in engine.blueprints.values() if one.kind == "vehicle"}
    assert tags == {14, 15, 16, 18, 19}
    for blueprint in engine.blueprints.values():
        if blueprint.kind == "vehicle":
            length, width, height = blueprint.size
            assert 1.5 < length < 9.0
            assert 0.5 < width < 3.0
            assert 1.3 < height < 3.7
            assert 1.0 < blueprint.wheelbase < length


def test_a_spawned_actor_has_all_attributes_and_a_box_on_the_ground(engine: Engine) -> None:
    actor = engine.spawn(MODEL3, engine.town.spawn_points[0], {"role_name": "hero"})
    assert actor.attributes["role_name"] == "hero"
    assert actor.attributes["number_of_wheels"] == "4"
    assert actor.box_offset[2] == actor.extent[2]
    assert actor.lane is not None
    assert actor.speed_limit == actor.lane.speed_limit


def test_spawning_fails_clearly(engine: Engine) -> None:
    point = engine.town.spawn_points[0]
    engine.spawn(MODEL3, point)
    with pytest.raises(SpawnCollision, match="no room for"):
        engine.spawn(MODEL3, point)
    building = engine.town.buildings[0].centre
    with pytest.raises(SpawnCollision):
        engine.spawn(MODEL3, building)
    with pytest.raises(UnknownBlueprint):
        engine.spawn("vehicle.no.such", point)
    with pytest.raises(UnknownActor):
        engine.spawn("sensor.camera.rgb", Pose(), parent_id=999)


def test_every_spawn_point_is_free(engine: Engine) -> None:
    for point in engine.town.spawn_points:
        engine.spawn("vehicle.nissan.patrol", point)
    for point in engine.town.walker_spawn_points:
        engine.spawn("walker.pedestrian.0005", point)


def test_ids_are_never_used_twice(engine: Engine) -> None:
    first = engine.spawn(MODEL3, engine.town.spawn_points[0])
    assert engine.destroy(first.id)
    assert not engine.destroy(first.id)
    assert engine.spawn(MODEL3, engine.town.spawn_points[0]).id > first.id


def test_a_camera_rides_with_its_vehicle_and_stays_when_it_ends(engine: Engine) -> None:
    car = engine.spawn(MODEL3, engine.town.spawn_points[0])
    camera = engine.spawn("sensor.camera.rgb", Pose(1.0, 0.5, 1.5, 0.1), parent_id=car.id)
    engine.apply_vehicle_control(car.id, VehicleControl(throttle=1.0, steer=0.2))
    for _ in range(20):
        engine.tick(0.05)
    assert car.speed > 2.0
    assert camera.pose == car.pose.compose(Pose(1.0, 0.5, 1.5, 0.1))
    assert camera.velocity == car.velocity
    engine.set_pose(car.id, engine.town.spawn_points[5])
    assert camera.pose == engine.town.spawn_points[5].compose(Pose(1.0, 0.5, 1.5, 0.1))
    left_at = camera.pose
    engine.destroy(car.id)
    engine.tick(0.05)
    assert camera.parent is None and camera.pose == left_at
    assert engine.destroy(camera.id)


def test_frames_and_time_count(engine: Engine) -> None:
    assert [engine.tick(0.05) for _ in range(3)] == [1, 2, 3]
    assert engine.elapsed_s == pytest.approx(0.15)
    with pytest.raises(ValueError, match="delta_s > 0"):
        engine.tick(0.0)


def test_a_vehicle_knows_the_light_before_whose_line_it_stands(engine: Engine) -> None:
    light = engine.traffic_lights[3]
    lane = engine.town.lanes[light.lane_id]
    car = engine.spawn(MODEL3, lane.pose_at(lane.stop_s - 8.0))
    assert car.traffic_light is light
    for s, expected in ((-30.0, None), (-3.0, light), (4.0, None)):
        engine.set_pose(car.id, lane.pose_at(lane.stop_s + s))
        engine.tick(0.05)
        assert car.traffic_light is expected
    opposite = LaneId(lane.road_id, -lane.lane_id)
    back = engine.town.lanes[opposite].pose_at(5.0)
    engine.set_pose(car.id, back)
    assert car.traffic_light is None


def test_the_same_seed_and_calls_give_the_same_world(town: Town) -> None:
    def drive(seed: int) -> list[Pose]:
        engine = Engine(town, seed=seed)
        for point in town.spawn_points[::40]:
            engine.follow_lanes(engine.spawn("vehicle.audi.a2", point).id)
        for point in town.walker_spawn_points[::60]:
            engine.walk_pavement(engine.spawn("walker.pedestrian.0003", point).id)
        for _ in range(150):
            engine.tick(0.1)
        return [actor.pose for actor in engine.actors.values()]

    first = drive(1)
    assert drive(1) == first
    assert drive(2) != first


def test_impulses_and_velocities(engine: Engine) -> None:
    car = engine.spawn(MODEL3, Pose(0.0, -400.0, -0.05))
    engine.add_impulse(car.id, (car.blueprint.mass * 3.0, 0.0, 0.0))
    assert car.velocity == pytest.approx((3.0, 0.0, 0.0))
    engine.enable_constant_velocity(car.id, (5.0, 0.0, 0.0))
    for _ in range(20):
        engine.tick(0.05)
    assert car.pose.x == pytest.approx(5.0, rel=0.01)
    engine.disable_constant_velocity(car.id)
    engine.apply_vehicle_control(car.id, VehicleControl(brake=1.0))
    for _ in range(20):
        engine.tick(0.05)
    assert car.speed == 0.0


def test_the_engine_runs_without_numba_until_a_picture_is_asked_for() -> None:
    code = (
        "import sys; from sim.engine.simulation import Engine; "
        "from sim.engine.town import build_town; "
        "engine = Engine(build_town()); engine.tick(0.1); "
        "sys.exit('numba' in sys.modules or 'sim.engine.render.renderer' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_frozen_lights_stay(engine: Engine) -> None:
    engine.freeze_all_lights(True)
    before = [light.state for light in engine.traffic_lights.values()]
    for _ in range(200):
        engine.tick(0.1)
    assert [light.state for light in engine.traffic_lights.values()] == before
    engine.freeze_all_lights(False)
    engine.set_light_times(1, green=1.0)
    for _ in range(11):
        engine.tick(0.1)
    assert engine.traffic_lights[1].state == LightState.YELLOW


def test_props_come_to_life_anywhere_and_vehicles_where_there_is_room(engine: Engine) -> None:
    place = engine.town.spawn_points[0]
    engine.spawn("static.prop.container", place)
    engine.spawn("static.prop.streetbarrier", place)  # as CARLA has it
    with pytest.raises(SpawnCollision):
        engine.spawn(MODEL3, place)
