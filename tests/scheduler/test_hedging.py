"""A frame over two links at once: the first answer wins, and every copy is accounted for."""

import pytest
from virtual_drive import MS, FakeLink, VirtualDrive

from scheduler.effects import Send, UnitLoad, UnitReport
from scheduler.placement import Placement, View
from scheduler.tasks import Task


class Hedging:
    """Always over the first link, with a duplicate over the second."""

    name = "hedging"

    def __init__(self, hedge: str = "rsu/11p") -> None:
        self.hedge = hedge

    def place(self, task: Task, view: View) -> Placement:
        return Placement("offload", "large", "rsu/5g", 80, hedge=self.hedge)


def drive_of(first: FakeLink, second: FakeLink, hedge: str = "rsu/11p") -> VirtualDrive:
    return VirtualDrive(Hedging(hedge), links={"rsu/5g": first, "rsu/11p": second})


def check(drive: VirtualDrive, frames: int) -> None:
    counters = drive.dispatcher.counters
    assert counters.verdicts == len(drive.emitted) == frames
    assert len({emit.task.task_id for _, emit in drive.emitted}) == frames
    offload = counters.offload
    in_flight = sum(len(u.flights) for u in drive.dispatcher.uplinks.values())
    assert offload.sent == offload.ok + offload.late + offload.rejected + offload.lost + in_flight
    assert offload.ok + offload.late >= counters.offloaded + offload.spare
    assert not any(u.encoding for u in drive.dispatcher.uplinks.values())
    assert counters.duplicates == 0


def test_the_faster_link_answers_and_the_other_answer_is_spare() -> None:
    drive = drive_of(FakeLink(delay_ms=15.0), FakeLink(delay_ms=4.0))
    drive.frames(20)
    drive.run(4000.0)
    check(drive, 20)
    counters = drive.dispatcher.counters
    assert counters.offloaded == 20 == counters.offload.hedged == counters.offload.spare
    assert counters.offload.sent == counters.offload.ok == 40
    assert {emit.unit_id for _, emit in drive.emitted} == {"rsu/11p"}
    assert drive.corrected == [], "the same answer twice would be learned twice"


def test_one_frame_is_encoded_once_for_both_links() -> None:
    drive = drive_of(FakeLink(), FakeLink())
    drive.frames(1)
    drive.run(900.0)
    sends = [effect for _, effect in drive.effects if isinstance(effect, Send)]
    assert [send.unit_id for send in sends] == ["rsu/5g", "rsu/11p"]
    assert all(send.is_hedged for send in sends) and sends[0].seq != sends[1].seq


@pytest.mark.parametrize("dead", ["rsu/5g", "rsu/11p"])
def test_a_copy_that_is_lost_costs_nothing(dead: str) -> None:
    links = {name: FakeLink() for name in ("rsu/5g", "rsu/11p")}
    links[dead].dead = [(600.0, 60_000.0)]
    drive = drive_of(links["rsu/5g"], links["rsu/11p"])
    drive.frames(20)
    drive.run(5000.0)
    check(drive, 20)
    counters = drive.dispatcher.counters
    assert counters.offloaded == 20 and counters.late == 0
    assert counters.offload.lost > 0


def test_a_rejected_copy_does_not_send_home_what_the_other_may_answer() -> None:
    drive = drive_of(FakeLink(service_ms=40.0), FakeLink(service_ms=40.0))
    drive.frames(1)
    drive.run(504.0)
    first, second = (effect for _, effect in drive.effects if isinstance(effect, Send))
    busy = UnitReport("reject", 0, 0, 0, 2, reason="busy")
    drive._do(drive.dispatcher.on_reject(first.unit_id, first.seq, busy, drive.now_ns))
    drive.run(510.0)
    assert drive.emitted == []
    drive._do(drive.dispatcher.on_reject(second.unit_id, second.seq, busy, drive.now_ns))
    drive.run(2000.0)
    ((_, emit),) = drive.emitted
    assert emit.kind == "onboard" and "busy" in emit.reason
    assert drive.dispatcher.counters.offload.rejected == 2


def test_with_one_link_down_or_without_a_credit_the_other_goes_alone() -> None:
    drive = drive_of(FakeLink(dead=[(0.0, 60_000.0)]), FakeLink())
    drive.frames(5)
    drive.run(3000.0)
    check(drive, 5)
    counters = drive.dispatcher.counters
    assert counters.offloaded == 5 and counters.offload.hedged == 0
    assert {emit.unit_id for _, emit in drive.emitted} == {"rsu/11p"}


@pytest.mark.parametrize("hedge", ["", "nowhere", "rsu/5g"])
def test_a_hedge_that_is_no_other_link_is_none(hedge: str) -> None:
    drive = drive_of(FakeLink(), FakeLink(), hedge)
    drive.frames(5)
    drive.run(2000.0)
    counters = drive.dispatcher.counters
    assert counters.offload.hedged == 0
    assert counters.policy_faults == (5 if hedge else 0)
    assert counters.offload.sent == (0 if hedge else 5)


def test_an_answer_after_the_verdict_is_late_and_the_copy_after_it_is_late_as_well() -> None:
    drive = drive_of(FakeLink(service_ms=130.0), FakeLink(service_ms=150.0))
    drive.frames(1)
    drive.run(1500.0)
    check(drive, 1)
    assert drive.dispatcher.counters.offload.late == 2
    assert drive.dispatcher.counters.offload.spare == 0  # neither was the verdict


def test_a_beacon_is_fresher_than_the_last_result() -> None:
    drive = drive_of(FakeLink(), FakeLink())
    drive.run(400.0)
    uplink = drive.dispatcher.uplinks["rsu/5g"]
    before_ns = uplink.estimator.overhead_ns(drive.now_ns)
    load = UnitLoad(3, 80 * MS, 1.0, 1, {"large": 40 * MS}, {"medium": 0})
    for _ in range(40):
        drive.dispatcher.on_beacon("rsu/5g", load, drive.now_ns)
    assert uplink.window == 1 and uplink.load is load
    assert uplink.estimator.overhead_ns(drive.now_ns) > before_ns + 60 * MS
    (model,) = uplink.models
    assert 35 * MS < model.service_ns <= 40 * MS
    assert drive.dispatcher.uplinks["rsu/11p"].window == 2
