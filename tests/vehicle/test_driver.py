"""The driver with a fake clock, worker, encoder and link: one verdict a frame, whatever fails."""

from typing import Any

import pytest
from driver_rig import MS, OFFLOAD, ONBOARD, Around, Rig, car

from scheduler import messages
from scheduler.config import Service
from scheduler.effects import UnitReport
from scheduler.placement import Placement, View
from scheduler.tasks import Task
from vehicle.encoder import Encoded
from vehicle.offload import Answered
from vehicle.perception.worker import Answer
from vehicle.services.base import Advisory
from vehicle.services.registry import ServiceSet


def test_onboard_frame_gets_one_verdict_with_its_boxes_and_stages() -> None:
    rig = Rig(lambda view: ONBOARD)
    rig.frame()
    assert rig.worker.jobs == [(1, "small")] and rig.outlet.verdicts == []
    rig.answer(after_ms=25)
    (verdict,) = rig.outlet.verdicts
    assert (verdict.answer, verdict.model, verdict.placed) == ("onboard", "small", "onboard/small")
    assert verdict.age_ms == 25.0 and verdict.answer_age_ms == 25.0 and not verdict.is_late
    assert verdict.stages_ms == {"local": 25.0}
    assert [box.class_id for box in verdict.boxes] == [0]
    rig.run_until(rig.clock.ns + 500 * MS)
    assert len(rig.outlet.verdicts) == 1
    assert rig.outlet.frames == 1


def test_dead_worker_means_carried_tracks_and_no_gap() -> None:
    rig = Rig(lambda view: ONBOARD if view.rungs else Placement("carry", reason="none"))
    rig.frame()
    rig.answer(after_ms=25)
    rig.run_until(rig.clock.ns + 75 * MS)
    rig.frame()
    rig.worker.is_ready = False
    rig.driver.on_answers([Answer(2, False, "worker died", None, "small")])
    rig.run_until(rig.clock.ns + 100 * MS)
    rig.frame()
    kinds = [(v.tick, v.answer) for v in rig.outlet.verdicts]
    assert kinds == [(1, "onboard"), (2, "carried"), (3, "carried")]
    assert rig.outlet.verdicts[1].reason == "worker died"
    assert len(rig.outlet.verdicts[1].boxes) == 1, "the track of tick 1 is carried"
    assert rig.outlet.verdicts[2].answer_age_ms == 200.0
    rig.worker.is_ready = True
    rig.driver.watch_worker()
    rig.run_until(rig.clock.ns + 100 * MS)
    rig.frame()
    rig.answer(after_ms=25)
    assert rig.outlet.verdicts[-1].answer == "onboard"
    assert rig.dispatcher.counters.verdicts == rig.driver.tally.captured == 4


def test_refusing_worker_is_not_asked_for_ever() -> None:
    rig = Rig(lambda view: ONBOARD)
    rig.worker.detect = lambda *_: False  # type: ignore[method-assign]
    rig.frame()
    rig.run_until(rig.clock.ns + 200 * MS)
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == "carried" and verdict.reason == "worker busy or away"


def test_a_smaller_picture_is_asked_of_the_encoder_and_told_to_the_link() -> None:
    small = Placement("offload", "large", "rsu1", 60, reason="test", width=80, height=48)
    rig = Rig(lambda view: small)
    rig.link_up()
    rig.frame()
    assert rig.encoder.sizes == [(80, 48)]
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    (sent,) = rig.link.sent
    assert (sent.width, sent.height) == (80, 48)


def test_change_of_content_is_told_and_counted_since_the_last_look() -> None:
    seen: list[float] = []
    rig = Rig(lambda view: ONBOARD)
    place = rig.dispatcher.placer.place

    def watched(task: Task, now_ns: int) -> Placement:
        seen.append(task.change)
        return place(task, now_ns)

    rig.dispatcher.placer.place = watched  # type: ignore[method-assign]
    for _ in range(3):
        rig.frame()
        rig.answer(after_ms=25)
        rig.run_until(rig.clock.ns + 75 * MS)
    assert seen == [1.0, 0.0, 0.0]  # black frames


def test_tracks_of_a_still_scene_are_shown_for_as_long_as_it_is_still() -> None:
    choices = iter([ONBOARD] + [Placement("carry", reason="nothing has changed")] * 15)
    rig = Rig(lambda view: next(choices))
    rig.frame()
    rig.answer(after_ms=25)
    rig.run_until(rig.clock.ns + 75 * MS)
    for _ in range(15):  # 1.5 s; without a look, tracks are hidden after 0.8 s
        rig.frame()
        rig.run_until(rig.clock.ns + 100 * MS)
    assert [v.answer for v in rig.outlet.verdicts] == ["onboard"] + ["carried"] * 15
    assert [len(v.boxes) for v in rig.outlet.verdicts] == [1] * 16


def test_a_deadline_by_speed_needs_a_fresh_pose_and_the_dispatcher_hears_of_it() -> None:
    around = Around()
    rig = Rig(lambda view: ONBOARD, deadline_mode="speed", surroundings=around)
    allowed: list[int] = []
    place = rig.dispatcher.placer.place

    def watched(task: Task, now_ns: int) -> Placement:
        allowed.append((task.deadline_ns - task.stamp_ns) // MS)
        return place(task, now_ns)

    rig.dispatcher.placer.place = watched  # type: ignore[method-assign]
    heard: list[tuple[float, ...]] = []
    rig.dispatcher.on_pose = lambda *pose: heard.append(pose) or []  # type: ignore[method-assign, func-returns-value]
    rig.frame()
    around.tell(speed=20.0, stamp_ns=rig.clock.ns)
    rig.frame()
    rig.run_until(rig.clock.ns + 600 * MS)
    rig.frame()
    assert allowed == [100, 300, 100]
    assert [pose[:4] for pose in heard] == [(3.0, 4.0, 0.5, 20.0)]


def test_offloaded_frame_is_encoded_sent_and_answered() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()
    rig.frame()
    assert rig.encoder.jobs == [1]
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    (sent,) = rig.link.sent
    assert (sent.model, sent.unit_id) == ("large", "rsu1")
    rig.run_until(rig.clock.ns + 30 * MS)
    report = UnitReport("ok", 1 * MS, 2 * MS, 10 * MS, 2)
    rig.driver.on_heard("rsu1", [Answered(sent.seq, report, car())])
    (verdict,) = rig.outlet.verdicts
    assert (verdict.answer, verdict.unit_id, verdict.model) == ("offloaded", "rsu1", "large")
    assert verdict.size_bytes == 4 and verdict.stages_ms["infer"] == 10.0
    counts = rig.driver.tally.units["rsu1"]
    assert (counts.sent, counts.ok, counts.late, counts.rejected) == (1, 1, 0, 0)


def test_rejected_frame_goes_on_board() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()
    rig.frame()
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    rig.run_until(rig.clock.ns + 10 * MS)
    report = UnitReport("reject", 0, 0, 0, 2, reason="full")
    rig.driver.on_heard("rsu1", [Answered(rig.link.sent[0].seq, report, None)])
    assert rig.worker.jobs == [(1, "small")]
    rig.answer(after_ms=20)
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == "onboard" and "reject full" in verdict.reason
    assert rig.driver.tally.units["rsu1"].rejected == 1


def test_stalled_link_is_reopened_and_its_frame_is_answered_in_time() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()
    rig.frame()
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    rig.run_until(rig.clock.ns + 65 * MS)
    assert rig.worker.jobs == [(1, "small")], "the fallback starts by itself"
    rig.answer(after_ms=25)
    rig.run_until(rig.clock.ns + 1000 * MS)
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == "onboard" and not verdict.is_late
    assert rig.link.reopened >= 1 and rig.driver.tally.units["rsu1"].reopened >= 1
    assert rig.dispatcher.counters.offload.lost == 1


def test_result_after_the_verdict_corrects_the_tracks() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()
    rig.worker.is_ready = False
    rig.driver.watch_worker()
    rig.frame()
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    rig.run_until(rig.clock.ns + 120 * MS)
    assert [v.answer for v in rig.outlet.verdicts] == ["carried"]
    report = UnitReport("ok", 0, 0, 0, 2)
    rig.driver.on_heard("rsu1", [Answered(rig.link.sent[0].seq, report, car())])
    assert len(rig.outlet.verdicts) == 1, "a verdict is never changed"
    assert len(rig.services.every_frame["object_detection"].boxes(rig.clock.ns)) == 1
    assert rig.driver.tally.units["rsu1"].late == 1


def test_slow_policy_is_counted_and_its_frame_stays_on_board() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()

    def slowly(view: View) -> Placement:
        rig.clock.ns += 11 * MS
        return OFFLOAD

    rig.dispatcher.placer.policy._policy.choose = slowly  # type: ignore[attr-defined]
    rig.frame()
    assert rig.worker.jobs == [(1, "small")] and rig.encoder.jobs == []
    assert rig.dispatcher.counters.policy_faults == 1


def test_raising_policy_is_counted_and_its_frame_stays_on_board() -> None:
    def raising(view: View) -> Placement:
        raise ZeroDivisionError("oh")

    rig = Rig(raising)
    rig.frame()
    rig.answer(after_ms=20)
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == "onboard" and "ZeroDivisionError" in verdict.placed_reason


class Broken:
    """A follower that raises, or is slow."""

    def __init__(self, setup: Any) -> None:
        self.name, self.trigger = "broken", "after:object_detection"
        self.calls = 0

    def on_verdict(self, verdict: messages.Verdict, scene: Any) -> list[Advisory]:
        self.calls += 1
        raise RuntimeError("broken")


def test_raising_service_is_counted_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(lambda view: ONBOARD)
    broken = Broken(None)
    rig.services._followers["object_detection"] = [broken]
    for _ in range(3):
        rig.frame()
        rig.answer(after_ms=20)
        rig.run_until(rig.clock.ns + 80 * MS)
    assert len(rig.outlet.verdicts) == 3 and broken.calls == 3
    assert rig.driver.tally.faults["service broken"] == 3
    assert sum("raised" in record.message for record in caplog.records) == 1


def test_too_slow_a_detector_still_feeds_the_tracks() -> None:
    rig = Rig(lambda view: Placement("carry", reason="none fits"), prior_ms=150)
    rig.frame()
    assert [v.answer for v in rig.outlet.verdicts] == ["carried"]
    assert rig.worker.jobs == [(1, "small")], "it runs for the tracks alone"
    rig.answer(after_ms=140)
    rig.frame()
    assert [v.answer for v in rig.outlet.verdicts] == ["carried", "carried"]
    assert len(rig.outlet.verdicts[1].boxes) == 1
    assert rig.outlet.verdicts[1].answer_age_ms == 140.0


def test_shutdown_closes_every_open_task() -> None:
    rig = Rig(lambda view: OFFLOAD)
    rig.link_up()
    rig.frame()
    rig.driver.on_encoded([Encoded(1, b"jpeg", 3 * MS)])
    rig.driver.shutdown()
    (verdict,) = rig.outlet.verdicts
    assert verdict.answer == "carried" and verdict.reason == "shutdown"
    assert rig.dispatcher.counters.offload.lost == 1 and rig.dispatcher.open_tasks == 0


def test_two_services_owe_two_verdicts_a_frame() -> None:
    rig = Rig(lambda view: Placement("carry", reason="test"))
    second = ServiceSet([Service(name="object_detection")], "ego", "front")
    rig.services.every_frame["second"] = second.every_frame["object_detection"]
    rig.frame()
    assert [v.service for v in rig.outlet.verdicts] == ["object_detection", "second"]
    assert rig.dispatcher.counters.verdicts == 2 * rig.driver.tally.captured


def test_boxes_are_placed_in_metres_through_the_frames_own_camera() -> None:
    rig = Rig(lambda view: ONBOARD)
    rig.frame()
    rig.answer(after_ms=25)
    (box,) = rig.outlet.verdicts[0].boxes
    assert box.position_m is not None and box.position_m[0] > 2.0 and box.position_m[1] > 0.5
    assert box.velocity_mps is None, "nobody knows how we move"


class BlindToScenes:
    """A service of one's own whose scene fails."""

    def __init__(self, setup: Any) -> None:
        self.name, self.trigger, self.wants_scene = "blind", "every_frame", True

    def on_scene(self, scene: Any) -> None:
        raise RuntimeError("no scene for me")

    def on_answer(self, detections: Any, stamp_ns: int, accuracy: float) -> None:
        pass

    def boxes(self, now_ns: int) -> list[messages.Box]:
        return []


def test_a_service_that_fails_on_a_scene_still_gives_its_verdict() -> None:
    rig = Rig(lambda view: ONBOARD, services=[Service(name=f"{__name__}:BlindToScenes")])
    rig.frame()
    rig.answer(after_ms=25)
    assert len(rig.outlet.verdicts) == 1
    assert rig.driver.tally.faults["service blind"] == 1
