"""Cellular channels: serving cell, handover gaps, delay, outage against the model's own chances."""

import itertools
import math
import statistics

import pytest

from scheduler.config import Radio
from scheduler.errors import ConfigError
from scheduler.messages import VERSION, Site, Unit
from sim.channel import registry
from sim.channel.base import Mover, outage_of
from sim.channel.lte_cloud import LteCloud
from sim.channel.macro_cells import MacroGrid
from sim.channel.nr_uma import NrUma
from sim.channel.nr_uu import NrUu

UNITS = [Unit("rsu1", (0.0, 8.0, 5.0)), Unit("rsu2", (400.0, 8.0, 5.0))]
STREET = Site(VERSION, "street", UNITS, [], {})
HOUSE = [(100.0, 20.0), (300.0, 20.0), (300.0, 200.0), (100.0, 200.0)]
TOWN = Site(VERSION, "town", UNITS, [HOUSE], {})


def channel(kind, seed=1, unit_id="rsu1", **options):
    return kind(options, seed=seed, vehicle_id="ego", unit_id=unit_id)


def at(x, y=0.0):
    return Mover(x, y, 0.0, 12.0, 0.0)


def drive(link, site=STREET, metres=400, unit=UNITS[0]):
    return [link.row(k / 10, at(1.2 * k), unit.position, site) for k in range(int(metres / 1.2))]


@pytest.mark.parametrize("model", ["nr_uu", "nr_uma", "lte_cloud"])
def test_named_channel_holds_in_an_outage_and_repeats_itself(model):
    def rows(seed):
        link = registry.load(Radio(model=model), seed=seed, vehicle_id="ego", unit_id="rsu1")
        assert outage_of(link, None) == registry.outage(Radio(model=model)) == "hold"
        return drive(link, metres=60)

    assert rows(1) == rows(1)
    assert rows(1) != rows(2)
    for row in rows(3):
        assert row.up_loss == row.dn_loss == 0.0
        assert row.state in ("LOS", "NLOS")


def test_near_a_street_cell_the_link_is_fast_and_peaks_at_the_shared_carrier():
    rows = [channel(NrUu, seed).row(0.0, at(20.0), UNITS[0].position, STREET) for seed in range(20)]
    # 106 blocks at MCS 28, a fifth of the time up, half of the cell, 95 % payload
    peak = 106 * 12 * 14 * 2 * 1000 * 6 * 948 / 1024 * 0.92 * 0.2 * 0.5 * 0.95
    assert all(row.up_bps == pytest.approx(peak, rel=0.11) for row in rows)
    assert all(row.dn_bps > 2 * row.up_bps for row in rows)
    assert all(9.0 <= row.up_delay_ms <= 16.0 + 6.0 for row in rows)
    assert all(row.expected_outage < 1e-6 for row in rows)


def test_cell_share_scales_the_rate():
    half, tenth = (
        channel(NrUu, cell_share=share).row(0.0, at(20.0), UNITS[0].position, STREET).up_bps
        for share in (0.5, 0.1)
    )
    assert half == pytest.approx(5 * tenth)


def test_vehicle_is_served_by_the_nearer_of_two_cells_and_pays_for_the_change():
    gaps, near, far = [], [], []
    for seed in range(8):
        rows = drive(channel(NrUu, seed, fading_db=0.0))
        out = [row.is_outage for row in rows]
        gaps += [len(list(run)) for is_out, run in itertools.groupby(out) if is_out]
        near += [row.up_bps for row in rows[:40]]
        far += [row.up_bps for row in rows[-40:]]
    assert statistics.mean(far) > 0.8 * statistics.mean(near)  # the second cell took over
    assert 8 <= len(gaps) < 80
    assert max(gaps) <= 3  # of 50 to 300 ms


def test_without_handover_there_is_no_gap():
    alone = Site(VERSION, "one", UNITS[:1], [], {})
    rows = drive(channel(NrUu, fading_db=0.0), alone, metres=60)
    assert not any(row.is_outage for row in rows)


def test_buildings_of_the_town_decide_about_sight():
    own = Site(VERSION, "town", UNITS[:1], [HOUSE], {})
    for seed in range(10):
        assert channel(NrUu, seed).row(0, at(390.0), UNITS[0].position, own).state == "LOS"
        hidden = channel(NrUu, seed).row(0, at(390.0, 210.0), UNITS[0].position, own)
        assert hidden.state == "NLOS"
    die = {channel(NrUu, s).row(0, at(100.0), UNITS[0].position, STREET).state for s in range(40)}
    assert die == {"LOS", "NLOS"}


def test_units_of_one_vehicle_share_its_radio():
    first, second = (drive(channel(NrUu, unit_id=name), metres=50) for name in ("rsu1", "rsu2"))
    assert [row.snr_db for row in first] == [row.snr_db for row in second]


def test_wire_behind_the_cell_is_in_the_delay():
    near, far = (
        channel(NrUma, backhaul_ms=wire).row(0.0, at(0.0), UNITS[0].position, STREET)
        for wire in (5.0, 50.0)
    )
    assert far.up_delay_ms - near.up_delay_ms == pytest.approx(45.0)
    assert far.dn_delay_ms - near.dn_delay_ms == pytest.approx(45.0)


def test_antenna_inside_the_car_costs_what_tr_38901_says():
    lost = []
    for seed in range(300):
        roof, inside = (
            channel(LteCloud, seed, antenna=place, fading_db=0.0)
            .row(0.0, at(0.0), UNITS[0].position, STREET)
            .snr_db
            for place in ("roof", "inside")
        )
        lost.append(roof - inside)
    assert statistics.mean(lost) == pytest.approx(9.0, abs=3 * 5 / math.sqrt(300))
    assert statistics.stdev(lost) == pytest.approx(5.0, abs=0.8)


def test_outages_follow_the_model_s_own_probability():
    """At one place over many seeds, before any handover."""
    alone = Site(VERSION, "one", UNITS[:1], [HOUSE], {})
    rows = [
        channel(NrUu, seed, up_power_dbm=5.0).row(0.0, at(330.0, 260.0), UNITS[0].position, alone)
        for seed in range(600)
    ]
    expected = statistics.mean(row.expected_outage for row in rows)
    assert 0.1 < expected < 0.9
    share = statistics.mean(row.is_outage for row in rows)
    assert share == pytest.approx(expected, abs=3 * math.sqrt(0.25 / 600))


def test_macro_masts_stand_a_distance_apart_whichever_way_one_looks():
    grid = MacroGrid(500.0, 25.0, seed=4)
    here, there = grid.around(0.0, 0.0), grid.around(600.0, 300.0)
    assert all(here[name] == there[name] for name in here.keys() & there.keys())
    places = list(here.values())
    nearest = min(math.dist(a, b) for a, b in itertools.combinations(places, 2))
    assert nearest == pytest.approx(500.0)
    for x, y in ((0.0, 0.0), (123.0, 456.0), (-900.0, 77.0)):
        masts = grid.around(x, y).values()
        # No point of a triangular grid is farther from all than side / sqrt(3).
        assert min(math.dist((x, y), mast[:2]) for mast in masts) <= 500.0 / math.sqrt(3) + 1e-9
    assert grid.around(0.0, 0.0) != MacroGrid(500.0, 25.0, seed=5).around(0.0, 0.0)


def test_mast_of_a_macro_network_is_no_street_cell():
    cloud = Unit("cloud", (0.0, 0.0, 25.0))
    with_cloud = Site(VERSION, "street", [*UNITS, cloud], [], {})
    same = [
        [row.snr_db for row in drive(channel(NrUu), site, metres=50)]
        for site in (STREET, with_cloud)
    ]
    assert same[0] == same[1]


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("nr_uu", {"cell_share": 0.0}, "cell_share in 0..1"),
        ("nr_uu", {"up_share": 2.0}, "up_share and dn_share"),
        ("nr_uma", {"up_delay_ms": [5.0, 1.0]}, "least, most"),
        ("lte_cloud", {"antena": "roof"}, "antena"),
        ("lte_cloud", {"antenna": "hood"}, "antenna"),
        ("nr_uu", {"frequency_ghz": 0.0}, "frequency_ghz"),
    ],
)
def test_wrong_option_is_one_clear_line(model, options, said):
    with pytest.raises(ConfigError, match=said):
        registry.load(Radio(model=model, options=options), seed=1, vehicle_id="e", unit_id="u")
