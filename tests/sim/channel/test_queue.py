from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.channel.queue import LEAST_RESEND_NS, NS_PER_S, PACKET_BYTES, LinkQueue

MS = 1_000_000
rates = st.sampled_from([0, 1, 999, 1_000_000, 5_000_000, 27_000_000])
segments = st.lists(st.tuples(st.integers(1, 200), rates), min_size=1, max_size=8)
offers = st.lists(
    st.tuples(st.integers(0, 800), st.sampled_from("ab"), st.integers(1, 5000)), max_size=12
)


def queue(bps: float, delay_ms: float = 0.0, loss: float = 0.0) -> LinkQueue[str]:
    made: LinkQueue[str] = LinkQueue(65_536, "seed")
    made.set_state(0, bps, delay_ms, loss)
    return made


def drained(link: LinkQueue[str], until_ns: int) -> list[tuple[int, str, bytes]]:
    out = []
    while (due := link.due_ns()) is not None and due <= until_ns:
        out += [(due, *arrived) for arrived in link.take(due)]
    return out


def test_message_arrives_after_transmission_and_delay():
    link = queue(5_000_000, 20.0)
    link.offer(0, "frames", bytes(30_000))
    arrived = drained(link, NS_PER_S)
    assert b"".join(data for _, _, data in arrived) == bytes(30_000)
    assert arrived[-1][0] == 48 * MS + 20 * MS  # 240,000 bits at 5 Mbit/s, then the air


def test_all_flows_share_one_queue():
    link = queue(1_000_000)
    link.offer(0, "frames", bytes(PACKET_BYTES))
    link.offer(0, "control", b"ping")
    arrived = drained(link, NS_PER_S)
    assert [flow for _, flow, _ in arrived] == ["frames", "control"]
    assert arrived[1][0] == (PACKET_BYTES + 4) * 8 * 1000  # ns: the ping waits for the frame


def test_queue_waits_through_an_outage():
    link = queue(1_000_000)
    link.offer(0, "a", bytes(1250))  # 10 ms
    link.set_state(4 * MS, 0.0, 0.0, 0.0)
    assert link.due_ns() is None
    assert link.take(500 * MS) == []
    link.set_state(1000 * MS, 2_000_000, 0.0, 0.0)
    assert link.due_ns() == 1003 * MS


def test_order_is_kept_when_the_delay_falls():
    link = queue(8_000_000, 50.0)
    link.offer(0, "a", b"x" * 1000)
    link.take(2 * MS)
    link.set_state(2 * MS, 8_000_000, 1.0, 0.0)
    link.offer(2 * MS, "b", b"y" * 1000)
    assert [flow for _, flow, _ in drained(link, NS_PER_S)] == ["a", "b"]


def test_mark_arrives_behind_the_bytes_before_it():
    link = queue(8_000_000)
    link.offer(0, "a", bytes(1000))
    link.offer(0, "a", b"")
    assert [len(data) for _, _, data in drained(link, NS_PER_S)] == [1000, 0]


def test_clear_loses_what_is_queued_and_on_the_air():
    link = queue(8_000_000, 100.0)
    link.offer(0, "a", bytes(2000))
    assert link.clear(1500_000) == 2000
    assert link.due_ns() is None
    assert link.room() == 65_536


def test_what_comes_after_a_clear_does_not_wait_for_what_was_lost():
    link = queue(8_000_000, 5000.0)
    link.offer(0, "a", bytes(1000))
    link.take(2_000_000)  # on the air, for five seconds
    link.clear(3_000_000)
    link.set_state(3_000_000, 8_000_000, 1.0, 0.0)
    link.offer(3_000_000, "b", bytes(1000))
    assert link.take(5_000_000) == [("b", bytes(1000))]


def test_room_is_the_limit_less_what_waits():
    link = queue(0)
    link.offer(0, "a", bytes(60_000))
    assert link.room() == 5_536
    link.offer(0, "a", bytes(10_000))
    assert link.room() == 0


def test_loss_is_delay_of_about_the_right_size():
    link = queue(1e9, 20.0, 0.1)
    for index in range(2000):
        link.offer(index * 1000 * MS, "a", bytes(100))
    arrived = drained(link, 10**15)
    late = [due - 1000 * MS * i - 20 * MS > 1 * MS for i, (due, _, _) in enumerate(arrived)]
    assert len(arrived) == 2000
    assert 0.07 < sum(late) / 2000 < 0.13
    assert max(due - 1000 * MS * i for i, (due, _, _) in enumerate(arrived)) >= 60 * MS


def test_without_loss_no_repetition():
    link = queue(1e9, 1.0)
    link.offer(0, "a", bytes(100))
    assert drained(link, NS_PER_S)[0][0] < MS + LEAST_RESEND_NS


def test_same_seed_same_fates():
    def fates(seed: str) -> list[int]:
        link: LinkQueue[str] = LinkQueue(65_536, seed)
        link.set_state(0, 1e6, 5.0, 0.3)
        link.offer(0, "a", bytes(60_000))
        return [due for due, _, _ in drained(link, 10**12)]

    assert fates("1") == fates("1")
    assert fates("1") != fates("2")


@settings(deadline=None)  # examples are small, but the machine may be busy
@given(segments, offers)
def test_rate_is_integrated_exactly(parts, sent):
    """Against the definition: a packet leaves when the integral reaches its last bit."""
    starts = []
    now = 0
    for length_ms, bps in parts:
        starts.append((now, bps))
        now += length_ms * MS
    starts.append((now, 1_000_000))  # the rest is served at last
    link: LinkQueue[int] = LinkQueue(10**9, "s")
    expected, free = [], Fraction(0)
    events = sorted(
        [(at, 0, ("rate", bps)) for at, bps in starts]
        + [(at * MS, 1, ("offer", size)) for at, _, size in sent],
        key=lambda event: event[:2],
    )
    taken = []
    for at, _, (what, value) in events:
        while (due := link.due_ns()) is not None and due < at:
            taken += [(due, flow) for flow, _ in link.take(due)]
        if what == "rate":
            link.set_state(at, value, 0.0, 0.0)
            continue
        link.offer(at, value, bytes(value))
        free = max(free, capacity(starts, at))
        for start in range(0, value, PACKET_BYTES):
            free += 8 * min(PACKET_BYTES, value - start)
            expected.append(reached(starts, free))
    while (due := link.due_ns()) is not None:
        taken += [(due, flow) for flow, _ in link.take(due)]
    assert [at for at, _ in taken] == expected
    assert link.waiting_bytes == 0


def capacity(starts, at_ns):
    """Bits that the link can have carried by an instant."""
    total = Fraction(0)
    for (begin, bps), (end, _) in zip(starts, [*starts[1:], (None, 0)], strict=True):
        stop = at_ns if end is None else min(end, at_ns)
        total += Fraction(bps * max(0, stop - begin), NS_PER_S)
    return total


def reached(starts, bits):
    """The first whole nanosecond by which the link can have carried so many bits."""
    for (begin, bps), (end, _) in zip(starts, [*starts[1:], (None, 0)], strict=True):
        before = capacity(starts, begin)
        if end is not None and capacity(starts, end) < bits:
            continue
        exact = begin + (bits - before) * NS_PER_S / bps
        return -(-exact.numerator // exact.denominator)
    raise AssertionError


@settings(deadline=None)  # examples are small, but the machine may be busy
@given(segments, offers)
def test_every_byte_arrives_once_in_the_order_of_its_flow(parts, sent):
    link: LinkQueue[str] = LinkQueue(10**9, "s")
    now, arrived = 0, []
    given_bytes = {"a": b"", "b": b""}
    for index, (at_ms, flow, size) in enumerate(sorted(sent)):
        data = bytes([index]) * size
        link.set_state(at_ms * MS, parts[index % len(parts)][1], 3.0, 0.2)
        arrived += link.take(at_ms * MS)
        link.offer(at_ms * MS, flow, data)
        given_bytes[flow] += data
        now = at_ms * MS
    link.set_state(now, 1e9, 0.0, 0.0)
    arrived += link.take(now + 100 * NS_PER_S)
    for flow, data in given_bytes.items():
        assert b"".join(piece for whose, piece in arrived if whose == flow) == data


@pytest.mark.parametrize("at_ms", [0, 5, 10])
def test_polling_more_often_changes_nothing(at_ms):
    seldom, often = queue(1_000_000, 1.0), queue(1_000_000, 1.0)
    for link in (seldom, often):
        link.offer(at_ms * MS, "a", bytes(3000))
    for step in range(1, 60):
        often.take(step * MS // 3)
    assert drained(seldom, NS_PER_S)[-1][0] == drained(often, NS_PER_S)[-1][0]
