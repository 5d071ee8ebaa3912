"""Two paths of one vehicle to one unit: one piece of work, an answer on each; and beacons."""

import pytest

from roadside_unit.beacon import PERIOD_NS, SILENT_NS
from roadside_unit.desk import Desk
from roadside_unit.duplicates import MOST_REMEMBERED, REMEMBERED_NS, Duplicates, shares
from scheduler import wire
from scheduler.messages import VERSION
from scheduler.offload_messages import Beacon, Hello, Ping, Pong, Request, Result, Welcome

from .fakes import FOUND, MS, FakeWorker, request

PATHS = {"5g": (11, b"five"), "11p": (22, b"eleven")}


class Bench:
    """A desk with a vehicle on two paths; `sent` holds (connection, message, payload)."""

    def __init__(self, wants_beacons=False):
        self.sent = []
        self.worker = FakeWorker()
        self.desk = Desk("rsu", 2, ["large"], self.worker, None, self._send, lambda *_: None,
                         position=(10.0, 20.0, 5.0))  # fmt: skip
        for path, (session, connection) in PATHS.items():
            self.open(path, session, connection, wants_beacons)
        self.sent.clear()

    def open(self, path, session, connection, wants_beacons=False):
        for channel in ("frames", "control"):
            said = Hello(VERSION, "ego", session, channel, path, wants_beacons)
            self.hear(wire.pack(said), 0, connection)

    def _send(self, connection, parts):
        message, payload = wire.unpack(parts, Result, Welcome, Pong, Beacon)
        self.sent.append((connection, message, payload))
        return True

    def hear(self, parts, now_ns=0, connection=b"c"):
        self.desk.on_message(connection, None, parts, now_ns)

    def ask(self, path, seq, now_ns, tick=1, **changes):
        session, _ = PATHS[path]
        self.hear(request(seq, session=session, tick=tick, **changes), now_ns)

    def done(self, now_ns, error=""):
        self.desk.on_answers([self.worker.done(error)], now_ns)

    def results(self):
        return [(to, m.session, m.seq, m.status) for to, m, _ in self.sent if m.kind == b"RESULT"]


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.worker.close()


BOTH = [(b"five", 11, 1, "ok"), (b"eleven", 22, 2, "ok")]


@pytest.mark.parametrize("copy_ms", [1, 35], ids=["while it runs", "after it ended"])
def test_a_copy_is_not_run_again_and_both_paths_get_the_answer(bench, copy_ms):
    bench.ask("5g", 1, 0)
    if copy_ms < 30:
        bench.ask("11p", 2, copy_ms * MS)
    bench.done(30 * MS)
    if copy_ms > 30:
        bench.ask("11p", 2, copy_ms * MS)
    assert bench.results() == BOTH
    (_, first, payload), (_, second, other) = bench.sent
    assert payload == other == [FOUND.to_bytes()]
    assert bench.worker.jobs == []
    counters = bench.desk.counters
    assert (counters.received, counters.ok, counters.copies) == (1, 1, 1)
    stay_us = max(0, 30 - copy_ms) * 1000
    assert second.queue_us + second.decode_us + second.infer_us <= stay_us
    assert first.infer_us == 20_000 and second.infer_us == min(20_000, stay_us)


def test_a_copy_of_a_refused_request_is_refused_at_once(bench):
    bench.ask("5g", 1, 0, model="none")
    bench.ask("11p", 2, MS, model="none")
    assert [status for *_, status in bench.results()] == ["reject", "reject"]
    assert bench.desk.counters.rejected == 1


def test_a_copy_of_a_failed_request_fails(bench):
    bench.ask("5g", 1, 0)
    bench.ask("11p", 2, MS)
    bench.done(30 * MS, error="the worker died")
    assert [status for *_, status in bench.results()] == ["bad", "bad"]


def test_the_answer_reaches_the_path_that_is_left(bench):
    """The first copy's path is opened anew while the frame is in work."""
    bench.ask("5g", 1, 0)
    bench.ask("11p", 2, MS)
    bench.open("5g", 33, b"again")
    bench.done(30 * MS)
    assert bench.results() == BOTH[1:]
    assert bench.desk.counters.undeliverable == 1


def test_another_frame_or_another_picture_is_no_copy(bench):
    bench.ask("5g", 1, 0, tick=1)
    bench.ask("11p", 2, MS, tick=2)
    bench.ask("5g", 3, MS, tick=1)  # the same path never brings a copy
    assert bench.desk.counters.received == 3 and bench.desk.counters.copies == 0


def test_copies_are_remembered_for_a_second_and_within_bounds():
    duplicates = Duplicates()
    first = wire.unpack(request(1, session=1, tick=1), Request)[0]
    copy = wire.unpack(request(2, session=2, tick=1), Request)[0]
    assert not duplicates.is_copy(first, 0)
    assert duplicates.is_copy(copy, REMEMBERED_NS)
    assert not duplicates.is_copy(copy, REMEMBERED_NS + 1)
    for tick in range(2, 3 * MOST_REMEMBERED):
        other = wire.unpack(request(tick, session=1, tick=tick), Request)[0]
        duplicates.is_copy(other, REMEMBERED_NS + 2)
    assert len(duplicates) <= MOST_REMEMBERED


def test_a_copy_s_share_of_the_work_by_hand():
    assert shares(0, (5, 2, 20)) == (0, 0, 0)
    assert shares(21, (5, 2, 20)) == (0, 1, 20)
    assert shares(99, (5, 2, 20)) == (5, 2, 20)


# --- beacons ------------------------------------------------------------------------------------


@pytest.fixture
def telling():
    made = Bench(wants_beacons=True)
    yield made
    made.worker.close()


def beacons(bench):
    return [(to, message) for to, message, _ in bench.sent if isinstance(message, Beacon)]


def test_a_beacon_tells_load_place_and_models_to_each_path(telling):
    telling.desk.tell(0)
    telling.ask("5g", 1, 10 * MS, tick=1)
    telling.ask("5g", 2, 20 * MS, tick=2, budget_us=500_000)
    telling.done(70 * MS)
    telling.desk.tell(PERIOD_NS - 1)
    assert beacons(telling) == []
    telling.desk.tell(PERIOD_NS)
    (to, five), (other, eleven) = beacons(telling)
    assert (to, five.session, other, eleven.session) == (b"five", 11, b"eleven", 22)
    assert five.number == eleven.number == 1
    assert five.queue_length == 1  # the second is in work
    assert five.busy_share == pytest.approx(
        (60 + 180) / 250
    )  # the second has been in work since 70
    assert five.wait_us == 38_000  # 60 ms here, of which decode 2 and inference 20
    assert five.models == {"large": 60_000} and five.splits == {}
    assert five.position == (10.0, 20.0, 5.0) and five.credits == 2


def test_beacons_go_to_those_who_asked_and_are_heard(telling, bench):
    bench.desk.tell(0)
    bench.desk.tell(PERIOD_NS)
    assert beacons(bench) == []  # a vehicle of before beacons never asks for them
    telling.desk.tell(0)
    telling.hear(wire.pack(Ping(VERSION, "ego", 22, 1)), SILENT_NS - MS, b"eleven")
    telling.desk.tell(SILENT_NS + MS)
    assert [to for to, _ in beacons(telling)] == [b"eleven"]


def test_an_idle_unit_says_so(telling):
    telling.desk.tell(0)
    telling.ask("5g", 1, 0)
    telling.done(50 * MS)
    telling.desk.tell(PERIOD_NS)
    telling.desk.tell(2 * PERIOD_NS)
    last = beacons(telling)[-1][1]
    assert (last.number, last.queue_length, last.busy_share, last.wait_us) == (2, 0, 0.0, 0)


def test_a_beacon_is_small(telling):
    telling.desk.tell(0)
    telling.desk.tell(PERIOD_NS)
    assert sum(map(len, wire.pack(beacons(telling)[0][1]))) < 120


def test_a_flood_of_copies_is_answered_for_a_few(bench):
    bench.ask("5g", 1, 0)
    for seq in range(2, 100):
        bench.ask("11p", seq, MS)
    bench.done(30 * MS)
    assert 2 <= len(bench.results()) <= 10
    assert bench.desk.counters.received == 1 and bench.desk.counters.copies == 98
