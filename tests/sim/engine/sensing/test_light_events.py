import math

import numpy as np
import pytest

from sim.engine.catalogue import all_blueprints
from sim.engine.sensing.attributes import SensorError

pytest.importorskip("numba", reason="pictures need the engine extra")

from sim.engine.sensing.light_events import EventSettings, LightEvents

DEFAULTS = {a.id: a.value for a in all_blueprints()["sensor.camera.dvs"].attributes}
TICK_NS = 50_000_000


def camera(**attributes):
    texts = {name: str(value) for name, value in attributes.items()}
    return LightEvents(EventSettings.read({**DEFAULTS, **texts}))


def grey(*levels):
    return np.repeat(np.array([levels], np.uint8)[..., None], 3, axis=2)


def log(level):
    return math.log(0.001 + level * 0.9999 / 255.0)


def test_first_picture_and_a_still_one_tell_nothing():
    events = camera()
    assert len(events.between(grey(10, 200), 0)) == 0
    assert len(events.between(grey(10, 200), TICK_NS)) == 0


def test_crossings_are_evenly_spread_over_the_tick():
    events = camera(positive_threshold=0.3)
    events.between(grey(0, 50), TICK_NS)
    got = events.between(grey(0, 150), 2 * TICK_NS)
    change = log(150) - log(50)
    count = int(change / 0.3)
    assert len(got) == count == 3
    assert got["x"].tolist() == [1] * 3 and got["y"].tolist() == [0] * 3 and got["pol"].all()
    expected = TICK_NS + TICK_NS * 0.3 * np.arange(1, count + 1) / change
    assert got["t"] == pytest.approx(expected, abs=20)


def test_what_is_left_over_counts_later():
    events = camera(positive_threshold=10, use_log="false")
    events.between(grey(0), 0)
    counts = [len(events.between(grey(level), k)) for k, level in enumerate((6, 12, 19, 21), 1)]
    assert counts == [0, 1, 0, 1]


def test_darker_has_its_own_threshold():
    events = camera(positive_threshold=10, negative_threshold=25, use_log="false")
    events.between(grey(100), 0)
    got = events.between(grey(45), TICK_NS)
    assert len(got) == 2 and not got["pol"].any()


def test_pixel_rests_after_an_event():
    events = camera(positive_threshold=10, use_log="false", refractory_period_ns=TICK_NS // 4)
    events.between(grey(0), 0)
    got = events.between(grey(101), TICK_NS)  # ten crossings, the first of each quarter is told
    assert 3 <= len(got) <= 4 and (np.diff(got["t"]) >= TICK_NS // 4).all()


def test_events_are_in_the_order_of_time():
    rng = np.random.default_rng(2)
    events = camera(positive_threshold=0.05, negative_threshold=0.05)
    first, second = (rng.integers(0, 255, (40, 60, 3), np.uint8) for _ in range(2))
    events.between(first, 0)
    got = events.between(second, TICK_NS)
    assert len(got) > 10_000 and (np.diff(got["t"]) >= 0).all()
    assert got["t"].min() >= 0 and got["t"].max() <= TICK_NS
    assert got.dtype.itemsize == 13
    order = np.lexsort((got["x"], got["y"]))
    assert (np.bincount(got["x"][order].astype(int), minlength=60) > 0).all()


def test_noise_of_thresholds_is_repeated_by_a_new_camera():
    rng = np.random.default_rng(2)
    pictures = [rng.integers(0, 255, (20, 30, 3), np.uint8) for _ in range(3)]
    runs = []
    for _ in range(2):
        noisy = camera(sigma_positive_threshold=0.1, sigma_negative_threshold=0.1)
        runs.append([noisy.between(one, k * TICK_NS).tobytes() for k, one in enumerate(pictures)])
    exact = camera()
    plain = [exact.between(one, k * TICK_NS).tobytes() for k, one in enumerate(pictures)]
    assert runs[0] == runs[1] != plain


def test_wrong_threshold_is_named():
    with pytest.raises(SensorError, match="positive_threshold: expected"):
        camera(positive_threshold=0)
    with pytest.raises(SensorError, match="use_log: expected true or false, got 'maybe'"):
        camera(use_log="maybe")
