"""`vdap run --compare`: a run's pictures and its link again, once per policy."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from rich.console import Console

from scheduler import config_file, messages
from scheduler.config import Config
from scheduler.errors import ConfigError
from sim.channel.trace import Trace
from sim.evaluation import comparison
from sim.evaluation.summary import VehicleResult, counted
from sim.launcher import replay
from sim.launcher.__main__ import main
from sim.launcher.policies import contenders
from vehicle.data.run_file import RunFile

REPOSITORY = Path(__file__).parents[3]
RUN = "import sys; from scheduler.processes import main; sys.exit(main())"  # the console script
SECOND = 1_000_000_000
HEADER = "t_s,up_bps,up_delay_ms,up_loss,dn_bps,dn_delay_ms,dn_loss\n"
YAML = """
name: past
duration_s: 3
world: {adapter: inprocess}
vehicles: [{id: ego, policy: {name: always_offload, options: {quality: 40}}}]
roadside_units: [{id: rsu1, bind: {port: 5700}}]
link: {}
"""


def config_of(text: str = YAML) -> Config:
    return config_file.decode(msgspec.yaml.decode(text), "test")


# --- the policies that are named ---


def test_a_name_has_its_own_options_and_the_config_s_where_it_is_the_config_s_policy() -> None:
    found = contenders("local_only,always_offload?quality=60", config_of())
    assert [each.policy.name for each in found] == ["local_only", "always_offload"]
    assert found[0].policy.options == {}
    assert found[1].policy.options == {"quality": 60}
    assert contenders("always_offload", config_of())[0].policy.options == {"quality": 40}
    assert found[1].folder == "always_offload_quality_60"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (" , ", "expected policies"),
        ("deadline,deadline", "twice"),
        ("nonesuch", "nonesuch"),
        ("always_offload?quality", "key=value"),
        ("always_offload?quality=[1]", "quality"),
        ("always_offload?speed=3", "speed"),
        ("no.such.module:Class", "no.such.module"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said_before_anything_starts(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        contenders(text, config_of())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["demo", "--compare", "deadline", "--only", "rsu"], "--only"),
        (["demo", "--compare", "deadline", "--set", "bridge.pace=hold"], "realtime"),
        (["--compare", "deadline"], "a config"),
        (["demo", "--of", "runs/latest", "--compare", "deadline"], "in place of a config"),
        (["--of", "runs/latest"], "beside --compare"),
        (["--of", "nowhere", "--compare", "deadline"], "nowhere"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(words: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        main(words)


# --- the link's trace ---


def test_a_trace_is_cut_at_a_row_and_its_last_row_holds_for_ever(tmp_path: Path) -> None:
    rows = "0.000,1,1,0,1,1,0\n0.100,2,1,0,2,1,0\n0.200,3,1,0,3,1,0\n0.400,4,1,0,4,1,0\n"
    path = tmp_path / "cut.csv"
    path.write_text(replay.cut(f"# outage: hold\n{HEADER}{rows}", 0.2))
    cut = Trace(path)
    assert cut.outage == "hold"
    assert [cut.at(t).up_bps for t in (0.0, 0.19, 0.2, 50.0, 5000.0)] == [3, 3, 4, 4, 4]


def test_a_trace_that_begins_after_the_pictures_holds_its_first_row_before() -> None:
    cut = replay.cut(f"{HEADER}0.000,5,1,0,5,1,0\n0.100,6,1,0,6,1,0\n", -1.0)
    assert cut.splitlines()[1:4] == [
        "0.000,5,1,0,5,1,0", "1.000,5,1,0,5,1,0", "1.100,6,1,0,6,1,0",
    ]  # fmt: skip


# --- what a run folder gives ---


def a_run(folder: Path, *, pictures: bool = True, rows: bool = True) -> Path:
    """A run whose link began 0.5 s, and whose first picture came 1.03 s after the machine."""
    folder.mkdir()
    (folder / "config.yaml").write_text(YAML)
    log = RunFile(folder / "run.mcap")
    if pictures:
        jpeg = cv2.imencode(".jpg", np.zeros((64, 96, 3), np.uint8))[1].tobytes()
        for tick in range(3):
            stamp_ns = SECOND + 30_000_000 + tick * 100_000_000
            header = messages.Frame(
                messages.VERSION, "ego", "front", tick, stamp_ns, 0, 96, 64, "jpeg",
                (48.0, 48.0, 48.0, 32.0), [], (1.5, 0.0, 1.5, 0.0, 0.0, 0.0),
            )  # fmt: skip
            log.write_image("frame/ego/front", header, jpeg, stamp_ns)
    log.close()
    if rows:
        lines = []
        for row in range(12):
            t_s = row / 10
            heard_ns = SECOND // 2 + round(t_s * SECOND) + (row % 3) * 20_000_000  # later and later
            body = messages.LinkRow(
                messages.VERSION, "ego", "rsu1", t_s, 0, 1e6, 5.0, 0.0, 1e6, 5.0, 0.0, 9.0, "LOS",
                0, 0,
            )  # fmt: skip
            lines.append(msgspec.json.encode((heard_ns, "CHANNEL", body)))
        (folder / "telemetry.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        trace = "".join(f"{row / 10:.3f},{row},5,0,1,5,0\n" for row in range(12))
        (folder / "link-ego-rsu1.csv").write_text(HEADER + trace)
    return folder


def test_a_replay_begins_at_the_row_that_held_when_the_first_picture_was_taken(
    tmp_path: Path,
) -> None:
    run = replay.find(a_run(tmp_path / "run"))
    assert run.begin_ns == {("ego", "rsu1"): SECOND // 2}
    assert run.origin_ns == SECOND  # the sixth row's beginning, 30 ms before the picture
    policy = contenders("local_only", run.config)[0].policy
    config = replay.prepare(run, tmp_path / "again", policy)
    assert config.world is None
    assert config.vehicles[0].policy.name == "local_only"
    assert config.vehicles[0].cameras[0].source == f"replay:{tmp_path / 'run'}"
    assert config.roadside_units[0].bind.port is None  # whoever has it now
    assert config.link is not None and config.link.trace is not None
    trace = Trace(Path(config.link.trace.replace("{vehicle}", "ego").replace("{unit}", "rsu1")))
    assert [trace.at(t).up_bps for t in (0.0, 0.1, 9.0)] == [5, 6, 11]


@pytest.mark.parametrize(
    ("without", "told"), [("pictures", "holds no pictures"), ("rows", "no rows of the link")]
)
def test_a_run_that_cannot_be_replayed_says_what_it_lacks(tmp_path, without, told) -> None:
    folder = a_run(tmp_path / "run", **{without: False})
    with pytest.raises(ConfigError, match=told):
        replay.find(folder)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        replay.find(tmp_path)


# --- the figures ---


def verdict(tick: int, answer: str, age_ms: float, size: int = 0, late: bool = False):
    return messages.Verdict(
        messages.VERSION, "ego", "front", tick, tick, "object_detection", answer, "", "", "",
        "rsu1" if answer == "offloaded" else "", "", tick, tick, tick, tick, age_ms, age_ms + 10,
        late, {}, size, [],
    )  # fmt: skip


def test_figures_of_a_policy() -> None:
    verdicts = [
        verdict(1, "offloaded", 40.0, 500_000),
        verdict(2, "onboard", 60.0, 500_000),  # sent, and answered on board
        verdict(3, "carried", 99.0, 1_000_000),
        verdict(4, "onboard", 120.0, late=True),
    ]
    row = comparison.figures("p", [VehicleResult("ego", counted(verdicts), verdicts)])
    assert (row.in_time, row.offloaded, row.onboard, row.carried) == (0.5, 0.25, 0.5, 0.25)
    assert (row.missed, row.late, row.megabytes, row.f1) == (0.5, 1, 2.0, None)
    assert row.age_p50_ms == 79.5 and row.look_p50_ms == 89.5


def test_the_table_is_shown_and_written(tmp_path: Path) -> None:
    verdicts = [verdict(1, "onboard", 40.0)]
    rows = [
        comparison.figures(name, [VehicleResult("ego", counted(verdicts), verdicts)])
        for name in ("deadline", "local_only")
    ]
    out = io.StringIO()
    comparison.show(Console(file=out, width=80), "the same", rows)
    assert "deadline" in out.getvalue() and "100.0%" in out.getvalue()
    comparison.write(tmp_path, rows)
    assert [row["policy"] for row in json.loads((tmp_path / "compare.json").read_text())] == [
        "deadline", "local_only",
    ]  # fmt: skip
    assert "| local_only | 100.0% |" in (tmp_path / "compare.md").read_text()
    assert (tmp_path / "compare.csv").read_text().count("\n") == 3


# --- a whole one, in real time ---

DETECTOR = """
import time
import numpy as np
from vehicle.perception.detections import Detections

class Half:
    stages_ns = {}
    def __init__(self, spec, threads):
        self.name = spec.name
        self.pause = spec.options.get("pause_ms", 0) / 1000
    def detect(self, frame):
        time.sleep(self.pause)
        height, width = frame.shape[:2]
        box = np.array([[0, 0, width / 2, height / 2]], np.float32)
        return Detections(box, np.array([0.9], np.float32), np.array([0], np.int16))
"""
DRIVE = """
name: again
duration_s: 4
vehicles:
  - id: ego
    cameras: [{id: front, source: "video:film.avi", width: 96, height: 64, rate_hz: 10}]
    services: [{name: object_detection}]
    policy: {name: local_only}
    deadline_ms: 400
    detectors: [{id: small, kind: "again_detector:Half", accuracy: 0.5}]
roadside_units:
  - id: rsu
    detectors: [{id: large, kind: "again_detector:Half", accuracy: 0.9, options: {pause_ms: 5}}]
link: {trace: steady.csv}
"""


def vdap(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", RUN, "run", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_drive_is_replayed_once_per_policy_without_a_world(tmp_path: Path) -> None:
    (tmp_path / "again_detector.py").write_text(DETECTOR)
    (tmp_path / "again.yaml").write_text(DRIVE)
    (tmp_path / "steady.csv").write_text(f"{HEADER}0,20e6,5,0,20e6,5,0\n1000,20e6,5,0,20e6,5,0\n")
    film = cv2.VideoWriter(
        str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 64)
    )
    for grey in range(60):
        film.write(np.full((64, 96, 3), grey * 4, np.uint8))
    film.release()
    done = vdap(tmp_path, "again.yaml", "--no-dashboard", "--compare", "local_only,always_offload")
    assert done.returncode == 0, done.stdout + done.stderr
    run = tmp_path / "runs" / "latest"
    rows = {row["policy"]: row for row in json.loads((run / "compare/compare.json").read_text())}
    captured = json.loads((run / "summary.json").read_text())["captured"]
    assert captured > 30
    for row in rows.values():
        assert abs(row["frames"] - captured) <= 2  # a starved machine may miss one
    assert rows["local_only"]["megabytes"] == 0.0 and rows["local_only"]["offloaded"] == 0.0
    assert rows["always_offload"]["offloaded"] > 0.5
    assert sorted(path.name for path in (run / "compare").iterdir() if path.is_dir()) == [
        "always_offload", "local_only",
    ]  # fmt: skip
    logs = [path.name for path in (run / "compare/local_only/logs").iterdir()]
    assert not any(name.startswith(("bridge", "world")) for name in logs)
    again = vdap(tmp_path, "--compare", "nonesuch", "--of", str(run))
    assert again.returncode == 2 and "nonesuch" in again.stderr
    again = vdap(tmp_path, "--compare", "deadline", "--of", str(run), "--no-dashboard")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (run / "compare" / "deadline" / "verdicts.csv").is_file()
