import math
import random
import statistics

import pytest

from scheduler.config import Link
from scheduler.errors import ConfigError
from scheduler.messages import VERSION, Site
from sim.channel import obstacles, propagation, registry
from sim.channel.base import Mover
from sim.channel.radio_80211p import outage_snr_db
from sim.channel.urban_80211p import Urban80211p
from sim.engine.geometry import ray_span
from sim.engine.town import build_town

UNIT = (0.0, 0.0, 5.0)
OPEN = Site(VERSION, "plain", [], [], {})
# One block of houses north of the unit's street; the unit sees along y = 0 only.
CORNER = Site(VERSION, "corner", [], [[(10, 10), (10, 300), (300, 300), (300, 10)]], {})


def channel(seed=1, **options):
    return Urban80211p(options, seed=seed, vehicle_id="ego", unit_id="rsu1")


def at(x, y, vx=10.0):
    return Mover(x, y, 0.0, vx, 0.0)


@pytest.mark.parametrize(
    ("state", "distance", "snr_db"), [("NLOS", 100, 12.6), ("NLOS", 200, 3.5), ("NLOS", 500, -8)]
)
def test_link_budget_round_a_corner(state, distance, snr_db):
    noise = propagation.noise_dbm(10e6, 9.0)
    assert noise == pytest.approx(-95.0)
    loss = propagation.urban_db(state, distance, 5.9)
    assert 23 + 6 - loss - noise == pytest.approx(snr_db, abs=0.5)


def test_path_loss_in_sight_is_tr_37885_s():
    assert propagation.urban_db("LOS", 100, 5.9) == pytest.approx(
        38.77 + 16.7 * 2 + 18.2 * math.log10(5.9)
    )


def test_blocker_costs_nothing_below_both_antennas():
    assert obstacles.blocking_db(100, 1.7, 5.0, 1.6) == (0.0, 0.0)
    assert obstacles.blocking_db(100, 1.5, 5.0, 1.6) == (5.0, 4.0)
    assert obstacles.blocking_db(100, 1.5, 1.5, 1.6) == (9.0, 4.5)


def test_building_between_makes_it_non_line_of_sight():
    link = channel()
    assert link.row(0.0, at(200.0, 0.0), UNIT, CORNER).state in ("LOS", "NLOSv")
    assert link.row(0.1, at(100.0, 320.0), UNIT, CORNER).state == "NLOS"


def test_segment_that_passes_a_footprint_is_free():
    houses = obstacles.Buildings(CORNER.buildings)
    assert houses.block((0.0, 0.0), (400.0, 400.0))  # through two corners
    assert not houses.block((0.0, 0.0), (400.0, 0.0))
    assert not houses.block((400.0, 0.0), (400.0, 400.0))
    assert not obstacles.Buildings([]).block((0.0, 0.0), (1.0, 1.0))


def test_building_that_the_antenna_is_on_does_not_hide_it():
    houses = obstacles.Buildings(
        [*CORNER.buildings, [(400, 10), (400, 300), (500, 300), (500, 10)]]
    )
    assert not houses.block((5.0, 0.0), (100.0, 15.0))
    assert houses.block((5.0, 0.0), (450.0, 200.0))  # the first house still stands between
    assert not houses.block((350.0, 0.0), (450.0, 15.0))


def test_same_seed_same_rows_and_another_differs():
    def drive(seed):
        link = channel(seed)
        return [link.row(k / 10, at(2.0 * k, 0.0), UNIT, OPEN).snr_db for k in range(50)]

    assert drive(1) == drive(1)
    assert drive(1) != drive(2)


def test_near_unit_is_fast_and_far_round_the_corner_is_out():
    near = [channel(s).row(0, at(30.0, 0.0), UNIT, OPEN) for s in range(20)]
    assert all(state.up_bps > 10e6 for state in near)
    far = [channel(s).row(0, at(400.0, 320.0), UNIT, CORNER) for s in range(20)]
    assert all(state.is_outage and state.dn_bps == 0 for state in far)
    assert all(state.expected_outage > 0.99 for state in far)


def test_share_of_the_channel_scales_the_rate():
    whole = channel().row(0, at(30.0, 0.0), UNIT, OPEN)
    half = channel(share=0.5).row(0, at(30.0, 0.0), UNIT, OPEN)
    assert half.up_bps == pytest.approx(whole.up_bps / 2)


def test_outages_follow_the_model_s_own_probability():
    """Over many seeds, the share of outages is the mean of what the model expects."""
    house = Site(VERSION, "house", [], [[(10, 10), (10, 60), (130, 60), (130, 10)]], {})
    place = at(140.0, 70.0)  # behind it, where the link is neither good nor lost
    rows = [channel(seed).row(0, place, UNIT, house) for seed in range(600)]
    expected = statistics.mean(row.expected_outage for row in rows)
    assert 0.2 < expected < 0.8
    share = statistics.mean(row.is_outage for row in rows)
    assert share == pytest.approx(expected, abs=3 * math.sqrt(0.25 / 600))


def test_line_of_sight_lasts_for_tens_of_metres():
    changes = 0
    for seed in range(20):
        link, before = channel(seed), None
        for k in range(100):
            state = link.row(k / 10, at(60.0 + k, 0.0), UNIT, OPEN).state
            changes += before is not None and state != before
            before = state
    # Independent draws each metre would change about every third time: 600 changes.
    assert 5 < changes < 300


def test_share_in_sight_is_tr_37885_s():
    states = [channel(seed).row(0, at(100.0, 0.0), UNIT, OPEN).state for seed in range(600)]
    expected = propagation.urban_sight(math.dist((100, 0, 1.5), UNIT))
    assert states.count("LOS") / 600 == pytest.approx(expected, abs=0.06)


def test_parked_vehicle_keeps_its_shadowing():
    link = channel(fading_db=0.0)
    rates = {link.row(k / 10, at(150.0, 0.0), UNIT, OPEN).snr_db for k in range(20)}
    assert len(rates) == 1


def test_outage_begins_where_nine_packets_in_ten_are_lost():
    from sim.channel import phy_80211p

    assert phy_80211p.best(outage_snr_db())[1] == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("link", [Link(options={"share": 0.0}), Link(options={"powr": 1})])
def test_wrong_option_is_one_clear_line(link):
    with pytest.raises(ConfigError, match=r"link\.options"):
        registry.load(link, seed=1, vehicle_id="ego", unit_id="rsu1")


def test_unknown_channel_is_named():
    with pytest.raises(ConfigError, match="urban_80211p"):
        registry.load(Link(model="urbn"), seed=1, vehicle_id="ego", unit_id="rsu1")
    with pytest.raises(ConfigError, match="nowhere"):
        registry.load(Link(model="nowhere:Class"), seed=1, vehicle_id="ego", unit_id="rsu1")


def test_channel_by_module_and_class():
    link = Link(model="sim.channel.urban_80211p:Urban80211p", options={"tx_power_dbm": 10})
    loaded = registry.load(link, seed=1, vehicle_id="ego", unit_id="rsu1")
    weak = loaded.row(0, at(30.0, 0.0), UNIT, OPEN).snr_db
    assert weak == pytest.approx(channel().row(0, at(30.0, 0.0), UNIT, OPEN).snr_db - 13)


def test_what_blocks_in_town_is_what_stands_between():
    """The radio's flat footprints against the engine's boxes, between points on and by streets."""
    town, choose = build_town(), random.Random(4)
    footprints = [[(x, y) for x, y in b.footprint.tolist()] for b in town.buildings]
    buildings, boxes = obstacles.Buildings(footprints), [b.box() for b in town.buildings]
    lanes = [lane for lane in town.lanes.lanes.values() if lane.kind == "driving"]

    def somewhere(offset):
        lane = choose.choice(lanes)
        return lane.pose_at(choose.uniform(0.0, lane.length), offset)

    seen = set()
    for _ in range(200):
        car, unit = somewhere(0.0), somewhere(-3.5)
        spans = [ray_span(box, (car.x, car.y, 1.5), (unit.x, unit.y, 5.0)) for box in boxes]
        is_hidden = any(span is not None and span[0] <= 1.0 and span[1] >= 0.0 for span in spans)
        assert buildings.block((car.x, car.y), (unit.x, unit.y)) is is_hidden
        seen.add(is_hidden)
    assert seen == {True, False}
