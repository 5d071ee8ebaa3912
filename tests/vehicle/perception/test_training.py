import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

from dataclasses import replace  # noqa: E402

from scheduler.errors import ConfigError, SourceError  # noqa: E402
from vehicle.perception.detector import DetectorSpec, load_detector  # noqa: E402
from vehicle.perception.model import (  # noqa: E402
    RIVAL,
    SIZES,
    Deployed,
    Network,
    cells,
    folded,
    load_network,
    load_weights,
)
from vehicle.perception.rungs import load_rungs  # noqa: E402
from vehicle.perception.training import __main__ as command  # noqa: E402
from vehicle.perception.training import loop  # noqa: E402
from vehicle.perception.training.history import History, draw  # noqa: E402
from vehicle.perception.training.loop import Trainer, TrainingOptions, batch_of, train  # noqa: E402
from vehicle.perception.training.pictures import Pictures  # noqa: E402
from vehicle.perception.training.publish import publish  # noqa: E402
from vehicle.perception.yolox_nano import YoloxNano  # noqa: E402

from . import drawn  # noqa: E402

WIDTH, HEIGHT = 192, 128
TINY = replace(SIZES["nano"], input_width=WIDTH, input_height=HEIGHT)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "train"
    drawn.write(folder, 16, 1, WIDTH, HEIGHT)
    return Pictures(folder, WIDTH, HEIGHT)


def options(**changes) -> TrainingOptions:
    base = TrainingOptions(
        rung="nano", max_images=48, batch=8, evaluations=1, evaluation_images=4, rate=4e-3
    )
    return replace(base, **changes)


def lively_network():
    """A network whose batch norms have seen something, so that folding them matters."""
    torch.manual_seed(3)
    network = Network(TINY).train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(2, 3, HEIGHT, WIDTH))
    return network.eval()


@pytest.mark.parametrize(
    ("rung", "millions"), [("nano", 0.2), ("small", 0.5), ("medium", 1.0), ("large", 4.85)]
)
def test_rungs_have_the_promised_size(rung, millions):
    params = sum(weight.numel() for weight in Network(SIZES[rung]).parameters())
    assert params == pytest.approx(millions * 1e6, rel=0.1)


def test_folding_batch_norm_changes_no_answer():
    network = lively_network()
    picture = torch.rand(1, 3, HEIGHT, WIDTH)
    with torch.inference_mode():
        assert torch.allclose(folded(network)(picture), network(picture), atol=1e-4)


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """The folder of a tiny training, and what it reported."""
    folder = tmp_path_factory.mktemp("trained")
    lines = []
    torch.set_num_threads(1)
    train(options(), pictures, pictures, folder, lines.append, TINY)
    return folder, lines


def test_exported_files_answer_alike_in_both_runtimes(trained):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    weights, model = trained[0] / "nano.safetensors", trained[0] / "nano.onnx"
    picture = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    spec = DetectorSpec("nano", weights=str(model), score_threshold=0.001)
    spec = replace(spec, backend="onnxruntime", input_size=(WIDTH, HEIGHT))
    by_onnx = load_detector(spec)
    by_torch = load_detector(replace(spec, weights=str(weights), backend="torch"))
    assert (by_onnx.width, by_onnx.height) == (by_torch.width, by_torch.height) == (WIDTH, HEIGHT)
    scores, boxes = by_onnx.infer(picture)
    torch_scores, torch_boxes = by_torch.infer(picture)
    # Two roundings to half precision: before batch norm is folded in, and after.
    assert np.abs(scores - torch_scores).max() < 0.005
    assert np.abs(boxes - torch_boxes).max() < 1.0
    assert weights.stat().st_size < 0.8e6
    assert model.stat().st_size < 1.2e6


def test_a_published_rung_is_found_beside_the_code(trained, tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    folder, _ = trained
    for part, seed in (("train", 1), ("val", 2)):
        drawn.write(tmp_path / "set" / part, 4, seed, WIDTH, HEIGHT)
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "nano.md").write_text("# Old\n\n## Data\n\noutdated\n\n## Heads\n\nof another\n")
    cells = publish(folder, tmp_path / "set", "nano", weights, int8=False)
    assert [one.title for one in cells] == ["640x384 fp32", "320x192 fp32"]
    rung = load_rungs(weights / "rungs.json")["nano"]
    assert rung.params == sum(weight.numel() for weight in Network(TINY).parameters())
    assert rung.cell((320, 192)) == cells[1].cell
    assert set(rung.cell().ap50_by_class) == {"car", "pedestrian"}
    assert rung.cell().latency_ms > rung.cell((320, 192)).latency_ms > 0
    card = (weights / "nano.md").read_text()
    assert "--rung nano --max-images 48" in card
    assert "Early weights" not in card
    assert "| AP50 car | 4 |" in card
    assert "outdated" not in card
    assert card.endswith("\n## Heads\n\nof another\n")
    with pytest.raises(ConfigError, match="vdap train --rung large"):
        publish(folder, tmp_path / "set", "large", weights)


def test_one_file_serves_every_input_size(trained):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    random = np.random.default_rng(1)
    for width, height in ((640, 384), (320, 192), (96, 160)):
        picture = random.integers(0, 255, (height, width, 3)).astype(np.uint8)
        found = []
        for backend, suffix in (("onnxruntime", "onnx"), ("torch", "safetensors")):
            model = str(trained[0] / f"nano.{suffix}")
            spec = DetectorSpec("n", weights=model, backend=backend, input_size=(width, height))
            found.append(load_detector(spec).infer(picture))
        assert len(found[0][0]) == len(cells(width, height)[0])
        assert np.abs(found[0][0] - found[1][0]).max() < 0.005
        assert np.abs(found[0][1] - found[1][1]).max() < 1.0


def test_files_of_other_things_are_refused(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    spec = DetectorSpec("a", weights=str(tmp_path / "bad.safetensors"), backend="torch")
    with pytest.raises(ConfigError, match="not a safetensors file"):
        load_detector(spec)


def test_a_data_set_is_read_as_it_was_written(pictures):
    assert len(pictures) == 16
    assert pictures.pixels.shape == (16, HEIGHT, WIDTH, 3)
    labels = pictures.labels[0]
    assert labels.class_id.tolist() == [0, 5]
    x1, y1, x2, y2 = labels.xyxy[0].astype(int)
    assert (pictures.pixels[0, y1:y2, x1:x2] == drawn.COLOURS[1]).all()


def test_a_missing_data_set_says_how_to_record_one(tmp_path):
    with pytest.raises(SourceError, match="vdap dataset"):
        Pictures(tmp_path, WIDTH, HEIGHT)
    (tmp_path / "annotations.json").write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
                "annotations": [],
                "categories": [],
            }
        )
    )
    with pytest.raises(SourceError, match=r"cannot read .*a\.jpg"):
        Pictures(tmp_path, WIDTH, HEIGHT)


def test_the_command_prints_one_line_and_exits_with_1_where_there_is_no_data(tmp_path, capsys):
    assert command.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith("vdap train: data set: expected")


def test_loss_falls_within_seconds(pictures):
    trainer = Trainer(options(max_images=320), TINY)
    losses = [sum(trainer.step(batch_of(trainer, pictures))) for _ in range(24)]
    assert np.mean(losses[-6:]) < 0.9 * np.mean(losses[:6])


def test_a_run_that_is_stopped_between_evaluations_repeats_little(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY", 16)

    def stop(images: int) -> None:
        if images >= 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(options(seed=1), pictures, pictures, tmp_path, lambda _: None, TINY, step=stop)
    resumed = Trainer(options(seed=1), TINY)
    resumed.resume(tmp_path / "checkpoint.pt")
    assert resumed.images == 32


def test_a_resumed_run_ends_where_an_unbroken_one_ends(pictures, trained, tmp_path):
    broken = Trainer(options(), TINY)
    while broken.images < 24:
        broken.step(batch_of(broken, pictures))
    broken.save(tmp_path / "checkpoint.pt")
    resumed = Trainer(options(seed=1), TINY)
    resumed.resume(tmp_path / "checkpoint.pt")
    while resumed.images < 48:
        resumed.step(batch_of(resumed, pictures))
    unbroken = Trainer(options(), TINY)
    unbroken.resume(trained[0] / "checkpoint.pt")
    assert (resumed.images, resumed.steps) == (unbroken.images, unbroken.steps) == (48, 6)
    mine, theirs = resumed.average.state_dict(), unbroken.average.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_fine_tuning_begins_with_the_weights_it_is_given(trained):
    weights = trained[0] / "nano.safetensors"
    trainer = Trainer(options(), TINY)
    trainer.start_from(weights)
    given = load_weights(weights).state_dict()
    for network in (trainer.network, trainer.average):
        taken = network.state_dict()
        assert all(torch.equal(taken[name], value) for name, value in given.items())
    assert trainer.started_from == "nano.safetensors"
    large = Trainer(options(rung="large"))
    with pytest.raises(ConfigError, match="expected weights of rung 'large'"):
        large.start_from(weights)


def test_progress_is_reported_and_scored(trained):
    folder, lines = trained
    assert [progress.images for progress in lines] == [48]
    assert 0 < lines[0].rate < options().rate
    assert np.isfinite([lines[0].score_loss, lines[0].box_loss]).all()
    row = json.loads((folder / "nano.json").read_text())["evaluations"][-1]
    assert row["ap50"] == lines[-1].scores.precision.ap50
    assert row["ap50_halved"] == lines[-1].halved.precision.ap50
    assert row["score_loss"] == lines[-1].score_loss


def test_a_checkpoint_of_other_options_is_refused(pictures, tmp_path):
    trainer = Trainer(options(), TINY)
    trainer.save(tmp_path / "checkpoint.pt")
    with pytest.raises(ConfigError, match="other options"):
        train(options(seed=2), pictures, pictures, tmp_path, lambda _: None, TINY)


def test_the_rival_has_the_published_size_and_is_trained_alike(pictures, tmp_path):
    published = sum(w.numel() for w in YoloxNano(SIZES["nano"], classes=80).parameters())
    assert published == pytest.approx(0.91e6, rel=0.005)  # YOLOX's own table
    size = replace(TINY, width=0.25)
    brief = options(rung=RIVAL, max_images=8)
    scores = train(brief, pictures, pictures, tmp_path, lambda _: None, size)
    assert np.isfinite(scores.precision.ap50)
    weights = load_network(tmp_path / "yolox-nano.safetensors")
    assert isinstance(weights, YoloxNano)
    with pytest.raises(ConfigError, match="not of the family"):
        load_weights(tmp_path / "yolox-nano.safetensors")


def test_the_command_trains_tells_and_goes_on(tmp_path, capsys):
    for part, seed in (("train", 1), ("val", 2)):
        drawn.write(tmp_path / "set" / part, 2, seed, WIDTH, HEIGHT)
    arguments = [str(tmp_path / "set"), "--rung", "nano", "--max-images", "2", "--batch", "2"]
    arguments += ["--evaluations", "1", "--out", str(tmp_path / "out")]
    assert command.main(arguments) == 0
    said = capsys.readouterr().out
    assert "rung nano: 2 training pictures, 2 for validation, 2 to be shown, seed 1" in said
    assert "       2 pictures  rate " in said
    for part in ("car ", "pedestrian ", "25-50 px ", "wrote "):
        assert f"\n{part}" in said
    assert command.main(arguments) == 0  # nothing is left to learn: it scores again
    assert command.main([*arguments, "--seed", "2"]) != 0
    assert "was written with other options" in capsys.readouterr().err


def test_curves_are_drawn(trained, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    row = json.loads((trained[0] / "nano.json").read_text())
    history = History(row["evaluations"], [], [])
    draw(history, "nano", tmp_path / "nano.png")
    assert (tmp_path / "nano.png").read_bytes().startswith(b"\x89PNG")


def test_the_deployed_network_takes_a_camera_picture():
    deployed = Deployed(lively_network())
    picture = torch.randint(0, 255, (1, HEIGHT, WIDTH, 3), dtype=torch.uint8)
    with torch.inference_mode():
        scores, boxes = deployed(picture)
    assert scores.shape == (len(boxes), 7)
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.slow
def test_training_reaches_the_objects(pictures, tmp_path):
    scores = train(
        options(max_images=2400, evaluations=1, whole_share=0.3),
        pictures,
        pictures,
        tmp_path,
        lambda _: None,
        TINY,
    )
    assert scores.precision.ap50 > 0.9
