"""`vdap profile`: what it writes, prints and refuses."""

import io

import pytest
from rich.console import Console

from scheduler.errors import ConfigError
from vehicle.perception import profile
from vehicle.perception.profile import Cell
from vehicle.perception.profiling.__main__ import main
from vehicle.perception.profiling.cells import Wanted, merged, picture
from vehicle.perception.profiling.table import table
from vehicle.perception.rungs import RUNGS

RUNG = next(iter(RUNGS))


def cell(backend: str, ms: float, **changes: object) -> Cell:
    fields = {
        "model": "large", "size": (640, 384), "precision": "fp32", "backend": backend,
        "threads": 1, "params": 5, "ms": ms, "cpu_ms": ms, "wall_ms": ms, "spread": 0.02,
        "memory_mib": 30.0,
    }  # fmt: skip
    return Cell(**{**fields, **changes})


def printed(*cells: Cell) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(table(cells, "Some CPU"))
    return console.file.getvalue().splitlines()


def test_it_writes_what_auto_reads_and_keeps_what_it_does_not_measure_again(tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    out = tmp_path / "profile.json"
    common = ["--rungs", RUNG, "--backends", "onnxruntime", "--precisions", "fp32",
              "--seconds", "0.001", "--out", str(out)]  # fmt: skip
    assert main([*common, "--sizes", "320x192"]) == 0
    assert main([*common, "--sizes", "640x384"]) == 0
    found = profile.here(out)
    assert found is not None
    small, large = (c for c in found.cells if c.model == RUNG)  # beside its halves and heads
    assert (small.size, large.size) == ((320, 192), (640, 384))
    assert {c.backend for c in found.cells} == {"onnxruntime"}
    assert 0 < small.ms < large.ms
    assert found.of(RUNG, (640, 384), "fp32", 1, RUNGS[RUNG].params) == [large]
    said = capsys.readouterr().out
    assert f"{RUNG} 640x384 fp32" in said
    assert f"written: {out}" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--rungs", "nosuch"], "rung 'nosuch', expected one of"),
        (["--rungs", RUNG, "--backends", "abacus"], "backend 'abacus', expected one of"),
        (["--threads", "0"], "--threads and --seconds"),
        (["--rungs", RUNG, "--backends", "tensorrt"], "nothing was measured"),
    ],
)
def test_what_it_cannot_measure_it_says(tmp_path, arguments, says, capsys):
    with pytest.raises(ConfigError, match=says):
        main([*arguments, "--out", str(tmp_path / "p.json")])
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize("size", ["640", "640x", "640x360", "axb", "0x0"])
def test_a_wrong_size_is_refused_by_the_flags(size, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--sizes", size])
    assert caught.value.code == 2
    assert "expected" in capsys.readouterr().err


def test_the_table_shows_what_auto_takes_and_what_is_alike():
    lines = printed(cell("openvino", 40.0), cell("onnxruntime", 41.0), cell("torch", 80.0))
    names = ("openvino", "onnxruntime", "torch")
    rows = {name: line for line in lines for name in names if f" {name} " in line}
    assert list(rows) == ["openvino", "onnxruntime", "torch"]
    assert "auto =" in rows["onnxruntime"]
    assert "=" in rows["openvino"] and "auto" not in rows["openvino"]
    assert "=" not in rows["torch"] and "2.00" in rows["torch"]
    clear = printed(cell("openvino", 40.0), cell("onnxruntime", 60.0))
    assert "auto" in next(line for line in clear if "openvino" in line)
    assert max(map(len, lines)) <= 80


def test_new_cells_take_the_place_of_old_ones_of_the_same_model():
    old = [cell("onnxruntime", 1.0), cell("torch", 2.0), cell("torch", 3.0, size=(320, 192))]
    new = [cell("onnxruntime", 9.0)]
    assert merged(old, new) == [old[2], new[0]]


def test_int8_is_measured_where_it_is_shipped_and_not_in_torch():
    for group in Wanted().groups():
        assert RUNGS[group.rung.name].model(group.precision).is_file()
        assert group.precision == "fp32" or "torch" not in group.backends


def test_the_picture_is_always_the_same_and_has_edges():
    assert picture().shape == (384, 640, 3)
    assert (picture() == picture()).all()
    assert picture().std() > 50
