import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("torch_pruning", reason="torch-pruning is not installed")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from scheduler.errors import ConfigError  # noqa: E402
from vehicle.perception.compression import __main__ as cli  # noqa: E402
from vehicle.perception.compression.command import (  # noqa: E402
    CompressOptions,
    RefusedError,
    compress,
    judge,
    source_of,
    working_folder,
)
from vehicle.perception.compression.distill import answer_distance, taught_by  # noqa: E402
from vehicle.perception.compression.measure import Comparison, Figures  # noqa: E402
from vehicle.perception.compression.prune import pruned  # noqa: E402
from vehicle.perception.model import SIZES, Network, load_weights, save_weights  # noqa: E402
from vehicle.perception.split.bottleneck import Shape  # noqa: E402
from vehicle.perception.split.command import make_split  # noqa: E402
from vehicle.perception.split.table import load_splits  # noqa: E402
from vehicle.perception.split.training import SplitOptions  # noqa: E402
from vehicle.perception.training.pictures import Pictures  # noqa: E402

from . import drawn  # noqa: E402

WIDTH, HEIGHT = 192, 128
ANYTHING = CompressOptions(
    max_ap_loss=1.0, max_images=8, batch=4, evaluation_images=2, sizes=[(WIDTH, HEIGHT)]
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    drawn.write(folder / "train", 6, 1, WIDTH, HEIGHT)
    drawn.write(folder / "val", 3, 2, WIDTH, HEIGHT)
    return folder


@pytest.fixture(scope="module")
def pictures(dataset) -> tuple[Pictures, Pictures]:
    return Pictures(dataset / "train", WIDTH, HEIGHT), Pictures(dataset / "val", WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def thin(tmp_path_factory) -> Path:
    """Weights of a rung that was pruned to next to nothing, so that tests are fast."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("thin") / "thin.safetensors"
    save_weights(pruned(Network(SIZES["nano"]), 0.7), "nano", path)
    return path


def test_pruning_takes_whole_channels_in_steps_of_eight(thin):
    whole, smaller = Network(SIZES["nano"]), load_weights(thin)
    count = [sum(weight.numel() for weight in one.parameters()) for one in (whole, smaller)]
    assert count[1] < 0.2 * count[0]
    for layer in smaller.modules():
        if isinstance(layer, torch.nn.Conv2d) and layer not in set(smaller.heads):
            assert layer.out_channels % 8 == 0
    assert [head.out_channels for head in smaller.heads] == [11, 11, 11]


def test_a_pruned_network_loads_again_and_answers_the_same(tmp_path):
    torch.manual_seed(5)
    network = Network(SIZES["nano"]).train()
    with torch.no_grad():
        network(torch.rand(2, 3, 64, 96))
    smaller = pruned(network, 0.5)
    save_weights(smaller, "nano", tmp_path / "a.safetensors")
    again = load_weights(tmp_path / "a.safetensors")
    assert again.is_pruned
    picture = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        assert torch.allclose(again.eval()(picture), smaller.eval()(picture), atol=0.02)


def test_tensors_that_do_not_fit_each_other_are_refused(thin, tmp_path):
    with safe_open(str(thin), "pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        said = file.metadata()
    name = "backbone.stages.1.0.pointwise.0.weight"
    cut = state | {name: state[name][:, :-1].contiguous()}
    save_file(cut, str(tmp_path / "a.safetensors"), metadata=said)
    with pytest.raises(ConfigError, match="do not fit each other"):
        load_weights(tmp_path / "a.safetensors")
    del state[name]
    save_file(state, str(tmp_path / "b.safetensors"), metadata=said)
    with pytest.raises(ConfigError, match="no tensor"):
        load_weights(tmp_path / "b.safetensors")


@pytest.mark.parametrize("share", [-0.1, 0.95])
def test_shares_out_of_bounds_are_refused(share):
    with pytest.raises(ConfigError, match="expected a share"):
        pruned(Network(SIZES["nano"]), share)


def test_answers_far_from_the_teachers_cost():
    rows = torch.full((1, 5, 11), -4.0)
    rows[0, 2, 0] = 2.0
    assert answer_distance(rows, rows).item() == pytest.approx(0.0, abs=1e-5)
    missed, moved = rows.clone(), rows.clone()
    missed[0, 2, 0] = -4.0
    moved[0, 2, 7:] += 1.0
    assert answer_distance(missed, rows).item() > 0.5
    assert answer_distance(moved, rows).item() > 0.5


def test_a_teacher_draws_answers_towards_its_own(thin):
    teacher = load_weights(thin).eval()
    further = taught_by(teacher)
    batch = torch.rand(2, 3, 64, 96)
    own = teacher(batch).detach()
    assert further(batch, own).item() == pytest.approx(0.0, abs=1e-3)
    other = (own + 1.0).requires_grad_()
    further(batch, other).backward()
    assert (other.grad[..., 7:] > 0).all()  # every side is too far out: down


def comparison(before: float, after: float) -> Comparison:
    return Comparison((640, 384), Figures(0.9, before, 1.0, 1), Figures(0.9, after, 1.0, 1))


def test_the_worst_input_size_decides():
    judge([comparison(0.5, 0.495), comparison(0.5, 0.6)], 0.01)
    with pytest.raises(RefusedError, match=r"AP fell by 0\.0200"):
        judge([comparison(0.5, 0.6), comparison(0.5, 0.48)], 0.01)
    with pytest.raises(RefusedError):
        judge([comparison(0.5, float("nan"))], 0.01)


def test_int8_is_written_and_measured(thin, pictures, tmp_path):
    rows = []
    done = compress(
        str(thin), *pictures, tmp_path, replace(ANYTHING, int8=True), lambda _: None, rows.extend
    )
    assert done.files == [tmp_path / "thin.int8.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thin.int8.onnx"]
    assert rows == done.comparisons
    assert rows[0].after.size_bytes == done.files[0].stat().st_size
    assert rows[0].before.ms > 0


def test_pruning_and_teaching_write_a_rung_that_runs(thin, pictures, tmp_path):
    options = replace(ANYTHING, prune=0.3, teacher=str(thin))
    lines = []
    done = compress(str(thin), *pictures, tmp_path, options, lines.append)
    assert [path.name for path in done.files] == ["thin.safetensors", "thin.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thin.onnx", "thin.safetensors"]
    assert load_weights(done.files[0]).is_pruned
    assert lines[-1].images == 8


def test_what_loses_too_much_is_refused_with_an_exit_code_and_leaves_no_model(
    thin, dataset, tmp_path, capsys
):
    line = [str(dataset), str(thin), "--int8", "--images", "2", "--out", str(tmp_path)]
    assert cli.main([*line, "--max-ap-loss=-1"]) == 3
    said = capsys.readouterr()
    assert "AP before" in said.out
    assert said.err.startswith("vdap compress: refused: AP fell by")
    assert list(tmp_path.rglob("*.onnx")) == list(tmp_path.rglob("*.safetensors")) == []


def test_a_split_is_written_with_its_card_or_refused(thin, pictures, tmp_path):
    options = SplitOptions(max_images=8, batch=4, shape=Shape(4, 16, 16, 24))
    with pytest.raises(RefusedError, match="the bottleneck costs"):
        make_split(str(thin), *pictures, tmp_path, options, lambda _: None, -1.0, 2)
    assert list(tmp_path.rglob("*.onnx")) == []  # the checkpoint alone is left, to go on from
    files = make_split(str(thin), *pictures, tmp_path, options, lambda _: None, 1.0, 2)
    names = ["thin.encoder.onnx", "thin.decoder.onnx", "thin.bottleneck.safetensors"]
    assert [path.name for path in files] == [*names, "thin.split.md"]
    cells = load_splits(tmp_path / "splits.json")["thin"]
    assert set(cells) == {(640, 384), (320, 192)}
    assert 14 < cells[320, 192].bytes_mean <= cells[320, 192].bytes_p95 < 14 + 960
    assert "| 320x192 |" in (tmp_path / "thin.split.md").read_text()
    assert "thin" in json.loads((tmp_path / "splits.json").read_text())


def test_checkpoints_of_other_weights_or_other_work_are_not_taken_up(tmp_path):
    first, second = tmp_path / "a.safetensors", tmp_path / "b" / "a.safetensors"
    second.parent.mkdir()
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    folders = {
        working_folder(tmp_path, first, "prune0.5"),
        working_folder(tmp_path, first, "prune0.25"),
        working_folder(tmp_path, first, "prune0.5", second),
        working_folder(tmp_path, second, "prune0.5"),
    }
    assert len(folders) == 4
    assert working_folder(tmp_path, first, "prune0.5") in folders


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "nothing to do"),
        (["--bottleneck", "--int8"], "stands alone"),
        (["--prune", "2"], "expected a share"),
        (["--distill-from", "nobody"], "neither a .safetensors file nor a rung"),
    ],
)
def test_a_wrong_line_is_one_clear_error(flags, words, thin, dataset, tmp_path, capsys):
    line = [str(dataset), str(thin), "--out", str(tmp_path), *flags]
    assert cli.main(line) == 2
    assert words in capsys.readouterr().err


def test_a_missing_model_names_the_rungs(tmp_path):
    with pytest.raises(ConfigError, match="nor a rung"):
        source_of(str(tmp_path / "none.safetensors"))
    assert np.isfinite(source_of("nano").stat().st_size)
