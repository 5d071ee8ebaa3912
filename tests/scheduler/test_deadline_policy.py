"""The default policy: probes that risk nothing, hedges, budgets, still scenes, sizes."""

import pytest
from virtual_drive import FakeLink, VirtualDrive

from scheduler.effects import Encode, Send
from scheduler.onboard import RungSpec
from scheduler.policies import load_policy

MS = 1_000_000


def driven(links, frames=80, local_ms=34.0, options=None, policy="deadline", **more):
    drive = VirtualDrive(load_policy(policy, options or {}), links=links, local_ms=local_ms, **more)
    drive.frames(frames)
    drive.run(frames * 1000.0 / drive.fps + 3_000.0)
    counters = drive.dispatcher.counters
    assert counters.verdicts == frames
    assert counters.late == counters.policy_faults == 0
    return drive


def test_a_probe_changes_nothing_for_its_frame():
    alone = driven({})
    drive = driven({"rsu": FakeLink(rate_bps=0.3e6)})  # half a second a frame: hopeless
    probes = [emit for _, emit in drive.emitted if emit.placement.is_probe]
    assert 2 < len(probes) < 40  # they back off
    assert {emit.kind for emit in probes} == {"onboard"}
    assert {emit.reason for emit in probes} == {"as placed"}
    assert all(" +rsu/large" in emit.placement.label for emit in probes)
    ages = [[at - emit.task.stamp_ns for at, emit in each.emitted] for each in (alone, drive)]
    assert ages[0] == ages[1]


def test_nothing_is_sent_where_pixels_stay_on_board():
    drive = driven({"rsu": FakeLink()}, stays_on_board=True)
    assert not [effect for _, effect in drive.effects if isinstance(effect, (Encode, Send))]


def test_a_silent_link_gets_no_frame_of_its_own_before_a_copy_came_back():
    link = FakeLink(rate_bps=20e6)
    drive = driven({"rsu": link}, frames=40)
    offloads = [emit for _, emit in drive.emitted if emit.placement.place == "offload"]
    probed = [effect for _, effect in drive.effects if isinstance(effect, Send)]
    first = offloads[0].task.stamp_ns
    assert any(send.task.stamp_ns < first for send in probed)
    assert {emit.kind for emit in offloads} == {"offloaded"}


def test_a_better_unit_is_found_while_another_one_is_used():
    """The far unit is known first; only a duplicate can tell that the near one is back."""
    near, far = FakeLink(rate_bps=0.2e6), FakeLink(rate_bps=20e6, delay_ms=60.0)
    drive = VirtualDrive(
        load_policy("deadline", {}),
        links={"far": far, "near": near},
        local_ms=34.0,
        deadline_ms=200.0,
    )
    drive.frames(200)
    drive.run(4_000.0)
    first = [emit.unit_id for _, emit in drive.emitted if emit.kind == "offloaded"]
    assert first.count("far") == len(first) > 15
    near.rate_bps, near.free_ns = 40e6, 0
    drive.run(24_000.0)
    last = [emit.unit_id for _, emit in drive.emitted][-20:]
    assert last.count("near") >= 15


def test_two_poor_links_carry_what_one_would_not():
    """Each answers every other time; together they answer nearly always."""
    links = {
        "a": FakeLink(
            rate_bps=9e6, delay_ms=10.0, dead=[(t, t + 180.0) for t in range(600, 9000, 400)]
        ),
        "b": FakeLink(
            rate_bps=9e6, delay_ms=10.0, dead=[(t, t + 180.0) for t in range(800, 9000, 400)]
        ),
    }
    drive = driven(links, options={"hedge_gain": 0.002, "miss_price": 0.0})
    assert drive.dispatcher.counters.offload.hedged > 5
    sends = [effect for _, effect in drive.effects if isinstance(effect, Send)]
    assert len({(send.task.task_id, send.unit_id) for send in sends}) == len(sends)


def test_a_rung_runs_beside_where_the_fallback_would_be_a_poorer_one():
    rungs = [RungSpec("tiny", 0.3, 10 * MS), RungSpec("small", 0.6, 34 * MS)]
    link = FakeLink(rate_bps=4.5e6)
    sure = driven({"rsu": link}, rungs=rungs, options={"hedge_gain": 0.001, "miss_price": 0.0})
    beside = [e for _, e in sure.emitted if e.placement.hedge == "local"]
    assert beside
    assert all(emit.kind in ("offloaded", "onboard") for emit in beside)
    dear = driven(
        {"rsu": FakeLink(rate_bps=4.5e6)}, rungs=rungs,
        options={"hedge_gain": 0.001, "miss_price": 0.0, "price_joule": 1.0},
    )  # fmt: skip
    assert not [e for _, e in dear.emitted if e.placement.hedge == "local"]


def test_a_still_scene_is_looked_at_now_and_then():
    def sent(change):
        drive = driven({"rsu": FakeLink(rate_bps=20e6)}, frames=200, change=change)
        return sum(isinstance(effect, Send) for _, effect in drive.effects), drive

    moving, _ = sent(lambda task_id: 0.4)
    still, drive = sent(lambda task_id: 0.4 if task_id <= 20 else 0.0)
    assert still - 20 < 0.1 * (moving - 20)
    placed = [emit.placement for _, emit in drive.emitted][30:]
    carried = [placement for placement in placed if placement.place == "carry"]
    assert len(carried) > 150
    assert "nothing has changed" in carried[0].reason
    assert any(placement.place != "carry" for placement in placed)  # it does not look away for ever


def test_a_scene_that_changes_is_looked_at_at_once():
    drive = driven(
        {"rsu": FakeLink(rate_bps=20e6)}, frames=100, change=lambda n: 0.4 if n in (1, 80) else 0.0
    )
    kinds = {emit.task.task_id: emit.kind for _, emit in drive.emitted}
    assert kinds[79] == "carried"
    assert kinds[80] in ("offloaded", "onboard")


@pytest.mark.parametrize("mbps", [0.4, 0.8])
def test_data_keeps_to_its_budget_on_average(mbps):
    free = driven({"rsu": FakeLink(rate_bps=20e6)}, frames=300)
    kept = driven({"rsu": FakeLink(rate_bps=20e6)}, frames=300, options={"budget_mbps": mbps})
    seconds = 300 / kept.fps
    used = kept.dispatcher.counters.sent_bytes * 8e-6 / seconds
    assert free.dispatcher.counters.sent_bytes * 8e-6 / seconds > 1.3
    assert used == pytest.approx(mbps, rel=0.25)


def test_energy_keeps_to_its_budget_on_average():
    free = driven({}, frames=300)
    kept = driven({}, frames=300, options={"budget_watts": 1.0})
    watts = [10.0 * each.dispatcher.counters.local_ns / 1e9 / 30.0 for each in (free, kept)]
    assert watts[0] > 3.0
    assert watts[1] == pytest.approx(1.0, rel=0.25)


def test_a_slow_link_gets_smaller_pictures_and_the_encoder_is_told():
    def widths(rate_bps):
        drive = VirtualDrive(
            load_policy("deadline", {}), links={"rsu": FakeLink(rate_bps=rate_bps)}, local_ms=34.0,
            resolutions=((640, 384), (320, 192)),
        )  # fmt: skip
        encoded = drive._carry_out

        def sized(effect):
            if isinstance(effect, Encode):
                drive.size_bytes = 9_000 if effect.width else 30_000
            encoded(effect)

        drive._carry_out = sized
        drive.frames(60)
        drive.run(9_000.0)
        placed = [e.placement for _, e in drive.emitted if e.placement.place == "offload"][10:]
        sends = {e.task.task_id: e for _, e in drive.effects if isinstance(e, Send)}
        for emit in (emit for _, emit in drive.emitted if emit.task.task_id in sends):
            send = sends[emit.task.task_id]
            chosen = emit.placement.probe or emit.placement
            assert (send.width, send.height) == (chosen.width, chosen.height)
        return {placement.width for placement in placed}

    assert widths(30e6) == {0}
    assert 320 in widths(2.6e6)
