"""The final record tells what was promised of each link, and what came."""

import msgspec
from virtual_drive import MS, FakeLink, VirtualDrive

from scheduler.placement import Placement, View
from scheduler.policies import load_policy
from scheduler.radio_map import RadioMap
from scheduler.tasks import Task
from vehicle.beliefs import LinkBelief, beliefs_of


def driven() -> VirtualDrive:
    links = {"rsu": FakeLink(rate_bps=20e6), "far": FakeLink(dead=[(0.0, 1e9)])}
    drive = VirtualDrive(load_policy("always_offload", {}), links=links)
    drive.frames(40)
    drive.run(6_000.0)
    return drive


def test_promises_and_outcomes_are_in_the_record_of_the_links_that_were_used() -> None:
    drive = driven()
    beliefs = beliefs_of(drive.dispatcher.uplinks, drive.now_ns)
    assert set(beliefs) == {"rsu"}
    belief = beliefs["rsu"]
    offload = drive.dispatcher.counters.offload
    assert belief.checked == offload.sent > 30
    assert sum(requests for _, _, requests in belief.table) == belief.checked
    in_time = sum(share * requests for _, share, requests in belief.table)
    assert abs(in_time - offload.ok) < 0.01 * belief.checked
    assert (belief.map_score, belief.map_cells) == (0.5, 0)


def test_the_clock_of_a_unit_is_in_the_record_with_its_bound() -> None:
    drive = driven()
    uplink = drive.dispatcher.uplinks["rsu"]
    number, now_ns = uplink.ping(drive.now_ns), drive.now_ns
    drive.dispatcher.on_pong("rsu", number, now_ns + 10 * MS, there_ns=now_ns + 3005 * MS)
    belief = beliefs_of(drive.dispatcher.uplinks, now_ns + 10 * MS)["rsu"]
    assert belief.clock_ms == 3000.0
    assert belief.clock_bound_ms is not None and 5.0 <= belief.clock_bound_ms < 5.1


def test_a_map_is_in_the_record_with_its_score() -> None:
    drive = driven()
    uplink = drive.dispatcher.uplinks["rsu"]
    uplink.estimator.place.radio_map = RadioMap()
    drive.frames(10, first_ms=6_500.0)
    uplink.on_pose(5.0, 5.0, 0.0, 8.0, drive.now_ns)
    drive.run(9_000.0)
    belief = beliefs_of(drive.dispatcher.uplinks, drive.now_ns)["rsu"]
    assert belief.map_cells == 1
    packed = msgspec.json.encode(belief)
    assert msgspec.json.decode(packed, type=LinkBelief) == belief


class OnBoth:
    """Every frame over both links."""

    name = "on_both"

    def place(self, task: Task, view: View) -> Placement:
        """A promise for the two together."""
        links = view.usable_links()
        if len(links) < 2:
            return Placement("onboard", view.rungs[0].model)
        return Placement("offload", "large", links[0].unit_id, 60, 0.99, hedge=links[1].unit_id)


def test_what_two_links_promise_together_is_held_against_neither() -> None:
    links = {"one": FakeLink(rate_bps=20e6), "two": FakeLink(rate_bps=20e6)}
    drive = VirtualDrive(OnBoth(), links=links)
    drive.frames(40)
    drive.run(6_000.0)
    assert drive.dispatcher.counters.offload.hedged > 30
    for uplink in drive.dispatcher.uplinks.values():
        assert uplink.estimator.promised.count == 0
        assert uplink.estimator.raw.count > 30  # each link's own belief is
