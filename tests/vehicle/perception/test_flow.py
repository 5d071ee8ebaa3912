"""Flow on drawn pictures whose motion is known to a hundredth of a pixel."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.errors import WireError
from vehicle.perception.flow import MAX_STREAMS, BoxFlow, FlowOptions
from vehicle.perception.motion import Motion, MotionRequest

STEP = 100_000_000
BOXES = np.array([[100, 80, 180, 140], [300, 200, 340, 232], [420, 60, 520, 180]], np.float32)


def scene(seed: int = 1) -> np.ndarray:
    """A picture full of texture, (384, 640, 3) uint8."""
    noise = np.random.default_rng(seed).integers(0, 255, (96, 160, 3)).astype(np.uint8)
    return cv2.GaussianBlur(cv2.resize(noise, (640, 384), interpolation=cv2.INTER_CUBIC), (5, 5), 0)


def moved(picture: np.ndarray, dx: float, dy: float, scale: float = 1.0) -> np.ndarray:
    """Zoomed about the picture's corner, then shifted."""
    matrix = np.array([[scale, 0, dx], [0, scale, dy]], np.float32)
    return cv2.warpAffine(picture, matrix, (640, 384), borderMode=cv2.BORDER_REFLECT)


def test_the_first_picture_tells_nothing():
    motion = BoxFlow().update(scene(), 0, BOXES)
    assert motion.from_ns == motion.to_ns == 0
    assert np.isinf(motion.sigma).all()
    assert not motion.sides().any()


@pytest.mark.parametrize(("dx", "dy", "scale"), [(3.3, -1.6, 1.0), (-12, 4, 1.0), (2, 1, 1.03)])
def test_shift_and_growth_are_measured(dx, dy, scale):
    flow, before = BoxFlow(), scene()
    flow.update(before, 0, BOXES)
    now = np.clip(
        moved(before, dx, dy, scale) + np.random.default_rng(2).normal(0, 3, before.shape), 0, 255
    ).astype(np.uint8)
    motion = flow.update(now, STEP, BOXES)
    origin = (BOXES - np.tile([dx, dy], 2)) / scale
    assert (motion.from_ns, motion.to_ns) == (0, STEP)
    assert motion.sides() == pytest.approx(BOXES - origin, abs=0.35)
    assert motion.scale == pytest.approx(scale, abs=0.005)
    assert (motion.sigma < 1.0).all()


def test_objects_that_move_apart_are_told_apart():
    flow, before = BoxFlow(), scene()
    flow.update(before, 0, BOXES)
    now = before.copy()
    now[70:160, 80:210] = moved(before, 6, 0)[70:160, 80:210]
    motion = flow.update(now, STEP, BOXES)
    assert motion.shift[0] == pytest.approx([6, 0], abs=0.3)
    assert motion.shift[2] == pytest.approx([0, 0], abs=0.3)


def plain(x: float) -> np.ndarray:
    """A picture with a soft shade and a bright blob, too smooth for a corner."""
    columns, rows = np.meshgrid(np.arange(640), np.arange(384))
    blob = 120 * np.exp(-((columns - 300 - x) ** 2 + (rows - 200) ** 2) / (2 * 30.0**2))
    return np.repeat((60 + blob).astype(np.uint8)[..., None], 3, axis=2)


def test_a_box_without_corners_takes_dense_flow():
    boxes = np.array([[240, 150, 360, 250]], np.float32)
    flow = BoxFlow(FlowOptions(most_in_box=0, is_dense=True))
    flow.update(plain(0), 0, boxes)
    motion = flow.update(plain(4), STEP, boxes)
    assert motion.shift[0] == pytest.approx([4, 0], abs=1.5)
    assert np.isfinite(motion.sigma[0])


def test_without_dense_flow_a_plain_picture_tells_nothing():
    flow = BoxFlow()
    grey = np.full((384, 640, 3), 90, np.uint8)
    flow.update(grey, 0, BOXES)
    assert np.isinf(flow.update(grey, STEP, BOXES).sigma).all()


def test_a_box_too_small_or_outside_the_picture_is_not_measured():
    flow = BoxFlow()
    boxes = np.array([[10, 10, 13, 14], [700, 10, 760, 60], [50, 50, 40, 40]], np.float32)
    flow.update(scene(), 0, boxes)
    assert np.isinf(flow.update(scene(), STEP, boxes).sigma).all()


def test_a_picture_too_old_or_of_another_size_is_no_previous_one():
    flow = BoxFlow()
    flow.update(scene(), 0, BOXES)
    assert np.isinf(flow.update(scene(), 5 * STEP, BOXES).sigma).all()
    half = cv2.resize(scene(), (320, 192))
    assert np.isinf(flow.update(half, 6 * STEP, BOXES / 2).sigma).all()


def test_cameras_have_their_own_previous_picture():
    flow, a, b = BoxFlow(), scene(1), scene(2)
    flow.update(a, 0, BOXES, stream=0)
    flow.update(b, 0, BOXES, stream=1)
    assert flow.update(moved(a, 2, 0), STEP, BOXES, 0).shift[:, 0] == pytest.approx(2, abs=0.3)
    assert flow.update(moved(b, -3, 0), STEP, BOXES, 1).shift[:, 0] == pytest.approx(-3, abs=0.3)


def test_memory_is_bounded():
    flow = BoxFlow()
    for stream in range(3 * MAX_STREAMS):
        flow.update(np.zeros((64, 64, 3), np.uint8), 0, BOXES, stream)
    assert len(flow._seen) <= MAX_STREAMS


def test_bytes_carry_a_request_and_its_answer():
    flow, before = BoxFlow(), scene()
    first = Motion.from_bytes(flow.answer(before, MotionRequest(3, 0, BOXES).to_bytes()))
    assert np.isinf(first.sigma).all()
    request = MotionRequest(3, STEP, BOXES)
    motion = Motion.from_bytes(flow.answer(moved(before, 5, 1), request.to_bytes()))
    assert np.array_equal(motion.xyxy, BOXES)
    assert motion.shift == pytest.approx(np.tile([5, 1], (3, 1)), abs=0.3)


def test_no_box_is_a_request_too():
    none = np.zeros((0, 4), np.float32)
    flow = BoxFlow()
    for stamp_ns in (0, STEP):
        request = MotionRequest(0, stamp_ns, none).to_bytes()
        assert len(Motion.from_bytes(flow.answer(scene(), request))) == 0


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_request_and_no_motion_are_refused(data):
    for read in (MotionRequest.from_bytes, Motion.from_bytes):
        with pytest.raises(WireError):
            read(data)


@pytest.mark.parametrize("values", [(float("nan"), 0, 1, 1), (0, 0, 0, 1), (0, 0, 1, -1)])
def test_a_motion_of_nonsense_is_refused(values):
    dx, dy, scale, sigma = values
    head = struct.pack("<4sHHqq", b"VFA1", 0, 1, 0, 5)
    with pytest.raises(WireError):
        Motion.from_bytes(head + struct.pack("<8f", 0, 0, 9, 9, dx, dy, scale, sigma))
