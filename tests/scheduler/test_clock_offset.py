"""Offsets of other clocks: their bound holds, whatever the way there and back is like."""

from hypothesis import given
from hypothesis import strategies as st

from scheduler.clock_offset import KEPT, ClockOffset

MS = 1_000_000
SECOND = 1_000 * MS


def exchange(
    clock: ClockOffset, at_ns: int, offset_ns: int, up_ns: int, stay_ns: int, down_ns: int
) -> int:
    """One round trip over a way whose times are known; when it is back."""
    there_ns = at_ns + up_ns + offset_ns
    back_ns = at_ns + up_ns + stay_ns + down_ns
    clock.add(at_ns, there_ns, there_ns + stay_ns, back_ns)
    return back_ns


def test_nothing_is_known_before_an_exchange() -> None:
    assert ClockOffset().at(0) is None


def test_a_symmetric_way_gives_the_offset_itself() -> None:
    clock = ClockOffset(drift=0.0)
    back_ns = exchange(clock, 5 * SECOND, -3 * SECOND, 4 * MS, 2 * MS, 4 * MS)
    assert clock.at(back_ns) == (-3 * SECOND, 4 * MS)


def test_an_asymmetric_way_is_wrong_by_less_than_its_bound() -> None:
    clock = ClockOffset(drift=0.0)
    back_ns = exchange(clock, 0, 7 * SECOND, 40 * MS, MS, 2 * MS)
    known = clock.at(back_ns)
    assert known is not None
    assert known.offset_ns == 7 * SECOND + 19 * MS
    assert abs(known.offset_ns - 7 * SECOND) <= known.bound_ns == 21 * MS


def test_the_quickest_exchange_is_believed() -> None:
    clock = ClockOffset(drift=0.0)
    for k, up_ms in enumerate((80, 5, 90, 70)):
        back_ns = exchange(clock, k * SECOND, SECOND, up_ms * MS, MS, 5 * MS)
    known = clock.at(back_ns)
    assert known is not None and known == (SECOND, 5 * MS)


def test_drift_widens_the_bound_until_a_newer_exchange_is_better() -> None:
    clock = ClockOffset(drift=100e-6)
    quick_ns = exchange(clock, 0, SECOND, MS, MS, MS)
    after_ns = quick_ns + 100 * SECOND
    known = clock.at(after_ns)
    assert known is not None and known.bound_ns == 11 * MS + 300  # drift on the way counts
    exchange(clock, after_ns, SECOND + 8 * MS, 3 * MS, MS, 3 * MS)  # the clocks have parted
    known = clock.at(after_ns + 7 * MS)
    assert known is not None and known.offset_ns == SECOND + 8 * MS


def test_what_does_not_add_up_is_left_out() -> None:
    clock = ClockOffset()
    clock.add(0, 50, 40, 100)  # answered before it came
    clock.add(0, 10, 500, 100)  # stayed longer than the whole way
    assert clock.at(200) is None


def test_an_other_clock_that_began_anew_is_forgotten() -> None:
    clock = ClockOffset()
    for k in range(KEPT):
        exchange(clock, k * SECOND, 9 * SECOND, MS, MS, MS)
    back_ns = exchange(clock, 20 * SECOND, -7 * SECOND, 30 * MS, MS, 30 * MS)
    known = clock.at(back_ns)
    assert known is not None and abs(known.offset_ns + 7 * SECOND) <= known.bound_ns < 40 * MS


@given(
    st.integers(-(10**15), 10**15),
    st.floats(-25e-6, 25e-6),
    st.lists(
        st.tuples(
            st.integers(0, 300 * MS),
            st.integers(0, 50 * MS),
            st.integers(0, 300 * MS),
            st.integers(0, 30 * SECOND),
        ),
        min_size=1,
        max_size=3 * KEPT,
    ),
)
def test_the_bound_holds_whatever_the_delays_and_the_drift(
    offset_ns: int, drift: float, ways: list[tuple[int, int, int, int]]
) -> None:
    """The other clock runs at 1 + drift; the bound of the default 50 ppm must cover it."""
    clock = ClockOffset()

    def there(t_ns: int) -> int:
        return t_ns + offset_ns + int(drift * t_ns)

    now_ns = 0
    for up_ns, stay_ns, down_ns, pause_ns in ways:
        left_ns = now_ns + pause_ns
        came_ns, answered_ns = left_ns + up_ns, left_ns + up_ns + stay_ns
        now_ns = answered_ns + down_ns
        clock.add(left_ns, there(came_ns), there(answered_ns), now_ns)
    known = clock.at(now_ns)
    if known is not None:  # a stay that drifts may outlast a way of no length
        truth_ns = there(now_ns) - now_ns
        assert abs(known.offset_ns - truth_ns) <= known.bound_ns + 2
