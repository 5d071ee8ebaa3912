import pytest

from roadside_unit.desk import Desk
from scheduler import wire
from scheduler.messages import VERSION
from scheduler.offload_messages import Bye, Ping, Pong, Result, Welcome
from scheduler.security import Site, write_site
from vehicle.perception.detections import Detections

from .fakes import FOUND, JPEG, MS, FakeWorker, hello, request


class Bench:
    """A desk whose messages are kept."""

    def __init__(self, site=None):
        self.sent = []
        self.said = []
        self.is_gone = False
        self.worker = FakeWorker()
        self.desk = Desk(
            unit_id="rsu",
            credits=2,
            models=["large"],
            worker=self.worker,
            site=site,
            send=self._send,
            say=lambda level, text: self.said.append((level, text)),
        )

    def _send(self, connection, parts):
        if not self.is_gone:
            self.sent.append((connection, parts))
        return not self.is_gone

    def hear(self, parts, now_ns=0, key=None, connection=b"c"):
        self.desk.on_message(connection, key, parts, now_ns)

    def open(self, vehicle="ego", session=7, key=None):
        self.hear(hello("frames", vehicle, session), 0, key, b"f")
        self.hear(hello("control", vehicle, session), 0, key, b"c")

    def results(self):
        found = []
        for _, parts in self.sent:
            message, payload = wire.unpack(
                parts,
                Result,
                Welcome,
                Pong,
                Bye,
            )
            if isinstance(message, Result):
                found.append((message, payload))
        return found


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.worker.close()


def statuses(bench):
    return [(result.seq, result.status) for result, _ in bench.results()]


def test_welcome_comes_when_both_sockets_are_bound(bench):
    bench.desk.admission.learn("large", 20 * MS)
    bench.hear(hello("control"))
    assert bench.sent == []
    bench.hear(hello("frames"), connection=b"f")
    ((connection, parts),) = bench.sent
    welcome, _ = wire.unpack(parts, Welcome)
    assert connection == b"c"
    assert welcome == Welcome(VERSION, "rsu", 7, 2, ["large"], [20_000])


def test_result_carries_detections_durations_and_the_budget(bench):
    bench.open()
    bench.hear(request(1), 10 * MS)
    assert bench.worker.jobs == [(1, "large", JPEG, 96, 64)]
    bench.desk.on_answers([bench.worker.done()], 40 * MS)
    ((result, payload),) = bench.results()
    assert (result.status, result.seq, result.session) == ("ok", 1, 7)
    # 30 ms here, of which 22 were computing: the three add up.
    assert (result.queue_us, result.decode_us, result.infer_us) == (8000, 2000, 20_000)
    assert (result.budget_us, result.credits) == (80_000, 2)
    assert Detections.from_bytes(payload[0]).xyxy.tolist() == FOUND.xyxy.tolist()
    assert bench.desk.counters.ok == bench.desk.counters.received == 1


def test_queue_time_counts_from_complete_receipt(bench):
    bench.open()
    bench.hear(request(1), 0)
    bench.hear(request(2), 5 * MS)
    bench.desk.on_answers([bench.worker.done()], 25 * MS)
    bench.desk.on_answers([bench.worker.done()], 50 * MS)
    assert [result.queue_us for result, _ in bench.results()] == [3000, 23_000]


def test_newer_frame_answers_the_older_at_once(bench):
    bench.open()
    for seq in (1, 2, 3):
        bench.hear(request(seq), seq * MS)
    assert statuses(bench) == [(2, "late")]  # 1 runs, 3 waits in 2's place
    bench.desk.on_answers([bench.worker.done()], 25 * MS)
    assert [job[0] for job in bench.worker.jobs] == [2]
    bench.desk.on_answers([bench.worker.done()], 50 * MS)
    assert statuses(bench) == [(2, "late"), (1, "ok"), (3, "ok")]


def test_frame_that_waited_too_long_is_not_computed(bench):
    bench.open()
    bench.hear(request(1), 0)
    bench.hear(request(2, budget_us=30_000), 0)
    bench.desk.on_answers([bench.worker.done()], 100 * MS)
    assert statuses(bench) == [(1, "ok"), (2, "late")]
    assert bench.worker.jobs == []


def test_crash_of_the_worker_costs_one_bad_and_refuses_the_waiting(bench):
    bench.open()
    bench.hear(request(1), 0)
    bench.hear(request(2), MS)
    dead = bench.worker.done("worker died")
    bench.worker.is_ready = False
    bench.desk.on_answers([dead], 2 * MS)
    assert statuses(bench) == [(1, "bad"), (2, "reject")]
    assert bench.results()[1][0].retry_after_us > 0
    bench.hear(request(3), 3 * MS)
    assert statuses(bench)[2:] == [(3, "reject")]
    bench.worker.is_ready = True
    bench.hear(request(4), 4 * MS)
    assert len(bench.worker.jobs) == 1


@pytest.mark.parametrize(
    ("parts", "status", "said"),
    [
        (request(1, crc32=1), "bad", "checksum"),
        (request(1, width=128), "bad", "header"),
        (request(1, jpeg=b"no picture"), "bad", "start-of-image"),
        (request(1, model="huge"), "reject", "no model 'huge'"),
    ],
)
def test_unusable_request_is_answered_with_the_reason(bench, parts, status, said):
    bench.open()
    bench.hear(parts)
    ((result, payload),) = bench.results()
    assert result.status == status and said in result.reason
    assert payload == [] and bench.worker.jobs == []


def test_request_without_a_session_is_counted_and_dropped(bench):
    bench.hear(request(1))
    bench.open()
    bench.hear(request(1, session=8))
    assert bench.desk.counters.unbound == 2
    assert bench.desk.counters.received == 0 and bench.results() == []


def test_result_of_a_replaced_session_goes_nowhere(bench):
    bench.open()
    bench.hear(request(1), 0)
    bench.hear(request(2), 0)
    bench.open(session=8)
    bench.desk.on_answers([bench.worker.done()], MS)
    assert bench.results() == []
    counters = bench.desk.counters
    assert (counters.undeliverable, counters.dropped, counters.ok) == (1, 1, 1)


def test_result_to_a_vehicle_that_is_gone_is_counted(bench):
    bench.open()
    bench.hear(request(1))
    bench.is_gone = True
    bench.desk.on_answers([bench.worker.done()], MS)
    assert bench.desk.counters.undeliverable == 1


def test_ping_is_answered_with_the_queue(bench):
    bench.open()
    bench.hear(request(1))
    bench.hear(request(2))
    bench.sent.clear()
    bench.hear(wire.pack(Ping(VERSION, "ego", 7, 42)))
    pong, _ = wire.unpack(bench.sent[0][1], Pong)
    assert pong == Pong(VERSION, "rsu", 7, 42, 2)


def test_bye_ends_the_session(bench):
    bench.open()
    bench.hear(wire.pack(Bye(VERSION, "ego", 7)))
    bench.hear(request(1))
    assert bench.desk.counters.unbound == 1
    assert bench.desk.status(MS, 0).vehicles == []


def test_alien_vehicle_id_is_dropped(tmp_path):
    write_site(tmp_path, [("ego", "vehicle"), ("other", "vehicle")])
    site = Site(tmp_path)
    bench = Bench(site)
    try:
        bench.open(key=site.keys("ego").public)
        bench.hear(request(1), key=site.keys("other").public)  # another's session, its own key
        bench.hear(hello("control"), key=site.keys("other").public)
        bench.hear(request(2), key=None)
        assert bench.desk.counters.aliens == 3
        assert bench.results() == [] and bench.worker.jobs == []
        bench.hear(request(3), key=site.keys("ego").public)
        assert len(bench.worker.jobs) == 1
    finally:
        bench.worker.close()


def test_flood_of_rubbish_mutes_that_peer_alone(bench):
    bench.open()
    for _ in range(30):
        bench.hear([b"REQUEST", b"\xff"], 0, None, b"bad")
    bench.hear(request(1), 0)
    assert statuses(bench) == []
    assert len(bench.worker.jobs) == 1
    counters = bench.desk.counters
    assert (counters.malformed, counters.muted) == (21, 9)
    assert bench.said[-1][0] == "warning"
    bench.hear([b"REQUEST", b"\xff"], 11_000 * MS, None, b"bad")
    assert counters.malformed == 22  # heard again


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"REQUEST"],
        [b"NONSENSE", b"\x90"],
        [b"HELLO", b"\x94\x63\xa3ego\x07\xa7control"],  # another version
        [b"REQUEST", b"\x91" * 4000],
        [b"REQUEST", b"\xdd\xff\xff\xff\xff"],
        [b"REQUEST", b"\x90" + bytes(5000)],
        [b"HELLO", b"\x94\x01\xa3\xff\xfe\xfd\x07\xa7control"],  # not UTF-8
    ],
)
def test_malformed_message_is_counted_and_nothing_else(bench, parts):
    bench.hear(parts)
    assert bench.desk.counters.malformed == 1
    assert bench.sent == []


def test_status_adds_up_and_tells_how_busy(bench):
    bench.open()
    bench.hear(request(1), 0)
    bench.hear(request(2), 0)
    bench.hear(request(3, crc32=1), 0)
    bench.desk.on_answers([bench.worker.done()], 22 * MS)
    status = bench.desk.status(44 * MS, 30 * MS)
    assert (status.received, status.ok, status.bad, status.queue_length) == (3, 1, 1, 1)
    assert status.busy_share == pytest.approx(0.5)  # 22 of 44 ms
    assert status.infer_ms == {"large": pytest.approx(22.0)}
    assert status.vehicles == ["ego"]


FEATURES = b"VDBF" + bytes(60)


def asked(seq=1, jpeg=FEATURES, **changes):
    return request(seq, jpeg=jpeg, payload_kind="features", **changes)


def test_welcome_tells_which_models_take_features_and_which_heads_they_have(bench):
    bench.desk.splits, bench.desk.heads = ("large",), {"large": ["light_state"]}
    bench.desk.admission.learn("large+split", 12 * MS)
    bench.open()
    ((_, parts),) = bench.sent
    welcome, _ = wire.unpack(parts, Welcome)
    assert welcome.splits == {"large": 12_000} and welcome.heads == {"large": ["light_state"]}


def test_features_go_to_the_second_half_and_its_time_is_learnt_apart(bench):
    bench.desk.splits = ("large",)
    bench.open()
    bench.hear(asked(), 10 * MS)
    assert bench.worker.jobs == [(1, "large", FEATURES, 96, 64)]
    assert bench.worker.heads == ["decode"]
    bench.desk.on_answers([bench.worker.done()], 25 * MS)
    assert statuses(bench) == [(1, "ok")]
    assert bench.desk.admission.expected_ns("large+split") == 15 * MS
    assert bench.desk.admission.expected_ns("large") == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"payload_kind": "features"}, "no decoder for 'large' here, only pictures"),
        ({"payload_kind": "pixels"}, "payload 'pixels': expected jpeg or features"),
        ({"payload_kind": "jpeg", "heads": ["plates"]}, "large has no head 'plates' here"),
    ],
)
def test_what_a_unit_cannot_do_is_rejected_at_once_with_the_reason(bench, changes, said):
    bench.desk.heads = {"large": ["light_state"]}
    bench.open()
    bench.hear(request(**changes), 10 * MS)
    ((result, payload),) = bench.results()
    assert result.status == "reject" and said in result.reason and payload == []
    assert bench.worker.jobs == [] and bench.desk.counters.rejected == 1
    assert not bench.desk.counters.malformed, "it is no rubbish, only not served here"


def test_all_asked_heads_come_from_one_run_in_parts_of_their_own(bench):
    bench.desk.heads = {"large": ["light_state", "drivable"]}
    bench.open()
    bench.hear(request(heads=["drivable", "light_state"]), 10 * MS)
    assert len(bench.worker.jobs) == 1 and bench.worker.heads == [("drivable", "light_state")]
    results = {"drivable": b"map", "light_state": b"green", "big": bytes(70_000)}
    bench.desk.on_answers([bench.worker.done(heads=results)], 40 * MS)
    ((result, payload),) = bench.results()
    assert result.heads == {"drivable": 3, "light_state": 5}
    assert payload == [FOUND.to_bytes(), b"map", b"green"]
    assert bench.desk.admission.expected_ns("large+2 heads") == 30 * MS
