from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.channel.link_model import (
    LEAST_RESEND_NS,
    NS_PER_S,
    PACKET_BYTES,
    Direction,
    LinkModel,
    Outage,
    Row,
)
from sim.channel.trace import Trace

MS = 1_000_000
spans_ms = st.integers(1, 500)
rates = st.sampled_from([0, 1_000, 999_999, 1_000_000, 5_000_000, 27_000_000])
segments = st.lists(
    st.tuples(spans_ms, rates, st.integers(0, 60), st.sampled_from([0.0, 0.2])),
    min_size=1,
    max_size=8,
)
offers = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 6000)), min_size=1, max_size=20)


def rows_of(made: list[tuple[int, int, int, float]], *, loss: bool = True) -> list[Row]:
    rows, at_ms = [], 0
    for span, rate, delay_ms, share in made:
        rows.append(Row(at_ms * MS, rate, delay_ms * MS, share if loss else 0.0))
        at_ms += span
    return rows


def link(
    *rows: tuple[int, int, int, float],
    limit: int = 65_536,
    outage: Outage = "hold",
    loops: bool = False,
    seed: str = "s",
) -> Direction:
    made = [Row(at * MS, rate, delay * MS, loss) for at, rate, delay, loss in rows]
    return Direction(made, limit_bytes=limit, outage=outage, seed=seed, loops=loops)


def served_bits(rows: list[Row], until_ns: int, *, loops: bool) -> Fraction:
    """C by the definition: the sum of the rate over every nanosecond of every row."""
    total, lap_ns = Fraction(0), 0
    period_ns = rows[-1].start_ns + (
        rows[-1].start_ns - rows[-2].start_ns if len(rows) > 1 else 100 * MS
    )
    while True:
        for row, after in zip(rows, [*rows[1:], None], strict=True):
            end_ns = after.start_ns if after else (period_ns if loops else until_ns)
            span_ns = min(until_ns, lap_ns + end_ns) - (lap_ns + row.start_ns)
            total += Fraction(row.rate_bps * max(0, span_ns), NS_PER_S)
        lap_ns += period_ns
        if not loops or lap_ns >= until_ns:
            return total


def test_message_takes_its_transmission_and_the_delay():
    assert link((0, 5_000_000, 20, 0.0)).message(30_000, 0) == 48 * MS + 20 * MS


def test_everything_shares_one_queue():
    up = link((0, 1_000_000, 0, 0.0))
    up.message(PACKET_BYTES, 0)
    assert up.packet(4, 0) == (PACKET_BYTES + 4) * 8 * 1000


def test_rate_changes_in_the_middle_of_a_packet():
    up = link((0, 1_000_000, 0, 0.0), (4, 2_000_000, 0, 0.0))
    assert up.packet(1250, 0) == 7 * MS  # 4,000 bits in 4 ms, 6,000 in 3


def test_hold_waits_through_an_outage():
    up = link((0, 1_000_000, 0, 0.0), (4, 0, 0, 0.0), (1000, 2_000_000, 0, 0.0))
    assert up.packet(1250, 0) == 1003 * MS


def test_drop_loses_packets_in_the_queue_and_those_that_come_during_the_outage():
    up = link((0, 1_000_000, 0, 0.0), (4, 0, 0, 0.0), (1000, 2_000_000, 0, 0.0), outage="drop")
    assert up.packet(250, 0) == 2 * MS
    assert up.packet(1250, 0) is None  # would need until after the outage
    assert up.packet(1, 3 * MS) is None  # behind it in the queue
    assert up.packet(1, 500 * MS) is None
    assert up.packet(250, 1000 * MS) == 1001 * MS  # nothing lost takes the rate from it
    assert up.lost == 3


def test_reliable_message_waits_through_a_short_drop_and_dies_in_a_long_one():
    short = link((0, 1_000_000, 0, 0.0), (4, 0, 0, 0.0), (304, 1_000_000, 0, 0.0), outage="drop")
    assert short.message(1250, 0) == 310 * MS
    long = link((0, 1_000_000, 0, 0.0), (4, 0, 0, 0.0), (305, 1_000_000, 0, 0.0), outage="drop")
    assert long.message(1250, 0) is None
    assert long.message(1250, 305 * MS) == 315 * MS


def test_link_without_an_end_to_its_outage_loses_all():
    up = link((0, 1_000_000, 0, 0.0), (4, 0, 0, 0.0))
    assert up.packet(1250, 0) is None
    assert up.message(1250, 0) is None
    never = link((0, 0, 0, 0.0), loops=True)
    assert never.message(1250, 0) is None


def test_outage_across_the_seam_of_a_loop_counts_as_one():
    rows = ((0, 0, 0, 0.0), (200, 1_000_000, 0, 0.0), (400, 0, 0, 0.0))
    up = link(*rows, outage="drop", loops=True)  # 600 ms a lap; dark from 400 to 800
    assert up.message(125, 300 * MS) == 301 * MS
    assert up.message(125_000, 300 * MS) is None
    assert up.message(125, 650 * MS) is None
    assert up.message(125, 800 * MS) == 801 * MS


def test_full_queue_drops_the_newest():
    up = link((0, 1_000_000, 0, 0.0), limit=3000)
    assert up.packet(1500, 0) == 12 * MS
    assert up.packet(1500, 0) == 24 * MS
    assert up.packet(1500, 0) is None
    assert up.full == 1
    assert up.packet(1500, 12 * MS) == 36 * MS  # room again


def test_order_is_kept_when_the_delay_falls():
    up = link((0, 8_000_000, 50, 0.0), (2, 8_000_000, 1, 0.0))
    assert up.packet(1000, 0) == 51 * MS
    assert up.packet(1000, 2 * MS) == 51 * MS


def test_lost_packets_are_as_many_as_asked():
    up = link((0, 100_000_000, 10, 0.05))
    fates = [up.packet(100, index * MS) for index in range(20_000)]
    assert fates.count(None) / 20_000 == pytest.approx(0.05, abs=0.006)


def test_lost_packet_of_a_message_costs_a_round_trip():
    rows = ((0, 100_000_000, 20, 0.3),)
    up = link(*rows)
    extra = []
    for second in range(2000):
        arrival = up.message(PACKET_BYTES, second * NS_PER_S)
        assert arrival is not None
        extra.append(round((arrival - second * NS_PER_S - 20 * MS) / (40 * MS)))
    for losses in range(3):
        share = sum(count == losses for count in extra) / len(extra)
        assert share == pytest.approx(0.7 * 0.3**losses, abs=0.03)


def test_no_loss_costs_less_than_the_least_resend():
    up = link((0, 100_000_000, 0, 0.5))
    arrivals = [up.message(1, second * NS_PER_S) for second in range(50)]
    late = {
        (arrival - second * NS_PER_S) // LEAST_RESEND_NS
        for second, arrival in enumerate(arrivals)
        if arrival is not None
    }
    assert {0, 1} <= late


def test_same_seed_same_fates_and_another_seed_others():
    def fates(seed: str) -> list[int | None]:
        up = link((0, 5_000_000, 5, 0.1), seed=seed)
        return [up.packet(1000, index * 2 * MS) for index in range(500)]

    assert fates("a") == fates("a")
    assert fates("a") != fates("b")


@given(segments, offers, st.booleans())
@settings(max_examples=150, deadline=None)
def test_server_is_exact_work_conserving_and_in_order(made, sizes, loops):
    rows = [row._replace(delay_ns=0) for row in rows_of(made, loss=False)]
    up = Direction(rows, limit_bytes=1 << 40, outage="hold", seed="s", loops=loops)
    now_ns, free, last_ns = 0, Fraction(0), 0
    for wait_ms, size in sizes:
        now_ns += wait_ms * MS
        free = max(free, served_bits(rows, now_ns, loops=loops)) + size * 8
        arrival = up.packet(size, now_ns)
        if arrival is None:
            assert rows[-1].rate_bps == 0  # never comes back, or has no rate at all
            assert not loops or not any(row.rate_bps for row in rows)
            return
        if arrival > 20 * NS_PER_S:
            return  # the sum above would take too long
        assert served_bits(rows, arrival, loops=loops) >= free
        assert served_bits(rows, arrival - 1, loops=loops) < free
        assert arrival >= last_ns
        last_ns = arrival


@given(segments, offers)
@settings(max_examples=150, deadline=None)
def test_message_is_there_with_its_last_packet(made, sizes):
    """Closed form over many packets = the same packets one by one, losses and all."""
    rows = rows_of([*made, (1, 1_000_000, 5, 0.2)])
    whole = Direction(rows, limit_bytes=1, outage="hold", seed="s", loops=False)
    parts = Direction(rows, limit_bytes=1, outage="hold", seed="s", loops=False)
    now_ns = 0
    for wait_ms, size in sizes:
        now_ns += wait_ms * MS
        arrival = 0
        for start in range(0, size, PACKET_BYTES):
            place = parts.enter(min(PACKET_BYTES, size - start), now_ns)
            arrival = parts.leave_ns(place)
        assert whole.message(size, now_ns) == arrival


@given(segments, offers)
@settings(max_examples=100, deadline=None)
def test_dropping_link_conserves_packets_and_delivers_only_in_coverage(made, sizes):
    rows = [row._replace(delay_ns=0) for row in rows_of(made)]
    up = Direction(rows, limit_bytes=20_000, outage="drop", seed="s", loops=False)
    now_ns, delivered = 0, 0
    for wait_ms, size in sizes:
        now_ns += wait_ms * MS
        arrival = up.packet(size, now_ns)
        if arrival is None:
            continue
        delivered += 1
        between = [row for row in rows if now_ns < row.start_ns < arrival - 1]
        assert all(row.rate_bps for row in between)
    assert delivered + up.lost + up.full == len(sizes)


@given(segments, offers)
@settings(max_examples=100, deadline=None)
def test_rows_that_come_as_time_passes_give_what_rows_known_beforehand_give(made, sizes):
    rows = rows_of([*made, (1, 1_000_000, 5, 0.0)])
    known = Direction(rows, limit_bytes=1, outage="hold", seed="s", loops=False)
    live = Direction([], limit_bytes=1, outage="hold", seed="s", loops=False)
    coming, now_ns, places, expected = list(rows), 0, [], []
    for wait_ms, size in sizes:
        now_ns += wait_ms * MS
        while coming and coming[0].start_ns <= now_ns:
            live.append(coming.pop(0))
        size = min(size, PACKET_BYTES)
        expected.append(known.leave_ns(known.enter(size, now_ns)))
        places.append(live.enter(size, now_ns))
    for row in coming:
        live.append(row)
    assert [live.leave_ns(place) for place in places] == expected


def test_a_place_waits_for_rows_that_are_not_known():
    live = Direction([], limit_bytes=1, outage="hold", seed="s", loops=False)
    assert live.served_ns(live.enter(0, 0)) is None
    live.append(Row(5 * MS, 0, 0, 0.0))
    place = live.enter(125, 6 * MS)
    assert live.served_ns(place) is None
    assert live.waiting_bytes(6 * MS) == 126  # the one without size counts as a begun byte
    live.append(Row(10 * MS, 1_000_000, 3 * MS, 0.0))
    assert live.served_ns(place) == 11 * MS + 1
    assert live.leave_ns(place) == 14 * MS + 1


def test_rows_must_increase_and_a_loop_begins_at_zero():
    with pytest.raises(ValueError, match="after 0 ns"):
        link((0, 1, 0, 0.0), (0, 2, 0, 0.0))
    with pytest.raises(ValueError, match="from 0 ns"):
        link((5, 1, 0, 0.0), loops=True)
    with pytest.raises(ValueError, match="after"):
        link((0, 1, 0, 0.0), loops=True).append(Row(MS, 1, 0, 0.0))


def test_model_of_a_trace_has_its_directions(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("0,1e6,10,0,2e6,5,0\n0.1,3e6,10,0,4e6,5,0\n")
    model = LinkModel.of(Trace(path), limit_bytes=65_536, outage="hold", seed="s")
    assert model.up.message(125, 0) == 11 * MS
    assert model.dn.message(250, 0) == 6 * MS
    assert model.up.message(375, 300 * MS) == 311 * MS  # the second lap's second row
