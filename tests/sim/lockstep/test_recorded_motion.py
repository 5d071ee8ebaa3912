"""Motion out of a drive that stores no pixels: as flow measures it in the pictures themselves."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import stored_street

from sim.channel.trace import Trace
from sim.experiments.motion_making import CornerTracer
from sim.lockstep import (
    LinkSpec,
    Look,
    Scenario,
    StageProfile,
    UnitModel,
    UnitSpec,
    VehicleSpec,
    run,
)
from sim.lockstep.recorded_motion import CORNERS, COUNTS, RecordedFlow, RecordedMotion
from vehicle.perception.flow import BoxFlow
from vehicle.perception.motion import Motion, MotionRequest

SIZE = (stored_street.WIDTH, stored_street.HEIGHT)
MS = 1_000_000
ROWS = "t_s,up_bps,up_delay_ms,up_loss,dn_bps,dn_delay_ms,dn_loss\n0,4e7,150,0,4e7,150,0\n"


def pictures(boxes: list[tuple[float, float, float, float]]) -> list[np.ndarray]:
    """A rough patch in each box, on a ground of its own."""
    draw = np.random.default_rng(5)
    ground = cv2.GaussianBlur(draw.integers(90, 130, (SIZE[1], SIZE[0], 3), np.uint8), (0, 0), 3)
    x1, y1, x2, y2 = boxes[0]
    patch = draw.integers(0, 255, (round(y2 - y1), round(x2 - x1), 3), np.uint8)
    patch = cv2.GaussianBlur(patch, (0, 0), 1.5)
    drawn = []
    for x, y, *_ in boxes:
        picture = ground.copy()
        picture[round(y) : round(y) + patch.shape[0], round(x) : round(x) + patch.shape[1]] = patch
        drawn.append(picture)
    return drawn


def recorded(boxes: list[tuple[float, float, float, float]]) -> dict[str, np.ndarray]:
    tracer = CornerTracer()
    for box, picture in zip(boxes, pictures(boxes), strict=True):
        tracer.add(picture, [box])
    return tracer.arrays()


@pytest.mark.parametrize("step", [1, 3])
def test_it_is_what_flow_measures_in_the_pictures(step: int) -> None:
    boxes = [(100.0 + 6 * n, 80.0 + 2 * n, 180.0 + 6 * n, 140.0 + 2 * n) for n in range(4)]
    arrays = recorded(boxes)
    tape = RecordedFlow(RecordedMotion(arrays[CORNERS], arrays[COUNTS]), SIZE)
    live = BoxFlow()
    for index in range(0, 4, step):
        beside = np.array([boxes[index]], np.float32) + np.float32(3.0)
        request = MotionRequest(0, index * 66 * MS + 1, beside).to_bytes()
        told = Motion.from_bytes(tape.answer(index, [0, 1, 2, 3], request))
        seen = Motion.from_bytes(live.answer(pictures(boxes)[index], request))
    assert (told.from_ns, told.to_ns) == (seen.from_ns, seen.to_ns)
    assert np.allclose(told.shift, [[6 * step, 2 * step]], atol=0.3)
    assert np.allclose(told.shift, seen.shift, atol=0.3)
    assert np.allclose(told.scale, seen.scale, atol=0.02)
    assert told.sigma[0] < 1.0


def test_nothing_is_told_where_nothing_was_traced_or_too_long_ago() -> None:
    arrays = recorded([(100.0, 80.0, 180.0, 140.0)] * 3)
    tape = RecordedFlow(RecordedMotion(arrays[CORNERS][:0], arrays[COUNTS] * 0), SIZE)
    box = np.array([[100, 80, 180, 140]], np.float32)
    for index, at_ms in ((0, 0), (1, 66), (2, 900)):
        request = MotionRequest(0, at_ms * MS, box).to_bytes()
        told = Motion.from_bytes(tape.answer(index, [0, 1, 2], request))
        assert np.isinf(told.sigma).all()


def test_late_answers_are_worth_more_with_it(tmp_path: Path) -> None:
    path = stored_street.write(tmp_path / "street.npz")
    cars = [stored_street.car_at(frame, 20) for frame in range(60)]
    with np.load(path) as file:
        held = {name: file[name] for name in file.files}
    np.savez_compressed(path, **held, **recorded(cars))
    trace = tmp_path / "late.csv"
    trace.write_text(ROWS)
    vehicle = VehicleSpec(
        "ego",
        links=(LinkSpec("rsu1", Trace(trace)),),
        policy="always_offload",
        deadline_ms=450.0,
        window=8,
        drive=str(path),
    )
    unit = UnitModel("large", 0.9, StageProfile.of_ms(12), look=Look("good", SIZE))
    base = Scenario((vehicle,), (UnitSpec("rsu1", (unit,), credits=8),), lead_s=5.0)
    without = run(base)
    with_it = run(replace(base, vehicles=(replace(vehicle, flow_ns=100 * MS),)))
    assert without.vehicles["ego"].local_ns == 0 < with_it.vehicles["ego"].local_ns
    assert without.streaming_f1 is not None and with_it.streaming_f1 is not None
    assert with_it.streaming_f1 > without.streaming_f1 + 0.01
