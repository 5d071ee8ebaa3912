"""A lidar's ray through a pixel and that pixel's depth: two ways to the same surface."""

import numpy as np
import pytest

pytest.importorskip("numba", reason="pictures need the engine extra")

from sim.engine.geometry import Pose
from sim.engine.render.renderer import CameraView
from sim.engine.simulation import Engine
from sim.engine.town import build_town

WIDTH, HEIGHT = 320, 200


@pytest.mark.slow
def test_rays_meet_what_the_picture_shows():
    engine = Engine(build_town())
    town = engine.town
    car = engine.spawn("vehicle.tesla.model3", town.spawn_points[0])
    engine.spawn("vehicle.audi.tt", town.spawn_points[0].compose(Pose(x=14.0)))
    engine.spawn("walker.pedestrian.0001", town.spawn_points[0].compose(Pose(x=9.0, y=2.0, z=1.0)))
    engine.tick(0.05)
    eye = car.pose.compose(Pose(x=2.5, z=1.6))
    view = CameraView(WIDTH, HEIGHT, 90.0, eye.matrix())
    picture = engine.picture(view)
    u, v = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    focal = WIDTH / 2.0
    ray = np.stack([np.ones_like(u), (WIDTH / 2 - u) / focal, (HEIGHT / 2 - v) / focal], -1)
    length = np.linalg.norm(ray, axis=-1)
    hits = engine.rays().cast(
        np.array([eye.x, eye.y, eye.z]),
        (ray / length[..., None]).reshape(-1, 3),
        900.0,
        rotation=eye.rotation(),
        with_cosine=True,
    )
    depth = hits.distance.reshape(HEIGHT, WIDTH) / length
    near = picture.depth < 100.0
    same = near & (hits.instance_id.reshape(HEIGHT, WIDTH) == picture.instance)
    assert same[near].mean() > 0.99
    tags = hits.semantic_tag.reshape(HEIGHT, WIDTH)
    assert (tags == picture.semantic)[near].mean() > 0.99
    error = np.abs(depth - picture.depth)[same]
    assert np.median(error) < 0.001 and np.percentile(error, 95) < 0.02
    facing = (engine.normals(view) * (ray / length[..., None] @ eye.rotation().T)).sum(-1)
    flat = same & np.isin(picture.semantic, (1, 2, 3))  # where shading is not rounded
    cosine = hits.cosine.reshape(HEIGHT, WIDTH)
    assert np.median(np.abs(np.abs(facing) - cosine)[flat]) < 1e-3
