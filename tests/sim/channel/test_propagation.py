"""Path loss against its tables: TR 38.901's formulas as the package `tr3gpp` prints them."""

import math
import re

import pytest

from sim.channel import propagation
from sim.channel.environment import HIGHWAY, UMA, UMI, URBAN, ends_of

tr38901 = pytest.importorskip("tr3gpp.tr38901", reason="tr3gpp is not installed")
PATHLOSS = tr38901.section("7.4")
SHAPES = {"UMi-StreetCanyon": (UMI, propagation.umi_db), "UMa": (UMA, propagation.uma_db)}
GRID = [
    (ground, ghz, mast, antenna)
    for ground in (10, 18, 35, 80, 200, 450, 900, 2500, 5000)
    for ghz in (0.7, 1.8, 3.5, 5.9, 28.0)
    for mast, antenna in ((10, 1.5), (25, 1.5), (25, 3.0), (6, 1.6))
]


def evaluate(latex, **values):
    """A formula of the tables as a number; `PL_{...}` and the like are names of values."""
    text = latex.replace(r"\cdot", "*").replace(r"\left", "").replace(r"\right", "")
    text = text.replace(r"\log_{10}", "lg").replace(r"\max", "max").replace(r"\exp", "exp")
    text = re.sub(r"\\d?frac\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}\{([^{}]*(?:\{[^{}]*\})?[^{}]*)\}",
                  r"((\1)/(\2))", text)  # fmt: skip
    names = {
        "d'_{BP}": "turn", "d_{2D-out}": "d2", "d_{3D}": "d3", "d_{2D}": "d2", "h_{BS}": "hbs",
        "h_{UT}": "hut", "f_c": "f",
    }  # fmt: skip
    for name, ours in names.items():
        text = text.replace(name, ours)
    text = text.replace("^2", "**2").replace("[", "(").replace("]", ")").replace(r"\quad", " ")
    text = re.sub(r"(\d)\s*(lg|exp|\()", r"\1*\2", text)
    text = re.sub(r"\)\s*(lg|exp|\()", r")*\1", text)
    return eval(
        text, {"__builtins__": {}}, {"lg": math.log10, "max": max, "exp": math.exp, **values}
    )


def parts(latex):
    """name -> right side, of `PL_1 = ...; \\quad PL_2 = ...`."""
    found = {}
    for part in re.split(r";\s*(?:\\quad)?", latex):
        name, _, right = part.strip().partition(" = ")
        found[name] = right
    return found


def expected_db(scenario, condition, ground, ghz, mast, antenna):
    entry = PATHLOSS.pathloss(scenario=scenario, condition="LOS")
    values = {
        "d2": ground, "d3": math.hypot(ground, mast - antenna), "f": ghz, "hbs": mast,
        "hut": antenna, "turn": 4 * (mast - 1) * (antenna - 1) * ghz * 1e9 / 3e8,
    }  # fmt: skip
    which = "PL_1" if ground <= values["turn"] else "PL_2"
    clear = evaluate(parts(entry.formula)[which], **values)
    if condition == "LOS":
        return clear
    entry = PATHLOSS.pathloss(scenario=scenario, condition="NLOS")
    (hidden,) = (right for name, right in parts(entry.formula).items() if name.startswith("PL'"))
    return max(clear, evaluate(hidden, **values))


@pytest.mark.parametrize("scenario", SHAPES)
@pytest.mark.parametrize("condition", ["LOS", "NLOS"])
def test_cells_lose_what_tr_38901_says(scenario, condition):
    _, ours = SHAPES[scenario]
    for ground, ghz, mast, antenna in GRID:
        expected = expected_db(scenario, condition, ground, ghz, mast, antenna)
        assert ours(condition, ground, ghz, mast, antenna) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("scenario", "ours"),
    [("UMi-StreetCanyon", propagation.umi_sight), ("UMa", propagation.uma_sight)],
)
def test_sight_of_cells_is_tr_38901_s(scenario, ours):
    latex = PATHLOSS.los_probability(scenario=scenario).formula
    body = latex.split(r"\le 18m \\")[1].split("& 18m")[0].strip()
    if scenario == "UMa":  # C' is 0 for antennas of at most 13 m
        body = body.split(r"\right]")[0].removeprefix(r"\left[")
    for ground in (18.5, 25, 60, 150, 400, 1000):
        assert ours(ground) == pytest.approx(evaluate(body, d2=ground), abs=1e-12)
    assert ours(18.0) == ours(3.0) == 1.0


@pytest.mark.parametrize("scenario", SHAPES)
@pytest.mark.parametrize("condition", ["LOS", "NLOS"])
def test_shadowing_of_cells_is_tr_38901_s(scenario, condition):
    place, _ = SHAPES[scenario]
    entry = PATHLOSS.pathloss(scenario=scenario, condition=condition)
    assert place.shadowing_db[condition] == float(entry.shadow_fading_std_db[0].value_db)
    table = tr38901.section("7.5").channel_model_parameters(
        scenario=scenario.replace("-StreetCanyon", " - Street Canyon"), condition=condition
    )
    assert place.decorrelation_m[condition] == float(table.corr_distance_SF_m)


@pytest.mark.parametrize("scenario", SHAPES)
def test_sight_forgets_itself_as_tr_38901_says(scenario):
    place, _ = SHAPES[scenario]
    table = tr38901.section("7.6").correlation_distance(
        scenario=scenario.split("-")[0], condition="LOS"
    )
    assert place.sight_decorrelation_m == float(table.los_nlos_state_m)


def test_car_takes_what_tr_38901_says():
    table = PATHLOSS.o2i_penetration_loss.car_penetration_loss
    assert float(table.mu_db) == propagation.CAR_LOSS_DB
    assert float(table.mu_metallized_windows_db) == propagation.METALLISED_LOSS_DB
    assert float(table.sigma_p_db) == propagation.CAR_SIGMA_DB


@pytest.mark.parametrize(
    ("state", "distance", "urban", "highway"),
    [  # TR 37.885 table 6.2.1-1 at 5.9 GHz, by hand: lg 5.9 = 0.770852
        ("LOS", 10, 38.77 + 16.7 + 14.0295, 32.4 + 20 + 15.4170),
        ("LOS", 100, 38.77 + 33.4 + 14.0295, 32.4 + 40 + 15.4170),
        ("NLOSv", 1000, 38.77 + 50.1 + 14.0295, 32.4 + 60 + 15.4170),
        ("NLOS", 100, 36.85 + 60 + 14.5691, 36.85 + 60 + 14.5691),
    ],
)
def test_roads_lose_what_tr_37885_says(state, distance, urban, highway):
    assert propagation.urban_db(state, distance, 5.9) == pytest.approx(urban, abs=1e-3)
    assert propagation.highway_db(state, distance, 5.9) == pytest.approx(highway, abs=1e-3)


def test_link_budget_of_a_motorway_is_the_published_one():
    noise = propagation.noise_dbm(10e6, 9.0)
    for distance, snr_db in ((100, 36), (200, 30), (500, 22), (800, 18)):
        assert 29 - propagation.highway_db("LOS", distance, 5.9) - noise == pytest.approx(
            snr_db, abs=0.5
        )


def test_sight_on_roads_is_tr_37885_s():
    assert propagation.urban_sight(0) == 1.0
    assert propagation.urban_sight(100) == pytest.approx(1.05 * math.exp(-1.14))
    assert propagation.highway_sight(0) == 1.0
    assert propagation.highway_sight(300) == pytest.approx(2.1013e-6 * 9e4 - 0.6 + 1.0193)
    assert propagation.highway_sight(475) == pytest.approx(
        propagation.highway_sight(475.01), abs=5e-3
    )
    assert propagation.highway_sight(675) == pytest.approx(0.34)
    assert propagation.highway_sight(2000) == 0.0


def test_winner_b1_bends_where_its_two_lines_nearly_meet():
    turn = 4 * 1.0 * 1.0 * 5.9e9 / 3e8
    near = propagation.b1_clear_db(turn - 1e-6, 5.9, 1.5, 1.5)
    far = propagation.b1_clear_db(turn + 1e-6, 5.9, 1.5, 1.5)
    assert near == pytest.approx(far, abs=0.5)
    assert propagation.b1_clear_db(50, 5.9, 1.5, 1.5) == pytest.approx(
        22.7 * math.log10(50) + 27 + 20 * math.log10(5.9)
    )
    assert propagation.b1_clear_db(500, 5.9, 1.5, 1.5) == pytest.approx(
        40 * math.log10(500) + 7.56 + 2.7 * math.log10(5.9)
    )
    assert propagation.b1_clear_db(1, 5.9, 1.5, 1.5) == propagation.b1_clear_db(3, 5.9, 1.5, 1.5)


def test_winner_b1_round_a_corner_by_hand_and_either_way():
    n = 2.8 - 0.0024 * 100
    clear = propagation.b1_clear_db(100, 5.9, 1.5, 1.5)
    turned = 17.9 - 12.5 * n + 10 * n * math.log10(100) + 3 * math.log10(5.9)
    assert propagation.b1_corner_db(100, 100, 5.9, 1.5, 1.5) == pytest.approx(clear + turned)
    assert propagation.b1_corner_db(40, 200, 5.9, 1.5, 1.5) == propagation.b1_corner_db(
        200, 40, 5.9, 1.5, 1.5
    )
    assert propagation.b1_corner_db(60, 60, 5.9, 1.5, 1.5) > propagation.b1_clear_db(
        120, 5.9, 1.5, 1.5
    )


def test_ends_are_split_along_and_across_the_way():
    ends = ends_of((10.0, 0.0, 1.5), (0.0, 5.0), (40.0, 40.0, 5.5))
    assert (ends.along, ends.across, ends.ground) == (40.0, 30.0, 50.0)
    assert ends.distance == pytest.approx(math.hypot(50, 4))
    assert ends_of((0, 0, 1), (0, 0), (3.0, 4.0, 1)).along == 3.0


def test_roads_shadow_as_tr_37885_says():
    for place in (URBAN, HIGHWAY):
        assert place.shadowing_db == {"LOS": 3.0, "NLOSv": 3.0, "NLOS": 4.0}
    assert HIGHWAY.decorrelation_m["LOS"] == 25.0
