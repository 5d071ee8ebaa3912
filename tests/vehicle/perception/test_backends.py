"""Runtimes: what answers is what was asked for, and what does not work is passed over or named."""

import json
import logging
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from scheduler.clock import MonotonicClock
from scheduler.errors import ConfigError, MissingPartError
from vehicle.perception import backends, profile
from vehicle.perception.backends import candidates, first_that_works, open_picture_model
from vehicle.perception.detector import RUNGS, DetectorSpec, load_detector
from vehicle.perception.profile import Cell, Profile
from vehicle.perception.rungs import INPUT_SIZES
from vehicle.perception.worker import Answer, Worker

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

from vehicle.perception.runtime import counted_operators

from . import tiny_models

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"


def installed(name: str) -> None:
    module = {"onnxruntime": "onnxruntime", "openvino": "openvino", "torch": "torch"}[name]
    pytest.importorskip(module, reason=f"{module} is not installed")


# --- real runtimes ---------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_model_of_any_size_runs_at_the_size_that_is_asked_for(tmp_path, backend):
    installed(backend)
    path = tiny_models.ours(tmp_path / "any.onnx", side="any")
    model = open_picture_model(path, backend, 1, (320, 192))
    assert model.input_shape == (1, 192, 320, 3)
    assert (model.input_type, model.outputs) == ("uint8", ("scores", "boxes"))
    scores, boxes = model.run(np.zeros((1, 192, 320, 3), np.uint8))
    assert scores[2, 2] == pytest.approx(0.9)
    assert boxes[2].tolist() == [8, 8, 40, 24]
    assert open_picture_model(path, backend, 1).input_shape == (1, 384, 640, 3)
    names = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
    assert model.words.startswith(names[backend])
    assert model.words.endswith("CPU, 1 thread")


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_an_answer_is_left_alone_by_the_next_run(backend):
    installed(backend)
    rung = next(iter(RUNGS.values()))
    model = open_picture_model(rung.onnx, backend, 1)
    random = np.random.default_rng(3)
    pictures = random.integers(0, 255, (2, *model.input_shape[1:]), dtype=np.uint8)
    first = model.run(pictures[:1])
    kept = [array.copy() for array in first]
    model.run(pictures[1:])
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_every_runtime_answers_as_onnx_runtime_does(backend):
    installed(backend)
    rung = next(iter(RUNGS))
    reference = load_detector(DetectorSpec(rung, backend="onnxruntime"))
    shape = (reference.height, reference.width, 3)
    frame = np.random.default_rng(3).integers(0, 255, shape).astype(np.uint8)
    expected = reference.infer(frame)
    found = load_detector(DetectorSpec(rung, backend=backend)).infer(frame)
    # torch folds batch norm into weights that the file had folded before it was halved.
    assert np.abs(found[0] - expected[0]).max() < (1e-3 if backend == "openvino" else 0.02)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_picture_of_another_size_than_the_file_takes_is_refused(tmp_path, backend):
    installed(backend)
    path = tiny_models.ours(tmp_path / "fixed.onnx", side=64)
    with pytest.raises(ConfigError, match="takes pictures of 64x64, input_size says 640x384"):
        open_picture_model(path, backend, 1, (640, 384))


def test_a_model_that_takes_no_picture_says_what_was_expected(tmp_path):
    path = tiny_models.write(tmp_path / "words.onnx", [1, 20], {"out": np.zeros((1, 2))})
    with pytest.raises(ConfigError, match=r"an input \(1, 20\), expected a picture: \(1, H, W, 3"):
        open_picture_model(path, "onnxruntime", 1)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_file_that_is_no_model_is_one_line(tmp_path, backend):
    installed(backend)
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ConfigError, match=r"bad\.onnx is not a readable model") as caught:
        open_picture_model(tmp_path / "bad.onnx", backend, 1)
    assert "\n" not in str(caught.value)


def test_the_first_run_is_counted_by_provider_and_leaves_no_file(tmp_path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "first-run")
    path = str(tiny_models.ours(tmp_path / "m.onnx"))
    session = onnxruntime.InferenceSession(path, options, [CPU])
    session.run(None, {"images": np.zeros((1, 64, 64, 3), np.uint8)})
    counted = counted_operators(Path(session.end_profiling()))
    assert counted[CPU] >= 2
    assert set(counted) == {CPU}
    assert list(tmp_path.glob("first-run*")) == []


# --- a fake ONNX Runtime, for providers that no machine of ours has ---------------------------


class FakeRuntime(ModuleType):
    """An onnxruntime built with some providers, of which one answers."""

    __version__ = "9.9"

    def __init__(self, compiled: list[str], answers: str, fails: str = "") -> None:
        super().__init__("onnxruntime")
        self.shape: list[object] = [1, 64, 64, 3]
        self.profiles: list[Path] = []
        self.compiled, self.answers, self.fails = compiled, answers, fails
        self.asked: list[object] = []
        self.preloaded = 0

    def get_available_providers(self) -> list[str]:
        return self.compiled

    def preload_dlls(self) -> None:
        self.preloaded += 1

    class RunOptions(SimpleNamespace): ...

    class SessionOptions(SimpleNamespace):
        def add_session_config_entry(self, name: str, value: str) -> None: ...

        def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
            self.fixed = {**getattr(self, "fixed", {}), name: size}

    def InferenceSession(self, path, options, providers):  # noqa: N802 - the library's name
        self.asked = providers
        return FakeSession(self, options)


class FakeSession:
    def __init__(self, runtime: FakeRuntime, options: SimpleNamespace) -> None:
        self.runtime, self.options = runtime, options

    def get_inputs(self):
        fixed = getattr(self.options, "fixed", {})
        shape = [fixed.get(size, size) for size in self.runtime.shape]
        return [SimpleNamespace(name="images", shape=shape, type="tensor(uint8)")]

    def get_outputs(self):
        return [SimpleNamespace(name="scores"), SimpleNamespace(name="boxes")]

    def get_modelmeta(self):
        return SimpleNamespace(custom_metadata_map={})

    def run(self, outputs, given, options=None):
        if self.runtime.fails:
            raise RuntimeError(self.runtime.fails)
        scores, boxes = np.zeros((84, 7), np.float32), np.zeros((84, 4), np.float32)
        return [scores, boxes]

    def end_profiling(self) -> str:
        path = Path(self.options.profile_file_prefix + "_test.json")
        self.runtime.profiles.append(path)
        ran = {"cat": "Node", "args": {"provider": self.runtime.answers, "op_name": "Conv"}}
        path.write_text(json.dumps([{"cat": "Session"}, ran, ran, {"cat": "Node", "args": {}}]))
        return str(path)


@pytest.fixture
def pretend(monkeypatch):
    def install(*compiled: str, answers: str = CPU, fails: str = "") -> FakeRuntime:
        runtime = FakeRuntime([*compiled, CPU], answers, fails)
        monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
        backends.installed.cache_clear()
        return runtime

    yield install
    backends.installed.cache_clear()


@pytest.fixture
def file(tmp_path) -> Path:
    (tmp_path / "m.onnx").write_bytes(b"the fake reads no file")
    return tmp_path / "m.onnx"


@pytest.mark.parametrize(
    ("compiled", "answers", "fails", "says"),
    [
        ([], CPU, "", "was built with CPUExecutionProvider"),
        ([CUDA], CPU, "", "CPUExecutionProvider answered in its stead"),
        ([CUDA], CUDA, "CUDA error 100\nmore", "its first run failed: CUDA error 100;"),
    ],
)
def test_a_provider_asked_for_by_name_that_does_not_answer_is_one_clear_error(
    pretend, file, compiled, answers, fails, says
):
    pretend(*compiled, answers=answers, fails=fails)
    with pytest.raises(MissingPartError, match=says) as caught:
        load_detector(DetectorSpec("mine", weights=str(file), backend="cuda"))
    assert "pip install 'vdap[cuda]'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_provider_that_answers_is_shown(pretend, file):
    runtime = pretend(CUDA, answers=CUDA)
    detector = load_detector(DetectorSpec("mine", weights=str(file), backend="cuda"))
    assert detector.backend == "ONNX Runtime 9.9 CUDA, 1 thread"
    assert runtime.asked == [CUDA, CPU]
    assert runtime.preloaded


def test_a_model_whose_dimensions_bear_names_of_their_own_is_proven_when_they_are_fixed(
    pretend, file
):
    runtime = pretend(CUDA, answers=CUDA)
    runtime.shape = [1, "rows", "columns", 3]
    detector = load_detector(DetectorSpec("mine", weights=str(file), backend="cuda"))
    assert (detector.width, detector.height) == (640, 384)
    assert "CUDA" in detector.backend
    assert len(runtime.profiles) == 2
    assert not any(path.exists() for path in runtime.profiles)


@pytest.mark.parametrize(
    ("module", "backend", "says"),
    [
        ("openvino", "openvino", r"openvino is not installed: pip install 'vdap\[openvino\]'"),
        ("onnxruntime", "onnxruntime", r"onnxruntime is not installed: pip install 'vdap\[cpu\]'"),
        ("onnxruntime", "cuda", r"onnxruntime is not installed: .*pip install 'vdap\[cuda\]'"),
    ],
)
def test_a_runtime_that_is_not_installed_names_its_extra(monkeypatch, file, module, backend, says):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPartError, match=says):
        load_detector(DetectorSpec("mine", weights=str(file), backend=backend))


def test_auto_takes_the_gpu_build_and_goes_on_to_the_cpu_with_one_line(pretend, file, caplog):
    pretend(CUDA, answers=CPU)
    with caplog.at_level(logging.WARNING):
        detector = load_detector(DetectorSpec("mine", weights=str(file)), threads=2)
    assert detector.backend == "ONNX Runtime 9.9 CPU, 2 threads"
    (line,) = caplog.messages
    assert "answered in its stead" in line


def test_tensorrt_keeps_its_engines_and_is_never_tried_unasked(
    pretend, file, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    runtime = pretend(TENSORRT, CUDA, answers=TENSORRT)
    assert "tensorrt" not in candidates("auto", backends.OF_ONNX_FILES)
    load_detector(DetectorSpec("mine", weights=str(file), backend="tensorrt"))
    (name, options), *others = runtime.asked
    assert (name, others) == (TENSORRT, [CUDA, CPU])
    assert options["trt_engine_cache_enable"]
    assert options["trt_engine_cache_path"] == str(tmp_path / "vdap" / "tensorrt")
    assert Path(options["trt_engine_cache_path"]).is_dir()


# --- the choice --------------------------------------------------------------------------------


def test_without_a_profile_auto_is_onnx_runtime_then_torch():
    installed("torch")
    assert candidates("auto")[:2] == ("onnxruntime", "torch")


def test_with_no_runtime_at_all_the_first_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    backends.installed.cache_clear()
    try:
        with pytest.raises(MissingPartError, match=r"pip install 'vdap\[cpu\]'"):
            candidates("auto", ("cuda", "onnxruntime"))
        with pytest.raises(MissingPartError, match=r"\(tensorrt\): pip install 'vdap\[cuda\]'"):
            candidates("auto", ("tensorrt",))
    finally:
        backends.installed.cache_clear()


def test_a_profile_leads_and_what_it_does_not_know_follows():
    installed("openvino")
    names = candidates("auto", backends.OF_ONNX_FILES, ("openvino", "cuda"))
    assert names == ("openvino", "onnxruntime")  # cuda is not installed here


def test_a_backend_that_does_not_read_the_file_is_refused():
    with pytest.raises(
        ConfigError, match="'torch' does not read this file, expected auto or one of cuda"
    ):
        candidates("torch", backends.OF_ONNX_FILES)


def test_the_last_one_s_refusal_is_the_error():
    def refuse(name: str) -> None:
        raise MissingPartError(f"no {name}")

    with pytest.raises(MissingPartError, match="no b"):
        first_that_works(("a", "b"), refuse)


@pytest.mark.parametrize(("ms", "starts"), [(20.0, "OpenVINO"), (29.5, "ONNX Runtime")])
def test_auto_follows_this_machine_s_profile(monkeypatch, tmp_path, ms, starts):
    installed("openvino")
    rung = next(iter(RUNGS.values()))
    times = {"onnxruntime": 30.0, "openvino": ms}
    cells = [
        Cell(rung.name, INPUT_SIZES[0], "fp32", name, 1, rung.params, took, took, took, 0.0, 1.0)
        for name, took in times.items()
    ]
    profile.write(Profile(profile.this_machine(), cells), tmp_path / "profile.json")
    monkeypatch.setenv("VDAP_PROFILE", str(tmp_path / "profile.json"))
    assert load_detector(DetectorSpec(rung.name)).backend.startswith(starts)
    by_name = DetectorSpec(rung.name, backend="onnxruntime")
    assert load_detector(by_name).backend.startswith("ONNX Runtime")


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_worker_says_what_computes_its_models_within_its_bounds(backend):
    installed(backend)
    rung = next(iter(RUNGS))
    specs = [DetectorSpec(rung, backend=backend, input_size=(320, 192))]
    worker = Worker("w", specs, threads=1, max_frame_bytes=640 * 384 * 3, clock=MonotonicClock())
    try:
        worker.start()
        worker.wait_ready(60)
        names = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
        assert worker.loaded.backends[rung].startswith(names[backend])
        assert worker.detect(1, rung, np.zeros((384, 640, 3), np.uint8))
        answers: list[Answer] = []
        end = time.monotonic() + 30
        while not answers and time.monotonic() < end:
            answers += worker.poll(time.monotonic_ns())
            time.sleep(0.01)
        assert [answer.is_ok for answer in answers] == [True]
    finally:
        worker.stop()
