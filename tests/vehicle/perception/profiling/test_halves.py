"""Cells of the two halves of a rung, with halves that the test makes."""

import numpy as np

from vehicle.perception.detections import Detections
from vehicle.perception.profiling.cells import Wanted
from vehicle.perception.profiling.halves import half_cells, rungs_with_halves
from vehicle.perception.rungs import RUNGS

RUNG = next(iter(RUNGS))


class FakeEncoder:
    def __init__(self, spec, threads):
        self.work = np.ones((60, 60)) * threads

    def encode(self, frame):
        assert frame.shape == (384, 640, 3)
        return self.work.astype(np.uint8).tobytes()


class FakeDecoder:
    asked = ()

    def __init__(self, spec, threads):
        FakeDecoder.asked = (spec.name, spec.input_size, threads)

    def detect(self, payload):
        assert len(payload) == 3600  # the encoder's own
        sum(range(20_000))
        return Detections.empty()


def test_each_half_is_a_cell_of_its_own():
    cells = half_cells(RUNG, (320, 192), 2, 0.001, (FakeEncoder, FakeDecoder))
    assert [cell.model for cell in cells] == [f"{RUNG}+encode", f"{RUNG}+decode"]
    assert {(c.size, c.precision, c.backend, c.threads) for c in cells} == {
        ((320, 192), "fp32", "onnxruntime", 2)
    }
    assert cells[1].ms > cells[0].ms
    assert FakeDecoder.asked == (RUNG, (320, 192), 2)


def test_halves_are_measured_where_they_are_wanted_and_shipped():
    assert rungs_with_halves(Wanted(precisions=("int8",))) == []
    assert rungs_with_halves(Wanted(backends=("openvino",))) == []
    assert set(rungs_with_halves(Wanted())) <= set(RUNGS)
