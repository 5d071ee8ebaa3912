"""Split and escalation in virtual time: what is sent, what answers, and that nothing is late."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_drive import MS, FakeLink, VirtualDrive

from scheduler.effects import EncodeFeatures, RunFlow, RunLocal, Send, UnitReport
from scheduler.onboard import RungSpec
from scheduler.placement import Pipeline, Placement, View
from scheduler.policies import load_policy
from scheduler.tasks import Task

SPLIT = Placement("split", "medium", "rsu", reason="test")
ESCALATE = Placement("escalate", "large", "rsu", 60, reason="test", first="small")
ALL: tuple[Pipeline, ...] = ("onboard", "offload", "split", "escalate")


class Always:
    """Places every frame alike once the link is up, on board before."""

    name = "always"

    def __init__(self, placement: Placement) -> None:
        self.placement = placement

    def place(self, task: Task, view: View) -> Placement:
        return self.placement if view.usable_links() else Placement("onboard", "small")


def driven(
    placement: Placement, frames: int = 20, link: FakeLink | None = None, **options: object
) -> VirtualDrive:
    drive = VirtualDrive(
        Always(placement),
        links={"rsu": link or FakeLink()},
        pipelines=ALL,
        **{"local_ms": 20.0, **options},  # type: ignore[arg-type]
    )
    drive.frames(frames)
    drive.run(500.0 + frames * 100.0 + 2_000.0)
    check_counters(drive, frames)
    assert drive.dispatcher.counters.late == 0
    return drive


def check_counters(drive: VirtualDrive, frames: int) -> None:
    counters = drive.dispatcher.counters
    assert counters.tasks == counters.verdicts == len(drive.emitted) == frames
    assert counters.verdicts == counters.onboard + counters.offloaded + counters.carried
    assert len({emit.task.task_id for _, emit in drive.emitted}) == frames
    offload = counters.offload
    in_flight = sum(len(u.flights) for u in drive.dispatcher.uplinks.values())
    assert offload.sent == offload.ok + offload.late + offload.rejected + offload.lost + in_flight
    assert counters.escalated <= counters.first_looks <= frames
    for uplink in drive.dispatcher.uplinks.values():
        assert not uplink.encoding, "every credit came back"


def sends(drive: VirtualDrive) -> list[Send]:
    return [effect for _, effect in drive.effects if isinstance(effect, Send)]


def test_split_encodes_on_board_and_the_unit_answers() -> None:
    drive = driven(SPLIT)
    assert {(e.kind, e.model, e.placement.label) for _, e in drive.emitted} == {
        ("offloaded", "medium", "rsu/medium+split")
    }
    assert {(s.payload_kind, s.model) for s in sends(drive)} == {("features", "medium")}
    (_, emit) = drive.emitted[0]
    assert emit.stages_ns["encode"] == 10 * MS and emit.size_bytes == 2_000
    assert not [e for _, e in drive.effects if isinstance(e, RunLocal)]


def test_features_that_come_back_too_late_leave_the_fallback_its_time() -> None:
    drive = driven(SPLIT, frames=4, link=FakeLink(service_ms=120.0))
    assert {emit.kind for _, emit in drive.emitted} == {"onboard"}
    assert all(now <= emit.task.deadline_ns for now, emit in drive.emitted)
    assert len(drive.corrected) == 4, "the late answers still correct the tracks"


def test_a_first_half_waits_for_a_fallback_that_it_would_hold_up() -> None:
    """30 fps, a dead link: frame k's fallback must start when frame k + 2 would be encoded."""
    link = FakeLink(dead=[(490.0, 9_000.0)])
    drive = driven(SPLIT, frames=12, link=link, fps=30.0, local_ms=30.0, split_ms=25.0)
    kinds = [emit.kind for _, emit in drive.emitted]
    assert kinds.count("onboard") >= 4 and "offloaded" not in kinds


def test_a_fallback_that_no_longer_fits_does_not_take_the_place_of_its_own_first_half() -> None:
    """The rung takes longer than the deadline allows: it must not start at once instead."""
    rungs = [RungSpec("small", 0.5, 95 * MS)]
    drive = driven(SPLIT, local_ms=95.0, rungs=rungs)
    assert {emit.kind for _, emit in drive.emitted} == {"offloaded"}
    assert {emit.reason for _, emit in drive.emitted} == {"as placed"}


def test_a_first_half_that_would_end_too_late_is_not_begun() -> None:
    drive = VirtualDrive(
        Always(SPLIT), links={"rsu": FakeLink()}, pipelines=ALL, local_ms=30.0, split_ms=40.0
    )
    drive.run(499.0)
    drive.dispatcher.onboard.start(99, "small", 499 * MS)  # the detector is held by something else
    drive.frames(1)
    drive.run(570.0)
    assert not [e for _, e in drive.effects if isinstance(e, EncodeFeatures)]
    drive._do(drive.dispatcher.on_local_done(99, "small", "boxes", 71 * MS, drive.now_ns))
    drive.run(1_000.0)
    ((_, emit),) = drive.emitted
    assert "no time left to encode" in emit.reason and emit.kind == "carried"
    check_counters(drive, 1)


def test_a_first_half_that_fails_goes_home_with_its_credit() -> None:
    drive = VirtualDrive(Always(SPLIT), links={"rsu": FakeLink()}, pipelines=ALL, local_ms=20.0)
    drive.frames(1)
    drive.run(505.0)
    assert len(drive.drop_runs()) == 1
    drive._do(drive.dispatcher.on_features(1, "medium", 0, 0, drive.now_ns))
    drive.run(1_000.0)
    ((_, emit),) = drive.emitted
    assert emit.kind == "onboard" and "encoding failed" in emit.reason
    assert drive.dispatcher.counters.local_faults == 1
    assert not sends(drive)
    check_counters(drive, 1)


def test_escalation_sends_the_unsure_frames_alone() -> None:
    drive = driven(ESCALATE, doubt=lambda task_id: 1.0 if task_id % 4 == 0 else 0.1)
    by_task = {emit.task.task_id: emit for _, emit in drive.emitted}
    assert [t for t in by_task if by_task[t].kind == "offloaded"] == [4, 8, 12, 16, 20]
    assert [send.task.task_id for send in sends(drive)] == [4, 8, 12, 16, 20]
    assert by_task[1].reason == "sure, doubt 0.10" and by_task[1].model == "small"
    assert by_task[4].reason == "unsure, doubt 1.00: rsu looked too" and by_task[4].model == "large"
    assert by_task[4].placement.label == "small>rsu/large@q60"
    assert {"local", "encode", "infer"} <= set(by_task[4].stages_ns)
    counters = drive.dispatcher.counters
    assert (counters.first_looks, counters.escalated) == (20, 5)
    assert drive.dispatcher.placer._unsure_share < 0.5


def test_escalation_keeps_the_small_rungs_answer_when_the_link_dies() -> None:
    link = FakeLink(dead=[(1_000.0, 60_000.0)])
    drive = driven(ESCALATE, frames=20, link=link, doubt=lambda task_id: 1.0)
    after = [emit for now, emit in drive.emitted if 1_000 * MS < now < 1_400 * MS]
    assert after and {emit.kind for emit in after} == {"onboard"}
    assert any("unsure, doubt 1.00: rsu: no answer by the deadline" in e.reason for e in after)
    assert {emit.kind for _, emit in drive.emitted} == {"onboard", "offloaded"}
    runs = [e.task.task_id for _, e in drive.effects if isinstance(e, RunLocal)]
    assert len(runs) == len(set(runs)) == 20, "one look a frame, no second one as fallback"


def test_a_refused_escalation_is_answered_at_once_with_what_is_in_hand() -> None:
    drive = VirtualDrive(
        Always(ESCALATE), links={"rsu": FakeLink()}, pipelines=ALL, local_ms=20.0,
        doubt=lambda task_id: 1.0,
    )  # fmt: skip
    drive.frames(1)
    drive.run(524.0)
    drive._queue.clear()
    (send,) = sends(drive)
    drive._do(drive.dispatcher.on_reject("rsu", send.seq, report("reject", "busy"), drive.now_ns))
    ((now, emit),) = drive.emitted
    assert now == 524 * MS and emit.kind == "onboard" and emit.model == "small"
    assert emit.reason == "unsure, doubt 1.00: rsu: reject busy"


def report(status: str, reason: str = "") -> UnitReport:
    return UnitReport(status, 0, 0, 0, 2, reason=reason)  # type: ignore[arg-type]


def test_an_unsure_frame_is_not_sent_where_the_unit_could_not_answer_in_time() -> None:
    drive = driven(ESCALATE, frames=5, link=FakeLink(service_ms=90.0), doubt=lambda task_id: 1.0)
    assert not sends(drive)
    reasons = {emit.reason for _, emit in drive.emitted}
    assert reasons == {"unsure, doubt 1.00: rsu could not answer in time"}


def test_when_the_first_look_fails_the_unit_is_asked_at_once() -> None:
    drive = VirtualDrive(Always(ESCALATE), links={"rsu": FakeLink()}, pipelines=ALL, local_ms=20.0)
    drive.frames(1)
    drive.run(505.0)
    assert len(drive.drop_runs()) == 1
    drive._do(drive.dispatcher.on_local_failed(1, "worker died", drive.now_ns))
    drive.run(1_000.0)
    ((_, emit),) = drive.emitted
    assert emit.kind == "offloaded"
    check_counters(drive, 1)


@pytest.mark.parametrize("place", ["offload", "split", "escalate"])
def test_a_pipeline_that_is_not_listed_is_refused(place: str) -> None:
    placement = {
        "offload": Placement("offload", "large", "rsu", 60),
        "split": SPLIT,
        "escalate": ESCALATE,
    }[place]
    others = tuple(p for p in ALL if p != place)
    drive = VirtualDrive(Always(placement), pipelines=others, local_ms=20.0)
    drive.frames(3)
    drive.run(2_000.0)
    assert {emit.kind for _, emit in drive.emitted} == {"onboard"} and not sends(drive)
    assert drive.dispatcher.counters.policy_faults == 3
    reason = drive.emitted[0][1].placement.reason
    assert reason == f"policy chose {place}, which is no pipeline of this vehicle"


@pytest.mark.parametrize(
    ("pipelines", "sent"), [(ALL, "features"), (("onboard", "offload", "escalate"), "")]
)
def test_what_stays_on_board_sends_no_pixel_and_features_only_where_listed(
    pipelines: Sequence[Pipeline], sent: str
) -> None:
    drive = VirtualDrive(
        load_policy("deadline", {}), pipelines=pipelines, local_ms=20.0, stays_on_board=True
    )
    drive.frames(20)
    drive.run(4_000.0)
    check_counters(drive, 20)
    assert {send.payload_kind for send in sends(drive)} == ({sent} if sent else set())
    assert drive.dispatcher.counters.policy_faults == 0


@pytest.mark.parametrize(
    ("placement", "link", "said"),
    [
        (Placement("split", "large", "rsu"), FakeLink(), "a model that the unit does not offer"),
        (SPLIT, FakeLink(has_split=False), "a model that the unit does not offer"),
        (Placement("escalate", "large", "rsu", 60, first="huge"), FakeLink(), "no rung of this"),
        (Placement("escalate", "large", "rsu", 0, first="small"), FakeLink(), "JPEG quality 0"),
    ],
)
def test_a_placement_that_cannot_be_carried_out_goes_on_board(
    placement: Placement, link: FakeLink, said: str
) -> None:
    drive = driven(placement, frames=2, link=link)
    assert {emit.kind for _, emit in drive.emitted} == {"onboard"}
    assert said in drive.emitted[0][1].placement.reason


def test_heads_are_asked_of_the_units_that_have_them() -> None:
    offload = Placement("offload", "large", "rsu", 60)
    wanted = ("light_state", "plates")
    with_heads = driven(offload, link=FakeLink(heads=("plates", "drivable")), heads=wanted)
    assert {send.heads for send in sends(with_heads)} == {("plates",)}
    without = driven(offload, link=FakeLink(), heads=wanted)
    assert {send.heads for send in sends(without)} == {()}
    assert {emit.kind for _, emit in without.emitted} == {"offloaded"}
    halves = driven(SPLIT, link=FakeLink(heads=("plates",)), heads=wanted)
    assert {send.heads for send in sends(halves)} == {()}


def test_flow_runs_when_the_worker_is_idle_and_never_holds_a_fallback_up() -> None:
    drive = driven(Placement("offload", "large", "rsu", 60), has_flow=True)
    flows = [e.task.task_id for _, e in drive.effects if isinstance(e, RunFlow)]
    assert flows == list(range(1, 21))
    busy = driven(Placement("onboard", "small"), has_flow=True)
    assert not [e for _, e in busy.effects if isinstance(e, RunFlow)]
    dead = driven(
        Placement("offload", "large", "rsu", 60),
        link=FakeLink(dead=[(490.0, 9_000.0)]),
        fps=30.0,
        local_ms=30.0,
        has_flow=True,
    )
    plain = driven(
        Placement("offload", "large", "rsu", 60),
        link=FakeLink(dead=[(490.0, 9_000.0)]),
        fps=30.0,
        local_ms=30.0,
    )
    assert dead.dispatcher.counters.onboard >= plain.dispatcher.counters.onboard


def test_flow_that_takes_longer_than_it_may_is_left_out() -> None:
    drive = VirtualDrive(load_policy("always_offload", {}), has_flow=True)
    drive.dispatcher.work.flow_ns = 1 * MS  # it takes two
    drive.frames(10)
    drive.run(3_000.0)
    assert not [e for _, e in drive.effects if isinstance(e, RunFlow)]


def utilities(link: FakeLink, pipelines: Sequence[Pipeline], **options: object) -> list[str]:
    drive = VirtualDrive(
        load_policy("deadline", options),
        links={"rsu": link},
        pipelines=pipelines,
        local_ms=34.0,
        size_bytes=30_000,
        doubt=lambda task_id: 1.0 if task_id % 4 == 0 else 0.0,
    )
    drive.frames(80)
    drive.run(20_000.0)
    check_counters(drive, 80)
    assert drive.dispatcher.counters.late == 0
    return [emit.placement.place for _, emit in drive.emitted if not emit.placement.is_probe][20:]


def test_deadline_splits_where_pictures_are_too_large_for_the_link() -> None:
    """2 kB fit 1 Mbit/s and 30 kB do not; on a fast link the picture's better model wins."""
    slow = utilities(FakeLink(rate_bps=1e6), ("onboard", "offload", "split"))
    fast = utilities(FakeLink(rate_bps=40e6), ("onboard", "offload", "split"))
    assert slow.count("split") > 0.9 * len(slow)
    assert fast.count("offload") > 0.9 * len(fast)


def test_deadline_escalates_where_bytes_are_dear() -> None:
    pipelines: tuple[Pipeline, ...] = ("onboard", "offload", "escalate")
    free = utilities(FakeLink(rate_bps=40e6), pipelines)
    dear = utilities(FakeLink(rate_bps=40e6), pipelines, price_megabyte=8.0)
    assert free.count("offload") > 0.9 * len(free)
    assert dear.count("escalate") > 0.9 * len(dear)


def constant(value: float) -> Callable[[int], float]:
    return lambda task_id: value


@settings(max_examples=60, deadline=None)
@given(
    fps=st.sampled_from([5.0, 10.0, 30.0]),
    rate=st.floats(2e5, 5e7),
    delay=st.floats(0.5, 80.0),
    service=st.floats(2.0, 200.0),
    local=st.floats(5.0, 150.0),
    split=st.floats(1.0, 90.0),
    outage=st.tuples(st.floats(0.0, 2500.0), st.floats(0.0, 1500.0)),
    policy=st.sampled_from(["deadline", "always_offload", SPLIT, ESCALATE]),
    window=st.integers(1, 4),
    unsure_every=st.integers(1, 4),
    away=st.none() | st.floats(500.0, 2_000.0),
    has_flow=st.booleans(),
    pipelines=st.sampled_from([ALL, ("onboard", "split"), ("onboard", "escalate")]),
)
def test_one_verdict_per_frame_in_time_whatever_pipeline(
    fps: float,
    rate: float,
    delay: float,
    service: float,
    local: float,
    split: float,
    outage: tuple[float, float],
    policy: str | Placement,
    window: int,
    unsure_every: int,
    away: float | None,
    has_flow: bool,
    pipelines: Sequence[Pipeline],
) -> None:
    link = FakeLink(rate, delay, service, dead=[(outage[0], outage[0] + outage[1])])
    made = load_policy(policy, {}) if isinstance(policy, str) else Always(policy)
    drive = VirtualDrive(
        made,
        fps=fps,
        links={"rsu": link},
        local_ms=local,
        window=window,
        split_ms=split,
        pipelines=pipelines,
        doubt=lambda task_id: float(task_id % unsure_every == 0),
        has_flow=has_flow,
        rungs=[RungSpec("small", 0.5, int(local * MS))],
    )
    if away is not None:  # the worker dies with what it holds, and comes back
        drive.at(int(away * MS), lambda: fail(drive))
        drive.at(int((away + 300.0) * MS), lambda: drive.dispatcher.on_worker(True, drive.now_ns))
    drive.frames(30)
    drive.run(12_000.0)
    check_counters(drive, 30)
    assert drive.dispatcher.counters.late == 0


def fail(drive: VirtualDrive) -> list:  # type: ignore[type-arg]
    """What the driver says when its worker died, in its order."""
    effects = drive.dispatcher.on_worker(False, drive.now_ns)
    held = drive.drop_runs()
    for effect in held:
        task_id = effect.task.task_id
        if isinstance(effect, RunLocal):
            effects += drive.dispatcher.on_local_failed(task_id, "worker died", drive.now_ns)
        elif isinstance(effect, EncodeFeatures):
            effects += drive.dispatcher.on_features(task_id, effect.model, 0, 0, drive.now_ns)
        else:
            effects += drive.dispatcher.on_flow_done(0, drive.now_ns)
    return effects
