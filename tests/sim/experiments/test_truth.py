"""The truth of the simulation: what is measured, what is driven again, when the two agree."""

import itertools

import pytest

from scheduler import messages
from scheduler.config import Policy
from scheduler.errors import ConfigError
from sim.channel.base import LinkState
from sim.channel.trace import Trace
from sim.experiments import truth_runs
from sim.experiments.canned import CannedDetector, frame_ns, pictures
from sim.experiments.truth_of_simulation import Pair, Side, main
from vehicle.perception.content import changed, thumb
from vehicle.perception.detector import DetectorSpec

GOOD = Trace.of([0.0, 100.0], [LinkState(20e6, 5.0, 0.0, 20e6, 5.0, 0.0)] * 2)


def side(in_time: float, age_ms: float) -> Side:
    return Side(100, in_time, 0.5, 0.0, age_ms, 99.0, {})


@pytest.mark.parametrize(
    ("in_time", "age_ms", "agrees"),
    [(0.925, 54.5, True), (0.88, 46.0, True), (0.87, 50.0, False), (0.90, 56.0, False)],
)
def test_the_two_agree_within_three_points_and_a_tenth(in_time, age_ms, agrees) -> None:
    pair = Pair("p", side(0.9, 50.0), side(in_time, age_ms))
    assert pair.agrees is agrees
    assert ("agree" in pair.line) is agrees and ("DIFFER" in pair.line) is not agrees


def test_stage_times_are_those_of_the_run() -> None:
    def verdict(tick: int, answer: str, age_ms: float, **stages: float) -> messages.Verdict:
        pipeline = "onboard" if answer == "onboard" else "offload"
        return messages.Verdict(
            messages.VERSION, "ego", "front", tick, tick, "object_detection", answer, "", "", "",
            "", "", 0, 0, 0, 0, age_ms, age_ms, False, stages, 0, [], pipeline,
        )  # fmt: skip

    stages = {"encode": 2.0, "uplink": 20.0, "queue": 1.0, "decode": 3.0, "infer": 12.0,
              "downlink": 2.0}  # fmt: skip
    verdicts = [verdict(k, "offloaded", 43.0, **stages) for k in range(40)]
    verdicts += [verdict(k, "onboard", 52.0, local=50.0) for k in range(40, 65)]
    times = truth_runs.measured(verdicts)
    assert times.onboard["small"].q50_ns == 50_000_000
    assert times.infer["rsu1", "large"].q50_ns == 12_000_000
    assert times.decode["rsu1"].q50_ns == 4_000_000  # with the way to the worker
    assert times.capture.q50_ns == 3_000_000  # what no stage names
    few = truth_runs.measured(verdicts[:5])
    assert few.onboard["small"].q50_ns == round(truth_runs.ONBOARD_MS[0] * 1e6)


def test_lockstep_drives_the_same_frames_and_repeats(tmp_path) -> None:
    config = truth_runs.config_of(Policy(name="always_offload"), tmp_path / "t.csv", 6.0, tmp_path)
    times = truth_runs.measured([])
    first, again = (truth_runs.in_virtual_time(config, GOOD, times) for _ in range(2))
    assert first == again
    ticks = [verdict.tick for verdict in first]
    assert ticks == list(range(truth_runs.first_compared(15.0), 91))
    assert Side.of(first).offloaded > 0.9
    assert first[0].stamp_ns == frame_ns(first[0].tick, 15.0)


def test_canned_pictures_differ_and_canned_models_compute() -> None:
    thumbs = [thumb(image) for image in pictures(640, 384)]
    assert min(changed(a, b) for a, b in itertools.pairwise(thumbs)) > 0.7
    spec = DetectorSpec("large", "sim.experiments.canned:CannedDetector",
                        options={"ms": 2.0, "p99_ms": 2.0})  # fmt: skip
    detector = CannedDetector(spec, 1)
    assert len(detector.detect(pictures(96, 64)[0])) == 1
    assert detector.stages_ns == {"infer": 2_000_000}
    with pytest.raises(ConfigError, match="ms"):
        CannedDetector(DetectorSpec("x", "k", options={"ms": 3.0, "p99_ms": 2.0}), 1)


@pytest.mark.parametrize(
    ("words", "told"), [(["--trace", "nowhere"], "nowhere"), (["--policies", "nonesuch"], "none")]
)
def test_wrong_words_end_before_anything_starts(tmp_path, words, told) -> None:
    with pytest.raises(ConfigError, match=told):
        main([*words, "--out", str(tmp_path)])


@pytest.mark.slow
def test_the_command_drives_both_and_says_whether_they_agree(tmp_path, capfd) -> None:
    words = ["--quick", "--policies", "local_only", "--out", str(tmp_path / "truth")]
    assert main(words) == 0
    told = capfd.readouterr().out
    assert "real time" in told and "lockstep" in told
    assert "local_only: " in told and "points (3 allowed)" in told
    assert (tmp_path / "truth" / "truth.json").is_file()
