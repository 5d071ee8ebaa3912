import numpy as np
import pytest

pytest.importorskip("numba", reason="rays need the engine extra")

from sim.engine.catalogue import all_blueprints
from sim.engine.geometry import Pose
from sim.engine.sensing.radar import Radar, RadarSettings

from .conftest import instance_of, rays_of, wall_mesh

DEFAULTS = {a.id: a.value for a in all_blueprints()["sensor.other.radar"].attributes}


def radar(**attributes):
    texts = {name: str(value) for name, value in attributes.items()}
    return Radar(RadarSettings.read({**DEFAULTS, **texts}))


def test_own_speed_closes_in_on_a_wall(wall):
    found = radar().scan(Pose(), (5.0, 0.0, 0.0), 0.1, wall, {})
    assert len(found.depth) == 150
    cosine = np.cos(found.azimuth) * np.cos(found.altitude)
    assert found.depth * cosine == pytest.approx(10.0, abs=1e-3)
    assert found.velocity == pytest.approx(-5.0 * cosine, abs=1e-4)


def test_car_that_drives_ahead_at_the_same_speed_stands_and_a_faster_one_leaves():
    rays = rays_of([], [instance_of(wall_mesh(), Pose(x=10.0), 7)])
    same = radar().scan(Pose(), (5.0, 0.0, 0.0), 0.1, rays, {7: (5.0, 0.0, 0.0)})
    assert same.velocity == pytest.approx(0.0, abs=1e-5)
    faster = radar().scan(Pose(), (5.0, 0.0, 0.0), 0.1, rays, {7: (8.0, 0.0, 0.0)})
    assert (faster.velocity > 2.5).all()


def test_angles_are_in_the_cone_and_left_and_up_are_positive(wall):
    wide = radar(points_per_second=20000, horizontal_fov=60, vertical_fov=20)
    found = wide.scan(Pose(), (0.0, 0.0, 0.0), 0.1, wall, {})
    assert np.degrees(np.abs(found.azimuth).max()) == pytest.approx(30.0, abs=1.0)
    assert np.degrees(np.abs(found.altitude).max()) == pytest.approx(10.0, abs=1.0)
    # Half a wall in the north: whoever looks east sees it to the left.
    left = rays_of([instance_of(wall_mesh(4.0), Pose(10.0, 5.0, 3.0))])
    seen = wide.scan(Pose(), (0.0, 0.0, 0.0), 0.1, left, {})
    assert len(seen.depth) and (seen.azimuth > 0).all() and seen.altitude.mean() > 0


def test_rays_crowd_in_the_middle(wall):
    found = radar(points_per_second=50000).scan(Pose(), (0.0, 0.0, 0.0), 0.1, wall, {})
    radius = np.hypot(np.tan(found.azimuth), np.tan(found.altitude) / np.cos(found.azimuth))
    radius /= np.tan(np.radians(15.0))
    # evenly drawn radius: half of all within half the radius, not a quarter
    assert (radius < 0.5).mean() == pytest.approx(0.5, abs=0.03)


def test_seed_repeats_the_rays(wall):
    a, b, c = (radar(noise_seed=s).scan(Pose(), (0.0,) * 3, 0.1, wall, {}) for s in (1, 1, 2))
    assert np.array_equal(a.depth, b.depth) and not np.array_equal(a.depth, c.depth)
