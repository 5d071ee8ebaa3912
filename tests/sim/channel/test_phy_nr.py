"""NR's rates against TS 38.306 and 38.214, its thresholds against Shannon and known capacities."""

import math

import pytest

from sim.channel import phy_nr as phy

WHOLE = phy.Carrier(blocks=106, numerology=1, overhead=phy.UP_OVERHEAD, share=1.0)


def test_rate_is_that_of_ts_38306():
    # 20 MHz and 100 MHz at 30 kHz, one layer, 64QAM 948/1024, uplink overhead
    assert phy.Carrier(51, 1, 0.08, 1.0).rate_bps(28) == pytest.approx(87.57e6, rel=1e-4)
    assert phy.Carrier(273, 1, 0.08, 1.0).rate_bps(28) == pytest.approx(468.76e6, rel=1e-4)
    assert phy.Carrier(51, 1, 0.08, 0.25).rate_bps(28) == pytest.approx(87.57e6 / 4, rel=1e-4)
    assert phy.Carrier(106, 1, 0.08, 1.0).bandwidth_hz == pytest.approx(38.16e6)


def test_table_has_the_efficiencies_that_ts_38214_prints():
    printed = {0: 0.2344, 5: 0.7402, 9: 1.3262, 10: 1.3281, 16: 2.5703, 17: 2.5664, 28: 5.5547}
    assert len(phy.MCS) == 29
    for mcs, efficiency in printed.items():
        assert phy.efficiency(mcs) == pytest.approx(efficiency, abs=1e-4)


@pytest.mark.parametrize(
    ("bits", "snr_db", "information"),
    [  # rate 1/2 BPSK at Eb/N0 0.187 dB and rate 1/3 at -0.495 dB, twice for QPSK: known limits
        (2, 0.187, 1.0),
        (2, -0.495 - 10 * math.log10(1.5), 2 / 3),
    ],
)
def test_information_of_qpsk_meets_known_limits(bits, snr_db, information):
    assert phy.information(bits, snr_db) == pytest.approx(information, abs=0.003)


@pytest.mark.parametrize("bits", [2, 4, 6])
def test_information_stays_below_shannon_and_saturates(bits):
    values = [phy.information(bits, snr_db) for snr_db in range(-15, 36)]
    assert values == sorted(values)
    for snr_db, value in zip(range(-15, 36), values, strict=True):
        assert 0.0 < value <= min(bits, math.log2(1 + 10 ** (snr_db / 10))) + 1e-6
    assert values[-1] == pytest.approx(bits, abs=1e-3)


def test_thresholds_rise_and_lie_above_shannon_by_the_gap_and_little_more():
    thresholds = [phy.threshold_db(mcs) for mcs in range(29)]
    assert thresholds == sorted(thresholds)
    for mcs, threshold in enumerate(thresholds):
        shannon_db = 10 * math.log10(2 ** phy.efficiency(mcs) - 1)
        assert shannon_db + phy.GAP_DB < threshold < shannon_db + phy.GAP_DB + 2.2


@pytest.mark.parametrize("mcs", [0, 10, 20, 28])
def test_one_block_in_ten_is_lost_at_the_threshold(mcs):
    at = phy.threshold_db(mcs)
    assert phy.block_error_rate(mcs, at) == pytest.approx(0.1, abs=1e-3)
    assert phy.block_error_rate(mcs, at - 1.0) > 0.9
    assert phy.block_error_rate(mcs, at + 1.0) < 1e-3


def test_adaptation_keeps_to_the_target_and_never_gets_slower_with_signal():
    before = 0.0
    for snr_db in range(-8, 30):
        carried = phy.adapt(snr_db, WHOLE)
        assert carried.rate_bps >= before
        before = carried.rate_bps
        assert carried.mcs == -1 or carried.bler <= phy.TARGET_BLER + 1e-6
    assert before == pytest.approx(WHOLE.rate_bps(28), rel=1e-6)


def test_narrow_sender_reaches_farther():
    edge = phy.threshold_db(0)
    assert phy.adapt(edge - 0.1, WHOLE) == phy.NOTHING
    assert phy.adapt(edge - 0.1, WHOLE, spread=8).rate_bps > 0
    assert phy.least_snr_db(8) == pytest.approx(edge - 10 * math.log10(8))
    assert phy.adapt(phy.least_snr_db(8) - 0.01, WHOLE, spread=8) == phy.NOTHING
    assert phy.adapt(phy.least_snr_db(8) + 0.01, WHOLE, spread=8).rate_bps > 0
