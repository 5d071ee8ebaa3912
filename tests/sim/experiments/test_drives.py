from pathlib import Path

import numpy as np
import pytest

from scheduler.errors import ConfigError
from sim.evaluation.detect import archive
from sim.experiments import drives
from sim.experiments.drive_making import GREY_STEP, RECIPES, WISH, main
from sim.lockstep.pictures import Pictures, load
from vehicle.perception.content import THUMB, changed


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_shipped_drives_hold_what_studies_ask_for(recipe) -> None:
    path = drives.find(recipe.name)
    assert path.stat().st_size <= 1_500_000
    stored, luma = load(str(path))
    assert len(stored) == round(recipe.duration_s * recipe.rate_hz)
    assert stored.about.rungs == WISH.names
    assert luma.shape == (len(stored), THUMB[1], THUMB[0])
    assert not (luma % GREY_STEP).any()
    pictures = Pictures(stored, "front", luma)
    assert len(pictures.truth()) == len(pictures.poses) == len(stored)
    steps = np.diff(pictures.sim_ns)
    assert steps.max() - steps.min() < 2_000_000


def test_the_red_light_is_a_still_scene() -> None:
    stored, luma = load(str(drives.find("red_light")))
    frames = range(1, len(stored))
    assert max(abs(float(stored.frame(n)["speed"])) for n in frames) < 0.05
    assert np.median([changed(luma[n], luma[n - 1]) for n in frames]) < 0.005


def test_all_drives_are_small_enough_for_the_wheel() -> None:
    paths = [drives.find(recipe.name) for recipe in RECIPES]
    assert sum(path.stat().st_size for path in paths) <= 3_000_000


def test_a_drive_that_is_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        drives.find("nowhere", tmp_path)
    assert drives.find(str(drives.find("town")), tmp_path) == drives.find("town")
    with pytest.raises(ConfigError, match="tow"):
        main(["tow"])


def test_a_drive_is_a_file_of_stored_detections() -> None:
    stored = archive.read(drives.find("town"))
    found = stored.detections(10, "medium", (640, 384), 60)
    assert found.xyxy.shape[1] == 4
