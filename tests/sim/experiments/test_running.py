import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim.experiments import config, running
from sim.experiments.__main__ import main
from sim.experiments.report import Findings

ROOT = Path(__file__).resolve().parents[3]


def lines_of(out: Path) -> list[list[str]]:
    """The cells as a table, and every verdict of every cell."""
    files = [out / "cells.csv", *(out / "cells").glob("*.jsonl")]
    return sorted(path.read_text().splitlines() for path in files)


def disabled_features() -> str:
    """What numpy would choose its kernels by on this machine, and can do without."""
    core = np._core._multiarray_umath
    return " ".join(name for name in core.__cpu_dispatch__ if core.__cpu_features__[name])


def test_smoke_twice_without_vector_units_leaves_the_same_lines(tmp_path: Path) -> None:
    assert main(["smoke", "--out", str(tmp_path / "one"), "--lines", "--no-plots"]) == 0
    features = disabled_features()
    done = subprocess.run(
        [sys.executable, "-m", "sim.experiments", "smoke", "--lines", "--no-plots",
         "--out", str(tmp_path / "two")],
        cwd=ROOT, env={**os.environ, "NPY_DISABLE_CPU_FEATURES": features, "PYTHONHASHSEED": "7"},
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = lines_of(tmp_path / "one"), lines_of(tmp_path / "two")
    assert len(one) == 1 + 3 * 2
    assert sum(len(lines) for lines in one) > 6 * 180
    assert one == two


@pytest.fixture
def tiny() -> config.Study:
    study = config.load(config.find("smoke"))
    return config.only(config.quick(study), ["deadline", "local_only"])


def test_a_finished_cell_is_not_run_again(tiny: config.Study, tmp_path: Path) -> None:
    folder = config.find("smoke").parent
    first = running.run_study(tiny, folder, tmp_path)
    kept = sorted(path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir())
    assert len(kept) == 2 * 2 + 2  # cells and ceilings
    assert repr(running.run_study(tiny, folder, tmp_path)) == repr(first)
    assert sorted(path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()) == kept


def test_a_broken_result_and_another_option_are_run(tiny: config.Study, tmp_path: Path) -> None:
    folder = config.find("smoke").parent
    one_seed = config.msgspec.structs.replace(tiny, seeds=[1], oracle=False)
    first = running.run_study(one_seed, folder, tmp_path)
    for path in (tmp_path / "cells").iterdir():
        path.write_bytes(path.read_bytes()[:20])  # as a full disk leaves it
    assert repr(running.run_study(one_seed, folder, tmp_path)) == repr(first)
    changed = config.msgspec.structs.replace(one_seed, age_tau_s=0.5)
    other = running.run_study(changed, folder, tmp_path)
    assert other.measures[0].utility < first.measures[0].utility
    assert other.measures[0].digest == first.measures[0].digest


@pytest.mark.slow
def test_two_processes_find_what_one_does(tiny: config.Study, tmp_path: Path) -> None:
    folder = config.find("smoke").parent
    alone = running.run_study(tiny, folder, tmp_path / "alone")
    both = running.run_study(tiny, folder, tmp_path / "both", workers=2)
    assert repr(both) == repr(alone)


@pytest.mark.slow
def test_the_folder_holds_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["smoke", "--quick", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "DP oracle" in told
    assert "deadline" in told
    names = {path.name for path in out.iterdir()}
    assert names >= {"cells.csv", "table.csv", "calibration.csv", "report.md", "environment.json"}
    assert names >= {f"{it}.{kind}" for it in ("utility", "calibration") for kind in ("png", "pdf")}
    rows = list(csv.DictReader((out / "cells.csv").read_text().splitlines()))
    assert len(rows) == 3 * 2
    assert all(float(row["dp"]) >= float(row["utility"]) - 0.002 for row in rows)
    environment = json.loads((out / "environment.json").read_text())
    assert environment["study"]["name"] == "smoke"
    assert str(Path.home()) not in json.dumps(environment)


def test_goals_are_told_and_strict_fails(tmp_path: Path) -> None:
    path = tmp_path / "strict.yaml"
    text = config.find("smoke").read_text()
    path.write_text(text + "goals:\n  - {figure: utility, least: 2.0}\n")
    flags = ["--out", str(tmp_path / "out"), "--no-plots", "--only", "local_only,deadline"]
    assert main([str(path), *flags, "--strict"]) == 0  # a part of the policies has no goals
    assert main([str(path), *flags[:3], "--strict"]) == 1


def test_goals_by_hand(tmp_path: Path) -> None:
    study = config.load(config.find("smoke"))
    goals = [
        config.Goal(figure="utility", most=1.0, policy="local_only"),
        config.Goal(figure="utility", least=1.0, by="ratio", against={"policy": "local_only"}),
        config.Goal(figure="misses", most=0.0, over="worst", policy="local_only"),
        config.Goal(figure="share", least=0.99, policy="local_only"),
    ]
    study = config.msgspec.structs.replace(study, goals=goals, duration_s=3.0)
    results = running.run_study(study, config.find("smoke").parent, tmp_path)
    verdicts = Findings.of(study, results).verdicts
    assert [each.is_met for each in verdicts] == [True, True, True, False]
    assert verdicts[3].value == 0.0
    assert "MISSED: share >= 0.99" in verdicts[3].line


def test_studies_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in config.names())
