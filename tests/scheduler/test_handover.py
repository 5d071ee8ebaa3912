"""Which links are open: promises of the choice, in virtual time."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.handover import (
    DECIDE_NS,
    LEAST_OPEN_NS,
    PRECONNECT_S,
    Candidate,
    Decision,
    Handover,
    Motion,
)
from scheduler.link import LinkState

SECOND = 1_000_000_000
ANSWERS_NS = 500_000_000  # a link in range is up so long after it was opened


class Link:
    """What the choice looks at of one link."""

    def __init__(self) -> None:
        self.now: LinkState = "connecting"
        self.is_busy = False
        self.bad = 0.0

    def state(self, now_ns: int) -> LinkState:
        return self.now

    def bad_within(self, seconds: float, now_ns: int) -> float:
        return self.bad


class Road:
    """A vehicle on a straight road with units beside it; in range a link answers soon."""

    def __init__(
        self, places: list[float | None], max_links: int, radius: float = 200.0, **changes: object
    ) -> None:
        fields = {"range_m": radius, "is_learning": False} | changes
        self.handover = Handover(
            [
                Candidate(f"u{k}", (x, 10.0) if x is not None else None, **fields)  # type: ignore[arg-type]
                for k, x in enumerate(places)
            ],
            max_links,
        )
        self.places, self.radius = places, radius
        self.links = {name: Link() for name in self.handover.candidates}
        self.first = self.handover.first(0)
        self.open_ns = dict.fromkeys(self.first, 0)
        self.log: list[tuple[float, str, str]] = []
        self.now_ns = 0
        self.reach: Callable[[str, float], bool] = self._is_in_range

    def drive(self, seconds: float, speed: float = 20.0, begin: float = 0.0) -> None:
        start_ns = self.now_ns
        while self.now_ns < start_ns + seconds * SECOND:
            self.now_ns += DECIDE_NS
            x = begin + speed * (self.now_ns - start_ns) / SECOND
            if speed:
                self.handover.on_pose(x, 0.0, 0.0, speed)
            self._answer(x)
            self._carry_out(self.handover.decide(self.links, self.now_ns))
            assert len(self.open_ns) <= self.handover.max_links + 1

    def _is_in_range(self, name: str, x: float) -> bool:
        place = self.places[int(name[1:])]
        return place is not None and math.hypot(place - x, 10.0) <= self.radius

    def _answer(self, x: float) -> None:
        for name, link in self.links.items():
            is_ready = name in self.open_ns and self.now_ns - self.open_ns[name] >= ANSWERS_NS
            link.now = "up" if is_ready and self.reach(name, x) else "connecting"
            silent_ns = self.now_ns - self.open_ns.get(name, self.now_ns)
            if link.now != "up" and silent_ns and silent_ns % SECOND == 0:
                self.handover.on_lost(name)  # as each second without an answer to a handshake

    def _carry_out(self, decision: Decision) -> None:
        for name in decision.closed:
            del self.open_ns[name]
            self.log.append((self.now_ns / SECOND, "close", name))
        for name in decision.opened:
            self.open_ns[name] = self.now_ns
            self.log.append((self.now_ns / SECOND, "open", name))

    def when(self, what: str, name: str) -> list[float]:
        return [at for at, done, link in self.log if (done, link) == (what, name)]


def test_few_links_all_stay_open() -> None:
    road = Road([0.0, 5_000.0, None], max_links=3)
    road.drive(60.0)
    assert set(road.open_ns) == {"u0", "u1", "u2"} and road.log == []
    assert road.handover.next_ns() is None


def test_the_next_link_is_up_before_the_present_coverage_ends() -> None:
    places = [0.0, 390.0, 780.0, 1170.0, 1560.0]  # each covers 200 m to both sides
    road = Road(places, max_links=2)
    road.drive(78.0)
    for k in range(2, 5):
        (opened,) = road.when("open", f"u{k}")
        enters, present_ends = (places[k] - 200.0) / 20.0, (places[k - 1] + 200.0) / 20.0
        assert enters - PRECONNECT_S <= opened + 0.2, "before it was of any use"
        assert opened + ANSWERS_NS / SECOND < present_ends
    for k in range(3):
        closed = road.when("close", f"u{k}")[-1]  # the second began far away and was let go
        assert closed > (places[k] + 190.0) / 20.0, "left while it still covered us"


def test_a_link_in_use_is_left_only_when_nothing_is_in_flight() -> None:
    road = Road([0.0, 350.0], max_links=1)
    road.links["u0"].is_busy = True
    road.drive(20.0)
    assert road.handover.candidates["u0"].is_leaving
    assert road.when("close", "u0") == []
    road.links["u0"].is_busy = False
    road.drive(0.2, begin=400.0)
    assert len(road.when("close", "u0")) == 1


def test_an_outage_under_a_third_of_a_second_changes_nothing() -> None:
    road = Road([0.0, 40.0, 80.0], max_links=2, radius=500.0)
    road.drive(5.0, speed=1.0)
    before = list(road.log)
    held = set(road.open_ns)
    for _ in range(5):
        road.reach = lambda name, x: name not in held
        road.drive(0.2, speed=1.0, begin=5.0)
        road.reach = road._is_in_range
        road.drive(0.5, speed=1.0, begin=5.0)
    assert road.log == before


def test_a_link_that_stays_silent_gives_way_to_one_that_may_answer() -> None:
    road = Road([0.0, 40.0, 80.0], max_links=2, radius=500.0)
    road.reach = lambda name, x: name == "u2"
    road.drive(20.0, speed=1.0)
    assert "u2" in road.open_ns and road.links["u2"].now == "up"
    assert road.when("close", "u2") == []


def test_a_cloud_stays_open_and_a_dead_one_does_not_hold_its_place() -> None:
    road = Road([None, 0.0, 60.0, 120.0], max_links=2, radius=300.0)
    cloud = road.handover.candidates["u0"]
    cloud.is_everywhere = True
    road.reach = lambda name, x: name == "u0" or road._is_in_range(name, x)
    road.drive(10.0, speed=10.0)
    assert "u0" in road.open_ns and road.when("close", "u0") == []
    road.reach = road._is_in_range
    road.drive(10.0, speed=1.0, begin=100.0)
    assert "u0" not in road.open_ns


def test_without_places_links_are_tried_in_turn_and_those_that_answer_are_kept() -> None:
    road = Road([None] * 6, max_links=2)
    road.reach = lambda name, x: name in ("u3", "u5")
    road.drive(60.0, speed=0.0)
    assert set(road.open_ns) == {"u3", "u5"}
    last = max(at for at, _, _ in road.log)
    assert last < 30.0, "it goes on trying though both answer"


def test_without_places_a_fade_costs_no_link() -> None:
    road = Road([None] * 6, max_links=2)
    road.reach = lambda name, x: name in ("u3", "u5")
    road.drive(30.0, speed=0.0)
    before = list(road.log)
    for _ in range(5):
        road.reach = lambda name, x: False
        road.drive(0.4, speed=0.0)
        road.reach = lambda name, x: name in ("u3", "u5")
        road.drive(1.0, speed=0.0)
    assert road.log == before
    road.reach = lambda name, x: name == "u1"
    road.drive(20.0, speed=0.0)
    assert "u1" in road.open_ns and not {"u3", "u5"} <= set(road.open_ns)


def test_a_unit_that_was_silent_from_afar_is_asked_again_when_it_is_nearer() -> None:
    """Houses stand in the way of all but the last 60 m; three more units never answer."""
    road = Road([400.0, 380.0, 390.0, 410.0], max_links=2, radius=250.0, is_learning=True)
    road.reach = lambda name, x: name == "u0" and abs(400.0 - x) < 60.0
    up: list[float] = []
    for k in range(450):
        road.drive(0.1, speed=10.0, begin=float(k))
        if road.links["u0"].now == "up":
            up.append(float(k))
    assert up and up[0] < 340.0 + 60.0
    assert len(up) > 0.5 * 110.0


def test_range_is_learned_from_what_is_heard_and_lost() -> None:
    handover = Handover([Candidate("a", (0.0, 0.0)), Candidate("b", (9e9, 0.0))], 1)
    handover.on_pose(400.0, 0.0, 0.0, 10.0)
    handover.on_heard("a")
    assert handover.candidates["a"].range_m == 400.0
    handover.on_pose(100.0, 0.0, 0.0, 10.0)
    for _ in range(20):
        handover.on_lost("a")
    assert 100.0 < handover.candidates["a"].range_m < 110.0
    handover.candidates["b"].is_learning = False
    handover.on_heard("b")
    assert handover.candidates["b"].range_m == 250.0


def test_where_the_map_warns_the_next_link_is_opened_sooner() -> None:
    plain, warned = (Road([0.0, 150.0, 300.0], max_links=1, radius=300.0) for _ in range(2))
    plain.drive(5.0)
    warned.links["u0"].bad = 0.9
    warned.drive(5.0)
    assert warned.log and warned.log[0][0] < (plain.log[0][0] if plain.log else math.inf)


def test_coverage_by_hand() -> None:
    east = Motion(0.0, 0.0, 10.0, 0.0)
    assert east.coverage_s((100.0, 0.0), 50.0) == (5.0, 15.0)
    assert east.coverage_s((30.0, 40.0), 50.0) == (0.0, 6.0)
    assert east.coverage_s((-100.0, 0.0), 50.0) == (math.inf, math.inf)
    assert east.coverage_s((100.0, 60.0), 50.0) == (math.inf, math.inf)
    still = Motion(0.0, 0.0, 0.0, 0.0)
    assert still.coverage_s((30.0, 0.0), 50.0) == (-math.inf, math.inf)
    assert still.coverage_s((60.0, 0.0), 50.0) == (math.inf, math.inf)


@settings(max_examples=60, deadline=None)
@given(
    places=st.lists(st.floats(-600.0, 600.0), min_size=3, max_size=6),
    steps=st.lists(st.tuples(st.floats(-30.0, 30.0), st.integers(0, 63)), max_size=150),
    max_links=st.integers(1, 2),
)
def test_whatever_happens_links_do_not_flap(
    places: list[float], steps: list[tuple[float, int]], max_links: int
) -> None:
    road = Road(list(places), max_links)
    x = 0.0
    for step, silent in steps:
        x += step
        road.now_ns += DECIDE_NS
        road.handover.on_pose(x, 0.0, 0.0 if step >= 0.0 else math.pi, abs(step) * 10.0)
        for k, link in enumerate(road.links.values()):
            is_up = road._is_in_range(f"u{k}", x) and f"u{k}" in road.open_ns
            link.now = "up" if is_up and not silent >> k & 1 else "connecting"
        road._carry_out(road.handover.decide(road.links, road.now_ns))
        assert len(road.open_ns) <= max_links + 1
    for name in road.links:
        begins = [0.0] * (name in road.first) + road.when("open", name)
        for begin, end in zip(begins, road.when("close", name), strict=False):
            assert end - begin > LEAST_OPEN_NS / SECOND - 0.01


@pytest.mark.parametrize("count", [4, 12])
def test_a_straight_road_costs_one_opening_for_each_unit(count: int) -> None:
    road = Road([300.0 * k for k in range(count)], max_links=3, radius=180.0)
    road.drive(15.0 * count + 10.0)
    assert all(len(road.when("open", f"u{k}")) <= 1 for k in range(count))
