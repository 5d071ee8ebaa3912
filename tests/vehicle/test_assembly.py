"""What a vehicle is built of, by its configuration: links, their choice, maps of places."""

from pathlib import Path

import pytest

from scheduler import config_file, processes
from scheduler.clock import MonotonicClock
from scheduler.config import Config
from scheduler.errors import ConfigError
from scheduler.handover import FIRST_RANGE_M
from scheduler.radio_map import Pose
from scheduler.security import write_site
from vehicle.assembly import Assembly


def config_of(folder: Path, **vehicle: object) -> Config:
    tree = {
        "vehicles": [{"id": "ego", "cameras": [{"source": "video:none.mp4"}], **vehicle}],
        "roadside_units": [
            {"id": "near", "at": [30, 40, 5], "radios": ["5g", "11p"], "range_m": 180},
            {"id": "far", "kind": "cloud", "radios": ["5g"]},
            {"id": "new", "along": {"count": 1}},
        ],
        "link": {"radios": {"5g": {"trace": "none.csv"}, "11p": {"trace": "none.csv"}}},
        "security": {"certificates": str(folder / "certificates")},
        "ipc_folder": str(folder),
        "source_folder": str(folder),
    }
    config = config_file.decode(tree, "test")
    write_site(folder / "certificates", processes.site_names(config))
    return config


@pytest.fixture
def parts(tmp_path: Path):
    config = config_of(tmp_path, radio_map="places.map", max_links=2)
    made = Assembly(config, config.vehicles[0], None, MonotonicClock())
    yield made
    made.close()


def test_each_radio_leads_to_its_unit_over_ports_of_its_own(parts: Assembly) -> None:
    links = parts.links()
    assert list(links) == ["near/5g", "near/11p", "far", "new"]
    assert [link.unit_id for link in links.values()] == ["near", "near", "far", "new"]
    assert [link.path for link in links.values()] == ["5g", "11p", "", ""]
    assert len({link.addresses.control for link in links.values()}) == 4
    assert links["near/5g"].addresses.server_key == links["near/11p"].addresses.server_key
    assert links["near/5g"].addresses.server_key != links["far"].addresses.server_key


def test_handover_knows_what_the_file_says_of_units(parts: Assembly) -> None:
    handover = parts.handover(["near/5g", "near/11p", "far", "new"])
    five, other, far, new = handover.candidates.values()
    assert five.place == other.place == (30, 40) and five.range_m == 180 and not five.is_learning
    assert far.is_everywhere and far.place is None
    assert (new.place, new.range_m, new.is_learning) == (None, FIRST_RANGE_M, True)
    assert handover.max_links == 2 and handover.is_choosing


def test_what_was_learned_of_places_is_there_in_the_next_drive(tmp_path: Path) -> None:
    config = config_of(tmp_path, radio_map="maps/places.map")
    first = Assembly(config, config.vehicles[0], None, MonotonicClock())
    maps = first.radio_maps()
    assert maps is not None
    maps.of("near/5g").learn_rate(Pose(1.0, 2.0, 0.0, 5.0), 15.0)
    first.close()
    second = Assembly(config, config.vehicles[0], None, MonotonicClock())
    kept = second.radio_maps()
    second.close()
    assert kept is not None and len(kept.of("near/5g")) == 1
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["places.map"]


def test_a_file_that_is_no_map_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "places.map").write_text("something else")
    config = config_of(tmp_path, radio_map="places.map")
    parts = Assembly(config, config.vehicles[0], None, MonotonicClock())
    with pytest.raises(ConfigError, match=r"places\.map"):
        parts.radio_maps()
    parts.close()
    assert (tmp_path / "places.map").read_text() == "something else"
