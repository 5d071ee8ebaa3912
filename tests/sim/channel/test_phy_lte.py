"""LTE against TS 36.213 table 7.2.3-1 and TR 36.942 annex A.2."""

import math

import pytest

from sim.channel import phy_lte as phy

PRINTED = (
    0.1523, 0.2344, 0.3770, 0.6016, 0.8770, 1.1758, 1.4766, 1.9141, 2.4063, 2.7305, 3.3223, 3.9023,
    4.5234, 5.1152, 5.5547,
)  # fmt: skip


def test_cqi_table_is_the_printed_one():
    assert [phy.efficiency(step) for step in range(1, 16)] == pytest.approx(PRINTED, abs=1e-4)
    assert phy.efficiency(0) == 0.0


def test_shannon_is_truncated_at_both_ends():
    assert phy.shannon(-10.1, phy.DN) == 0.0
    assert phy.shannon(-10.0, phy.DN) == pytest.approx(0.6 * math.log2(1.1))
    assert phy.shannon(10.0, phy.UP) == pytest.approx(0.4 * math.log2(11))
    assert phy.shannon(40.0, phy.UP) == 2.0
    assert phy.shannon(40.0, phy.DN) == 4.4


@pytest.mark.parametrize("direction", [phy.UP, phy.DN])
def test_step_is_the_highest_that_shannon_carries(direction):
    for snr_db in range(-12, 35):
        step = phy.cqi(snr_db, direction)
        most = phy.shannon(snr_db, direction)
        assert phy.efficiency(step) <= most
        assert step == 15 or phy.efficiency(step + 1) > most


def test_rate_counts_elements_overhead_and_share():
    elements = 50 * 12 * 14_000 * 0.75
    expected = elements * phy.efficiency(12) * 0.9
    assert phy.rate_bps(40.0, 50, phy.DN) == pytest.approx(expected)
    assert phy.rate_bps(40.0, 50, phy.DN, share=0.5) == pytest.approx(expected / 2)
    assert phy.bandwidth_hz(50) == 9e6


def test_out_of_range_is_where_the_rate_ends():
    least = phy.least_snr_db(8)
    assert phy.rate_bps(least - 0.01, 50, phy.UP, spread=8) == 0.0
    assert phy.rate_bps(least + 0.01, 50, phy.UP, spread=8) > 0.0
