import numpy as np
import pytest

from scheduler.errors import WorldError
from sim.calibration import Intrinsics
from sim.engine.geometry import Pose
from sim.engine.weather import Weather
from sim.ground_truth import GroundTruth
from sim.inprocess_world import InprocessWorld
from sim.world import CameraMount, Picture


def test_ticks_and_time_grow_by_the_fixed_step():
    world = InprocessWorld(fixed_delta_s=0.2)
    ego = world.spawn_ego("ego")
    seen = [world.tick() for _ in range(3)]
    assert [(s.tick, s.sim_ns) for s in seen] == [(1, 2 * 10**8), (2, 4 * 10**8), (3, 6 * 10**8)]
    assert set(seen[0].egos) == {ego.actor_id}


def test_the_sky_can_be_asked_for():
    world = InprocessWorld()
    assert world.weather().name == "clear"
    world.set_weather(Weather(fog_density=40.0))
    assert world.weather().name == "fog"


def test_ego_stands_at_the_start_of_its_route():
    world = InprocessWorld()
    ego = world.spawn_ego("ego", spawn_index=12)
    state = world.tick().egos[ego.actor_id]
    assert ego.is_loop
    assert len(ego.route) > 800
    assert ego.route[0][:2] == pytest.approx([state.pose.x, state.pose.y], abs=0.5)
    assert np.linalg.norm(np.diff(ego.route, axis=0), axis=1).max() < 1.5


def test_second_ego_gets_the_next_free_place():
    world = InprocessWorld()
    first, second = world.spawn_ego("a", 5), world.spawn_ego("b", 5)
    apart = np.linalg.norm(first.route[0] - second.route[0])
    assert apart > 5.0


def test_random_route_is_open_and_seeded():
    routes = [InprocessWorld(seed=s).spawn_ego("ego", 0, "random").route for s in (1, 1, 2)]
    assert np.array_equal(routes[0], routes[1])
    assert routes[0].shape != routes[2].shape or not np.array_equal(routes[0], routes[2])


def test_traffic_is_seeded_and_moves():
    def crowd(seed):
        world = InprocessWorld()
        world.spawn_ego("ego")
        assert world.traffic(20, 10, seed) == (20, 10)
        return world

    world = crowd(1)
    first = [(b.class_id, b.pose) for b in world.tick().bodies]
    assert first == [(b.class_id, b.pose) for b in crowd(1).tick().bodies]
    assert first != [(b.class_id, b.pose) for b in crowd(2).tick().bodies]
    for _ in range(30):
        seen = world.tick()
    moving = [b for b in seen.bodies if np.hypot(*b.velocity[:2]) > 0.3]
    assert len(moving) > 15
    assert {5, 6} < {b.class_id for b in seen.bodies}


def test_taken_place_and_unknown_blueprint_are_said():
    world = InprocessWorld()
    world.place_vehicle("vehicle.audi.tt", Pose(0.0, 1.75, 0.3))
    with pytest.raises(WorldError, match="cannot place"):
        world.place_vehicle("vehicle.audi.tt", Pose(0.0, 1.75, 0.3))
    with pytest.raises(WorldError, match="nothing"):
        world.place_vehicle("vehicle.nothing", Pose(50.0, 1.75, 0.3))


def test_close_may_be_called_twice():
    world = InprocessWorld()
    world.spawn_ego("ego")
    world.close()
    world.close()


PLAIN = Intrinsics.from_fov(320, 192, 90.0)
CALIBRATED = Intrinsics(320, 192, 200.0, 205.0, 150.0, 101.0, (-0.2, 0.03, 0.0, 0.0, 0.0))


class Scene:
    """An ego with three cameras behind a standing car, in traffic."""

    def __init__(self):
        self.world = InprocessWorld(shadows=False)
        self.ego = self.world.spawn_ego("ego", 40)
        eye = Pose(1.5, 0.0, 1.5)
        self.plain, self.calibrated, self.slow = (
            self.world.attach_camera(self.ego, CameraMount(eye, intrinsics, every_ticks))
            for intrinsics, every_ticks in ((PLAIN, 1), (CALIBRATED, 1), (PLAIN, 2))
        )
        x, y, z = self.ego.route[16]
        heading = np.arctan2(*(self.ego.route[16] - self.ego.route[15])[1::-1])
        place = Pose(x, y, z + 0.3, float(heading))
        self.placed = self.world.place_vehicle("vehicle.audi.tt", place)
        self.world.traffic(20, 10, 3)

    def car_in(self, boxes):
        (car,) = (box for box in boxes if box.actor_id == self.placed)
        return car


@pytest.fixture(scope="module")
def scene():
    pytest.importorskip("numba")
    return Scene()


def test_truth_is_where_the_pixels_are_whatever_the_ids(scene):
    own_id = scene.ego.actor_id
    with_actor_ids, with_object_ids = GroundTruth(PLAIN, own_id), GroundTruth(PLAIN, own_id)
    for _ in range(6):
        seen = scene.world.tick()
        picture = scene.world.picture(scene.plain)
        boxes = with_actor_ids.boxes(picture, seen.bodies)
        # The engine's object ids, as `vdap world --instance-ids engine` would write some.
        others = (picture.instance.astype(np.uint32) * 40503 + 9173).astype(np.uint16)
        others[picture.instance == 0] = 0
        hidden = Picture(picture.bgr, others, picture.semantic, picture.world_from_camera)
        assert with_object_ids.boxes(hidden, seen.bodies) == boxes
    car = scene.car_in(boxes)
    rows, columns = np.nonzero(picture.instance == scene.placed)
    assert car.xyxy == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert car.visibility > 0.5
    assert car.distance_m == pytest.approx(16.0, abs=2.0)


def test_lens_bends_picture_and_truth_alike(scene):
    pytest.importorskip("cv2")
    seen = scene.world.tick()
    picture = scene.world.picture(scene.calibrated)
    assert picture.bgr.shape == (192, 320, 3)
    boxes = GroundTruth(CALIBRATED, scene.ego.actor_id).boxes(picture, seen.bodies)
    assert 0.4 < scene.car_in(boxes).visibility <= 1.0


def test_slow_camera_makes_every_second_picture(scene):
    ticks = [(scene.world.tick().tick, scene.world.picture(scene.slow)) for _ in range(4)]
    assert [tick % 2 for tick, picture in ticks if picture is not None] == [0, 0]
