"""Against the table of IEEE 802.11p at 10 MHz: air time, goodput, SNR at 10 % packet errors."""

import pytest

from sim.channel import phy_80211p as phy

TABLE = [  # Mbit/s, air time of 1500 B in us, goodput in Mbit/s, SNR in dB at PER 10 %
    (3.0, 4048, 2.61, 4.0),
    (4.5, 2712, 3.80, 6.9),
    (6.0, 2048, 4.92, 7.0),
    (9.0, 1376, 6.92, 9.9),
    (12.0, 1048, 8.73, 13.5),
    (18.0, 712, 11.7, 16.6),
    (24.0, 544, 14.2, 21.4),
    (27.0, 488, 15.2, 22.6),
]


@pytest.mark.parametrize(("mcs", "row"), list(enumerate(TABLE)))
def test_scheme_has_the_standard_s_figures(mcs, row):
    rate, air_us, goodput, snr_db = row
    assert phy.SCHEMES[mcs].rate_bps == pytest.approx(rate * 1e6)
    assert phy.air_time_s(mcs, 1500) * 1e6 == pytest.approx(air_us)
    assert phy.goodput_bps(mcs) / 1e6 == pytest.approx(goodput, abs=0.06)
    assert phy.packet_error_rate(mcs, snr_db - 0.06) > 0.09
    assert phy.packet_error_rate(mcs, snr_db + 0.06) < 0.11


@pytest.mark.parametrize(
    ("code_rate", "bits"),
    [
        ("1/2", (36, 211, 1404, 11633, 77433, 502690, 3322763, 21292910, 134365911, 843425871)),
        ("2/3", (3, 70, 285, 1276, 6160, 27128, 117019, 498860, 2103891, 8784123)),
        ("3/4", (42, 201, 1492, 10469, 62935, 379644, 2253373, 13073811, 75152755, 428005675)),
    ],
)
def test_counted_spectrum_is_the_published_one(code_rate, bits):
    """As Haccoun and Begin (1989) and Frenger, Orten and Ottosson (1999) have it."""
    spectrum = phy.distance_spectrum(code_rate)
    assert spectrum[0][0] == phy.FREE_DISTANCE[code_rate]
    assert tuple(count for _, count in spectrum) == bits


def test_error_rate_falls_with_snr_and_grows_with_size():
    for mcs in range(8):
        rates = [phy.packet_error_rate(mcs, snr_db) for snr_db in range(-10, 40)]
        assert rates == sorted(rates, reverse=True)
        assert rates[0] == pytest.approx(1.0)
        assert rates[-1] < 1e-6
    assert phy.packet_error_rate(0, 4.0, 100) < phy.packet_error_rate(0, 4.0, 1500)


def test_best_scheme_never_carries_less_with_more_signal():
    rates = [phy.best(snr_db / 4)[0] for snr_db in range(-20, 160)]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(phy.goodput_bps(7))
