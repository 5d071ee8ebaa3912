import numpy as np
import pytest

from sim.engine.render.assets.ground import strip_mesh
from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.renderer import CameraView, Renderer
from sim.engine.render.scene import Instance, Scene
from sim.engine.weather import Weather
from tests.sim.engine.render.conftest import box_mesh, ground, pose

SKY = 11


def view(width=160, height=96, fov=80.0, at=None):
    return CameraView(width, height, fov, pose(z=1.5) if at is None else at)


def test_depth_of_a_wall_is_its_distance_along_the_camera_axis(scene):
    picture = Renderer(scene).render(view())
    wall = picture.instance == 1 << 24
    assert wall.sum() > 500
    np.testing.assert_allclose(picture.depth[wall], 10.0, atol=2e-3)
    assert (picture.depth[picture.semantic == SKY] == 1000.0).all()


def test_ground_depth_follows_from_the_row(scene):
    picture = Renderer(scene).render(view())
    focal = view().intrinsics()[0, 0]
    row, column = 90, 150
    assert picture.semantic[row, column] == 1
    expected = 1.5 * focal / (row + 0.5 - 48)
    assert picture.depth[row, column] == pytest.approx(expected, rel=1e-4)


def test_a_point_projects_as_the_pinhole_formula_says(textures):
    scene = Scene(textures)
    scene.static.append(Instance(box_mesh((0.02, 0.4, 0.4)), pose(10, 2, 2.5), instance_id=5))
    picture = Renderer(scene).render(view(320, 192))
    rows, columns = np.nonzero(picture.instance == 5)
    focal = 320 / (2 * np.tan(np.radians(40)))
    assert columns.mean() + 0.5 == pytest.approx(160 - focal * 2 / 10, abs=0.6)
    assert rows.mean() + 0.5 == pytest.approx(96 - focal * 1 / 10, abs=0.6)


def test_instance_and_semantic_agree_in_every_pixel(scene):
    picture = Renderer(scene).render(view())
    tag_of = {7: 14, 1 << 24: 3}
    for instance, tag in tag_of.items():
        assert set(picture.semantic[picture.instance == instance]) == {tag}
    assert set(np.unique(picture.semantic)) == {1, 3, 14, SKY}
    assert set(picture.semantic[picture.instance == 0]) == {1, SKY}


def test_threads_change_nothing(scene):
    one = Renderer(scene, threads=1).render(view(200, 120))
    three = Renderer(scene, threads=3).render(view(200, 120))
    for name in ("bgr", "depth", "instance", "semantic"):
        np.testing.assert_array_equal(getattr(one, name), getattr(three, name))


def test_a_view_is_drawn_once_a_tick(scene):
    renderer = Renderer(scene)
    first = renderer.render(view())
    assert renderer.render(view()) is first
    assert renderer.render(view(at=pose(z=1.6))) is not first
    renderer.begin_tick(1)
    assert renderer.render(view()) is not first


def test_a_tick_shows_new_poses_and_actors(scene):
    renderer = Renderer(scene)
    before = renderer.render(view())
    scene.dynamic[7].world_from_mesh = pose(9, -4, 0.75)
    scene.dynamic[9] = Instance(box_mesh((1, 1, 1)), pose(6, 0, 0.5), (1, 1, 1), 9, 14, True)
    renderer.begin_tick(1)
    after = renderer.render(view())
    assert (
        np.nonzero(before.instance == 7)[1].mean() < 80 < np.nonzero(after.instance == 7)[1].mean()
    )
    assert not (before.instance == 9).any()
    assert (after.instance == 9).any()
    del scene.dynamic[9]
    renderer.begin_tick(2)
    assert not (renderer.render(view()).instance == 9).any()


def test_equal_frames_are_equal_pictures_and_noise_changes_with_the_frame(scene):
    pictures = []
    for frame in (3, 3, 4):
        renderer = Renderer(scene)
        renderer.begin_tick(frame)
        pictures.append(renderer.render(view()).bgr)
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert (pictures[0] != pictures[2]).mean() > 0.3
    assert np.abs(pictures[0].astype(int) - pictures[2]).mean() < 4


def test_what_is_shared_cannot_be_written(scene):
    with pytest.raises(ValueError, match="read-only"):
        Renderer(scene).render(view()).bgr[0, 0] = 0


def test_cutouts_hide_pixel_by_pixel(textures):
    builder = MeshBuilder()
    builder.quad([(8, 2, 0), (8, -2, 0), (8, -2, 4), (8, 2, 4)],
                 Material("foliage", is_cutout=True), (4, 4))  # fmt: skip
    scene = Scene(textures)
    scene.static.append(Instance(builder.build("leaves"), np.eye(4), instance_id=4, semantic_tag=9))
    scene.static.append(Instance(box_mesh((1, 40, 40)), pose(20), instance_id=5, semantic_tag=3))
    picture = Renderer(scene).render(view(320, 192, at=pose(z=2)))
    inside = picture.instance[80:110, 130:190]
    leaves = (inside == 4).mean()
    size, base = textures.size[9], textures.offset[9, 0]
    alpha = textures.texels[base : base + size * size] >> 24
    assert set(np.unique(inside)) == {4, 5}
    assert leaves == pytest.approx((alpha > 127).mean(), abs=0.12)
    assert set(picture.depth[80:110, 130:190][inside == 5].round(2)) == {19.5}


def test_back_faces_are_drawn_only_when_two_sided(textures):
    for is_two_sided in (False, True):
        builder = MeshBuilder()
        away = [(8, -2, 0), (8, 2, 0), (8, 2, 4), (8, -2, 4)]  # seen from +x
        builder.quad(away, Material(is_two_sided=is_two_sided))
        scene = Scene(textures)
        scene.static.append(Instance(builder.build("sheet"), np.eye(4), instance_id=4))
        picture = Renderer(scene).render(view())
        assert (picture.instance == 4).any() == is_two_sided


def test_ground_under_the_camera_leaves_no_gap(textures):
    """Triangles that pass behind the camera are cut, not dropped; kerbs close the edge."""
    scene = Scene(textures)
    scene.static.append(ground("grass", z=-0.05, tag=10))
    along = np.arange(-30.0, 120.0, 10.0)

    def line(y, z):
        return np.column_stack([along, np.full_like(along, y), np.full_like(along, z)])

    strips = [
        (line(3.5, 0), line(-3.5, 0), "asphalt", 1),
        (line(-3.5, 0.15), line(-6, 0.15), "pavement", 2),
        (line(-3.5, 0.0), line(-3.5, 0.15), "kerb", 2),
    ]
    for left, right, texture, tag in strips:
        mesh = strip_mesh(left, right, texture)
        scene.static.append(Instance(mesh, np.eye(4), semantic_tag=tag))
    picture = Renderer(scene).render(view(240, 160, at=pose(0, -2, 1.2, yaw=-0.3)))
    assert not (picture.semantic[86:] == SKY).any()
    assert {1, 2, 10} <= set(np.unique(picture.semantic[86:]))


def test_the_sun_casts_shadows_on_its_far_side(textures):
    scene = Scene(
        textures, weather=Weather(sun_azimuth=np.pi / 2, sun_altitude=0.8)
    )  # sun in the north
    scene.static.append(ground())
    scene.static.append(Instance(box_mesh((2, 2, 6)), pose(12, 0, 3), instance_id=1 << 24))
    down = view(200, 200, 60, pose(12, 0, 30, pitch=-np.pi / 2))
    lit = Renderer(scene, shadows=False, noise=0).render(down).bgr.mean(2)
    shaded = Renderer(scene, noise=0).render(down).bgr.mean(2)
    scale = 100 / np.tan(np.radians(30)) / 30  # pixels per metre; the picture's right is south
    near, far = int(100 + 3.5 * scale), int(100 - 3.5 * scale)
    assert shaded[90:110, near].mean() < 0.75 * lit[90:110, near].mean()
    np.testing.assert_allclose(shaded[90:110, far], lit[90:110, far], atol=1)


def test_moving_things_cast_shadows_that_move(textures):
    scene = Scene(textures)
    scene.static.append(ground())
    box = Instance(box_mesh((4, 2, 2)), pose(12, 0, 1), (1, 1, 1), 3, 14, True)
    scene.dynamic[3] = box
    renderer = Renderer(scene, noise=0)
    down = view(200, 200, 60, pose(12, 0, 30, pitch=-np.pi / 2))
    there = renderer.render(down)
    box.world_from_mesh = pose(22, 0, 1)
    renderer.begin_tick(1)
    gone = renderer.render(down)
    both = (there.instance == 0) & (gone.instance == 0)
    darker = there.bgr.mean(2) < 0.75 * gone.bgr.mean(2)
    assert (darker & both).sum() > 50


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"fov": 0.0}, {"fov": 180.0}, {"height": -1}], ids=str
)
def test_an_impossible_view_is_refused(scene, wrong):
    with pytest.raises(ValueError, match="expected a view"):
        Renderer(scene).render(view(**wrong))


def test_an_empty_scene_is_refused(textures):
    with pytest.raises(ValueError, match="empty"):
        Renderer(Scene(textures)).render(view())


def test_looking_away_from_everything_shows_sky(scene):
    picture = Renderer(scene).render(view(at=pose(z=1.5, pitch=1.2)))
    assert (picture.semantic == SKY).all()
    assert picture.bgr[..., 0].mean() > picture.bgr[..., 2].mean()  # blue


def test_normals_face_what_the_surfaces_face(scene):
    renderer = Renderer(scene)
    picture, normals = renderer.render(view()), renderer.normals(view())
    assert normals.shape == (96, 160, 3)
    assert (normals[picture.semantic == SKY] == 0).all()
    road = picture.semantic == 1
    np.testing.assert_allclose(normals[road], [(0, 0, 1)] * road.sum(), atol=1e-6)
    wall = picture.instance == 1 << 24
    np.testing.assert_allclose(normals[wall], [(-1, 0, 0)] * wall.sum(), atol=1e-6)
    assert renderer.normals(view()) is normals


def test_normals_turn_with_their_instance_and_two_sided_ones_to_the_camera(textures):
    builder = MeshBuilder()
    away = [(8, -2, 0), (8, 2, 0), (8, 2, 4), (8, -2, 4)]  # its normal is +x
    builder.quad(away, Material(is_two_sided=True))
    scene = Scene(textures)
    scene.static.append(Instance(builder.build("sheet"), np.eye(4), instance_id=4))
    scene.static.append(Instance(box_mesh((1, 1, 1)), pose(4, 2, 1.5, yaw=0.3), instance_id=5))
    renderer = Renderer(scene)
    picture, normals = renderer.render(view()), renderer.normals(view())
    np.testing.assert_allclose(normals[picture.instance == 4][0], (-1, 0, 0), atol=1e-6)
    box = normals[picture.instance == 5]
    near = np.abs(box @ (-np.cos(0.3), -np.sin(0.3), 0)) > 0.999
    side = np.abs(box @ (np.sin(0.3), -np.cos(0.3), 0)) > 0.999
    assert near.sum() > 50
    assert (near | side).all()
