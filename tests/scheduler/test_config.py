"""The YAML of a drive: defaults, overrides, and one clear line for each mistake."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler import config_file, processes
from scheduler.config import Config
from scheduler.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"


def load(folder: Path, text: str, *overrides: str, **environment: str) -> Config:
    path = folder / "drive.yaml"
    path.write_text(text)
    return config_file.load(str(path), overrides, environment)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configs_load(path: Path) -> None:
    config = config_file.expand(config_file.load(str(path), environment={}))
    assert config.vehicles


def test_a_shipped_config_is_found_by_name() -> None:
    assert config_file.load("demo", environment={}).name == "demo"


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match=r"one of .*demo.*; 'dmo' is neither"):
        config_file.find("dmo")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nmae: x", "unknown key 'nmae' at the top level: did you mean 'name'?"),
        ("world: {trafic: {}}", "unknown key 'trafic' at world: did you mean 'traffic'?"),
        (
            "world: {traffic: {vehicels: 3}}",
            "unknown key 'vehicels' at world.traffic: did you mean 'vehicles'?",
        ),
        ("vehicles: [{deadline_m: 100}]", "did you mean 'deadline_ms'?"),
        ("vehicles: [{detectors: [{kind: yolox}]}]", "missing required field `id`"),
        ("duration_s: -1", "$.duration_s"),
        ("duration_s: soon", "Expected `float`, got `str` - at `$.duration_s`"),
        ("vehicles: []", "length >= 1"),
        ("- a list", "expected a mapping of sections, got list"),
        ("name: [", "expected YAML"),
        ("vehicles: [{cameras: [{source: bridge}]}]", "has no `world` section"),
        ("world: {}\nvehicles: [{id: a}, {id: a}]", "the id 'a' is used more than once"),
        (
            "world: {}\nlink: {}\nroadside_units: [{id: r, along: {}}, {id: r2}]",
            "the id 'r2' is used more than once",
        ),
        ("world: {}\nvehicles: [{id: bridge}]", "'bridge' is the name of a process"),
        (
            "world: {}\nbridge: {bind: {host: 192.0.2.7}}\nsecurity: {insecure_loopback: true}",
            "insecure_loopback is for 127.0.0.1 alone, but the bridge is at 192.0.2.7",
        ),
        (
            "world: {}\nvehicles: [{bind: {host: 127.0.0.3, connect: 192.0.2.8}}]\n"
            "security: {insecure_loopback: true}",
            "the vehicle ego is at 192.0.2.8",
        ),
        ("world: {}\nroadside_units: [{id: r}]", "roadside units need a `link` section"),
        ("world: {}\nvehicles: [{detectors: []}]", "at least one"),
        ("world: {}\nvehicles: [{cameras: [{id: a}, {id: a}]}]", "two cameras have the same id"),
        (
            "world: {}\nvehicles: [{cameras: [{fov_deg: 90, calibration: x.yaml}]}]",
            "give fov_deg or calibration, not both",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as info:
        load(tmp_path, text)
    assert said in str(info.value)
    assert "drive.yaml" in str(info.value)
    assert "\n" not in str(info.value)
    assert info.value.exit_code == 2


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    text = "world: {asset_seed: 1}"
    assert load(tmp_path, text).world.asset_seed == 1
    from_environment = load(tmp_path, text, VDAP_WORLD__ASSET_SEED="2")
    assert from_environment.world.asset_seed == 2
    both = load(tmp_path, text, "world.asset_seed=3", VDAP_WORLD__ASSET_SEED="2")
    assert both.world.asset_seed == 3


def test_overrides_reach_into_lists(tmp_path: Path) -> None:
    text = "world: {}\nvehicles: [{id: a, policy: {name: deadline}}]"
    config = load(tmp_path, text, "vehicles.0.policy.name=local_only", "vehicles.0.deadline_ms=80")
    assert (config.vehicles[0].policy.name, config.vehicles[0].deadline_ms) == ("local_only", 80)


@pytest.mark.parametrize("override", ["seed", "vehicles.7.id=x", "duration_s.deep.er=1", "seed=["])
def test_a_wrong_override_names_itself(tmp_path: Path, override: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        load(tmp_path, "duration_s: 5\nworld: {}\nvehicles: [{id: a}]", override)


def test_units_by_rule_are_numbered_along_the_route(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "world: {}\nlink: {}\n"
        "roadside_units: [{id: r, along: {count: 3, every_m: 200, first_m: 50}}]",
    )
    units = config_file.expand(config).roadside_units
    assert [unit.id for unit in units] == ["r1", "r2", "r3"]
    assert [unit.along.first_m for unit in units] == [50, 250, 450]
    assert config_file.expand(config_file.expand(config)) == config_file.expand(config)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load(tmp_path, "world: {}")
    (tmp_path / "trace.csv").write_text("")
    assert config.path("trace.csv") == tmp_path / "trace.csv"
    assert config.path("/etc/hosts") == Path("/etc/hosts")


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    duration=st.floats(0.1, 1e4),
    name=st.text("abcXYZ019_-", min_size=1, max_size=32),
)
def test_what_is_dumped_loads_the_same(seed: int, duration: float, name: str) -> None:
    tree = {"seed": seed, "duration_s": duration, "name": name, "world": {}}
    config = config_file.decode(tree, "here")
    import yaml

    assert config_file.decode(yaml.safe_load(config_file.dump(config)), "there") == config


TWO_RADIOS = """
world: {}
link:
  model: urban_80211p
  radios:
    5g: {model: nr_uu, outage: hold}
    11p: {}
    cell: {trace: lte.csv}
roadside_units:
  - {id: near, at: [0, 0, 5], radios: [5g, 11p]}
  - {id: far, kind: cloud, radios: [cell]}
  - {id: plain, at: [9, 9, 5]}
"""


def test_each_radio_of_a_unit_is_a_link_of_its_own(tmp_path: Path) -> None:
    config = load(tmp_path, TWO_RADIOS)
    vehicle = config.vehicles[0].id
    links = ["near/5g", "near/11p", "far", "plain"]
    assert processes.pairs(config) == [(vehicle, link) for link in links]
    radios = [config.radio(link) for link in links]
    assert [radio.model for radio in radios] == ["nr_uu"] + ["urban_80211p"] * 3
    assert [radio.trace for radio in radios] == [None, None, "lte.csv", None]
    assert [radio.outage for radio in radios] == ["hold", None, None, None]  # as the model says
    assert [unit.place for unit in config.roadside_units] == [
        (0, 0, 5), (0, 0, 25), (9, 9, 5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("radios", "said"),
    [("[5g, wifi]", "'wifi' is not among link.radios: 5g, 11p, cell"), ("[5g, 5g]", "twice")],
)
def test_a_unit_names_radios_that_there_are_each_once(
    tmp_path: Path, radios: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, TWO_RADIOS.replace("[5g, 11p]", radios))
