"""What the command line of `vdap dataset` means, and which towns are on which side."""

import math

import numpy as np
import pytest

from scheduler.errors import ConfigError
from sim.dataset.__main__ import KINDS, main, parser
from sim.dataset.request import plan_of
from sim.dataset.sky import SKIES, draw_sky
from sim.dataset.splits import HELD_OUT, SPLITS, towns_of_server
from sim.dataset.splits import plan_of as roads_of

CARLA_MAPS = [
    f"/Game/Carla/Maps/Town{name}"
    for name in ("01", "01_Opt", "02", "03", "04_Opt", "05", "07", "10HD", "10HD_Opt", "12")
]


def asked(*flags):
    return plan_of(parser().parse_args(["out", *flags]))


def test_the_sides_of_the_split_share_neither_roads_nor_looks():
    train, val = SPLITS["train"], SPLITS["val"]
    assert not {roads_of(town) for town in train.towns} & {roads_of(town) for town in val.towns}
    assert not set(train.asset_seeds) & set(val.asset_seeds)
    assert {roads_of(town) for town in val.towns} <= set(HELD_OUT)


def test_a_servers_towns_are_split_by_their_roads():
    assert towns_of_server(CARLA_MAPS, "train") == ("Town01", "Town03", "Town04_Opt", "Town10HD")
    assert towns_of_server(CARLA_MAPS, "val") == ("Town02", "Town05", "Town07")
    with pytest.raises(ConfigError, match="name some with --towns"):
        towns_of_server(["Carla/Maps/Town03"], "val")


def test_the_plain_command_means_the_fixed_split():
    plan = asked("--split", "val", "--images", "60")
    assert plan.towns == SPLITS["val"].towns
    assert (plan.asset_seeds, plan.per_segment) == (SPLITS["val"].asset_seeds, 30)
    assert (plan.every_ticks, plan.quality, plan.cameras, plan.world) == (6, 95, 1, "embedded")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--cameras", "9"), "expected 1 to 4"),
        (("--cameras", "dashcam"), "no camera in the world"),
        (("--spacing", "0.25"), "multiple of 0.1 s"),
        (("--quality", "0"), "--quality"),
        (("--width", "20"), "20x384"),
        (("--towns", "Town99"), "Town99"),
        (("--world", "nowhere", "--towns", "Town01", "--workers", "2"), "--workers"),
    ],
)
def test_a_wish_that_cannot_be_is_one_clear_line(flags, message):
    with pytest.raises(ConfigError, match=message):
        asked(*flags)


def test_cameras_of_a_config_are_taken_with_their_size():
    plan = asked("--cameras", "demo")
    assert [name for name, _ in plan.rig] == ["front"]
    lens = plan.rig[0][1].intrinsics
    assert (plan.width, plan.height) == (lens.width, lens.height)


def test_asset_seeds_of_a_server_are_said_to_mean_nothing(capsys):
    plan = asked("--world", "127.0.0.1:2000", "--towns", "Town01", "--asset-seeds", "4")
    assert (plan.towns, plan.asset_seeds, plan.world) == (("Town01",), (0,), "carla")
    assert "its own looks" in capsys.readouterr().err


def test_splits_can_be_listed(capsys):
    assert main(["--list-splits"]) == 0
    out = capsys.readouterr().out
    assert "val: towns VdapTown01, VdapTown04" in out
    assert "asset seeds 2 to 60" in out


def test_skies_come_in_their_shares_and_one_kind_can_be_asked_for():
    assert tuple(SKIES) == KINDS
    assert sum(share for share, _ in SKIES.values()) == pytest.approx(1.0)
    random = np.random.default_rng(5)
    names = [draw_sky(random).name for _ in range(1500)]
    for name, (share, _) in SKIES.items():
        assert names.count(name) / len(names) == pytest.approx(share, abs=0.04)
    for _ in range(20):
        night, rain = draw_sky(random, "night"), draw_sky(random, "rain")
        assert night.weather.is_night
        assert (rain.name, rain.weather.is_night) == ("rain", False)
        assert rain.weather.precipitation >= 20
        assert draw_sky(random, "low sun").weather.sun_altitude < math.radians(18.1)
