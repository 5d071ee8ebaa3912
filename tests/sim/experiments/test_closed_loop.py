"""The closed loop: what is drawn, what is seen, what is driven, what is concluded."""

import json
import math

import numpy as np
import pytest

from scheduler.config import Policy
from scheduler.errors import ConfigError
from sim.calibration import Intrinsics
from sim.engine.geometry import Pose
from sim.experiments import closed_loop, closed_loop_study, config
from sim.experiments.closed_loop_case import DRAWS, Case, Result, run, situation
from sim.experiments.closed_loop_report import comparisons, groups, sign_test
from sim.experiments.link_quality import QUALITIES, trace
from sim.experiments.truth_eyes import TruthEyes
from sim.world import Body, CameraMount

MOUNT = CameraMount(Pose(1.5, 0.0, 1.5), Intrinsics.from_fov(640, 384, 90.0))
CAR = (2.2, 0.9, 0.75)
STUDY = closed_loop_study.load(config.find("closed_loop"))


# --- links ---


def test_a_link_s_trace_is_its_quality_and_its_seed() -> None:
    fair = QUALITIES["fair"]
    one, again, other = (trace(fair, seed, 400.0) for seed in ("a", "a", "b"))
    assert one.rows == again.rows != other.rows
    rates = [state.up_bps for _, state in one.rows if state.up_bps]
    assert math.exp(np.mean(np.log(rates))) == pytest.approx(6e6, rel=0.2)
    assert one.outage_share() == pytest.approx(0.05, abs=0.04)
    assert trace(QUALITIES["dead"], "a", 10.0).outage_share() == 1.0


# --- what is in sight ---


def eyes(recall: float = 1.0, buildings: list[np.ndarray] | None = None, seed: int = 1):
    return TruthEyes(MOUNT, 1, buildings or [], {"small": [recall] * 7}, {"large": [1.0] * 7}, seed)


def car(actor_id: int, x: float, y: float = 0.0) -> Body:
    return Body(actor_id, 0, Pose(x, y, 0.75), CAR)


def test_a_car_ahead_is_seen_where_it_is() -> None:
    seen = eyes().look(1, Pose(0.0, 0.0, 0.0), [car(1, 0.0), car(2, 21.5)])
    assert len(seen.xyxy) == 1  # oneself is not seen
    x1, y1, x2, y2 = seen.xyxy[0].tolist()
    # The rear is 17.8 m before the camera, 0.9 m to either side: 320 / 17.8 x 0.9 pixels.
    assert (x1 + x2) / 2 == pytest.approx(320.0, abs=3.0)
    assert x2 - x1 == pytest.approx(2 * 320 * 0.9 / 17.8, rel=0.15)
    assert y1 < 192 + 27 < y2 + 3


def test_what_a_house_or_a_van_hides_is_not_seen() -> None:
    wall = np.array([(10.0, -5.0), (11.0, -5.0), (11.0, 5.0), (10.0, 5.0)])
    assert len(eyes(buildings=[wall]).look(1, Pose(0.0, 0.0, 0.0), [car(2, 25.0)]).xyxy) == 0
    van = Body(3, 1, Pose(12.0, 0.0, 1.3), (2.5, 1.2, 1.3))
    walker = Body(4, 5, Pose(20.0, 0.0, 0.9), (0.2, 0.2, 0.9))
    seen = eyes().look(1, Pose(0.0, 0.0, 0.0), [van, walker])
    assert seen.class_id.tolist() == [1]
    beside = Body(4, 5, Pose(20.0, 5.0, 0.9), (0.2, 0.2, 0.9))
    assert len(eyes().look(1, Pose(0.0, 0.0, 0.0), [van, beside]).xyxy) == 2


def test_a_model_finds_its_share_and_the_better_one_what_the_other_finds() -> None:
    some = eyes(recall=0.4)
    found_small, found_both, total = 0, 0, 0
    for tick in range(400):
        seen = some.look(
            tick, Pose(0.0, 0.0, 0.0), [car(k, 15.0, 3.0 * (k - 6)) for k in range(4, 9)]
        )
        small = seen.lot < 0.4
        large = seen.lot < 0.8
        found_small += int(small.sum())
        found_both += int((small & large).sum())
        total += len(seen.lot)
    assert found_small / total == pytest.approx(0.4, abs=0.06)
    assert found_both == found_small


# --- drives ---


def case(link: str = "good", policy: str | None = "deadline", seed: int = 1) -> Case:
    return Case(
        "stopped_car_round_bend", link, QUALITIES[link], Policy(name=policy) if policy else None,
        seed, STUDY.vehicle, STUDY.unit, 14.0,
    )  # fmt: skip


def test_a_drive_repeats_and_advisories_avoid_the_collision() -> None:
    first, again = run(case()), run(case())
    assert first == again
    assert not first.collided and first.braked_s > 1.0
    assert first.offloaded + first.onboard + first.carried == first.frames > 60
    assert first.offloaded > first.frames / 2
    unwarned = run(case(policy=None))
    assert unwarned.collided and unwarned.impact_mps > 3.0 and unwarned.braked_s == 0.0


def test_over_a_dead_link_nothing_is_offloaded() -> None:
    dead, local = run(case("dead")), run(case("good", "local_only"))
    assert dead.offloaded == 0
    assert (dead.driven_m, dead.min_ttc_s) == pytest.approx(
        (local.driven_m, local.min_ttc_s), abs=0.01
    )


def test_a_seed_is_one_situation() -> None:
    one, other = (situation("lead_car_brakes", seed, 14.0) for seed in (1, 2))
    assert one == situation.__wrapped__("lead_car_brakes", 1, 14.0)
    assert one != other
    for (name, value), (low, high) in zip(
        one.draws, DRAWS["lead_car_brakes"].values(), strict=True
    ):
        assert low <= value <= high, name


# --- the study ---


def test_the_shipped_study_is_whole() -> None:
    cases = closed_loop_study.cases(STUDY)
    assert len(cases) == 4 * 30 * (4 * 3 + 1)
    assert {each.seed for each in cases} == set(range(1, 31))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("scenarios: [nowhere]", "scenarios"),
        ("links: [superb]", "links"),
        ("policies: [{name: nonesuch}]", "nonesuch"),
        ("policies: [{name: deadline}, {name: deadline}]", "once"),
        ("sedes: 3", "sedes"),
    ],
)
def test_a_wrong_study_is_a_clear_error(tmp_path, change: str, told: str) -> None:
    key = change.partition(":")[0]
    shipped = config.find("closed_loop").read_text().splitlines()
    kept, is_skipping = [], False
    for line in shipped:
        if not line.startswith((" ", "#")):
            is_skipping = line.startswith(f"{key}:")
        if not is_skipping:
            kept.append(line)
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join([*kept, change]))
    with pytest.raises(ConfigError, match=told):
        closed_loop_study.load(path)


def test_the_command_keeps_what_it_has_driven(tmp_path, capsys) -> None:
    words = ["--seeds", "1", "--scenarios", "stopped_car_round_bend", "--links", "good,dead",
             "--out", str(tmp_path), "--no-plots"]  # fmt: skip
    assert closed_loop.main(words) == 0
    told = capsys.readouterr().out
    assert "deadline against local_only" in told and "no_advisories" in told
    cells = sorted((tmp_path / "cells").iterdir())
    assert len(cells) == 2 * 3 + 1
    kept = json.loads(cells[0].read_text())
    kept["min_ttc_s"] = 5.5  # the command must believe it
    cells[0].write_text(json.dumps(kept))
    assert closed_loop.main(words) == 0
    assert "5.5" in (tmp_path / "drives.csv").read_text()
    assert (tmp_path / "table.md").read_text().count("| good |") == 3


# --- conclusions ---


def result(policy: str, seed: int, collided: bool, ttc: float | None) -> Result:
    return Result(
        "s", "good", policy, seed, collided, 5.0 if collided else 0.0, ttc, 0, 50.0, 1.0, 10, 5, 5,
        0, 60.0, 60.0,
    )  # fmt: skip


def test_the_first_policy_is_compared_drive_by_drive() -> None:
    results = [result("a", seed, False, 2.0) for seed in range(12)]
    results += [result("b", seed, seed < 10, 1.0) for seed in range(12)]
    (line,) = comparisons(results, ["good"], ["a", "b"])
    assert "a against b: 0 collisions against 10" in line
    assert "+1.00 s [+1.00, +1.00]" in line
    assert [group.collisions for group in groups(results)] == [0, 10]


def test_the_sign_test_is_exact() -> None:
    assert sign_test(0, 0) == 1.0
    assert sign_test(5, 0) == pytest.approx(2 / 32)
    assert sign_test(3, 3) == 1.0
