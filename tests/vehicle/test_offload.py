"""The vehicle's end of the offload protocol over loopback sockets, with and without CURVE."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq
from msgspec.structs import replace

from scheduler import messages, security, transport, wire
from scheduler.effects import Send
from scheduler.offload_messages import Beacon, Bye, Hello, Ping, Pong, Request, Result, Welcome
from scheduler.tasks import Task
from vehicle.offload import (
    FASTEST_BEACON_NS,
    Addresses,
    Answered,
    Beaconed,
    Heard,
    OffloadLink,
    Ponged,
    Welcomed,
)
from vehicle.perception.detections import Detections


class Unit:
    """A roadside unit's two sockets, driven by hand."""

    def __init__(self, context: zmq.Context, keys: security.Keys | None = None) -> None:
        self.control = transport.bind_router(context, "tcp://127.0.0.1:*", keys)
        self.frames = transport.bind_router(context, "tcp://127.0.0.1:*", keys)
        self.peer = b""

    def hear(self, socket: zmq.Socket) -> messages.Message:
        assert socket.poll(3000), "nothing came"
        self.peer, *parts = socket.recv_multipart()
        message, self.payload = wire.unpack(
            parts,
            Hello,
            Request,
            Ping,
            Bye,
        )
        return message  # type: ignore[return-value]

    def say(self, message: messages.Message, *payload: bytes) -> None:
        self.control.send_multipart([self.control_peer, *wire.pack(message, *payload)])

    def welcome(self, link: OffloadLink) -> Hello:
        hello = greeted(link, self, self.control)
        self.control_peer = self.peer
        greeted(link, self, self.frames)
        self.say(Welcome(1, "rsu1", hello.session, 2, ["large"], [9000]))
        assert heard(link) == [Welcomed(2, [("large", 9_000_000)])]
        return hello

    def close(self) -> None:
        self.control.close()
        self.frames.close()


def greeted(link: OffloadLink, unit: Unit, socket: zmq.Socket) -> Hello:
    """The hello of the link's present session on this socket; older ones may be queued."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        link.greet(time.monotonic_ns())
        if socket.poll(10):
            hello = unit.hear(socket)
            if isinstance(hello, Hello) and hello.session == link.session:
                return hello
    raise AssertionError("no hello came")


def heard(link: OffloadLink) -> list[Heard]:
    assert link.control.poll(3000), "nothing came"
    return link.receive(time.monotonic_ns())


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    made = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def unit(context: zmq.Context) -> Iterator[Unit]:
    made = Unit(context)
    yield made
    made.close()


@pytest.fixture
def link(context: zmq.Context, unit: Unit) -> Iterator[OffloadLink]:
    where = Addresses(address(unit.control), address(unit.frames))
    made = OffloadLink(context, "ego", "rsu1", where)
    made.reopen(time.monotonic_ns())
    yield made
    made.close()


def address(socket: zmq.Socket) -> str:
    return socket.getsockopt(zmq.LAST_ENDPOINT).decode()


def request() -> Send:
    task = Task(1, "ego", "front", 7, 700, "object_detection", 5_000_000, 105_000_000, 640, 384)
    return Send(task, "rsu1", 3, "large", 40_000_000)


def found() -> Detections:
    return Detections(
        np.array([[1, 2, 30, 40]], np.float32), np.array([0.5], np.float32), np.zeros(1, np.int16)
    )


def result(link: OffloadLink, **changes: object) -> Result:
    fields = {
        "version": 1, "unit_id": "rsu1", "session": link.session, "seq": 3, "status": "ok",
        "reason": "", "model": "large", "budget_us": 40_000, "queue_us": 1_000,
        "decode_us": 2_000, "infer_us": 9_000, "queue_length": 0, "credits": 2,
        "retry_after_us": 0,
    }  # fmt: skip
    return Result(**{**fields, **changes})  # type: ignore[arg-type]


def test_hello_on_both_sockets_binds_one_session(link: OffloadLink, unit: Unit) -> None:
    hello = unit.welcome(link)
    assert (hello.vehicle_id, hello.session, hello.channel) == ("ego", link.session, "control")
    assert link.next_hello_ns() is None


def test_request_carries_ages_and_its_checksum(link: OffloadLink, unit: Unit) -> None:
    unit.welcome(link)
    assert link.send(request(), b"jpeg bytes", now_ns=25_000_000)
    sent = unit.hear(unit.frames)
    assert isinstance(sent, Request)
    assert (sent.seq, sent.tick, sent.model, sent.width) == (3, 7, "large", 640)
    assert (sent.age_us, sent.budget_us, sent.size) == (20_000, 40_000, 10)
    assert sent.crc32 == wire.crc32(unit.payload[0])


def test_boxes_of_a_picture_sent_smaller_come_back_in_frame_pixels(
    link: OffloadLink, unit: Unit
) -> None:
    unit.welcome(link)
    task = request().task
    smaller = Send(task, "rsu1", 3, "large", 40_000_000, width=320, height=128)
    assert link.send(smaller, b"jpeg bytes", now_ns=25_000_000)
    sent = unit.hear(unit.frames)
    assert isinstance(sent, Request)
    assert (sent.width, sent.height, sent.scale) == (320, 128, 2.0)
    unit.say(result(link), found().to_bytes())
    unit.say(result(link, seq=4), found().to_bytes())
    got: list[Heard] = []
    while len(got) < 2:
        got += heard(link)
    boxes = [each.detections.xyxy.tolist() for each in got if isinstance(each, Answered)]  # type: ignore[union-attr]
    assert boxes == [[[2, 6, 60, 120]], [[1, 2, 30, 40]]]  # the other one was sent as it is


def test_result_comes_back_with_durations(link: OffloadLink, unit: Unit) -> None:
    unit.welcome(link)
    unit.say(result(link), found().to_bytes())
    unit.say(Pong(1, "rsu1", link.session, 12, 0))
    got: list[Heard] = []
    while len(got) < 2:
        got += heard(link)
    answered, ponged = got
    assert isinstance(answered, Answered) and answered.detections is not None
    assert answered.detections.xyxy.tolist() == [[1, 2, 30, 40]]
    assert answered.report.at_unit_ns == 12_000_000 and answered.report.credits == 2
    assert ponged == Ponged(12)


def test_another_session_or_unit_is_alien(link: OffloadLink, unit: Unit) -> None:
    unit.welcome(link)
    unit.say(result(link, session=link.session ^ 1), found().to_bytes())
    unit.say(result(link, unit_id="rsu2"), found().to_bytes())
    unit.say(Pong(1, "rsu1", link.session, 1, 0))
    got: list[Heard] = []
    while not got:
        got += heard(link)
    assert got == [Ponged(1)]
    assert link.faults.aliens == 2


@pytest.mark.parametrize("payload", [[], [b"short"], [b"\xff" * 21]])
def test_broken_detections_end_the_request_as_bad(
    link: OffloadLink, unit: Unit, payload: list[bytes]
) -> None:
    unit.welcome(link)
    unit.say(result(link), *payload)
    (answered,) = heard(link)
    assert isinstance(answered, Answered)
    assert answered.detections is None and answered.report.status == "bad"
    assert link.faults.malformed == 1


def test_rubbish_is_counted(link: OffloadLink, unit: Unit) -> None:
    unit.welcome(link)
    unit.control.send_multipart([unit.control_peer, b"RESULT", b"\xc1"])
    unit.control.send_multipart([unit.control_peer, b"WHAT", b""])
    unit.control.send_multipart([unit.control_peer, b"x"])
    end = time.monotonic() + 3
    while link.faults.malformed < 3 and time.monotonic() < end:
        link.control.poll(100)
        assert link.receive(time.monotonic_ns()) == []
    assert link.faults.malformed == 3


def test_reopened_link_has_a_new_session(link: OffloadLink, unit: Unit) -> None:
    first = unit.welcome(link)
    generation = link.generation
    link.reopen(time.monotonic_ns())
    assert link.generation != generation and link.session != first.session
    second = unit.welcome(link)
    assert second.session == link.session


def test_too_large_a_request_is_not_sent(link: OffloadLink, unit: Unit) -> None:
    unit.welcome(link)
    assert not link.send(request(), bytes(wire.MAX_OFFLOAD_BYTES), now_ns=25_000_000)


def test_unit_that_does_not_know_the_key_is_noticed(context: zmq.Context, tmp_path: Path) -> None:
    security.write_site(tmp_path / "unit", [("rsu1", "roadside_unit")])
    security.write_site(tmp_path / "stranger", [("ego", "vehicle")])
    site = security.Site(tmp_path / "unit")
    authenticator = security.start_authenticator(context, site)
    unit = Unit(context, site.keys("rsu1"))
    stranger = security.Site(tmp_path / "stranger").keys("ego")
    where = Addresses(address(unit.control), address(unit.frames), stranger, site.peer("rsu1").key)
    link = OffloadLink(context, "ego", "rsu1", where)
    link.reopen(time.monotonic_ns())
    end = time.monotonic() + 5
    refused = 0
    while not refused and time.monotonic() < end:
        link.greet(time.monotonic_ns())
        refused = link.watch_handshakes()
        time.sleep(0.02)
    link.close()
    unit.close()
    authenticator.stop()
    assert refused > 0 and link.faults.refused == refused


def test_heads_come_as_parts_of_the_promised_size(link: OffloadLink, unit: Unit) -> None:
    unit.welcome(link)
    unit.say(result(link, heads={"drivable": 3, "plates": 0}), found().to_bytes(), b"map", b"")
    (answered,) = heard(link)
    assert isinstance(answered, Answered) and answered.report.status == "ok"
    assert answered.heads == {"drivable": b"map", "plates": b""}


@pytest.mark.parametrize("parts", [[], [b"map"], [b"maps", b""], [b"map", b"", b"more"]])
def test_heads_of_another_size_or_number_are_no_answer(
    link: OffloadLink, unit: Unit, parts: list[bytes]
) -> None:
    unit.welcome(link)
    unit.say(result(link, heads={"drivable": 3, "plates": 0}), found().to_bytes(), *parts)
    (answered,) = heard(link)
    assert isinstance(answered, Answered)
    assert answered.report.status == "bad" and answered.detections is None and not answered.heads
    assert link.faults.malformed == 1


def test_request_says_what_its_payload_is(link: OffloadLink, unit: Unit) -> None:
    unit.welcome(link)
    effect = replace(request(), payload_kind="features", heads=("plates",))
    assert link.send(effect, b"features", now_ns=25_000_000)
    sent = unit.hear(unit.frames)
    assert isinstance(sent, Request)
    assert (sent.payload_kind, sent.heads) == ("features", ["plates"])


def test_welcome_of_a_unit_that_knows_no_splits_lists_none(link: OffloadLink, unit: Unit) -> None:
    """An older unit's header ends before these fields."""
    hello = unit.welcome(link)
    old = [1, "rsu1", hello.session, 2, ["large"], [9000]]
    parts = [Welcome.kind, msgspec.msgpack.encode(old)]
    unit.control.send_multipart([unit.control_peer, *parts])
    assert heard(link) == [Welcomed(2, [("large", 9_000_000)], [], {})]


def beacon(link: OffloadLink, number: int, **changes: object) -> Beacon:
    fields = {
        "version": 1, "unit_id": "rsu1", "session": link.session, "number": number,
        "queue_length": 2, "busy_share": 0.5, "wait_us": 7_000, "credits": 1,
        "models": {"large": 9_000}, "splits": {}, "position": (1.0, 2.0, 3.0),
    }  # fmt: skip
    return Beacon(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_beacon_tells_the_load(link: OffloadLink, unit: Unit) -> None:
    hello = unit.welcome(link)
    assert hello.wants_beacons and hello.path == ""
    unit.say(beacon(link, 1))
    (said,) = heard(link)
    assert isinstance(said, Beaconed)
    load = said.load
    assert (load.queue_length, load.wait_ns, load.busy_share) == (2, 7_000_000, 0.5)
    assert (load.models, load.position, load.credits) == ({"large": 9_000_000}, (1.0, 2.0), 1)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"session": 5}, "aliens"),
        ({"unit_id": "rsu2"}, "aliens"),
        ({"busy_share": 1.5}, "malformed"),
        ({"position": (float("nan"), 0.0, 0.0)}, "malformed"),
        ({"position": (1e12, 0.0, 0.0)}, "malformed"),
        ({"models": {f"m{k}": 1 for k in range(65)}}, "malformed"),
        ({"wait_us": 2**40}, "malformed"),
    ],
)
def test_a_beacon_out_of_bounds_is_counted_and_dropped(
    link: OffloadLink, unit: Unit, changes: dict[str, object], fault: str
) -> None:
    unit.welcome(link)
    unit.say(beacon(link, 1, **changes))
    assert heard(link) == []
    assert getattr(link.faults, fault) == 1


def test_beacons_that_come_too_fast_or_too_late_are_not_believed(
    link: OffloadLink, unit: Unit
) -> None:
    unit.welcome(link)
    told: list[Heard] = []
    for number, at_ns in ((5, 0), (6, 1), (4, FASTEST_BEACON_NS), (7, FASTEST_BEACON_NS)):
        unit.say(beacon(link, number, queue_length=number))
        assert link.control.poll(3000)
        told += link.receive(10**12 + at_ns)
    assert [item.load.queue_length for item in told if isinstance(item, Beaconed)] == [5, 7]
    assert link.faults.flood == 2


def test_a_closed_link_says_good_bye_hears_nothing_and_opens_again(
    link: OffloadLink, unit: Unit
) -> None:
    hello = unit.welcome(link)
    link.leave()
    while isinstance(said := unit.hear(unit.control), Hello):
        assert said.session == hello.session  # said again before the welcome
    assert isinstance(said, Bye)
    assert link.pollable is None and link.receive(0) == [] and link.next_hello_ns() is None
    link.greet(time.monotonic_ns())
    assert link.watch_handshakes() == 0
    link.reopen(time.monotonic_ns())
    assert unit.welcome(link).session != hello.session


def test_each_radio_says_which_it_is(context: zmq.Context, unit: Unit) -> None:
    where = Addresses(address(unit.control), address(unit.frames))
    made = OffloadLink(context, "ego", "rsu1", where, "5g")
    try:
        made.reopen(time.monotonic_ns())
        assert greeted(made, unit, unit.frames).path == "5g"
    finally:
        made.close()
