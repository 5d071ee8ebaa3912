import pytest

from scheduler.errors import ConfigError
from sim.evaluation.perception import candidates
from sim.evaluation.perception.candidates import LEAST_SCORE, parse, parse_size
from vehicle.perception.detector import RUNGS

RUNG = next(iter(RUNGS))


def test_a_rung_is_taken_at_its_size_with_its_own_score():
    chosen = parse(f"{RUNG}@320x192")
    assert (chosen.rung, chosen.size, chosen.spec.input_size) == (RUNG, (320, 192), (320, 192))
    assert chosen.label == f"{RUNG} 320x192"
    assert chosen.shipped == RUNGS[RUNG].cell((320, 192)).score_threshold
    assert chosen.spec.score_threshold == LEAST_SCORE


def test_all_rungs_come_at_all_sizes():
    chosen = candidates.rungs(["all"], [], ["fp32"])
    assert [c.label for c in chosen] == [f"{n} {s}" for n in RUNGS for s in ("640x384", "320x192")]
    assert len({c.key for c in chosen}) == len(chosen)


def test_a_file_is_named_with_its_kind(tmp_path):
    model = tmp_path / "their.onnx"
    model.write_bytes(b"one")
    chosen = parse(f"yolox={model}")
    assert (chosen.spec.kind, chosen.spec.weights, chosen.spec.input_size) == (
        "yolox", str(model), None,
    )  # fmt: skip
    before = chosen.key
    model.write_bytes(b"other")
    assert parse(f"yolox={model}").key != before
    assert parse(f"{model}@640x384/int8").spec.precision == "int8"


@pytest.mark.parametrize("text", ["huge", "yolox=nowhere.onnx", "huge@640x384"])
def test_an_unknown_name_lists_the_rungs(text):
    with pytest.raises(ConfigError, match=rf"no rung of that name \({RUNG}"):
        parse(text)


@pytest.mark.parametrize("text", ["640", "640x", "640x380", "0x0", "-32x32"])
def test_a_wrong_size_is_said(text):
    with pytest.raises(ConfigError, match="such as 640x384"):
        parse_size(text)


def test_a_rung_that_does_not_ship_is_said():
    with pytest.raises(ConfigError, match=rf"expected all or some of {RUNG}"):
        candidates.rungs(["huge"], [], ["fp32"])
