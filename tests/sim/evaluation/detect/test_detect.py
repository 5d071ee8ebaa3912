"""Detections of a drawn drive are stored and come back: sizes, qualities, truth, stops and lies."""

import json
import math
import zipfile

import cv2
import msgspec
import numpy as np
import pytest

from scheduler import messages
from scheduler.errors import ConfigError, SourceError
from sim.evaluation.detect import archive, making, measure
from sim.evaluation.detect.__main__ import parser, wish_of
from sim.evaluation.detect.drives import open_drive
from sim.evaluation.detect.measure import Bench, Wish, sent
from sim.ground_truth import TruthBox
from sim.truth_file import TruthFrame, TruthWriter
from vehicle.data.run_file import RunFile
from vehicle.perception.detections import Detections

WIDTH, HEIGHT = 192, 128
SIZES = ((192, 128), (96, 64))
FRAMES = 5
LENS = (96.0, 96.0, 96.0, 64.0)
MOUNT = (1.5, 0.0, 1.5, 0.0, 0.0, 0.0)


def car_at(tick):
    return (20.0 + 8 * tick, 40.0, 80.0 + 8 * tick, 80.0)


def picture(tick):
    pixels = np.random.default_rng(tick).integers(90, 130, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    x1, y1, x2, y2 = map(int, car_at(tick))
    pixels[y1:y2, x1:x2] = (30, 30, 220)
    return pixels


class Painted:
    """Finds the one red rectangle, in pixels of the picture that it is given."""

    backend = "numpy"

    def __init__(self, spec, threads):
        self.name, self.stages_ns = spec.name, {}

    def detect(self, frame):
        red = (frame[..., 2].astype(int) - frame[..., 0] > 100).nonzero()
        box = [red[1].min(), red[0].min(), red[1].max() + 1, red[0].max() + 1]
        score = 0.9 if self.name == "good" else 0.5
        return Detections(
            np.array([box], np.float32), np.array([score], np.float32), np.zeros(1, np.int16)
        )


class Halves:
    """An encoder that sends 100 bytes and the frame's number of columns, and its decoder."""

    def encode(self, frame):
        return bytes(100) + frame.shape[1].to_bytes(2, "big")

    def detect(self, payload):
        right = float(int.from_bytes(payload[-2:], "big"))
        return Detections(
            np.array([[0, 0, right, 9]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int16)
        )


@pytest.fixture
def models(tmp_path):
    paths = []
    for name in ("good", "poor"):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(name.encode())
        paths.append(str(path))
    return tuple(paths)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "20260101-drive"
    folder.mkdir()
    (folder / "config.yaml").write_text(
        "world: {}\nvehicles: [{id: ego, detectors: [{id: small}]}]\n"
    )
    log = RunFile(folder / "run.mcap")
    with TruthWriter(folder / "truth.mcap") as truth:
        for tick in range(FRAMES):
            sim_ns = tick * 10**8
            header = messages.Frame(
                1, "ego", "front", tick, sim_ns, 0, WIDTH, HEIGHT, "bgr", LENS, [], MOUNT
            )
            jpeg = cv2.imencode(".jpg", picture(tick), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
            log.write_image("frame/ego/front", header, jpeg, 5_000 + sim_ns)
            if tick != 2:
                pose = messages.Pose(
                    1, "ego", tick, sim_ns, 0, (1.0 * tick, 2.0, 0.0), (0.0, 0.0, 0.5), 8.0, 0.1,
                    0.0, False,
                )  # fmt: skip
                log.write("pose/ego", pose, 5_000 + sim_ns)
            box = TruthBox(7, 0, car_at(tick), 0.9, 12.0, (9.0, 1.0, 0.7), (8.0, 0.0, 0.0))
            if tick != 3:
                truth.write(TruthFrame("ego", "front", tick, sim_ns, WIDTH, HEIGHT, (box,)))
    log.close()
    return folder


def made(
    drive,
    out,
    rungs,
    total=FRAMES,
    qualities=("raw", "90", "50"),
    halves=None,
    report=None,
    block=32,
):
    wish = Wish(rungs, SIZES, qualities)
    bench = Bench(wish, Painted, halves or {})
    told = []
    stored = making.store(open_drive(drive), wish, bench, out, total, report or told.append, block)
    return stored, told


def test_a_drive_comes_back_with_all_that_is_known_of_it(run, models, tmp_path):
    out = tmp_path / "d.npz"
    _, told = made(run, out, models)
    assert told == [0, 1, 2, 3, 4, 5]
    stored = archive.read(out)
    assert (len(stored), stored.about.kind, stored.about.drive) == (5, "run", "20260101-drive")
    assert (stored.rungs, stored.qualities) == (["good", "poor"], ["raw", "90", "50"])
    assert stored.about.backends == {"good": "numpy", "poor": "numpy"}
    assert stored.number("ego", "front", 4) == 4
    assert stored.number("ego", "rear", 4) is None
    frame = stored.frame(1)
    assert frame["vehicle"] == "ego"
    assert (frame["tick"], frame["sim_ns"], frame["stamp_ns"]) == (1, 10**8, 10**8 + 5_000)
    assert frame["pose"] == [1.0, 2.0, 0.0, 0.0, 0.0, 0.5]
    assert (frame["speed"], frame["yaw_rate"]) == (8.0, 0.1)
    assert (frame["intrinsics"], frame["camera_from_vehicle"]) == (list(LENS), list(MOUNT))
    assert all(math.isnan(value) for value in stored.frame(2)["pose"])
    truth = stored.truth(1)
    assert truth.xyxy.tolist() == [list(car_at(1))]
    assert truth.velocity.tolist() == [[8.0, 0.0, 0.0]]
    assert (truth.actor_id.tolist(), truth.class_id.tolist()) == ([7], [0])
    assert stored.truth(3) is None


@pytest.mark.parametrize("quality", ["raw", 90, "50"])
@pytest.mark.parametrize("size", SIZES)
def test_boxes_are_in_pixels_of_the_frame_at_every_size(run, models, tmp_path, size, quality):
    stored, _ = made(run, tmp_path / "d.npz", models)
    for number in range(FRAMES):
        found = stored.detections(number, "good", size, quality)
        assert found.xyxy[0] == pytest.approx(np.array(car_at(number)), abs=2.1)
        assert found.score[0] == pytest.approx(0.9, abs=1e-4)
        assert stored.detections(number, "poor", size, quality).score[0] == pytest.approx(0.5, 1e-4)


def test_bytes_are_those_of_the_encoded_frame(run, models, tmp_path):
    stored, _ = made(run, tmp_path / "d.npz", models)
    fine, coarse = (stored.jpeg_bytes(0, SIZES[0], quality) for quality in (90, 50))
    assert fine > coarse > stored.jpeg_bytes(0, SIZES[1], 50) > 100
    assert stored.jpeg_bytes(0, SIZES[0], "raw") == 0
    assert stored.payload_bytes(0, "good", SIZES[0]) is None


@pytest.mark.parametrize(
    ("size", "shape"), [((192, 128), (128, 192)), ((96, 64), (64, 96)), ((640, 384), (128, 192))]
)
def test_a_frame_is_shrunk_but_never_enlarged(size, shape):
    bgr, count = sent(picture(0), size, "70")
    assert bgr.shape[:2] == shape
    assert count > 100
    raw, nothing = sent(picture(0), size, "raw")
    assert (raw.shape[:2], nothing) == ((128, 192), 0)


def test_split_detectors_are_asked_with_the_whole_frame(run, models, tmp_path):
    halves = {(models[0], size): (Halves(), Halves()) for size in SIZES}
    stored, _ = made(run, tmp_path / "d.npz", models, qualities=("raw", "split"), halves=halves)
    assert stored.about.splits == ["good"]
    assert stored.payload_bytes(2, "good", SIZES[1]) == 102
    assert stored.detections(2, "good", SIZES[1], "split").xyxy[0, 2] == WIDTH
    assert stored.payload_bytes(2, "poor", SIZES[1]) is None
    with pytest.raises(ConfigError, match="in one piece"):
        stored.detections(2, "poor", SIZES[1], "split")


@pytest.mark.parametrize(
    ("rung", "size", "quality", "message"),
    [
        ("huge", SIZES[0], "raw", "no rung 'huge'"),
        ("good", (64, 64), "raw", "no size"),
        ("good", SIZES[0], 77, "no quality '77'"),
    ],
)
def test_what_is_not_stored_is_said(run, models, tmp_path, rung, size, quality, message):
    stored, _ = made(run, tmp_path / "d.npz", models)
    with pytest.raises(ConfigError, match=message):
        stored.detections(0, rung, size, quality)


def test_a_stopped_run_goes_on_and_ends_the_same(run, models, tmp_path):
    made(run, tmp_path / "whole.npz", models)

    def stop(done):
        if done == 3:
            raise KeyboardInterrupt

    out = tmp_path / "d.npz"
    with pytest.raises(KeyboardInterrupt):
        made(run, out, models, report=stop, block=2)
    assert not out.exists()
    with pytest.raises(ConfigError, match="begun with other options"):
        made(run, out, models[:1], block=2)
    _, told = made(run, out, models, block=2)
    assert told == [2, 3, 4, 5]
    whole, again = (np.load(path) for path in (tmp_path / "whole.npz", out))
    assert all(whole[name].tobytes() == again[name].tobytes() for name in whole.files)
    assert not list(tmp_path.glob("*.parts"))


def test_what_is_there_is_not_made_again_unless_the_drive_has_changed(run, models, tmp_path):
    out = tmp_path / "d.npz"
    made(run, out, models)
    assert made(run, out, models)[1] == [FRAMES]
    assert made(run, out, models, total=3)[1] == [0, 1, 2, 3]
    made(run, out, models)
    with (run / "truth.mcap").open("ab") as file:
        file.write(b"more")
    assert made(run, out, models)[1] == [0, 1, 2, 3, 4, 5]


def test_data_sets_and_videos_are_drives_too(models, tmp_path):
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    images = [{"id": n + 1, "file_name": f"{n}.png", "sim_ns": n * 600} for n in range(FRAMES)]
    boxes = [
        {"id": n + 1, "image_id": n + 1, "category_id": 6, "bbox": [20 + 8 * n, 40, 60, 40]}
        for n in range(FRAMES)
    ]
    table = {
        "images": images, "annotations": boxes, "categories": [{"id": 6, "name": "pedestrian"}],
    }  # fmt: skip
    (folder / "annotations.json").write_text(json.dumps(table))
    film = cv2.VideoWriter(
        str(tmp_path / "film.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (WIDTH, HEIGHT)
    )
    for number in range(FRAMES):
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture(number))
        film.write(picture(number))
    film.release()
    stored, _ = made(folder, tmp_path / "s.npz", models)
    assert stored.truth(3).xyxy.tolist() == [[44.0, 40.0, 104.0, 80.0]]
    assert stored.truth(3).class_id.tolist() == [5]
    assert (stored.frame(3)["tick"], stored.frame(3)["sim_ns"]) == (4, 1800)
    stored, _ = made(tmp_path / "film.avi", tmp_path / "v.npz", models, total=3)
    assert len(stored) == 3
    assert stored.frame(2)["sim_ns"] == 10**8
    assert stored.truth(2) is None
    found = stored.detections(2, "good", SIZES[0], 90)
    assert found.xyxy[0] == pytest.approx(np.array(car_at(2)), abs=3)


def test_the_table_shows_scores_where_truth_is_known(run, models, tmp_path):
    stored, _ = made(run, tmp_path / "d.npz", models)
    table = making.table_of(stored)
    assert "best F1" in table.title
    assert list(table.columns[2].cells) == ["1.000", "1.000", "-", "1.000", "1.000", "-"]
    kilobytes = list(table.columns[3].cells)[2]
    assert 1.0 < float(kilobytes) < 20.0


def rewritten(path, change):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    np.savez(path, **arrays)


def other_version(arrays):
    about = json.loads(arrays["about"].tobytes())
    arrays["about"] = np.frombuffer(msgspec.json.encode({**about, "version": 9}), np.uint8)


def too_many_boxes(arrays):
    arrays["box_count"] = arrays["box_count"] + np.uint16(1)


def unknown_class(arrays):
    arrays["box_class"] = arrays["box_class"] + np.uint8(200)


def no_truth(arrays):
    del arrays["truth_actor"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_version, "version 1, got .* version 9"),
        (too_many_boxes, "box_xyxy is"),
        (unknown_class, "box_class 200 of 7"),
        (no_truth, "no truth_actor"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(run, models, tmp_path, change, message):
    out = tmp_path / "d.npz"
    made(run, out, models)
    rewritten(out, change)
    with pytest.raises(SourceError, match=message):
        archive.read(out)


def test_what_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "d.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(SourceError, match="expected stored detections"):
        archive.read(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("other.npy", b"x")
    with pytest.raises(SourceError, match=r"expected stored detections|lacks 'about'"):
        archive.read(path)
    with pytest.raises(SourceError, match="a run folder"):
        open_drive(tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--qualities", "raw,200"), "1 to 100"),
        (("--sizes", "640x380"), "multiples of 32"),
        (("--rungs", "a.onnx,a.onnx"), "each once"),
        (("--threads", "0"), "at least 1"),
    ],
)
def test_a_wish_that_cannot_be_is_one_clear_line(flags, message):
    with pytest.raises(ConfigError, match=message):
        wish_of(parser().parse_args(["drive", *flags]))


def test_a_split_that_does_not_ship_is_said(models):
    with pytest.raises(ConfigError, match="none of good, poor ships in two halves"):
        Bench(Wish(models, SIZES, ("raw", "split")), Painted)


def test_unknown_rungs_and_missing_models_are_said(tmp_path):
    with pytest.raises(ConfigError, match="rung 'colossal'"):
        Wish(("colossal",), SIZES, ("raw",)).hashes()
    with pytest.raises(ConfigError, match="no file"):
        Wish((str(tmp_path / "none.onnx"),), SIZES, ("raw",)).hashes()
    spec = Wish(("small.int8",), SIZES, ("raw",)).spec("small.int8", SIZES[0])
    assert (spec.name, spec.precision, spec.input_size) == ("small", "int8", SIZES[0])
    assert measure.INT8 == ".int8"
