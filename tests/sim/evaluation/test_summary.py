"""The summary of a run folder: fields, counters, what is missing, the files written."""

import csv
import io
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from sim.evaluation import tables
from sim.evaluation.report import sum_up

# The list of what a summary holds at least.
FIELDS = {
    "captured", "verdicts", "late", "placements", "offload", "age_ms", "fps", "real_time_factor",
    "f1_current", "outage_share", "collisions", "min_ttc_s",
}  # fmt: skip


def quiet() -> Console:
    return Console(file=io.StringIO(), width=120)


def test_summary_holds_the_promised_fields(make_run) -> None:
    folder = make_run(ticks=40)
    made = sum_up(folder, quiet(), is_quick=True)
    assert set(made) >= FIELDS
    assert json.loads((folder / "summary.json").read_text()) == made
    assert made["captured"] == made["verdicts"] == 40
    assert made["placements"] == {"onboard": 18, "offloaded": 20, "carried": 2}
    assert made["offload"] == {"sent": 25, "ok": 22, "late": 1, "rejected": 1, "lost": 1}
    assert made["age_ms"] == {"p50": 60.0, "p99": 60.0}
    assert made["f1_current"] == 1.0
    assert made["f1_objects"] == 1
    assert made["f1_boxes"] > 150  # of 40 pictures at 10 a second, every 20 ms
    assert made["outage_share"] == 0.25
    assert (made["collisions"], made["min_ttc_s"], made["hard_brakes"]) == (0, 2.5, 1)
    assert made["vehicles"]["ego"]["compute"]["slowdown"] == 1.0


def test_what_computed_each_model_is_in_the_summary_and_in_its_table(make_run) -> None:
    folder = make_run(ticks=40)
    record = json.loads((folder / "vehicle-ego.json").read_text())
    record["models"] = {"small": "OpenVINO 2026.4 CPU, 2 threads"}
    (folder / "vehicle-ego.json").write_text(json.dumps(record))
    console = quiet()
    made = sum_up(folder, console, is_quick=True)
    assert made["vehicles"]["ego"]["models"] == record["models"]
    assert "small: OpenVINO 2026.4 CPU, 2 threads" in console.file.getvalue()


def test_a_killed_vehicle_is_summed_up_from_its_verdicts(make_run) -> None:
    made = sum_up(make_run(ticks=40, counters=False), quiet(), is_quick=True)
    assert made["captured"] == made["verdicts"] == 40
    assert made["fps"] == pytest.approx(10.0)
    assert any("wrote no counters" in note for note in made["notes"])


def test_the_bridge_has_the_last_word(make_run) -> None:
    folder = make_run(ticks=40)
    last = {
        "adapter": "inprocess", "real_time_factor": 0.9, "collisions": {"ego": 1},
        "min_ttc_s": {"ego": 0.4}, "hard_brakes": {"ego": 3}, "anything": "else",
    }  # fmt: skip
    (folder / "bridge.json").write_text(json.dumps(last))
    made = sum_up(folder, quiet(), is_quick=True)
    assert (made["collisions"], made["min_ttc_s"], made["hard_brakes"]) == (1, 0.4, 3)
    assert any("latency figures are flattered" in note for note in made["notes"])


def test_a_recording_cut_short_is_read_to_its_end(make_run) -> None:
    folder = make_run(ticks=40)
    recording = folder / "run.mcap"
    recording.write_bytes(recording.read_bytes()[:-200])
    assert sum_up(folder, quiet(), is_quick=True)["f1_current"] == 1.0


def test_an_empty_run_folder_still_has_a_summary(make_run) -> None:
    folder = make_run(ticks=0, verdicts=[], counters=False)
    made = sum_up(folder, quiet())
    assert made["captured"] == 0
    assert made["f1_current"] is None
    assert not (folder / "drive.png").exists()


def test_each_rung_alone_is_scored_on_recorded_pictures(make_run) -> None:
    picture = np.full((384, 640, 3), 90, np.uint8)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    made = sum_up(make_run(ticks=20, jpeg=jpeg), quiet())
    # Nothing is to be seen in a grey picture, and the truth says that a car is there.
    assert made["f1_alone"] == {"small": 0.0, "large": 0.0}


def test_picture_and_tables_are_written(make_run) -> None:
    pytest.importorskip("matplotlib")
    folder = make_run(ticks=40)
    sum_up(folder, quiet())
    assert (folder / "drive.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "drive.pdf").read_bytes().startswith(b"%PDF")
    rows = list(csv.DictReader((folder / "verdicts.csv").read_text().splitlines()))
    assert len(rows) == 40
    assert (rows[3]["answer"], rows[3]["age_ms"], rows[3]["infer_ms"]) == (
        "offloaded", "60.000", "15.000",
    )  # fmt: skip
    links = list(csv.DictReader((folder / "links.csv").read_text().splitlines()))
    assert len(links) == 40
    assert links[0]["up_bps"] == "0" and links[1]["up_bps"] == "6000000"


@pytest.mark.parametrize(
    ("heading", "columns"),
    [("verdicts.csv", tables.VERDICT_COLUMNS), ("links.csv", tables.LINK_COLUMNS)],
)
def test_columns_are_as_documented(heading: str, columns: tuple[str, ...]) -> None:
    text = (Path(__file__).parents[3] / "docs" / "run_folder.md").read_text()
    section = text.split(f"## `{heading}`")[1].split("\n## ")[0]
    assert tuple(re.findall(r"^\| `([a-z0-9_]+)`", section, re.MULTILINE)) == columns
