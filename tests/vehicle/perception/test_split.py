from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from scheduler.errors import ConfigError, WireError  # noqa: E402
from vehicle.perception.boxes import letterbox  # noqa: E402
from vehicle.perception.detector import DetectorSpec  # noqa: E402
from vehicle.perception.model import SIZES, Network, save_weights  # noqa: E402
from vehicle.perception.split.bottleneck import (  # noqa: E402
    Bottleneck,
    Shape,
    bits_per_code,
    load_bottleneck,
    save_bottleneck,
)
from vehicle.perception.split.codec import load_decoder, load_encoder, splittable  # noqa: E402
from vehicle.perception.split.export import export_halves, halves  # noqa: E402
from vehicle.perception.split.table import cell_of  # noqa: E402
from vehicle.perception.split.training import (  # noqa: E402
    SplitOptions,
    SplitTrainer,
    batch_of,
    train_bottleneck,
)
from vehicle.perception.training.pictures import Pictures  # noqa: E402

from . import drawn  # noqa: E402

WIDTH, HEIGHT = 192, 128
TINY = replace(SIZES["nano"], input_width=WIDTH, input_height=HEIGHT, blocks=(0, 0, 0, 0))
SMALL = Shape(6, 16, squeeze=16, restore=24)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lively(seed: int = 3) -> Network:
    """A network that answers differently to different pictures."""
    torch.manual_seed(seed)
    network = Network(TINY).train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(2, 3, HEIGHT, WIDTH))
        for head in network.heads:
            head.weight.mul_(30.0)
            head.bias.zero_()
    return network.eval()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Pictures:
    folder = tmp_path_factory.mktemp("drawn") / "train"
    drawn.write(folder, 8, 1, WIDTH, HEIGHT)
    return Pictures(folder, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory, pictures):
    """A rung with both halves in a folder, and their torch form."""
    folder = tmp_path_factory.mktemp("weights")
    torch.set_num_threads(1)
    network = lively()
    bottleneck = Bottleneck(network.backbone.channels[0], SMALL).eval()
    export_halves(
        network,
        bottleneck,
        list(pictures.pixels),
        folder / "tiny.encoder.onnx",
        folder / "tiny.decoder.onnx",
    )
    return folder, halves(network, bottleneck)


def spec(folder, width=WIDTH, height=HEIGHT) -> DetectorSpec:
    return DetectorSpec(
        "tiny", weights=str(folder / "tiny.onnx"), input_size=(width, height), score_threshold=0.02
    )


@pytest.mark.parametrize(("width", "height"), [(WIDTH, HEIGHT), (320, 192)])
def test_both_halves_answer_as_torch_does(shipped, pictures, width, height):
    folder, (first, second) = shipped
    encoder, decoder = (load(spec(folder, width, height)) for load in (load_encoder, load_decoder))
    picture, _ = letterbox(np.array(pictures.pixels[0]), width, height)
    with torch.inference_mode():
        codes = first(torch.from_numpy(picture)[None])
        scores, _ = second(codes)
    assert codes.shape == (1, height // 16, width // 16, 6)
    own = encoder.codes(picture).astype(int)
    assert (np.abs(own - codes[0].numpy()) <= 1).all()  # half precision: a rounding may fall over
    assert (own == codes[0].numpy()).mean() > 0.98
    found = decoder.detect(encoder.encode(np.array(pictures.pixels[0])))
    assert len(found)
    best = int(scores.max(1).values.argmax())
    assert found.score[0] == pytest.approx(float(scores.max()), abs=0.02)
    assert found.class_id[0] == int(scores[best].argmax())


def test_boxes_are_in_pixels_of_the_frame_that_was_encoded(shipped, pictures):
    folder, _ = shipped
    encoder, decoder = load_encoder(spec(folder)), load_decoder(spec(folder))
    frame = np.array(pictures.pixels[1])
    small = decoder.detect(encoder.encode(frame))
    large = decoder.detect(encoder.encode(frame.repeat(2, 0).repeat(2, 1)))
    assert len(small) == len(large) > 0
    assert np.abs(large.xyxy - 2 * small.xyxy).max() < 1.0
    assert set(encoder.stages_ns) == set(decoder.stages_ns) == {"pre", "infer", "post"}


def test_the_decoder_refuses_what_another_encoder_made_and_other_sizes(shipped, pictures, tmp_path):
    folder, _ = shipped
    network = lively(seed=4)
    bottleneck = Bottleneck(network.backbone.channels[0], SMALL).eval()
    other = [tmp_path / "tiny.encoder.onnx", tmp_path / "tiny.decoder.onnx"]
    export_halves(network, bottleneck, list(pictures.pixels), *other)
    decoder = load_decoder(spec(folder))
    frame = np.array(pictures.pixels[0])
    with pytest.raises(WireError, match="made by encoder"):
        decoder.detect(load_encoder(spec(tmp_path)).encode(frame))
    with pytest.raises(WireError, match="got 256x64"):
        decoder.detect(load_encoder(spec(folder, 256, 64)).encode(frame))
    with pytest.raises(WireError, match="at least 14 bytes"):
        decoder.detect(b"")


@pytest.mark.parametrize("rung", splittable())
def test_a_shipped_split_sends_a_street_in_two_kilobytes(rung):
    street = cv2.imread(str(Path(__file__).with_name("street.jpg")))
    cell = cell_of(rung, (320, 192))
    assert cell is not None
    assert cell.bytes_p95 < 2000
    assert cell.ap_loss <= 0.04
    payload = load_encoder(DetectorSpec(rung)).encode(street)
    assert len(payload) < 2000
    found = load_decoder(DetectorSpec(rung, score_threshold=cell.score_threshold)).detect(payload)
    assert len(found)
    assert found.xyxy[:, 2].max() <= street.shape[1]


def test_wrong_files_and_sizes_are_refused_in_one_line(shipped, tmp_path):
    folder, _ = shipped
    with pytest.raises(ConfigError, match=r"no split of 'nothing' \(no nothing.encoder.onnx\)"):
        load_encoder(DetectorSpec("nothing"))
    with pytest.raises(ConfigError, match="multiples of 32"):
        load_encoder(spec(folder, 200, 128))
    with pytest.raises(ConfigError, match="up to 2048x1024"):
        load_decoder(spec(folder, 4096, 128))
    (tmp_path / "tiny.encoder.onnx").write_bytes((folder / "tiny.decoder.onnx").read_bytes())
    with pytest.raises(ConfigError, match="not an encoder"):
        load_encoder(spec(tmp_path))
    (tmp_path / "tiny.decoder.onnx").write_bytes((folder / "tiny.encoder.onnx").read_bytes())
    with pytest.raises(ConfigError, match="no scores and boxes"):
        load_decoder(spec(tmp_path))


def test_entropy_is_that_of_whole_codes_and_has_a_gradient():
    whole = torch.tensor([0.0, 1, 2, 3]).repeat(8).reshape(1, 1, 4, 8)
    assert bits_per_code(whole, 4).item() == pytest.approx(2.0, abs=1e-3)
    assert bits_per_code(torch.full((1, 2, 4, 4), 3.0), 16).item() == pytest.approx(0.0, abs=1e-3)
    between = torch.linspace(0.2, 2.7, 32).reshape(1, 1, 4, 8).requires_grad_()
    bits_per_code(between, 4).backward()
    assert between.grad.abs().sum() > 0


def test_training_nears_the_teacher_and_the_wished_bits(pictures):
    trainer = SplitTrainer(
        lively(), SplitOptions(max_images=120, batch=4, bits=1.5, shape=SMALL, rate=1e-2)
    )
    steps = [trainer.step(batch_of(trainer, pictures)) for _ in range(24)]
    losses, bits = zip(*steps, strict=True)
    assert np.mean(losses[-5:]) < 0.85 * np.mean(losses[:5])
    assert trainer.price > 0.02 or np.mean(bits[-5:]) < 1.6
    before = [weight.clone() for weight in trainer.network.parameters()]
    trainer.step(batch_of(trainer, pictures))
    after = list(trainer.network.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))  # it stays frozen


def test_a_resumed_training_ends_where_an_unbroken_one_ends(pictures, tmp_path):
    network = lively()
    options = SplitOptions(max_images=16, batch=4, shape=SMALL)
    whole = train_bottleneck(network, options, pictures, tmp_path / "a", lambda _: None, lines=1)
    broken = SplitTrainer(network, options)
    broken.step(batch_of(broken, pictures))
    (tmp_path / "b").mkdir()
    broken.save(tmp_path / "b" / "bottleneck.pt")
    lines = []
    again = train_bottleneck(network, options, pictures, tmp_path / "b", lines.append)
    mine, theirs = again.state_dict(), whole.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert lines[-1].images == 16
    other = replace(options, seed=2)
    with pytest.raises(ConfigError, match="other options"):
        train_bottleneck(network, other, pictures, tmp_path / "b", lines.append)


def test_weights_of_a_bottleneck_are_read_as_they_were_written(tmp_path):
    network = lively()
    bottleneck = Bottleneck(network.backbone.channels[0], Shape(5, 8)).eval()
    save_bottleneck(bottleneck, "nano", tmp_path / "a.safetensors")
    again = load_bottleneck(tmp_path / "a.safetensors", network)
    features = torch.rand(1, network.backbone.channels[0], 16, 24)
    with torch.inference_mode():
        assert torch.allclose(again(features)[1], bottleneck(features)[1], atol=0.05)
    save_weights(network, "nano", tmp_path / "b.safetensors")
    with pytest.raises(ConfigError, match="not one"):
        load_bottleneck(tmp_path / "b.safetensors", network)
    with pytest.raises(ConfigError, match="no file"):
        load_bottleneck(tmp_path / "c.safetensors", network)
