"""Vehicles in the radio's way: who blocks, and what a channel makes of it."""

import math
import statistics

import pytest

from scheduler.messages import VERSION, Obstacle, Site
from sim.channel.base import Mover, SeesTraffic
from sim.channel.highway_80211p import Highway80211p
from sim.channel.nr_uu import NrUu
from sim.channel.obstacles import Blocker, blocker_between, blocking_db
from sim.channel.trace import Trace
from sim.channel.urban_80211p import Urban80211p

CAR_ROOF, UNIT = (0.0, 0.0, 1.5), (100.0, 0.0, 5.0)
OPEN = Site(VERSION, "plain", [], [], {})


def truck(x, y=0.0, yaw=0.0, height=3.6, actor_id=7):
    return Obstacle(actor_id, (x, y, height / 2), yaw, (5.0, 1.25, height / 2))


def channel(seed=1, **options):
    options = {"fading_db": 0.0, **options}
    return Urban80211p(options, seed=seed, vehicle_id="ego", unit_id="rsu1")


def at(x, y=0.0):
    return Mover(x, y, 0.0, 10.0, 0.0)


@pytest.mark.parametrize(
    ("x", "y", "yaw", "height", "is_blocking"),
    [
        (20, 0, 0, 3.6, True),  # the line is 2.2 m high here
        (80, 0, 0, 3.6, False),  # ... and 4.1 m to 4.5 m here
        (50, 0, 0, 3.2, True),  # 3.075 m where it enters, 3.425 m where it leaves
        (50, 0, 0, 3.0, False),
        (20, 2, 0, 3.6, False),  # beside the line
        (20, 2, math.pi / 2, 3.6, True),  # ... but across it
        (-20, 0, 0, 3.6, False),  # behind the vehicle
        (120, 0, 0, 9.0, False),  # behind the unit
        (3, 0, 0, 3.6, False),  # the vehicle itself
        (98, 0, 0, 9.0, False),  # what the unit stands on
    ],
)
def test_vehicle_blocks_where_the_line_passes_below_its_roof(x, y, yaw, height, is_blocking):
    found = blocker_between(CAR_ROOF, UNIT, [truck(x, y, yaw, height)])
    assert (found is not None) is is_blocking
    assert found is None or found == Blocker(7, height)


def test_tallest_of_several_counts():
    vehicles = [truck(20, height=3.0, actor_id=1), truck(30, height=4.2, actor_id=2)]
    assert blocker_between(CAR_ROOF, UNIT, vehicles) == Blocker(2, 4.2)
    assert blocker_between(CAR_ROOF, UNIT, []) is None


def test_link_straight_up_has_no_blocker():
    assert blocker_between((0, 0, 1.5), (0, 0, 5.0), [truck(20)]) is None


def test_known_traffic_decides_between_los_and_nlosv():
    for seed in range(20):
        link = channel(seed)
        link.see([truck(20)])
        assert link.row(0.0, at(0.0), UNIT, OPEN).state == "NLOSv"
        link.see([truck(20, 8.0)])
        assert link.row(0.1, at(0.5), UNIT, OPEN).state == "LOS"


def test_without_knowledge_the_state_is_a_die():
    states = {channel(seed).row(0.0, at(0.0), UNIT, OPEN).state for seed in range(40)}
    assert states == {"LOS", "NLOSv"}


def test_truck_costs_what_tr_37885_says_on_average():
    mean, sigma = blocking_db(math.dist((0, 0, 1.5), UNIT), 1.5, 5.0, 3.6)
    assert (mean, sigma) == (5.0, 4.0)
    losses = []
    for seed in range(400):
        clear, blocked = channel(seed), channel(seed)
        clear.see([])
        blocked.see([truck(20)])
        lost = clear.row(0, at(0), UNIT, OPEN).snr_db - blocked.row(0, at(0), UNIT, OPEN).snr_db
        losses.append(lost)
    assert min(losses) == pytest.approx(0.0, abs=1e-9)  # a blocker never helps
    # max(0, N(5, 4)): mean = 5 Phi(1.25) + 4 phi(1.25)
    expected = 5 * 0.89435 + 4 * 0.18265
    assert statistics.mean(losses) == pytest.approx(expected, abs=3 * 3.6 / math.sqrt(400))


def test_draw_stays_with_a_blocker_and_is_new_with_another():
    link = channel()
    link.see([truck(20)])
    first = link.row(0.0, at(0.0), UNIT, OPEN).snr_db
    assert link.row(0.1, at(0.0), UNIT, OPEN).snr_db == first
    link.see([truck(20, actor_id=8)])
    assert link.row(0.2, at(0.0), UNIT, OPEN).snr_db != first


def test_expected_outage_knows_the_scene():
    far = (600.0, 0.0, 5.0)
    clear, blocked = channel(), channel()
    clear.see([])
    blocked.see([truck(20)])
    best = clear.row(0, at(0), far, OPEN).expected_outage
    worst = blocked.row(0, at(0), far, OPEN).expected_outage
    assert best < channel().row(0, at(0), far, OPEN).expected_outage <= worst


def test_building_hides_more_than_any_vehicle():
    house = Site(VERSION, "house", [], [[(40, -5), (60, -5), (60, 5), (40, 5)]], {})
    link = channel()
    link.see([truck(20)])
    assert link.row(0.0, at(0.0), UNIT, house).state == "NLOS"


def test_channels_say_whether_they_look_at_traffic():
    options = {"seed": 1, "vehicle_id": "ego", "unit_id": "rsu1"}
    assert isinstance(channel(), SeesTraffic)
    assert isinstance(Highway80211p({}, **options), SeesTraffic)
    assert not isinstance(NrUu({}, **options), SeesTraffic)
    assert not issubclass(Trace, SeesTraffic)
