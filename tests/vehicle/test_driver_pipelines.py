"""The driver's part in split, escalation, heads and measured motion, among fakes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from driver_rig import MS, OFFLOAD, ONBOARD, Rig, car

from scheduler.config import Service
from scheduler.effects import UnitReport
from scheduler.errors import ConfigError
from scheduler.placement import Placement
from vehicle.encoder import Encoded
from vehicle.offload import Answered
from vehicle.perception.detections import Detections
from vehicle.perception.doubt import doubt
from vehicle.perception.motion import Motion, MotionRequest
from vehicle.services.base import Setup

SPLIT = Placement("split", "medium", "rsu1", reason="test")
ESCALATE = Placement("escalate", "large", "rsu1", 60, reason="test", first="small")
OK = UnitReport("ok", 1 * MS, 2 * MS, 10 * MS, 2)


def rig_of(placement: Placement, **options: Any) -> Rig:
    every = ("onboard", "offload", "split", "escalate")
    rig = Rig(lambda view: placement, pipelines=every, **options)
    rig.link_up()
    return rig


def scored(*scores: float) -> Detections:
    count = len(scores)
    boxes = np.tile(np.array([[20, 40, 50, 70]], np.float32), (count, 1))
    boxes += 40 * np.arange(count, dtype=np.float32)[:, None]
    return Detections(boxes, np.array(scores, np.float32), np.zeros(count, np.int16))


def test_features_are_made_in_the_worker_and_sent_as_they_are() -> None:
    rig = rig_of(SPLIT)
    rig.frame()
    assert rig.worker.jobs == [(1, "medium+split")] and rig.encoder.jobs == []
    rig.done(10, task="encode", model="medium", payload=b"features")
    (sent,) = rig.link.sent
    assert rig.link.payloads == [b"features"]
    assert (sent.payload_kind, sent.model) == ("features", "medium")
    rig.run_until(rig.clock.ns + 30 * MS)
    rig.driver.on_heard("rsu1", [Answered(sent.seq, OK, car())])
    (verdict,) = rig.outlet.verdicts
    assert (verdict.answer, verdict.placed) == ("offloaded", "rsu1/medium+split")
    assert verdict.pipeline == "split" and verdict.size_bytes == 8
    assert verdict.stages_ms["encode"] == 10.0 and len(verdict.boxes) == 1


def test_an_encoder_that_fails_or_a_worker_that_is_away_costs_no_verdict() -> None:
    rig = rig_of(SPLIT)
    rig.frame()
    rig.done(10, task="encode", model="medium", is_ok=False, error="no encoder")
    assert rig.worker.jobs[-1] == (2, "small"), "it goes home at once"
    rig.answer(after_ms=20)
    rig.run_until(rig.clock.ns + 70 * MS)
    rig.worker.encode = lambda *_: False  # type: ignore[method-assign]
    rig.frame()
    rig.run_until(rig.clock.ns + 200 * MS)
    first, second = rig.outlet.verdicts
    assert first.answer == "onboard" and "encoding failed" in first.reason
    assert second.answer == "carried" and not rig.link.sent
    assert rig.dispatcher.counters.verdicts == rig.driver.tally.captured == 2


@pytest.mark.parametrize(("score", "asked"), [(0.97, False), (0.5, True)])
def test_only_a_doubtful_first_look_asks_the_unit(score: float, asked: bool) -> None:
    rig = rig_of(ESCALATE)
    rig.frame()
    assert rig.worker.jobs == [(1, "small")] and rig.encoder.jobs == []
    rig.done(20, detections=scored(score))
    assert rig.encoder.jobs == ([1] if asked else [])
    if asked:
        rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
        rig.run_until(rig.clock.ns + 30 * MS)
        rig.driver.on_heard("rsu1", [Answered(rig.link.sent[0].seq, OK, scored(0.9, 0.9))])
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == ("offloaded" if asked else "onboard")
    assert verdict.pipeline == "escalate" and verdict.placed == "small>rsu1/large@q60"
    assert len(verdict.boxes) == (2 if asked else 1)


def test_an_escalated_frame_without_an_answer_keeps_the_boxes_in_hand() -> None:
    rig = rig_of(ESCALATE)
    rig.frame()
    rig.done(20, detections=scored(0.6, 0.4))
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    rig.run_until(rig.clock.ns + 100 * MS)
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == "onboard" and verdict.model == "small" and not verdict.is_late
    assert verdict.boxes and "no answer by the deadline" in verdict.reason


def test_doubt_counts_the_boxes_that_may_or_may_not_be() -> None:
    assert doubt(Detections.empty()) == 0.0
    assert doubt(scored(0.5)) == pytest.approx(1.0)
    assert doubt(scored(0.5, 0.5)) == pytest.approx(2.0)
    assert doubt(scored(1.0, 0.0)) < 1e-4
    assert doubt(scored(0.9)) == pytest.approx(0.469, abs=1e-3)  # -.9 log2 .9 - .1 log2 .1


class Asking:
    """An every-frame service with heads."""

    def __init__(self, setup: Setup) -> None:
        self.name, self.trigger = str(setup.options.get("name", "asking")), "every_frame"
        self.heads = ("light_state", "drivable")
        self.answers: list[int] = []
        self.results: list[tuple[dict[str, bytes], int]] = []

    def on_answer(self, detections: Detections, stamp_ns: int, accuracy: float) -> None:
        self.answers.append(stamp_ns)

    def on_heads(self, results: Mapping[str, bytes], stamp_ns: int) -> None:
        if self.name == "asking":
            assert self.answers[-1] == stamp_ns, "the detections of the look come first"
        self.results.append((dict(results), stamp_ns))

    def boxes(self, now_ns: int) -> list[Any]:
        return []


class Follower:
    """Wants a head as well, and owes nothing."""

    def __init__(self, setup: Setup) -> None:
        self.name, self.trigger, self.heads = "follower", "after:asking", ("plates", "drivable")
        self.results: list[dict[str, bytes]] = []

    def on_heads(self, results: Mapping[str, bytes], stamp_ns: int) -> None:
        self.results.append(dict(results))

    def on_verdict(self, verdict: Any, scene: Any) -> list[Any]:
        return []


class Deaf(Asking):
    """Asks and cannot take."""

    on_heads = None  # type: ignore[assignment]


SERVICES = (
    Service(name=f"{__name__}:Asking"),
    Service(name=f"{__name__}:Follower"),
    Service(name=f"{__name__}:Asking", options={"name": "second"}),
)


def asking_rig(placement: Placement, monkeypatch: pytest.MonkeyPatch) -> Rig:
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    return rig_of(placement, services=SERVICES)


def test_the_union_of_heads_is_asked_once_a_frame_and_each_service_gets_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = asking_rig(ONBOARD, monkeypatch)
    rig.frame()
    results = {"light_state": b"l", "drivable": b"d", "plates": b"p"}
    rig.done(10, detections=car(), heads=results)
    rig.done(10, detections=car())
    assert rig.worker.heads == [("light_state", "drivable", "plates"), ()], "one pass of the stem"
    first, second = rig.services.every_frame["asking"], rig.services.every_frame["second"]
    own = {"light_state": b"l", "drivable": b"d"}
    assert [r for r, _ in first.results] == [r for r, _ in second.results] == [own]
    (follower,) = rig.services.followers("asking")
    assert follower.results == [{"drivable": b"d", "plates": b"p"}]


def test_a_unit_is_asked_for_the_heads_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = asking_rig(OFFLOAD, monkeypatch)
    rig.frame()
    rig.driver.on_encoded([Encoded(1, b"jpeg", MS), Encoded(2, b"jpeg", MS)])
    assert [send.heads for send in rig.link.sent] == [("light_state",), ()]
    answered = Answered(rig.link.sent[0].seq, OK, car(), {"light_state": b"green"})
    rig.driver.on_heard("rsu1", [answered])
    service = rig.services.every_frame["asking"]
    assert [r for r, _ in service.results] == [{"light_state": b"green"}]


def test_a_service_that_asks_and_cannot_take_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match="asks for heads and has no method on_heads"):
        Rig(lambda view: ONBOARD, services=[Service(name=f"{__name__}:Deaf")])


def test_motion_is_measured_while_the_frame_is_away_and_moves_the_tracks() -> None:
    rig = rig_of(OFFLOAD, has_flow=True)
    service = rig.services.every_frame["object_detection"]
    for ago in (300, 200, 100):  # a track to be followed
        service.on_answer(car(), rig.clock.ns - ago * MS, 0.9)
    rig.frame()
    assert rig.worker.jobs == [(1, "flow")] and rig.encoder.jobs == [1]
    asked = MotionRequest.from_bytes(rig.worker.requests[0])
    assert asked.stamp_ns == rig.clock.ns and len(asked.xyxy) == 1
    before = service.boxes(rig.clock.ns)[0].velocity
    motion = Motion(
        asked.stamp_ns - 100 * MS,
        asked.stamp_ns,
        asked.xyxy,
        np.array([[12.0, 0.0]], np.float32),
        np.ones(1, np.float32),
        np.full(1, 0.2, np.float32),
    )
    rig.done(2, task="flow", model="", payload=motion.to_bytes())
    after = service.boxes(rig.clock.ns)[0].velocity
    assert after[0] > before[0] + 10.0, "120 px/s were measured"
    assert rig.dispatcher.onboard.running_task is None


def test_a_broken_motion_answer_is_counted_and_stops_nothing() -> None:
    rig = rig_of(OFFLOAD, has_flow=True)
    rig.services.every_frame["object_detection"].on_answer(car(), rig.clock.ns, 0.9)
    rig.services.every_frame["object_detection"].on_answer(car(), rig.clock.ns + 1, 0.9)
    rig.frame()
    rig.done(2, task="flow", model="", payload=b"nonsense")
    assert rig.driver.tally.faults["service object_detection"] == 1
    rig.run_until(rig.clock.ns + 60 * MS)
    assert rig.worker.jobs[-1][1] == "small", "the fallback takes the worker"
