"""The profile of this machine: written, read, believed or not, and what auto makes of it."""

import logging

import msgspec
import pytest

from scheduler.errors import ConfigError
from vehicle.perception import profile
from vehicle.perception.profile import Cell, Machine, Profile, is_alike, ordered

LARGE = ("large", (640, 384), "fp32", 1, 5_800_000)


def cell(backend: str, ms: float, **changes: object) -> Cell:
    fields = {
        "model": "large", "size": (640, 384), "precision": "fp32", "backend": backend,
        "threads": 1, "params": 5_800_000, "ms": ms, "cpu_ms": ms, "wall_ms": ms, "spread": 0.01,
        "memory_mib": 30.0,
    }  # fmt: skip
    return Cell(**{**fields, **changes})


def test_a_profile_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "cache" / "vdap" / "profile.json"
    written = Profile(profile.this_machine(), [cell("onnxruntime", 60.0), cell("openvino", 55.0)])
    profile.write(written, path)
    assert profile.here(path) == written
    assert b"20" + b"26-" not in path.read_bytes()  # no date


def test_what_was_measured_of_a_model_comes_fastest_first_and_of_this_cell_alone():
    cells = [
        cell("onnxruntime", 60.0), cell("openvino", 40.0), cell("torch", 90.0, threads=2),
        cell("torch", 1.0, size=(320, 192)), cell("torch", 1.0, precision="int8"),
        cell("torch", 1.0, params=7), cell("torch", 1.0, model="nano"),
    ]  # fmt: skip
    found = Profile(Machine("x", 2, "Linux"), cells).of(*LARGE)
    assert [c.backend for c in found] == ["openvino", "onnxruntime"]


@pytest.mark.parametrize(
    ("times", "first"),
    [
        ({"onnxruntime": 60.0, "openvino": 40.0}, "openvino"),
        ({"onnxruntime": 41.9, "openvino": 40.0}, "onnxruntime"),  # under 5 %: alike
        ({"onnxruntime": 42.1, "openvino": 40.0}, "openvino"),
        ({"openvino": 40.0, "torch": 41.0}, "openvino"),  # no default among them
        ({"onnxruntime": 40.0, "openvino": 90.0}, "onnxruntime"),
    ],
)
def test_the_default_is_kept_unless_another_is_clearly_faster(times, first):
    cells = sorted((cell(name, ms) for name, ms in times.items()), key=lambda c: c.ms)
    names = [c.backend for c in ordered(cells, "onnxruntime")]
    assert names[0] == first
    assert sorted(names) == sorted(times)
    assert is_alike(times[first], min(times.values()))


def test_nothing_measured_advises_nothing():
    assert ordered([], "onnxruntime") == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"processor": "Other CPU"}, "processor .*, was Other CPU"),
        ({"cores": 999}, "cores .*, was 999"),
        ({"libraries": {"onnxruntime": "0.1"}}, r"onnxruntime \S+, was 0\.1"),
        ({"libraries": {**profile.this_machine().libraries, "openvino": "1.0"}}, "openvino .*1.0"),
    ],
)
def test_a_profile_of_another_machine_is_not_believed_and_says_why_once(
    tmp_path, caplog, change, says
):
    path = tmp_path / "profile.json"
    machine = msgspec.structs.replace(profile.this_machine(), **change)
    profile.write(Profile(machine, [cell("onnxruntime", 60.0)]), path)
    with caplog.at_level(logging.WARNING):
        assert profile.here(path, is_quiet=True) is None
        assert profile.here(path) is None
        assert profile.here(path) is None
    (line,) = caplog.messages
    assert "run `vdap profile` again" in line
    assert caplog.records[0].getMessage().count("\n") == 0
    import re

    assert re.search(says, line)


def test_a_missing_profile_is_no_error_and_no_line(tmp_path, caplog):
    assert profile.here(tmp_path / "none.json") is None
    assert caplog.messages == []


@pytest.mark.parametrize("text", ["", "{}", '{"machine": 1}', "[1]"])
def test_a_file_that_is_no_profile_is_passed_over_with_one_line(tmp_path, caplog, text):
    path = tmp_path / "profile.json"
    path.write_text(text)
    assert profile.here(path) is None
    assert "is not a profile" in caplog.messages[0]
    with pytest.raises(ConfigError, match="is not a profile"):
        profile.read(path)


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "profile.json"
    profile.write(Profile(profile.this_machine(), [], format=99), path)
    with pytest.raises(ConfigError, match="format 99, expected 1"):
        profile.read(path)


def test_the_file_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("VDAP_PROFILE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert profile.default_path() == tmp_path / "vdap" / "profile.json"
    monkeypatch.setenv("VDAP_PROFILE", str(tmp_path / "mine.json"))
    assert profile.default_path() == tmp_path / "mine.json"
