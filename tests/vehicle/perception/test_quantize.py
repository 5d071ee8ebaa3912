from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from scheduler.errors import ConfigError  # noqa: E402
from vehicle.perception.compression.quantize import Recipe, quantise, spread  # noqa: E402
from vehicle.perception.model import SIZES, Network  # noqa: E402
from vehicle.perception.runtime import OnnxModel  # noqa: E402
from vehicle.perception.training.export import export_onnx  # noqa: E402

WIDTH, HEIGHT = 192, 128
TINY = replace(SIZES["nano"], input_width=WIDTH, input_height=HEIGHT, blocks=(0, 0, 0, 0))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    torch.manual_seed(3)
    network = Network(TINY).train()
    with torch.no_grad():
        for _ in range(3):  # batch norms that have seen something
            network(torch.rand(2, 3, HEIGHT, WIDTH))
        for head in network.heads:
            head.weight.mul_(30.0)  # answers that are not all alike
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    export_onnx(network.eval(), path)
    return path


def pictures(count: int = 3) -> list[np.ndarray]:
    random = np.random.default_rng(4)
    return [random.integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8) for _ in range(count)]


@pytest.fixture(scope="module")
def int8(model) -> Path:
    path = model.with_name("tiny.int8.onnx")
    quantise(model, pictures(), path)
    return path


def raw(path: Path, width: int = WIDTH, height: int = HEIGHT):
    picture = np.random.default_rng(5).integers(0, 255, (1, height, width, 3)).astype(np.uint8)
    return OnnxModel(path, 1, {"width": width, "height": height}).run(picture)


@pytest.mark.parametrize(("width", "height"), [(WIDTH, HEIGHT), (320, 192)])
def test_int8_answers_nearly_as_float_does_at_every_size(model, int8, width, height):
    scores, boxes = raw(model, width, height)
    scores8, boxes8 = raw(int8, width, height)
    assert scores8.shape == scores.shape
    assert np.abs(scores8 - scores).mean() < 0.1 * scores.std()
    assert np.abs(boxes8 - boxes).mean() < 1.0


def test_int8_has_the_inputs_and_outputs_of_its_source(model, int8):
    first, second = onnx.load(model).graph, onnx.load(int8).graph
    assert [one.name for one in second.input] == [one.name for one in first.input]
    assert [one.name for one in second.output] == ["scores", "boxes"]
    names = [dim.dim_param for dim in second.input[0].type.tensor_type.shape.dim]
    assert names[1:3] == ["height", "width"]


def test_all_but_the_first_and_last_convolutions_are_int8(model, int8):
    graph = onnx.load(int8).graph
    made_by = {out: node.op_type for node in graph.node for out in node.output}
    layers = [node for node in graph.node if node.op_type == "Conv"]
    is_float = [made_by.get(layer.input[1]) != "DequantizeLinear" for layer in layers]
    assert is_float[0]
    assert sum(is_float) == 1 + 3  # and the head of each stride
    assert not any(node.op_type == "Relu" and made_by[node.input[0]] == "DequantizeLinear"
                   for node in graph.node)  # fmt: skip


def test_calibration_pictures_are_spread_over_the_weathers():
    kinds = ["rain"] * 50 + ["clear"] * 4 + ["fog"] * 50
    chosen = spread(kinds, 24, seed=1)
    assert len(set(chosen)) == 24
    count = {kind: sum(kinds[at] == kind for at in chosen) for kind in ("rain", "clear", "fog")}
    assert count == {"rain": 10, "clear": 4, "fog": 10}
    assert chosen == spread(kinds, 24, seed=1) != spread(kinds, 24, seed=2)
    assert sorted(spread(kinds, 1000, seed=1)) == list(range(104))


@pytest.mark.slow
def test_percentile_calibration_narrows_the_ranges(model, int8, tmp_path):
    quantise(model, pictures(2), tmp_path / "b.onnx", Recipe("percentile"))

    def scales(path: Path) -> float:
        graph = onnx.load(path).graph
        constants = {each.name: each for each in graph.initializer}
        of_activations = [node for node in graph.node if node.op_type == "QuantizeLinear"]
        return sum(
            float(onnx.numpy_helper.to_array(constants[node.input[1]]).mean())
            for node in of_activations
        )

    assert 0 < scales(tmp_path / "b.onnx") < scales(int8)


def test_no_pictures_and_foreign_models_are_refused(model, tmp_path):
    with pytest.raises(ConfigError, match="no picture"):
        quantise(model, [], tmp_path / "a.onnx")
    graph = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "foreign.onnx")
    with pytest.raises(ConfigError, match="not a model of the family"):
        quantise(tmp_path / "foreign.onnx", pictures(1), tmp_path / "a.onnx")
