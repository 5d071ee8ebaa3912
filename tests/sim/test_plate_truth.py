import numpy as np
import pytest

from sim.calibration import Intrinsics
from sim.engine.geometry import Pose
from sim.engine.render.assets.vehicle_parts import plate_corners
from sim.engine.render.assets.vehicles import vehicle_asset
from sim.ground_truth import GroundTruth
from sim.inprocess_world import InprocessWorld
from sim.plate_truth import plates_in
from sim.world import LEVEL_IDS, Body, CameraMount, Picture

CAMERA = Intrinsics.from_fov(640, 384, 90.0)
EYE = Pose(0.0, 0.0, 1.0)
CAR, CAR_TAG = 9, 14
# What the driver behind reads: 520 x 115 mm, at the middle of the rear.
REAR = ((-2.2, 0.26, -0.0575), (-2.2, -0.26, -0.0575), (-2.2, -0.26, 0.0575), (-2.2, 0.26, 0.0575))
SEEN_AS = {CAR: 77}


def car(x, y=0.0, yaw=0.0):
    return Body(CAR, 0, Pose(x, y, 1.0, yaw), (2.2, 0.9, 0.75), plates=(REAR,))


def picture(hidden=()):
    """All of it the car's, but for the columns of `hidden`."""
    instance = np.full((384, 640), SEEN_AS[CAR], np.uint16)
    instance[:, slice(*hidden) if hidden else slice(0)] = 5
    semantic = np.full((384, 640), CAR_TAG, np.uint8)
    return Picture(np.zeros((384, 640, 3), np.uint8), instance, semantic, EYE.matrix())


def test_a_plate_ahead_is_where_pinhole_arithmetic_puts_it():
    (plate,) = plates_in(picture(), [car(6.2)], CAMERA, SEEN_AS)
    # 4 m away through a focal length of 320 px: 520 x 115 mm are 41.6 x 9.2 px.
    assert plate.xyxy == pytest.approx((320 - 20.8, 192 - 4.6, 320 + 20.8, 192 + 4.6))
    assert plate.corners[0] == pytest.approx((320 - 20.8, 192 + 4.6))
    assert plate.is_readable
    (far,) = plates_in(picture(), [car(10.2)], CAMERA, SEEN_AS)
    assert far.height_px == pytest.approx(4.6)
    assert not far.is_readable


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (car(-2.0), picture()),  # behind the camera
        (car(6.2, yaw=np.pi), picture()),  # looks away
        (car(6.2, yaw=np.radians(80)), picture()),  # seen from the side
        (car(6.2, y=4.2), picture()),  # half outside
        (car(40.0), picture()),  # too small
        (car(6.2), picture(hidden=(310, 330))),  # half hidden by another
    ],
)
def test_a_plate_that_cannot_be_read_off_the_picture_is_no_truth(body, seen):
    assert plates_in(seen, [body], CAMERA, SEEN_AS) == []


def test_a_car_without_pixels_has_no_plate():
    assert plates_in(picture(), [car(6.2)], CAMERA, {}) == []


@pytest.mark.parametrize(
    ("kind", "sides"),
    [("car_van", [1, -1]), ("bus", [1, -1]), ("motorcycle", [-1]), ("bicycle", [])],
)
def test_plates_are_found_in_finished_meshes(kind, sides):
    body = vehicle_asset(kind, 3).body
    found = np.array(plate_corners(body)).reshape(-1, 4, 3)
    assert np.sign(found[:, 0, 0]).tolist() == sides
    for (bottom_left, bottom_right, top_right, _), side in zip(found, sides, strict=True):
        wide, tall = (0.26, 0.1) if kind == "motorcycle" else (0.52, 0.115)
        assert (bottom_right - bottom_left)[1] == pytest.approx(side * wide, rel=0.1)
        assert (top_right - bottom_right)[2] == pytest.approx(tall, rel=0.2)
        assert abs(bottom_left[0]) > 0.8 * abs(body.vertices[:, 0]).max()


def test_drawn_plates_lie_where_truth_says():
    pytest.importorskip("numba")
    world = InprocessWorld(town="VdapTown02", shadows=False, with_plates=True)
    ego = world.spawn_ego("ego", 40)
    camera = world.attach_camera(ego, CameraMount(Pose(1.5, 0.0, 1.2), CAMERA))
    x, y, z = ego.route[9]
    heading = float(np.arctan2(*(ego.route[9] - ego.route[8])[1::-1]))
    placed = world.place_vehicle("vehicle.audi.tt", Pose(x, y, z + 0.3, heading))
    seen = world.tick()
    shown = world.picture(camera)
    truth = GroundTruth(CAMERA, ego.actor_id)
    truth.boxes(shown, seen.bodies)
    (plate,) = (
        p for p in plates_in(shown, seen.bodies, CAMERA, truth.seen_as) if p.actor_id == placed
    )
    left, top, right, bottom = (round(v) for v in plate.xyxy)
    grey = shown.bgr.mean(2)
    inside = grey[top + 1 : bottom - 1, left + 3 : right - 1]
    beside = grey[top:bottom, right + 4 : right + 12]
    assert inside.mean() > beside.mean() + 40  # a white plate on a darker bumper
    parked = [b for b in seen.bodies if b.actor_id >= LEVEL_IDS]
    assert parked
    for body in parked:
        assert len(body.plates) == 2
        assert np.abs(np.array(body.plates)[..., 0]).min() > 0.9 * body.extent[0]
    assert InprocessWorld().tick().bodies[0].plates == ()
