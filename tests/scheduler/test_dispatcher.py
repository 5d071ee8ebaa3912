"""Promises of the dispatcher, in virtual time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_drive import MS, FakeLink, VirtualDrive

from scheduler.effects import Correct, Effect, Emit, Ping, Reopen, RunLocal, Send, UnitReport
from scheduler.onboard import RungSpec, latest_start_ns
from scheduler.placement import Placement, View
from scheduler.policies import load_policy
from scheduler.tasks import Task
from scheduler.uplink import Flight


def check_counters(drive: VirtualDrive, frames: int) -> None:
    counters = drive.dispatcher.counters
    assert counters.tasks == counters.verdicts == len(drive.emitted) == frames
    assert counters.verdicts == counters.onboard + counters.offloaded + counters.carried
    assert len({emit.task.task_id for _, emit in drive.emitted}) == frames
    offload = counters.offload
    in_flight = sum(len(u.flights) for u in drive.dispatcher.uplinks.values())
    assert offload.sent == offload.ok + offload.late + offload.rejected + offload.lost + in_flight


def test_link_dies_with_three_in_flight_and_no_verdict_is_late() -> None:
    """30 fps, a 40 ms local model, three requests out when the link goes silent for ever."""
    link = FakeLink(rate_bps=20e6, delay_ms=20.0, service_ms=30.0, dead=[(1500.0, 60_000.0)])
    drive = VirtualDrive(load_policy("always_offload", {}), fps=30.0, links={"rsu": link}, window=3)
    drive.frames(60, first_ms=500.0)
    before = [len(u.flights) for u in drive.dispatcher.uplinks.values()]
    assert before == [0]
    drive.run(1505.0)
    assert sum(len(u.flights) for u in drive.dispatcher.uplinks.values()) == 3
    drive.run(4000.0)
    check_counters(drive, 60)
    assert drive.dispatcher.counters.late == 0
    assert all(now <= emit.task.deadline_ns for now, emit in drive.emitted)
    after = [emit for now, emit in drive.emitted if now > 1600 * MS]
    assert not [emit for emit in after if emit.kind == "offloaded"]
    assert [emit for emit in after if emit.kind == "onboard"], "the fallback never ran"
    assert [e for _, e in drive.effects if isinstance(e, Reopen)]


@pytest.mark.parametrize("policy", ["local_only", "always_offload", "deadline"])
def test_every_frame_gets_one_verdict_in_time(policy: str) -> None:
    drive = VirtualDrive(load_policy(policy, {}), fps=10.0)
    drive.frames(50)
    drive.run(7000.0)
    check_counters(drive, 50)
    counters = drive.dispatcher.counters
    assert counters.late == 0
    assert (counters.offloaded, counters.onboard)[policy == "local_only"] == 50


def test_fallback_starts_at_the_latest_instant_and_answers_in_time() -> None:
    link = FakeLink(dead=[(800.0, 9000.0)])
    drive = VirtualDrive(load_policy("always_offload", {}), links={"rsu": link}, local_ms=40.0)
    drive.frames(4)  # at 500, 600, 700, 800 ms
    drive.run(2000.0)
    run = next(
        (now, e) for now, e in drive.effects if isinstance(e, RunLocal) and e.task.task_id == 4
    )
    # deadline 900, emitted 4 ms before it, answered 2 before that, 2 of slack, 40 of model
    assert 852 * MS <= run[0] <= 853 * MS
    now, emit = next((n, e) for n, e in drive.emitted if e.task.task_id == 4)
    assert emit.kind == "onboard" and "no answer by the deadline" in emit.reason
    assert 896 * MS <= now <= 900 * MS


def test_latest_start_of_queued_tasks_by_hand() -> None:
    # run one after the other, 40 each: the second must start by 133 - 40, the first 40 before
    assert latest_start_ns([100], 40, 0) == 60
    assert latest_start_ns([100, 133], 40, 0) == 53
    assert latest_start_ns([100, 133, 166], 40, 0) == 46
    assert latest_start_ns([100, 500], 40, 4) == 56


def test_the_newest_task_that_fits_takes_the_largest_rung_that_fits() -> None:
    rungs = [
        RungSpec("tiny", 0.3, 10 * MS),
        RungSpec("mid", 0.6, 30 * MS),
        RungSpec("big", 0.9, 95 * MS),
    ]
    drive = VirtualDrive(load_policy("local_only", {}), links={}, rungs=rungs, local_ms=30.0)
    drive.frames(1)
    drive.run(900.0)
    ((_, emit),) = drive.emitted
    assert (emit.kind, emit.model) == ("onboard", "mid")


def test_reject_sends_the_task_home_at_once() -> None:
    drive = VirtualDrive(
        load_policy("always_offload", {}), links={"rsu": FakeLink(service_ms=60.0)}
    )
    drive.frames(1)
    drive.run(504.0)
    send = next(e for _, e in drive.effects if isinstance(e, Send))
    report = UnitReport("reject", 0, 0, 0, 2, retry_after_ns=50 * MS, reason="busy")
    drive._do(drive.dispatcher.on_reject("rsu", send.seq, report, drive.now_ns))
    assert isinstance(drive.effects[-1][1], RunLocal)
    drive.run(545.0)
    ((now, emit),) = drive.emitted
    assert emit.kind == "onboard" and "busy" in emit.reason and now < 550 * MS
    assert drive.dispatcher.counters.offload.rejected == 1
    # the same answer again, or a result for it, finds nobody
    drive._do(drive.dispatcher.on_result("rsu", send.seq, report, "boxes", drive.now_ns))
    assert drive.dispatcher.counters.duplicates == 1
    assert len(drive.emitted) == 1


def test_late_result_corrects_tracks_and_changes_no_verdict() -> None:
    link = FakeLink(service_ms=120.0)
    drive = VirtualDrive(load_policy("always_offload", {}), links={"rsu": link})
    drive.frames(1)
    drive.run(2000.0)
    check_counters(drive, 1)
    assert drive.emitted[0][1].kind == "onboard"
    assert [type(c) for c in drive.corrected] == [Correct]
    assert drive.dispatcher.counters.offload.late == 1


def test_without_credit_the_newest_frame_waits_and_the_older_goes_home() -> None:
    link = FakeLink(
        rate_bps=2e6, delay_ms=5.0, service_ms=20.0
    )  # 84 ms a frame: 30 fps is too much
    drive = VirtualDrive(
        load_policy("always_offload", {}), fps=30.0, links={"rsu": link}, window=1, local_ms=20.0
    )
    drive.frames(12)
    drive.run(3000.0)
    check_counters(drive, 12)
    reasons = [emit.reason for _, emit in drive.emitted]
    assert any("newer frame took its place" in reason for reason in reasons)
    assert drive.dispatcher.counters.late == 0


def test_policy_that_raises_is_counted_and_the_frame_goes_on_board() -> None:
    class Broken:
        name = "broken"

        def place(self, task: Task, view: View) -> Placement:
            raise RuntimeError("no")

    drive = VirtualDrive(Broken())
    drive.frames(3)
    drive.run(2000.0)
    check_counters(drive, 3)
    assert drive.dispatcher.counters.policy_faults == 3
    assert {emit.kind for _, emit in drive.emitted} == {"onboard"}


def test_a_task_that_stays_on_board_is_never_sent() -> None:
    drive = VirtualDrive(load_policy("deadline", {}))
    task = Task(1, "ego", "front", 1, 0, "x", 500 * MS, 600 * MS, 640, 384, stays_on_board=True)
    drive.at(500 * MS, lambda: drive.dispatcher.on_frame(task, drive.now_ns))
    drive.run(900.0)
    assert drive.emitted[0][1].kind == "onboard"
    assert not [e for _, e in drive.effects if isinstance(e, Send)]


def test_worker_failure_is_retried_while_there_is_time() -> None:
    drive = VirtualDrive(load_policy("local_only", {}), local_ms=20.0)
    drive.frames(1)
    drive.run(505.0)
    assert len(drive.drop_runs()) == 1  # the worker dies with the frame
    drive._do(drive.dispatcher.on_worker(False, drive.now_ns))
    drive._do(drive.dispatcher.on_local_failed(1, "worker died", drive.now_ns))
    drive.run(540.0)
    assert not drive.emitted
    drive._do(drive.dispatcher.on_worker(True, drive.now_ns))
    drive.run(700.0)
    ((now, emit),) = drive.emitted
    assert emit.kind == "onboard" and "worker died" in emit.reason and now <= 600 * MS


def test_without_any_worker_tracks_are_carried_by_the_deadline() -> None:
    drive = VirtualDrive(load_policy("local_only", {}))
    drive._do(drive.dispatcher.on_worker(False, 0))
    drive.frames(5)
    drive.run(2000.0)
    check_counters(drive, 5)
    assert {emit.kind for _, emit in drive.emitted} == {"carried"}
    assert all(now <= emit.task.deadline_ns for now, emit in drive.emitted)


def runs_of(drive: VirtualDrive) -> list[int]:
    return [e.task.task_id for _, e in drive.effects if isinstance(e, RunLocal)]


def test_a_rung_that_fits_no_deadline_still_looks_for_the_tracks() -> None:
    rungs = [RungSpec("small", 0.5, 150 * MS)]
    drive = VirtualDrive(load_policy("local_only", {}), links={}, rungs=rungs, local_ms=140.0)
    drive.frames(8)
    drive.run(3000.0)
    check_counters(drive, 8)
    assert {emit.kind for _, emit in drive.emitted} == {"carried"}
    assert all(now == emit.task.stamp_ns for now, emit in drive.emitted), "nobody waits for a look"
    assert runs_of(drive) == [1, 3, 5, 7], "one at a time, and the newest frame when it is free"
    assert [(c.task.task_id, c.model) for c in drive.corrected] == [
        (n, "small") for n in (1, 3, 5, 7)
    ]


def test_a_frame_that_the_policy_carries_though_a_rung_fits_is_not_looked_at() -> None:
    class Saving:
        name = "saving"

        def place(self, task: Task, view: View) -> Placement:
            return Placement("carry", reason="saves energy")

    drive = VirtualDrive(Saving(), links={}, local_ms=40.0)
    drive.frames(3)
    drive.run(2000.0)
    check_counters(drive, 3)
    assert runs_of(drive) == []


def test_a_rung_that_has_become_faster_is_used_again() -> None:
    rungs = [RungSpec("small", 0.5, 150 * MS)]
    drive = VirtualDrive(load_policy("local_only", {}), links={}, rungs=rungs, local_ms=40.0)
    drive.frames(12)
    drive.run(3000.0)
    check_counters(drive, 12)
    kinds = [emit.kind for _, emit in drive.emitted]
    assert kinds == ["carried"] + ["onboard"] * 11  # one look shows that its median fits


@pytest.mark.parametrize("policy", ["local_only", "deadline"])
def test_a_slow_run_now_and_then_does_not_put_a_rung_out_of_use(policy: str) -> None:
    """A busy machine: 50 ms, and 120 ms every tenth time, with 100 ms to the deadline."""
    drive = VirtualDrive(load_policy(policy, {}), links={}, local_ms=50.0)

    def take(local_ms: float) -> list[Effect]:
        drive.local_ms = local_ms
        return []

    for k in range(100):
        drive.at((499 + 100 * k) * MS, lambda k=k: take(120.0 if k % 10 == 9 else 50.0))
    drive.frames(100)
    drive.run(20_000.0)
    check_counters(drive, 100)
    assert drive.dispatcher.counters.late == 0
    assert drive.dispatcher.counters.onboard >= 75  # a slow run also holds the detector up


def test_a_look_never_takes_the_detector_from_a_fallback() -> None:
    class ByCamera:
        name = "by_camera"

        def place(self, task: Task, view: View) -> Placement:
            if task.camera_id == "rear":
                return Placement("carry")
            return Placement("offload", "large", "rsu", 80)

    drive = VirtualDrive(ByCamera(), links={"rsu": FakeLink(dead=[(490.0, 9000.0)])})
    drive.frames(1)
    # A frame of the other camera comes with 20 ms left: no rung could answer it.
    late = Task(2, "ego", "rear", 1, 0, "x", 430 * MS, 530 * MS, 640, 384)
    drive.at(510 * MS, lambda: drive.dispatcher.on_frame(late, drive.now_ns))
    drive.run(1000.0)
    check_counters(drive, 2)
    assert {e.task.task_id: e.kind for _, e in drive.emitted} == {1: "onboard", 2: "carried"}
    assert runs_of(drive) == [1]


def test_a_frame_that_is_encoded_too_late_is_not_sent() -> None:
    drive = VirtualDrive(load_policy("always_offload", {}), encode_ms=3.0)
    drive.frames(1)
    drive.run(501.0)
    drive._queue.clear()  # the encoder was held up
    drive.now_ns = 597 * MS
    drive._do(drive.dispatcher.on_encoded(1, 20_000, 97 * MS, drive.now_ns))
    check_counters(drive, 1)
    assert not [e for _, e in drive.effects if isinstance(e, Send)]
    assert drive.emitted[0][1].kind == "carried" and "too late" in drive.emitted[0][1].reason
    assert drive.dispatcher.uplinks["rsu"].credits_free(drive.now_ns) == 2


def test_a_credit_that_comes_back_unused_serves_the_waiting_frame() -> None:
    for failure in ("encoder", "socket"):
        drive = VirtualDrive(load_policy("always_offload", {}), fps=100.0, window=1)
        drive.frames(2)
        drive.run(512.0)  # the first is out with the only credit, or is being encoded
        drive._queue.clear()
        uplink = drive.dispatcher.uplinks["rsu"]
        uplink.flights.clear()
        uplink.encoding = {1}
        assert uplink.waiting == 2
        if failure == "encoder":
            drive._do(drive.dispatcher.on_encoded(1, 0, MS, drive.now_ns))
        else:
            send = Send(drive.dispatcher._open.get(1).task, "rsu", 9, "large", 50 * MS)
            drive._do(drive.dispatcher.on_sent(send, False, drive.now_ns))
        assert uplink.waiting is None and uplink.encoding == {2}, failure


def test_a_unit_that_asked_for_a_pause_is_left_alone() -> None:
    drive = VirtualDrive(load_policy("always_offload", {}), fps=100.0, window=1)
    drive.frames(2)
    drive.run(512.0)
    drive._queue.clear()
    send = next(e for _, e in drive.effects if isinstance(e, Send))
    closed = UnitReport("reject", 0, 0, 0, 1, retry_after_ns=300 * MS, reason="starting")
    drive._do(drive.dispatcher.on_reject("rsu", send.seq, closed, drive.now_ns))
    uplink = drive.dispatcher.uplinks["rsu"]
    assert uplink.waiting is None and not uplink.encoding, "the waiting frame went home as well"
    assert uplink.state(drive.now_ns) == "down"
    assert uplink.state(drive.now_ns + 300 * MS) == "up"
    # a plain refusal that was on its way does not end the pause
    uplink.flights[77] = Flight(1, "large", 2**62)
    drive._do(drive.dispatcher.on_reject("rsu", 77, UnitReport("late", 0, 0, 0, 1), drive.now_ns))
    assert uplink.state(drive.now_ns + 299 * MS) == "down"


@pytest.mark.parametrize(
    ("placement", "objection"),
    [
        (Placement("cloud"), "expected onboard, offload, split, escalate or carry"),  # type: ignore[arg-type]
        (Placement("onboard", "huge"), "no rung of this vehicle"),
        (Placement("offload", "large", "nowhere", 80), "no unit of this vehicle"),
        (Placement("offload", "huge", "rsu", 80), "a model that the unit does not offer"),
        (Placement("offload", "large", "rsu", 0), "JPEG quality 0"),
    ],
)
def test_placement_that_cannot_be_carried_out_goes_on_board(
    placement: Placement, objection: str
) -> None:
    class Wrong:
        name = "wrong"

        def place(self, task: Task, view: View) -> Placement:
            return placement

    drive = VirtualDrive(Wrong())
    drive.frames(1)
    drive.run(1000.0)
    ((_, emit),) = drive.emitted
    assert emit.kind == "onboard" and objection in emit.placement.reason
    assert drive.dispatcher.counters.policy_faults == 1


def test_a_timer_that_fires_early_does_not_falsify_the_round_trip() -> None:
    drive = VirtualDrive(load_policy("always_offload", {}))
    drive.run(400.0)
    estimator = drive.dispatcher.uplinks["rsu"].estimator
    drive._queue.clear()
    due = drive.dispatcher.next_timer_ns()
    assert due is not None
    now = due - 8 * MS  # a busy machine's driver aims earlier
    effects = drive.dispatcher.on_timer(now, due)
    (ping,) = [e for e in effects if isinstance(e, Ping)]
    estimator.round_trip.is_known = False
    drive.dispatcher.on_pong("rsu", ping.number, now + 2 * MS)
    assert estimator.srtt_ns == 2 * MS
    timer = drive.dispatcher.next_timer_ns()
    assert timer is not None and timer > due, "it does not ask for the same again"


def test_shutdown_closes_every_task_and_counts_flights_as_lost() -> None:
    drive = VirtualDrive(load_policy("always_offload", {}))
    drive.frames(1)
    drive.run(510.0)
    drive._do(drive.dispatcher.shutdown(drive.now_ns))
    check_counters(drive, 1)
    assert drive.dispatcher.counters.offload.lost == 1
    assert drive.dispatcher.open_tasks == 0


def test_link_is_offloading_again_within_a_second_of_its_return() -> None:
    link = FakeLink(dead=[(1000.0, 4000.0)])
    drive = VirtualDrive(load_policy("deadline", {}), links={"rsu": link})
    drive.frames(80)
    drive.run(10_000.0)
    check_counters(drive, 80)
    back = min(n for n, e in drive.emitted if e.kind == "offloaded" and n > 4000 * MS)
    assert back <= 5000 * MS
    assert drive.dispatcher.counters.late == 0


@settings(max_examples=60, deadline=None)
@given(
    fps=st.sampled_from([5.0, 10.0, 30.0]),
    rate=st.floats(2e5, 5e7),
    delay=st.floats(0.5, 80.0),
    service=st.floats(2.0, 200.0),
    local=st.floats(5.0, 150.0),
    outage=st.tuples(st.floats(0.0, 2500.0), st.floats(0.0, 1500.0)),
    policy=st.sampled_from(["local_only", "always_offload", "deadline"]),
    window=st.integers(1, 4),
)
def test_one_verdict_per_frame_in_time_whatever_happens(
    fps: float,
    rate: float,
    delay: float,
    service: float,
    local: float,
    outage: tuple[float, float],
    policy: str,
    window: int,
) -> None:
    link = FakeLink(rate, delay, service, dead=[(outage[0], outage[0] + outage[1])])
    drive = VirtualDrive(
        load_policy(policy, {}), fps=fps, links={"rsu": link}, local_ms=local, window=window
    )
    drive.frames(30)
    drive.run(12_000.0)
    check_counters(drive, 30)
    assert drive.dispatcher.counters.late == 0
    assert all(isinstance(e, Emit) for _, e in drive.emitted)
