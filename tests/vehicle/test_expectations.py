"""What a vehicle expects of split models before it has measured anything."""

import pytest

from scheduler.config import Camera, Config, Detector, Unit, Vehicle
from scheduler.errors import ConfigError
from vehicle.expectations import (
    UNKNOWN_SPLIT_BYTES,
    accuracies_of,
    encoders_of,
    expected_ns,
    most_flow_ns,
    shrunk_of,
    split_figures,
    unserved_heads,
)
from vehicle.perception.expected import shrunk_accuracy
from vehicle.perception.rungs import RUNGS
from vehicle.perception.split import table
from vehicle.perception.split.table import SplitCell

MS = 1_000_000
OWN = Detector(id="mine", kind="mine:Codec", accuracy=0.6)


def test_a_codec_without_a_card_is_expected_to_cost_something() -> None:
    figures = split_figures(OWN)
    assert figures.size_bytes == UNKNOWN_SPLIT_BYTES and figures.f1 == pytest.approx(0.56)


def test_a_shipped_split_is_expected_as_measured_nearest_in_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = SplitCell(1_900.0, 2_300.0, 0.5, 0.3, 0.61, 0.4, 0.52, 0.33, 3.0, 8.0, 9.0)
    large = SplitCell(6_000.0, 7_000.0, 0.6, 0.4, 0.70, 0.4, 0.62, 0.43, 9.0, 24.0, 30.0)
    monkeypatch.setattr(table, "SPLITS", {"medium": {(320, 192): small, (640, 384): large}})
    assert split_figures(Detector(id="medium")).size_bytes == 1_900.0  # its own default size
    asked = Detector(id="m", weights="medium", options={"input_size": [640, 384]})
    assert (split_figures(asked).size_bytes, split_figures(asked).f1) == (6_000.0, 0.70)
    told = Detector(id="medium", accuracy=0.55)
    assert split_figures(told).f1 == 0.55


def test_units_models_are_known_whole_and_in_halves() -> None:
    config = Config(roadside_units=[Unit(detectors=[OWN])])
    onboard, remote = accuracies_of(config, Vehicle(detectors=[OWN]))
    assert onboard == {"mine": 0.6}
    assert remote == {"mine": 0.6, "mine+split": pytest.approx(0.56)}


def test_smaller_pictures_are_worth_what_the_rung_reaches_at_that_input() -> None:
    rung = RUNGS["medium"]
    whole, small = (rung.cell(size).f1 for size in ((640, 384), (320, 192)))
    medium = Detector(id="medium")
    assert shrunk_accuracy(medium, (640, 384)) == whole
    assert shrunk_accuracy(medium, (320, 192)) == pytest.approx(small)
    told = Detector(id="medium", accuracy=0.5)
    assert shrunk_accuracy(told, (320, 192)) == pytest.approx(0.5 * small / whole)
    narrow = Detector(id="medium", options={"input_size": [320, 192]})
    assert shrunk_accuracy(narrow, (320, 192)) == small  # its input has no more pixels
    assert shrunk_accuracy(OWN, (320, 192)) == pytest.approx(0.6 * 0.88)


def test_each_size_that_a_camera_may_be_sent_at_is_expected_of_each_unit_s_model() -> None:
    config = Config(roadside_units=[Unit(detectors=[Detector(id="medium"), OWN])])
    wanted = [(640, 384), (320, 192)]
    plain = Vehicle(resolutions=wanted)
    assert {m: list(sizes) for m, sizes in shrunk_of(config, plain).items()} == {
        "medium": [(320, 192)],
        "mine": [(320, 192)],
    }
    wide = Vehicle(cameras=[Camera(width=1280, height=720)], resolutions=wanted)
    assert set(shrunk_of(config, wide)["mine"]) == {(640, 360), (320, 180)}
    assert shrunk_of(config, Vehicle()) == {"medium": {}, "mine": {}}


def test_first_halves_are_those_that_loaded_and_only_where_split_is_listed() -> None:
    both = Vehicle(pipelines=["onboard", "split"], detectors=[OWN, Detector(id="x", kind="a:B")])
    (found,) = encoders_of(both, {"mine": 10 * MS})
    assert (found.model, found.prior_ns) == ("mine", expected_ns(10 * MS))
    assert encoders_of(Vehicle(detectors=[OWN]), {"mine": 10 * MS}) == []
    with pytest.raises(ConfigError, match="split needs a detector with a learned bottleneck"):
        encoders_of(both, {})


def test_heads_that_no_model_on_board_brings_are_told() -> None:
    brought = {"medium": ["light_state", "drivable"], "nano": []}
    assert unserved_heads({"light_state", "plates"}, brought) == ["plates"]
    assert unserved_heads((), brought) == []


def test_motion_may_hold_the_worker_for_longer_where_one_camera_has_it_alone() -> None:
    assert most_flow_ns(Vehicle(deadline_ms=100.0)) == 25 * MS
    pair = [Camera(id="front"), Camera(id="rear")]
    assert most_flow_ns(Vehicle(deadline_ms=100.0, cameras=pair)) == 5 * MS
