import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
cv2 = pytest.importorskip("cv2", reason="opencv is not installed")

from scheduler.errors import ConfigError, SourceError  # noqa: E402
from vehicle.perception.abilities import Wanted, load_model  # noqa: E402
from vehicle.perception.detector import Detector, DetectorSpec  # noqa: E402
from vehicle.perception.heads import (  # noqa: E402
    HEADS,
    LightStates,
    PlateRegions,
    SurfaceMap,
    load_multi,
)
from vehicle.perception.heads.model import (  # noqa: E402
    DeployedHead,
    Head,
    Trunk,
    load_head,
    save_head,
)
from vehicle.perception.heads.multi import OUTPUTS, select_plates, states_of  # noqa: E402
from vehicle.perception.heads.results import DEEP, SHALLOW, SOURCES  # noqa: E402
from vehicle.perception.model import SIZES, Network, load_weights, save_weights  # noqa: E402
from vehicle.perception.training import __main__ as command  # noqa: E402
from vehicle.perception.training.export import export_onnx  # noqa: E402
from vehicle.perception.training.head_data import (  # noqa: E402
    IGNORED,
    HeadPictures,
    cut,
    whole,
)
from vehicle.perception.training.head_export import export_multi, publish_heads  # noqa: E402
from vehicle.perception.training.head_loop import HeadOptions, HeadTrainer, train_heads  # noqa: E402
from vehicle.perception.training.head_loss import light_cells  # noqa: E402
from vehicle.perception.training.head_scores import HeadScorer  # noqa: E402

from . import drawn_heads  # noqa: E402

WIDTH, HEIGHT = drawn_heads.WIDTH, drawn_heads.HEIGHT
OPTIONS = HeadOptions(
    HEADS, max_images=64, batch=8, evaluations=1, evaluation_images=4, width=WIDTH, height=HEIGHT
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "train"
    drawn_heads.write(folder, 12, 1)
    return HeadPictures(folder, HEADS)


@pytest.fixture(scope="module")
def stem(tmp_path_factory):
    """Weights of an untrained nano rung whose batch norms have seen something."""
    torch.manual_seed(3)
    network = Network(SIZES["nano"]).train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(2, 3, HEIGHT, WIDTH))
    path = tmp_path_factory.mktemp("stem") / "nano.safetensors"
    save_weights(network.eval(), "nano", path)
    return path


@pytest.fixture(scope="module")
def trained(pictures, stem, tmp_path_factory):
    folder, lines = tmp_path_factory.mktemp("trained"), []
    torch.set_num_threads(1)
    scores = train_heads(OPTIONS, stem, pictures, pictures, folder, lines.append)
    return folder, lines, scores


def frame():
    return np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def test_both_runtimes_answer_alike_at_two_sizes(trained, stem):
    folder = trained[0]
    trunk = Trunk(load_weights(stem)).eval()
    for width, height in ((WIDTH, HEIGHT), (96, 64)):
        spec = DetectorSpec("n", weights=str(folder / "nano.onnx"), input_size=(width, height))
        multi = load_multi(spec)
        picture = cv2.resize(frame(), (width, height))
        got = multi._run(picture, HEADS)
        with torch.inference_mode():
            scores, boxes, deep, shallow = trunk(torch.from_numpy(picture)[None])
            features = {DEEP: deep, SHALLOW: shallow}
            wanted = {"scores": scores, "boxes": boxes, **features}
            for name in HEADS:
                head = load_head(folder / f"{name}.safetensors").head
                answers = DeployedHead(name, head).eval()(features[SOURCES[name]])
                wanted.update(zip(OUTPUTS[name], answers, strict=True))
        assert set(got) == set(wanted)
        for name, ours in got.items():
            theirs = wanted[name].numpy()
            assert ours.shape == theirs.shape
            assert ours.dtype == theirs.dtype
            if name == "drivable":  # of equal logits either may win
                assert (ours == theirs).mean() > 0.98
                continue
            # Two roundings to half precision: before batch norm is folded in, and after.
            least = {
                "boxes": 1.0,
                "plate_boxes": 1.0,
                **dict.fromkeys(features, 0.05 * np.abs(theirs).max()),
            }
            assert np.abs(ours - theirs).max() < least.get(name, 0.01), name


def test_one_pass_answers_all_heads_that_are_asked(trained):
    multi = load_multi(
        DetectorSpec("n", weights=str(trained[0] / "nano.onnx"), score_threshold=0.0)
    )
    assert isinstance(multi, Detector)
    assert multi.heads == HEADS
    big = cv2.resize(frame(), (2 * WIDTH, 2 * HEIGHT))
    found = multi.detect_heads(big, HEADS)
    assert multi.runs == 2  # the first warmed it up
    assert tuple(found.results) == HEADS
    assert len(found.detections) > 0
    alone = multi.detect(big)
    assert np.allclose(alone.xyxy, found.detections.xyxy, atol=0.01)
    lights = LightStates.from_bytes(found.results["light_state"])
    is_light = found.detections.class_id == 6
    assert np.array_equal(lights.xyxy, found.detections.xyxy[is_light])
    surface = SurfaceMap.from_bytes(found.results["drivable"])
    assert (surface.frame_width, surface.frame_height) == (2 * WIDTH, 2 * HEIGHT)
    assert surface.full().shape == (2 * HEIGHT, 2 * WIDTH)
    PlateRegions.from_bytes(found.results["plates"])
    assert multi.runs == 3
    assert set(multi.stages_ns) == {"pre", "infer", "post"}
    with pytest.raises(ConfigError, match="no head 'depth'"):
        multi.detect_heads(big, ["depth"])


def test_only_what_is_asked_is_computed(trained):
    multi = load_multi(DetectorSpec("n", weights=str(trained[0] / "nano.onnx")))
    asked = []
    for name, model in (("stem", multi._trunk), *multi._models.items()):

        def watched(tensor, outputs=None, *, name=name, run=model.run):
            asked.append((name, *outputs))
            return run(tensor, outputs)

        model.run = watched
    multi.detect_heads(frame(), ["plates", "plates"])
    multi.detect(frame())
    assert asked == [
        ("stem", "scores", "boxes", "feature"),
        ("plates", "plate_scores", "plate_boxes"),
        ("stem", "scores", "boxes"),
    ]


def test_a_worker_runs_the_stem_once_for_all_heads(trained, stem):
    export_onnx(load_weights(stem), trained[0] / "nano.onnx")
    spec = DetectorSpec("n", weights=str(trained[0] / "nano.onnx"))
    passes = []

    def counted(frame, heads):
        before = multi.runs
        answer = multi.detect_heads(frame, heads)
        passes.append(multi.runs - before)
        return answer

    model = load_model(spec, 1, Wanted(heads=("*",)))
    multi = load_multi(spec)
    _, results = replace(model, detect_heads=counted).look(
        frame(), ["drivable", "light_state", "x"]
    )
    assert set(results) == {"drivable", "light_state"}
    assert passes == [1]


def test_a_rung_without_heads_says_which_have_some(tmp_path):
    with pytest.raises(ConfigError, match="rungs with heads:"):
        load_multi(DetectorSpec("a", weights=str(tmp_path / "a.onnx")))


def test_heads_of_another_stem_are_refused(trained, stem, tmp_path):
    torch.manual_seed(5)
    other = tmp_path / "nano.safetensors"
    save_weights(Network(SIZES["nano"]).eval(), "nano", other)
    with pytest.raises(ConfigError, match="trained on the stem"):
        export_multi(other, [trained[0] / "plates.safetensors"], tmp_path)
    path = publish_heads(stem, [trained[0] / "plates.safetensors"], tmp_path)
    assert load_multi(DetectorSpec("a", weights=str(path))).heads == ("plates",)
    assert (tmp_path / "nano.plates.safetensors").is_file()
    assert '"nano"' in (tmp_path / "heads.json").read_text()


def test_files_of_other_things_are_no_heads(stem, tmp_path):
    with pytest.raises(ConfigError, match="no file"):
        load_head(tmp_path / "none.safetensors")
    with pytest.raises(ConfigError, match="does not say which head"):
        load_head(stem)
    (tmp_path / "bad.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    with pytest.raises(ConfigError, match="not a safetensors"):
        load_head(tmp_path / "bad.safetensors")
    save_head(Head("plates", 8), "drivable", "x", tmp_path / "odd.safetensors")
    with pytest.raises(ConfigError, match="does not fit"):
        load_head(tmp_path / "odd.safetensors")


def test_a_light_is_answered_by_the_cells_in_its_box_or_the_nearest():
    probability = np.zeros((4, 6, 8), np.float32)
    probability[2] = 0.4
    probability[0, 1:3, 2:4] = 0.8  # cells whose middles are at x 20, 28 and y 12, 20
    boxes = np.array([[16, 8, 32, 24], [21, 13, 23, 15], [60, 40, 64, 48]], np.float32)
    state, score = states_of(boxes, probability)
    assert state.tolist() == [0, 0, 2]
    assert score == pytest.approx([0.8, 0.8, 0.4])
    for box, cells in zip(boxes, ([10, 11, 18, 19], [10], [47]), strict=True):
        assert light_cells(torch.from_numpy(box), 6, 8).tolist() == cells


def test_plates_are_suppressed_and_thresholded():
    boxes = np.array([[0, 0, 40, 10], [1, 0, 41, 10], [80, 0, 120, 10], [0, 50, 9, 60]], np.float32)
    xyxy, score = select_plates(np.array([0.5, 0.9, 0.6, 0.1], np.float32), boxes, 0.4)
    assert score == pytest.approx([0.9, 0.6])
    assert xyxy[0].tolist() == [1, 0, 41, 10]


def test_truth_follows_the_picture_through_cuts(pictures):
    seen = {"red": 0, "plate": 0, "line": 0}
    for seed in range(30):
        sample = cut(pictures, seed % 12, HEADS, (96, 64), (0.5, 1.3), np.random.default_rng(seed))
        assert sample.pixels.shape == (64, 96, 3)
        assert sample.surface.shape == (16, 24)
        grey = sample.pixels.astype(int).mean(2)
        for x1, y1, x2, y2 in sample.plates.round().astype(int):
            inside = grey[max(y1, 0) + 1 : y2 - 1, max(x1, 0) + 2 : x2 - 2]
            if inside.size > 20:
                assert inside.mean() > np.median(grey) + 20  # white
                seen["plate"] += 1
        is_line = np.kron(sample.surface == 2, np.ones((4, 4), bool))
        is_road = np.kron(sample.surface == 1, np.ones((4, 4), bool))
        if is_line.sum() > 50 and is_road.sum() > 50:
            assert grey[is_line].mean() > grey[is_road].mean() + 30
            seen["line"] += 1
        seen["red"] += int((sample.states == 0).sum())
    assert min(seen.values()) > 5, seen


def test_a_whole_picture_and_its_truth_are_as_drawn(pictures):
    sample = whole(pictures, 0, (WIDTH, HEIGHT))
    assert sample.states.tolist() == [0]
    x1, y1, x2, y2 = sample.lights[0].astype(int)
    assert (sample.pixels[y1:y2, x1:x2] == drawn_heads.STATES["red"]).all()
    assert (sample.surface[22:] > 0).all()
    assert (sample.surface[:21] == 0).all()
    assert 1 <= (sample.surface[-1] == 2).sum() <= 3
    small = whole(pictures, 0, (256, 128))  # of another shape: the rest is no picture
    assert (small.surface[:, 48:] == IGNORED).all()


def test_scores_are_those_counted_by_hand(pictures):
    scorer = HeadScorer()
    sample = whole(pictures, 1, (WIDTH, HEIGHT))
    probability = np.zeros((4, HEIGHT // 8, WIDTH // 8), np.float32)
    probability[2] = 1.0  # green, as it is
    scorer.lights(sample, probability)
    scorer.lights(whole(pictures, 0, (WIDTH, HEIGHT)), probability)  # which is red
    scorer.surface(sample, np.where(sample.surface == 2, 0, sample.surface).astype(np.uint8))
    scorer.plates(sample, np.array([0.9], np.float32), sample.plates)
    scorer.plates(
        whole(pictures, 0, (WIDTH, HEIGHT)), np.zeros(0, np.float32), np.zeros((0, 4), np.float32)
    )
    result = scorer.result()
    assert (result["light_state accuracy"], result["lights"]) == (0.5, 2)
    assert (result["drivable IoU"], result["line IoU"]) == (1.0, 0.0)
    assert result["plates AP50"] == pytest.approx(0.5, abs=0.01)


def test_heads_learn_within_seconds_and_the_stem_stays(pictures, stem):
    trainer = HeadTrainer(replace(OPTIONS, max_images=250, rate=1e-2), stem)
    before = {name: value.clone() for name, value in trainer.trunk.state_dict().items()}
    samples = trainer.next_samples(pictures)
    rows = [trainer.step(samples) for _ in range(20)]
    for name, share in (("light_state", 0.8), ("drivable", 0.8), ("plates", 0.97)):
        assert rows[-1][name] < share * rows[0][name], name
    after = trainer.trunk.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_resumed_run_ends_where_an_unbroken_one_ends(pictures, stem, trained, tmp_path):
    broken = HeadTrainer(OPTIONS, stem)
    while broken.images < 28:
        broken.step(broken.next_samples(pictures))
    broken.save(tmp_path / "heads.pt")
    resumed, unbroken = HeadTrainer(OPTIONS, stem), HeadTrainer(OPTIONS, stem)
    resumed.resume(tmp_path / "heads.pt")
    while resumed.images < OPTIONS.max_images:
        resumed.step(resumed.next_samples(pictures))
    unbroken.resume(trained[0] / "heads.pt")
    assert resumed.images == unbroken.images
    mine, theirs = resumed.average.state_dict(), unbroken.average.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    with pytest.raises(ConfigError, match="other options"):
        HeadTrainer(replace(OPTIONS, seed=2), stem).resume(tmp_path / "heads.pt")


def test_progress_is_reported_and_scored(trained):
    _, lines, scores = trained
    assert len(lines) == 1
    assert set(lines[0].losses) == set(HEADS)
    assert {"light_state accuracy", "drivable IoU", "line IoU", "plates AP50"} <= set(scores)


def test_a_set_without_plates_is_refused_for_them(tmp_path):
    drawn_heads.write(tmp_path, 1, 1, with_plates=False)
    HeadPictures(tmp_path, ("light_state", "drivable"))
    with pytest.raises(SourceError, match="no truth for plates"):
        HeadPictures(tmp_path, HEADS)


def test_the_command_says_what_it_lacks(tmp_path, capsys):
    assert command.main([str(tmp_path), "--head", "plates"]) == 2
    assert "--head needs --stem" in capsys.readouterr().err
    assert command.main([str(tmp_path), "--head", "depth", "--stem", "a.safetensors"]) == 2
    assert "expected some of light_state" in capsys.readouterr().err


def test_light_states_are_learnt_from_cuts_of_pictures_that_hold_lights(tmp_path, stem):
    drawn_heads.write(tmp_path, 3, 1)
    path = tmp_path / "annotations.json"
    table = json.loads(path.read_text())
    table["annotations"] = [a for a in table["annotations"] if a["image_id"] != 2]
    path.write_text(json.dumps(table))
    assert HeadPictures(tmp_path, HEADS).telling == [0, 1, 2]
    pictures = HeadPictures(tmp_path, ("light_state",))
    assert pictures.telling == [0, 2]
    options = replace(OPTIONS, heads=("light_state",), width=256, height=128)
    samples = HeadTrainer(options, stem).next_samples(pictures)
    assert {sample.pixels.shape for sample in samples} == {(32, 64, 3)}
    assert sum(len(sample.states) for sample in samples) >= len(samples) // 2
