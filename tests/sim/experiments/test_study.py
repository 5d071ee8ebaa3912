import itertools
import math
import re
from pathlib import Path

import msgspec
import pytest
import yaml

from scheduler.errors import ConfigError
from sim.channel.trace import Trace
from sim.experiments import building, config, roads, running
from sim.experiments.__main__ import OTHERS
from sim.experiments.config import Bursts, Leg, Road
from vehicle.perception.rungs import RUNGS

STUDIES = sorted({file.stem for file in config.shipped()[1].glob("*.yaml")} - set(OTHERS))


def tree(**changes: object) -> dict[str, object]:
    plain: dict[str, object] = yaml.safe_load(config.find("smoke").read_text())
    return {**plain, **changes}


def loaded(folder: Path, **changes: object) -> config.Study:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(tree(**changes)))
    return config.load(path)


@pytest.mark.parametrize("name", STUDIES)
def test_shipped_studies_are_right(name: str) -> None:
    path = config.find(name)
    study = config.load(path)
    assert study.name == name
    for cell in building.cells(config.quick(study))[:: max(1, len(study.policies))]:
        assert building.scenario(config.quick(study), cell, path.parent).vehicles


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"polices": []}, "polices"),
        ({"policies": []}, "length >= 1"),
        ({"policies": [{"name": "deadline"}, {"name": "deadline"}]}, "expected each once"),
        ({"links": [{"name": "a", "legs": {"rsu9": {"model": "lte_cloud"}}}]}, "rsu9"),
        ({"links": [{"name": "a", "legs": {"rsu1": {}}}]}, "a model or a trace"),
        ({"stages_ms": {"huge": [1]}}, "huge"),
        ({"bursts": {"rsu7": {}}}, "rsu7"),
        ({"goals": [{"figure": "share"}]}, "least or most"),
        ({"goals": [{"figure": "share", "least": 1, "by": "ratio"}]}, "stands against"),
        ({"goals": [{"figure": "share", "least": 1, "policy": "best"}]}, "best"),
        ({"seeds": 0}, "seeds"),
        ({"vehicle": {"deadline": 100}}, "deadline"),
    ],
)
def test_a_wrong_study_is_told_in_one_line(
    changes: dict[str, object], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        loaded(tmp_path, **changes)
    assert "\n" not in str(error.value)


def test_what_is_no_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="smoke"):
        config.find("smok")
    (tmp_path / "a.yaml").write_text("name: [")
    with pytest.raises(ConfigError, match="expected YAML"):
        config.load(tmp_path / "a.yaml")


def test_a_misspelt_channel_policy_and_drive_are_told(tmp_path: Path) -> None:
    road = {"name": "a", "legs": {"rsu1": {"model": "morse"}}}
    study = loaded(tmp_path, links=[road])
    with pytest.raises(ConfigError, match="morse"):
        building.scenario(study, building.cells(study)[0], tmp_path)
    study = loaded(tmp_path, drives=["nowhere"])
    with pytest.raises(ConfigError, match="nowhere"):
        building.scenario(study, building.cells(study)[0], tmp_path)


def test_policies_lie_under_the_same_conditions() -> None:
    path = config.find("smoke")
    study = config.load(path)
    one, other = building.cells(study)[:2]
    assert one.conditions == other.conditions
    assert one.policy != other.policy
    first, second = (building.scenario(study, cell, path.parent) for cell in (one, other))
    pairs = zip(first.vehicles[0].links, second.vehicles[0].links, strict=True)
    assert all(a.trace.rows == b.trace.rows for a, b in pairs)
    assert first.units == second.units


def test_accuracies_and_times_are_the_rungs_own() -> None:
    path = config.find("offload")
    study = config.load(path)
    (small,) = building.onboard(study)
    assert small.accuracy == RUNGS["small"].cell((320, 192), "int8").f1
    interval_ns = 1e9 / 30
    assert small.time.q50_ns < interval_ns  # the honest local rung keeps up with the camera
    unit = study.roadside_units[0]
    assert building.unit_model(study, unit, unit.detectors[0]).accuracy > small.accuracy


def test_a_slower_unit_takes_longer() -> None:
    study = msgspec.structs.replace(config.load(config.find("offload")), stages_ms={})
    unit = study.roadside_units[0]
    slow = msgspec.structs.replace(unit, slowdown=3.0)
    own, other = (
        building.unit_model(study, each, each.detectors[0]).infer.q50_ns for each in (unit, slow)
    )
    assert other == pytest.approx(3 * own, rel=1e-6)


def test_each_seed_is_another_drive_and_the_same_one_again() -> None:
    leg = Leg(model="highway_80211p", along=0.5, draws={"share": (0.3, 0.9)})
    road = Road(name="r", legs={"rsu1": leg})
    first, again, other = (roads.airs(road, seed, 10.0, Path())["rsu1"] for seed in (1, 1, 2))
    assert first.trace.rows == again.trace.rows != other.trace.rows
    assert first.outage == "drop"
    rates = [state.up_bps for _, state in first.trace.rows]
    near = rates[40:60]
    assert sum(near) / len(near) > sum(rates[:10]) / 10


def test_a_trace_is_entered_at_a_seeded_row_and_goes_round() -> None:
    road = Road(name="r", legs={"rsu1": Leg(trace="urban_drive")})
    whole = Trace(roads.find_trace("urban_drive", Path()))
    entered = roads.airs(road, 5, 10.0, Path())["rsu1"].trace
    assert entered.length_s == pytest.approx(whole.length_s)
    rates = [state.up_bps for _, state in whole.rows]
    turned = [state.up_bps for _, state in entered.rows]
    assert turned != rates
    first = next(k for k in range(len(rates)) if rates[k:] + rates[:k] == turned)
    assert first > 0


def test_vehicles_keep_to_the_streets() -> None:
    way = roads.Way(Road(name="r", shape="blocks", speed=10.0, legs={"u": Leg(model="x")}))
    places = [way.at(metres) for metres in range(0, 900, 7)]
    assert all(math.hypot(place.vx, place.vy) == pytest.approx(10.0) for place in places)
    steps = [math.dist((a.x, a.y), (b.x, b.y)) for a, b in itertools.pairwise(places)]
    assert max(steps) <= 7.0 + 1e-9
    unit = way.beside(50.0)
    assert math.dist(unit[:2], (way.at(50.0).x, way.at(50.0).y)) == pytest.approx(roads.ASIDE_M)


def test_bursts_take_their_share() -> None:
    bursts = {"rsu1": Bursts(per_minute=4, length_s=(2, 2), busy_ms=(75, 75), free_ms=25)}
    spans = [span for seed in range(400) for span in roads.taken(bursts, seed, 60.0)["rsu1"]]
    seconds = sum(end - start for start, end in spans) / 1e9
    spell = 0.75 * 2.0  # of the worker's time
    expected = spell * 60.0 / (15.0 + 2.0) * 400
    assert seconds == pytest.approx(expected, rel=0.1)
    one = roads.taken(bursts, 3, 60.0)["rsu1"]
    assert all(a[1] < b[0] for a, b in itertools.pairwise(one))
    assert roads.taken({"rsu1": Bursts(per_minute=0)}, 1, 60.0) == {"rsu1": ()}


def test_the_study_of_the_page_runs(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "scheduling" / "experiments.md"
    (block,) = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    path = tmp_path / "my_study.yaml"
    path.write_text(block)
    study = config.only(config.quick(config.load(path)), ["careful", "local_only"])
    study = msgspec.structs.replace(study, duration_s=2.0, seeds=[1], oracle=False)
    found = running.run_study(study, tmp_path, tmp_path / "out")
    assert [row.policy for row in found.measures] == ["careful", "local_only"]


def test_a_policy_beside_the_study_is_found(tmp_path: Path) -> None:
    (tmp_path / "beside_study.py").write_text(
        "from scheduler.placement import Placement\n\n\n"
        "class Carry:\n"
        "    name = 'carry'\n\n"
        "    def __init__(self, options):\n"
        "        pass\n\n"
        "    def place(self, task, view):\n"
        "        return Placement('carry', reason='lazy')\n"
    )
    study = loaded(tmp_path, policies=[{"name": "beside_study:Carry"}], seeds=[1], duration_s=2)
    found = running.run_study(study, tmp_path, tmp_path / "out")
    assert found.measures[0].carried == 1.0
    assert found.measures[0].utility == pytest.approx(0.2)
    study = loaded(tmp_path, policies=[{"name": "nobody:Carry"}])
    with pytest.raises(ConfigError, match="nobody"):
        running.run_study(study, tmp_path, tmp_path / "out")
