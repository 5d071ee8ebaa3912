from vehicle.perception.profiling.cells import Wanted
from vehicle.perception.profiling.heads import head_cells, rungs_with_heads
from vehicle.perception.rungs import RUNGS


class FakeMulti:
    heads = ("light_state", "plates")

    def __init__(self):
        self.asked = []

    def detect_heads(self, frame, heads):
        assert frame.shape == (384, 640, 3)
        self.asked.append(tuple(heads))


def test_a_profile_has_a_cell_for_each_number_of_heads():
    fake, rung = FakeMulti(), next(iter(RUNGS))
    cells = head_cells(rung, (320, 192), 1, 0.001, lambda spec, threads: fake)
    assert [cell.model for cell in cells] == [
        f"{rung}+light_state",
        f"{rung}+light_state+plates",
    ]
    assert {(cell.size, cell.backend, cell.params) for cell in cells} == {
        ((320, 192), "onnxruntime", RUNGS[rung].params)
    }
    assert set(fake.asked) == {("light_state",), ("light_state", "plates")}


def test_only_rungs_whose_heads_are_shipped_are_measured():
    shipped = rungs_with_heads(Wanted())
    assert set(shipped) <= set(RUNGS)
    assert rungs_with_heads(Wanted(rungs=("no such rung",))) == []
    assert rungs_with_heads(Wanted(precisions=("int8",))) == []
    assert rungs_with_heads(Wanted(backends=("torch",))) == []
    assert rungs_with_heads(Wanted(backends=("torch", "onnxruntime"))) == shipped
