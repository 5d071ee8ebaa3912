import math
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest

from sim.engine.actors import VehicleControl
from sim.engine.geometry import Pose
from sim.engine.ground import ground_instances
from sim.engine.level_objects import FIRST_LEVEL_ID
from sim.engine.render.assets.people import STANDING, pedestrian_mesh
from sim.engine.render.assets.vehicles import vehicle_mesh
from sim.engine.simulation import Engine
from sim.engine.town import Town

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="needs the extra `engine`")


@pytest.fixture(scope="module")
def engine(town: Town) -> Engine:
    return Engine(town, seed=1)


def view(pose: Pose, size: tuple[int, int] = (160, 96)):
    from sim.engine.render.renderer import CameraView

    return CameraView(*size, 90.0, pose.matrix())


def test_bodies_have_the_size_of_their_meshes(engine: Engine) -> None:
    for blueprint in engine.blueprints.values():
        if blueprint.kind == "vehicle":
            model = blueprint.id.partition(".")[2]
            mesh = vehicle_mesh(blueprint.mesh, 5, blueprint.mesh_size, model)
            size = np.ptp(mesh.vertices, axis=0)
            assert size == pytest.approx(blueprint.size, abs=0.12), blueprint.id
            middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
            assert middle[:2] == pytest.approx((0.0, 0.0), abs=0.06), blueprint.id
        elif blueprint.kind == "walker":
            mesh = pedestrian_mesh(blueprint.variant, 5, STANDING, blueprint.size[2])
            assert mesh.vertices[:, 2].max() == pytest.approx(blueprint.size[2], abs=0.01)
            across = np.abs(mesh.vertices[:, :2]).max(0)
            assert (across <= np.array(blueprint.size[:2]) / 2 + 0.02).all(), blueprint.id


def test_there_is_ground_under_everything(town: Town) -> None:
    """Straight down from anywhere in the town there is a triangle, and roads have no holes."""
    covered = {tag: [] for tag in (1, 2, 10, 24)}
    for instance in ground_instances(town):
        mesh = instance.mesh
        covered[instance.semantic_tag].append(mesh.vertices[mesh.triangles][:, :, :2])
    roads = np.concatenate(covered[1]).astype(float)
    for lane in town.lanes.lanes.values():
        if lane.kind == "driving":
            for s in np.linspace(0.2, lane.length - 0.2, 9):
                for offset in (-1.6, 0.0, 1.6):
                    at = lane.pose_at(float(s), offset)
                    assert _covers(roads, (at.x, at.y)), f"hole in {lane.id} at {s:.1f} m"
    lawn = np.concatenate(covered[10]).astype(float)
    assert all(_covers(lawn, place) for place in ((0, 60), (-400, -400), (300, 250)))


def _covers(triangles: np.ndarray, point: tuple[float, float]) -> bool:
    a, b, c = (triangles[:, k] - point for k in range(3))
    sides = np.stack([p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0] for p, q in ((a, b), (b, c), (c, a))])
    return bool(((sides >= -1e-4).all(0) | (sides <= 1e-4).all(0)).any())


def test_a_camera_sees_car_road_building_and_sky_by_their_ids(engine: Engine) -> None:
    lane = engine.town.lanes.lanes[engine.town.loop[0]]
    car = engine.spawn("vehicle.tesla.model3", lane.pose_at(50.0), {"color": "200,20,20"})
    at = lane.pose_at(40.0)
    eye = view(Pose(at.x, at.y, 1.5, at.yaw))
    picture = engine.picture(eye)
    assert engine.picture(eye) is picture
    seen = set(np.unique(picture.semantic).tolist())
    assert {1, 2, 3, 11, 14, 24} <= seen
    on_car = picture.instance == car.id
    assert on_car.sum() > 150
    assert (picture.semantic[on_car] == 14).all()
    near = picture.depth[on_car].min()
    assert near == pytest.approx(10.0 - car.extent[0], abs=0.6)
    assert picture.instance[picture.semantic == 3].min() >= FIRST_LEVEL_ID
    assert (picture.semantic[-8:] != 11).all()  # no sky below
    blue, _, red = picture.bgr[on_car].mean(axis=0)
    assert red > 1.2 * blue


def test_a_picture_after_a_change_in_the_same_tick_is_new(engine: Engine) -> None:
    lane = engine.town.lanes.lanes[engine.town.loop[0]]
    at = lane.pose_at(140.0)
    eye = view(Pose(at.x, at.y, 1.5, at.yaw))
    walker = engine.spawn("walker.pedestrian.0003", Pose(*_beside(lane.pose_at(146.0)), 1.0))
    assert (engine.picture(eye).instance == walker.id).any()
    engine.destroy(walker.id)
    assert not (engine.picture(eye).instance == walker.id).any()


def _beside(pose: Pose) -> tuple[float, float]:
    return pose.x, pose.y


def test_a_walker_walks_through_the_phases_of_its_stride(town: Town) -> None:
    from sim.engine.actor_instances import ActorInstances

    engine, shown = Engine(town, seed=1), ActorInstances(1)
    walker = engine.spawn("walker.pedestrian.0004", town.walker_spawn_points[5])
    engine.walk_pavement(walker.id)
    instances = {}
    shown.update(instances, engine.actors)
    standing, worn = instances[walker.id].mesh, set()
    for _ in range(30):
        engine.tick(0.05)
        shown.update(instances, engine.actors, engine.elapsed_s)
        worn.add(id(instances[walker.id].mesh))
    assert len(worn) >= 10
    assert instances[walker.id].mesh is not standing


def test_wheels_turn_with_the_road_and_steer(town: Town) -> None:
    from sim.engine.actor_instances import ActorInstances, part_key

    engine, shown = Engine(town, seed=1), ActorInstances(1)
    car = engine.spawn("vehicle.tesla.model3", town.spawn_points[0])
    engine.apply_vehicle_control(car.id, VehicleControl(throttle=0.6, steer=0.5))
    for _ in range(20):
        engine.tick(0.05)
    instances = {}
    shown.update(instances, engine.actors, engine.elapsed_s)
    parts = [instances[part_key(car.id, k)] for k in range(4)]
    assert all(part.instance_id == car.id and part.semantic_tag == 14 for part in parts)
    car_from_world = np.linalg.inv(car.pose.matrix())
    front, _, rear, _ = ((car_from_world @ part.world_from_mesh)[:3, :3] for part in parts)
    assert car.steer_angle > 0.1
    assert math.atan2(-front[0, 1], front[1, 1]) == pytest.approx(car.steer_angle, abs=1e-6)
    radius = (car_from_world @ parts[2].world_from_mesh)[2, 3]
    spin = math.atan2(rear[0, 2], rear[0, 0])
    assert math.cos(spin) == pytest.approx(math.cos(car.rolled / radius), abs=1e-6)
    assert car.rolled > 0.5
    engine.destroy(car.id)
    shown.update(instances, engine.actors)
    assert car.id not in instances and part_key(car.id, 0) not in instances


def test_indicators_blink_and_brakes_shine(town: Town) -> None:
    from sim.engine.actor_instances import ActorInstances

    engine, shown = Engine(town, seed=1), ActorInstances(1)
    car = engine.spawn("vehicle.audi.tt", town.spawn_points[0])
    engine.set_light_flags(car.id, 32 | 2)
    engine.apply_vehicle_control(car.id, VehicleControl(brake=1.0))
    instances, burning = {}, []
    for k in range(40):
        shown.update(instances, engine.actors, 0.05 * k)
        lamps = instances[car.id].lamps
        assert lamps & (2 | 8) == 2 | 8
        burning.append(bool(lamps & 32))
    changes = sum(a != b for a, b in pairwise(burning))
    assert changes == 5  # on and off, three times in two seconds
    engine.apply_vehicle_control(car.id, VehicleControl(reverse=True))
    shown.update(instances, engine.actors, 0.0)
    assert instances[car.id].lamps & (64 | 8) == 64


def test_a_traffic_light_shows_its_state(engine: Engine) -> None:
    from sim.engine.traffic_lights import LightState

    light = engine.traffic_lights[3]
    lane = engine.town.lanes[light.lane_id]
    at = lane.pose_at(lane.stop_s + 3.0)
    eye = view(Pose(at.x, at.y, 1.5, at.yaw, 0.08), (640, 384))
    colours = {}
    for state in (LightState.RED, LightState.GREEN):
        engine.set_light_state(light.id, state)
        picture = engine.picture(eye)
        on_light = picture.instance == light.id
        assert on_light.any()
        assert (picture.semantic[on_light] == 7).all()
        colours[state] = picture.bgr[on_light].astype(int)
    assert (colours[LightState.RED][:, 2] - colours[LightState.RED][:, 1]).max() > 80
    assert (colours[LightState.GREEN][:, 1] - colours[LightState.GREEN][:, 2]).max() > 60


def test_equal_engines_take_equal_pictures(town: Town) -> None:
    lane = town.lanes.lanes[town.loop[0]]
    at = lane.pose_at(30.0)
    eye = view(Pose(at.x, at.y, 1.5, at.yaw))
    pictures = []
    for _ in range(2):
        engine = Engine(town, seed=3)
        engine.spawn("vehicle.audi.tt", lane.pose_at(45.0))
        engine.tick(0.1)
        pictures.append(engine.picture(eye))
    assert np.array_equal(pictures[0].bgr, pictures[1].bgr)
    assert np.array_equal(pictures[0].instance, pictures[1].instance)
