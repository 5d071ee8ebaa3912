import math

import numpy as np
import pytest

from sim.calibration import Intrinsics
from sim.engine.geometry import Pose
from sim.ground_truth import CLASSES, GroundTruth
from sim.projection import box_corners, clipped_area, convex_hull, rigid_inverse, silhouette
from sim.world import Body, Picture
from vehicle.perception import classes

CAMERA = Intrinsics.from_fov(640, 384, 90.0)
EYE = Pose(0.0, 0.0, 1.5)
CAR_TAG, PERSON_TAG, LIGHT_TAG, BUILDING_TAG = 14, 12, 7, 3
TAGS = (14, 15, 16, 18, 19, 12, 7)  # CARLA's, by class


def car(actor_id, x, y, **more):
    return Body(actor_id, 0, Pose(x, y, 0.75), (2.2, 0.9, 0.75), **more)


def draw(bodies, ids=None, camera=CAMERA):
    """Paint the hull of every body, far ones first, as a renderer would."""
    instance = np.zeros((camera.height, camera.width), np.uint16)
    semantic = np.full((camera.height, camera.width), BUILDING_TAG, np.uint8)
    v, u = np.mgrid[: camera.height, : camera.width] + 0.5
    for body in sorted(bodies, key=lambda b: -math.hypot(b.pose.x, b.pose.y)):
        corners = box_corners([body.pose], [body.extent], rigid_inverse(EYE.matrix()))[0]
        hull = silhouette(corners, camera)
        if hull is None:
            continue
        inside = np.ones(u.shape, bool)
        for a, b in zip(hull, [*hull[1:], hull[0]], strict=True):
            inside &= (b[0] - a[0]) * (v - a[1]) - (b[1] - a[1]) * (u - a[0]) >= 0
        instance[inside] = (ids or {}).get(body.actor_id, body.actor_id) & 0xFFFF
        semantic[inside] = TAGS[body.class_id]
    bgr = np.zeros((camera.height, camera.width, 3), np.uint8)
    return Picture(bgr, instance, semantic, EYE.matrix())


def test_classes_are_those_of_perception():
    assert CLASSES == classes.CLASSES


def test_hull_and_clipped_area_by_hand():
    square = convex_hull([(0, 0), (10, 0), (10, 10), (0, 10), (5, 5), (10, 5)])
    assert sorted(square) == [(0, 0), (0, 10), (10, 0), (10, 10)]
    assert clipped_area(square, 100, 100) == pytest.approx(100.0)
    assert clipped_area([(-5, -5), (5, -5), (5, 5), (-5, 5)], 100, 100) == pytest.approx(25.0)
    assert clipped_area([(-5, -5), (-1, -5), (-1, -1), (-5, -1)], 100, 100) == 0.0


def test_box_is_tight_round_the_pixels():
    body = car(7, 12.0, 1.0, velocity=(3.0, 0.0, 0.0))
    picture = draw([body])
    (box,) = GroundTruth(CAMERA).boxes(picture, [body])
    rows, columns = np.nonzero(picture.instance == 7)
    assert box.xyxy == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert box.visibility == pytest.approx(1.0, abs=0.02)
    assert box.distance_m == pytest.approx(math.dist((12, 1, 0.75), (0, 0, 1.5)))
    assert (box.actor_id, box.class_id, box.velocity) == (7, 0, (3.0, 0.0, 0.0))


def test_hidden_part_lowers_visibility():
    front, rear = car(1, 10.0, 0.0), car(2, 20.0, 2.0)
    first, second = GroundTruth(CAMERA).boxes(draw([front, rear]), [front, rear])
    assert (first.actor_id, second.actor_id) == (1, 2)
    assert first.visibility > 0.95
    assert 0.05 < second.visibility < 0.7


def test_own_vehicle_and_what_is_behind_are_left_out():
    own, behind, ahead = car(1, 0.0, 0.0), car(2, -15.0, 0.0), car(3, 15.0, 0.0)
    bodies = [own, behind, ahead]
    boxes = GroundTruth(CAMERA, own_id=1).boxes(draw([ahead]), bodies)
    assert [box.actor_id for box in boxes] == [3]


def test_car_that_leaves_the_picture_is_clipped():
    body = car(1, 3.0, 2.5)
    (box,) = GroundTruth(CAMERA).boxes(draw([body]), [body])
    assert box.xyxy[0] == 0.0
    assert box.visibility == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("wrong", [{1: 2, 2: 1}, {1: 40000, 2: 123, 3: 1}])
def test_ids_that_lie_are_not_believed(wrong):
    bodies = [car(1, 10.0, -3.0), car(2, 14.0, 3.0), car(3, 30.0, 0.0)]
    right = GroundTruth(CAMERA).boxes(draw(bodies), bodies)
    assert len(right) == 3
    assert GroundTruth(CAMERA).boxes(draw(bodies, wrong), bodies) == right


def test_match_is_remembered_when_only_a_fragment_is_seen():
    ids = {1: 901, 2: 902, 3: 903}
    truth = GroundTruth(CAMERA)
    clear = [car(1, 12.0, 0.0), car(2, 25.0, 9.0), car(3, 24.0, -9.0)]
    assert len(truth.boxes(draw(clear, ids), clear)) == 3
    # Car 3 is wholly behind car 1 now; of car 2 a strip shows that would fit both.
    later = [car(1, 10.0, 0.0), car(2, 22.0, 2.3), car(3, 23.0, 1.1)]
    picture = draw(later, ids)
    picture.instance[picture.instance == 903] = 902
    found = {box.actor_id for box in truth.boxes(picture, later)}
    assert found == {1, 2}


def test_pedestrian_before_a_car_is_told_by_its_tag():
    person = Body(1, 5, Pose(9.0, 0.0, 0.9), (0.3, 0.3, 0.9))
    behind = car(2, 14.0, 0.0)
    far, near = draw([behind]), draw([person])
    mask = near.instance > 0
    far.instance[mask], far.semantic[mask] = 2, PERSON_TAG  # an id that lies about a pedestrian
    boxes = GroundTruth(CAMERA).boxes(far, [person, behind])
    assert [(b.actor_id, b.class_id) for b in boxes] == [(1, 5), (2, 0)]


@pytest.mark.parametrize(("yaw", "count"), [(math.pi, 1), (0.0, 0), (math.pi / 2, 0)])
def test_only_lights_that_face_the_camera_count(yaw, count):
    light = Body(5, 6, Pose(20.0, -3.0, 4.5, yaw), (0.2, 0.2, 0.5))
    assert len(GroundTruth(CAMERA).boxes(draw([light]), [light])) == count


def test_pole_of_a_light_is_not_in_its_box():
    light = Body(5, 6, Pose(20.0, -3.0, 4.5, math.pi), (0.2, 0.3, 0.5))
    picture = draw([light])
    rows, columns = np.nonzero(picture.instance == 5)
    expected_height = rows.max() + 1 - rows.min()
    picture.instance[rows.max() : 300, columns.min() + 2] = 5
    picture.semantic[rows.max() : 300, columns.min() + 2] = LIGHT_TAG
    (box,) = GroundTruth(CAMERA).boxes(picture, [light])
    assert box.xyxy[3] - box.xyxy[1] <= expected_height + 3


def test_specks_are_no_objects():
    body = car(1, 200.0, 0.0)
    picture = draw([body])
    picture.instance[:] = 0
    picture.instance[190, 320] = 1
    picture.semantic[190, 320] = CAR_TAG
    assert GroundTruth(CAMERA).boxes(picture, [body]) == []


def test_another_class_is_not_taken_for_it():
    body = car(1, 12.0, 0.0)
    picture = draw([body])
    picture.semantic[picture.semantic == CAR_TAG] = 16  # a bus stands where the car should
    assert GroundTruth(CAMERA).boxes(picture, [body]) == []


def test_rider_and_bicycle_are_one():
    body = Body(9, 4, Pose(8.0, 0.0, 0.9), (0.9, 0.3, 0.9))
    picture = draw([body])
    rows = np.nonzero(picture.instance == 9)[0]
    whole = GroundTruth(CAMERA).boxes(picture, [body])
    picture.semantic[: rows.mean().astype(int)][
        picture.instance[: rows.mean().astype(int)] == 9
    ] = 13
    assert GroundTruth(CAMERA).boxes(picture, [body]) == whole


def test_bus_across_the_near_plane_has_a_hull():
    bus = Body(1, 2, Pose(2.0, 3.0, 1.6), (6.0, 1.3, 1.6))
    (box,) = GroundTruth(CAMERA).boxes(draw([bus]), [bus])
    assert 0.9 < box.visibility <= 1.0
