"""802.11p beside a motorway, and the older path loss in a town."""

import math
import statistics

import pytest

from scheduler.config import Radio
from scheduler.errors import ConfigError
from scheduler.messages import VERSION, Site
from sim.channel import propagation, registry
from sim.channel.base import Mover, outage_of
from sim.channel.highway_80211p import Highway80211p
from sim.channel.urban_80211p import Urban80211p

UNIT = (0.0, 10.0, 6.0)
OPEN = Site(VERSION, "road", [], [], {})
CORNER = Site(VERSION, "corner", [], [[(10, 20), (10, 300), (300, 300), (300, 20)]], {})


def rows(kind, seed, xs, site=OPEN, **options):
    link = kind(options, seed=seed, vehicle_id="ego", unit_id="rsu1")
    return [link.row(k / 10, Mover(x, 0.0, 0.0, 30.0, 0.0), UNIT, site) for k, x in enumerate(xs)]


def test_passing_a_unit_carries_the_published_rates():
    """Over 500 m each way, 23 dBm: 6.9 Mbit/s at the twentieth part, the whole rate at half."""
    passing = [3.0 * k - 500 for k in range(334)]
    road = [row for seed in range(5) for row in rows(Highway80211p, seed, passing)]
    assert statistics.mean(row.is_outage for row in road) < 0.01
    rates = sorted(row.up_bps for row in road)
    assert 4.5e6 < rates[len(rates) // 20] < 9e6
    assert rates[len(rates) // 2] == pytest.approx(15.1e6, rel=0.01)


def test_share_in_sight_is_the_motorway_s():
    seen = [rows(Highway80211p, seed, [300.0])[0].state for seed in range(500)]
    expected = propagation.highway_sight(300.0)
    assert seen.count("LOS") / 500 == pytest.approx(expected, abs=0.07)
    assert seen.count("NLOS") == 0


def test_winner_b1_is_an_option_of_the_town():
    options = {"fading_db": 0.0}
    for x in (50.0, 400.0):
        ours = rows(Urban80211p, 1, [x], **options)[0]
        theirs = rows(Urban80211p, 1, [x], path_loss="winner_b1", **options)[0]
        distance = math.dist((x, 0.0, 1.5), UNIT)
        lost = propagation.b1_clear_db(distance, 5.9, 6.0, 1.5)
        lost -= propagation.urban_db("LOS", distance, 5.9)
        assert ours.snr_db - theirs.snr_db == pytest.approx(lost, abs=1e-9)
    north = Mover(320.0, 200.0, 0.0, 0.0, 10.0)  # 190 m on one street, 320 m on the other
    ours, theirs = (
        Urban80211p({"path_loss": name, **options}, seed=1, vehicle_id="e", unit_id="u").row(
            0.0, north, UNIT, CORNER
        )
        for name in ("tr37885", "winner_b1")
    )
    assert ours.state == theirs.state == "NLOS"
    lost = propagation.b1_corner_db(190.0, 320.0, 5.9, 6.0, 1.5)
    lost -= propagation.urban_db("NLOS", math.dist((320.0, 200.0, 1.5), UNIT), 5.9)
    assert ours.snr_db - theirs.snr_db == pytest.approx(lost, abs=1e-9)


def test_named_channel_drops_in_an_outage():
    for model in ("urban_80211p", "highway_80211p"):
        link = registry.load(Radio(model=model), seed=1, vehicle_id="e", unit_id="u")
        assert outage_of(link, None) == "drop"
        assert outage_of(link, "hold") == "hold"
    for wrong, said in (("two_ray", "path_loss"), ("winner_b1", "of a town")):
        radio = Radio(model="highway_80211p", options={"path_loss": wrong})
        with pytest.raises(ConfigError, match=said):
            registry.load(radio, seed=1, vehicle_id="e", unit_id="u")
