"""What placement stands on: sizes to send, the worth of carrying, budgets, outcomes, deadlines."""

import pytest
from virtual_drive import FakeLink, VirtualDrive

from scheduler.budgets import VirtualQueue
from scheduler.carrying import CHANGE_REF, SETTLED, Look, Looks, carried_worth
from scheduler.pictures import Pictures, sent_size
from scheduler.placement import Encoding, Outcome, Placement, RemoteModel, View
from scheduler.tasks import Task, deadline_by_speed_ns

MS, SECOND = 1_000_000, 1_000_000_000


def task(width: int = 640, height: int = 384, camera: str = "front") -> Task:
    return Task(1, "ego", camera, 1, 0, "object_detection", 0, 100 * MS, width, height)


@pytest.mark.parametrize(
    ("frame", "wanted", "expected"),
    [
        ((640, 384), (640, 384), (0, 0)),
        ((640, 384), (1280, 768), (0, 0)),  # never enlarged
        ((640, 384), (320, 192), (320, 192)),
        ((1920, 1080), (640, 384), (640, 360)),  # its own proportions
        ((400, 800), (320, 192), (96, 192)),
    ],
)
def test_a_frame_keeps_its_proportions_when_sent_smaller(frame, wanted, expected):
    assert sent_size(*frame, wanted) == expected


def test_encodings_are_the_largest_and_best_first_and_each_way_once():
    pictures = Pictures((80, 40), ((320, 192), (640, 384), (1280, 768)))
    ways = [(e.width, e.quality) for e in pictures.encodings(task(), 0)]
    assert ways == [(0, 80), (0, 40), (320, 80), (320, 40)]
    sizes = [e.size_bytes for e in pictures.encodings(task(), 0)]
    assert sizes == sorted(sizes, reverse=True)


def test_each_size_learns_its_own_bytes_and_time():
    pictures = Pictures((60,), ((640, 384), (320, 192)))
    before = pictures.encodings(task(), 0)
    for _ in range(30):
        size_bytes = 2 * before[1].size_bytes
        pictures.on_encoded(task(), 60, (320, 192), size_bytes, 1 * MS, 0)
    whole, small = pictures.encodings(task(), 0)
    assert whole.size_bytes == before[0].size_bytes
    assert small.size_bytes == pytest.approx(2 * before[1].size_bytes, rel=0.02)
    assert (whole.encode_ns, small.encode_ns) == (before[0].encode_ns, 1 * MS)
    rear = pictures.encodings(task(camera="rear"), 0)[1]
    assert rear.size_bytes == before[1].size_bytes


def test_accuracy_of_a_smaller_picture_is_the_model_s_own_at_that_size():
    model = RemoteModel("large", 0.8, 0, {(320, 192): 0.7})
    assert model.accuracy_of(Encoding(60, 1, 1, 0.01)) == pytest.approx(0.79)
    assert model.accuracy_of(Encoding(60, 1, 1, 0.01, 320, 192)) == pytest.approx(0.69)
    assert model.accuracy_of(Encoding(60, 1, 1, 0.01, 160, 96)) == pytest.approx(0.79)  # unknown


def test_a_still_picture_keeps_the_worth_of_its_last_look_and_a_changed_one_does_not():
    look = Look(0, 0.7)
    worth = [carried_worth(look, 1 * SECOND, share * CHANGE_REF, 0.2) for share in (0, 0.5, 1, 9)]
    assert worth == sorted(worth, reverse=True)
    assert worth[0] == pytest.approx(0.7, abs=0.04)
    assert worth[2] == worth[3] == 0.2
    assert carried_worth(look, 600 * SECOND, 0.0, 0.2) == 0.2  # nobody trusts it for ever
    assert carried_worth(None, 0, 0.0, 0.2) == 0.2


def test_the_newest_look_counts_whatever_comes_late():
    looks = Looks(0.2)
    for _ in range(SETTLED - 1):
        looks.add("front", Look(0, 0.5))
        assert looks.worth("front", 0, 0.0) == 0.2  # tracks are not settled yet
    looks.add("front", Look(2 * SECOND, 0.7))
    looks.add("front", Look(1 * SECOND, 0.4))
    assert looks.worth("front", 2 * SECOND, 0.0) == pytest.approx(0.7)
    assert looks.worth("rear", 2 * SECOND, 0.0) == 0.2


def test_a_budget_that_is_overdrawn_gets_dearer_and_one_that_is_kept_costs_nothing():
    queue, frame_ns = VirtualQueue(per_second=10.0), 100 * MS
    assert queue.price(frame_ns) == 0.0
    spent, prices = 0.0, []
    for frame in range(100):
        spent += 1.0  # exactly the budget
        queue.update(spent, frame * frame_ns)
    assert queue.price(frame_ns) == pytest.approx(0.0, abs=0.03)
    for frame in range(100, 150):
        spent += 2.0
        queue.update(spent, frame * frame_ns)
        prices.append(queue.price(frame_ns))
    assert prices == sorted(prices)
    assert prices[-1] == pytest.approx(1.0, rel=0.05)  # F1 per unit after 50 frames overdrawn
    queue.update(spent, 60 * SECOND)
    assert queue.price(frame_ns) == 0.0


def test_no_budget_has_no_price():
    queue = VirtualQueue(0.0)
    queue.update(1e9, SECOND)
    assert queue.price(100 * MS) == 0.0


@pytest.mark.parametrize(("speed", "ms"), [(0, 400), (10, 400), (11, 390), (30, 200), (80, 50)])
def test_deadline_by_speed(speed, ms):
    assert deadline_by_speed_ns(speed) == ms * MS


class Watching:
    """Sends every frame, and writes down what becomes of it."""

    name = "watching"

    def __init__(self, fails: bool = False) -> None:
        self.outcomes: list[Outcome] = []
        self.fails = fails

    def place(self, task: Task, view: View) -> Placement:
        return Placement("offload", "large", "rsu", 60)

    def on_outcome(self, outcome: Outcome) -> None:
        if self.fails:
            raise RuntimeError("cannot learn")
        self.outcomes.append(outcome)


def test_a_policy_that_learns_hears_of_every_request_once():
    policy = Watching()
    drive = VirtualDrive(policy, links={"rsu": FakeLink(dead=[(1_000.0, 1_600.0)])})
    drive.frames(30)
    drive.run(6_000.0)
    sent = drive.dispatcher.counters.offload.sent
    in_time = sum(outcome.is_in_time for outcome in policy.outcomes)
    assert len(policy.outcomes) == sent > 10
    assert in_time == drive.dispatcher.counters.offloaded
    lost = [outcome for outcome in policy.outcomes if outcome.latency_ns is None]
    assert lost
    assert all(not outcome.is_in_time for outcome in lost)
    assert all(o.size_bytes == 20_000 for o in policy.outcomes)


def test_a_policy_that_cannot_learn_is_counted_and_stops_nothing():
    drive = VirtualDrive(Watching(fails=True))
    drive.frames(10)
    drive.run(3_000.0)
    counters = drive.dispatcher.counters
    assert counters.policy_faults == counters.offload.sent > 0
    assert counters.verdicts == 10
