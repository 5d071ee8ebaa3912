"""What is left out of a picture must not have been in it."""

import numpy as np
import pytest

from sim.engine.render import passes
from sim.engine.render.assets.vegetation import tree_mesh
from sim.engine.render.culling import LAST, MIDDLE, cull
from sim.engine.render.far_forms import far_form
from sim.engine.render.kernels.raster import find_farthest
from sim.engine.render.mesh_store import MeshStore
from sim.engine.render.renderer import CameraView, Renderer, projection
from sim.engine.render.scene import Instance, Scene
from sim.engine.weather import Weather
from tests.sim.engine.render.conftest import box_mesh, ground, pose


def crowd(textures, count=400):
    """Boxes of all sizes round the camera, many behind others."""
    rng = np.random.default_rng(3)
    meshes = [box_mesh((size, size, size)) for size in (0.3, 1.0, 2.0, 6.0)]
    scene = Scene(textures)
    scene.static.append(ground())
    for k in range(count):
        angle, away, z = rng.uniform((0, 9, 0), (6.3, 80, 8))
        x, y = away * np.cos(angle), away * np.sin(angle)
        turned = pose(x, y, z, yaw=rng.uniform(0, 6))
        scene.static.append(Instance(meshes[k % 4], turned, instance_id=k + 1, semantic_tag=3))
    return scene


@pytest.mark.parametrize("yaw", [0.0, 1.3, 2.9, -1.7])
def test_hidden_things_are_left_out_and_nothing_else(textures, monkeypatch, yaw):
    view = CameraView(203, 117, 80.0, pose(1.0, 2.0, 2.0, yaw=yaw, pitch=0.05))
    quick = Renderer(crowd(textures), noise=0).render(view)
    monkeypatch.setattr(passes, "_looks", lambda keys: [0, len(keys)])
    slow = Renderer(crowd(textures), noise=0).render(view)
    for name in ("bgr", "depth", "instance", "semantic"):
        np.testing.assert_array_equal(getattr(quick, name), getattr(slow, name))
    assert 15 < len(np.unique(quick.instance)) < 200


def test_set_up_skips_what_a_wall_hides(textures):
    store = MeshStore()
    wall, small = box_mesh((0.5, 40, 40)), box_mesh((1, 1, 1))
    behind = [Instance(small, pose(30, y, 1), instance_id=5) for y in np.linspace(-9, 9, 40)]
    view = projection(CameraView(160, 96, 80.0, np.eye(4)), np.eye(4))
    raster = Renderer(Scene(textures, [behind[0]]))._raster
    raster._store = store
    counts = []
    for instances in ([Instance(wall, pose(10)), *behind], behind):
        nearness, owner = np.zeros((96, 160), np.float32), np.full((96, 160), -1, np.int32)
        placed = store.place(instances)
        _, triangles = raster.draw(placed, view, nearness, owner)
        counts.append(len(triangles.source))
    assert counts[0] <= 2  # the wall's front
    assert counts[1] > 40


def test_every_box_that_is_in_the_picture_is_found(textures):
    """Against the corners of the boxes, projected one by one."""
    scene = crowd(textures, 200)
    store = MeshStore()
    placed = store.place(scene.static)
    camera = CameraView(160, 96, 80.0, pose(0.0, 0.0, 2.0, yaw=0.7))
    view = projection(camera, camera.world_from_camera)
    found = set(cull(placed, store.table(), view).instance_id.tolist())
    for one in scene.static[1:]:
        corner = one.mesh.vertices.astype(float) @ one.world_from_mesh[:3, :3].T
        x, y, w, _ = (
            view.pixel_from_world
            @ np.c_[corner + one.world_from_mesh[:3, 3], np.ones(len(corner))].T
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = (w > 0.1) & (x / w > 1) & (x / w < 159) & (y / w > 1) & (y / w < 95)
        if inside.any() and np.ptp(x[w > 0.1] / w[w > 0.1]) > 2:
            assert one.instance_id in found
        if (w < 0).all():
            assert one.instance_id not in found


def test_order_is_what_hides_much_then_the_rest_then_the_ground(textures):
    store = MeshStore()
    tree = tree_mesh(0)
    placed = store.place(
        [
            ground(),
            Instance(tree, pose(8), instance_id=1),
            Instance(box_mesh((8, 8, 8)), pose(30, 5), instance_id=2),
            Instance(box_mesh((8, 8, 8)), pose(20, -5), instance_id=3),
        ]
    )
    view = projection(CameraView(640, 384, 80.0, np.eye(4)), np.eye(4))
    drawn = cull(placed, store.table(), view)
    by_id = dict(zip(drawn.instance_id.tolist(), drawn.order.tolist(), strict=True))
    assert by_id[3] < by_id[2] < MIDDLE < by_id[1] < LAST <= by_id[0]


def test_farthest_of_a_tile_is_its_least_nearness():
    nearness = np.random.default_rng(0).random((21, 37), np.float32)
    found = np.empty((3, 5), np.float32)
    find_farthest(nearness, found, np.empty(37, np.float32))
    for row in range(3):
        for column in range(5):
            tile = nearness[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            assert found[row, column] == tile.min()


def test_a_coarse_form_takes_over_far_away_and_keeps_the_id(textures):
    tree = tree_mesh(0)
    far = far_form(tree)
    assert far is not None
    assert len(far.triangles) < len(tree.triangles) / 8
    np.testing.assert_allclose(np.ptp(far.vertices, 0), np.ptp(tree.vertices, 0), rtol=0.25)
    store = MeshStore()
    view = projection(CameraView(640, 384, 80.0, np.eye(4)), np.eye(4))
    triangles = []
    for distance in (6.0, 400.0):
        placed = store.place([Instance(tree, pose(distance), instance_id=9)])
        drawn = cull(placed, store.table(), view)
        assert drawn.instance_id.tolist() == [9]
        triangles.append(int(drawn.triangle_range[0, 1]))
    assert triangles[0] == len(tree.triangles)
    assert triangles[1] < 40


def test_what_is_no_tree_has_no_far_form():
    assert far_form(box_mesh((1, 1, 1))) is None


def test_shadow_maps_forget_where_things_were(textures):
    """A map that is used again is as one drawn from nothing."""
    scene = Scene(textures)
    scene.static.append(ground())
    scene.static.append(Instance(box_mesh((3, 3, 6)), pose(20, 6, 3), instance_id=8))
    box = Instance(box_mesh((4, 2, 2)), pose(12, 0, 1), (1, 1, 1), 3, 14, True)
    scene.dynamic[3] = box
    used = Renderer(scene, noise=0)
    view = CameraView(200, 120, 60.0, pose(0, 0, 12, pitch=-0.6))
    for tick, x in enumerate((12, 17, 21)):
        box.world_from_mesh = pose(x, 0.5 * tick, 1, yaw=tick)
        used.begin_tick(tick)
        used.render(view)
    fresh = Renderer(scene, noise=0)
    fresh.begin_tick(2)
    np.testing.assert_array_equal(used.render(view).bgr, fresh.render(view).bgr)


def test_a_wandering_sun_moves_its_shadows_in_small_steps(textures):
    scene = Scene(textures, weather=Weather(sun_azimuth=0.0, sun_altitude=0.8))
    scene.static.append(ground())
    renderer = Renderer(scene, noise=0)
    first = renderer._shadows
    for azimuth, is_same in ((0.001, True), (0.003, True), (0.5, False)):
        renderer.set_weather(Weather(sun_azimuth=azimuth, sun_altitude=0.8))
        assert (renderer._shadows is first) == is_same
    renderer.set_weather(Weather(sun_altitude=-0.5))
    assert renderer._shadows is None
