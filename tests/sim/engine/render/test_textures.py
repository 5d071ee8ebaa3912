import numpy as np
import pytest

from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.renderer import CameraView, Renderer
from sim.engine.render.scene import Instance, Scene
from sim.engine.render.textures import METRES_PER_REPEAT, TEXTURE_INDEX, Textures
from sim.engine.weather import Weather
from tests.sim.engine.render.conftest import pose

NOT_SURFACES = {"cloud", "environment"}


def level(textures, name, k=0):
    """(n, n, 4) uint8 RGBA of a mip level."""
    index = TEXTURE_INDEX[name]
    size = int(textures.size[index]) >> k
    start = textures.offset[index, k]
    return textures.texels[start : start + size * size].view(np.uint8).reshape(size, size, 4)


def wall_picture(textures, name, distance):
    builder = MeshBuilder()
    corners = [(0, 4, -4), (0, -4, -4), (0, -4, 4), (0, 4, 4)]
    size = METRES_PER_REPEAT[name]
    builder.quad(corners, Material(name), (8 / size, 8 / size))
    scene = Scene(textures, weather=Weather(mie_scattering_scale=0.0))
    scene.static.append(Instance(builder.build(name), pose(distance), instance_id=1))
    renderer = Renderer(scene, shadows=False, noise=0)
    picture = renderer.render(CameraView(128, 96, 60.0, pose()))
    rows, columns = np.nonzero(picture.instance == 1)
    inside = picture.bgr[rows.min() + 1 : rows.max(), columns.min() + 1 : columns.max()]
    return inside.astype(float).mean(2)


@pytest.mark.parametrize("name", sorted(set(TEXTURE_INDEX) - NOT_SURFACES))
def test_a_near_texture_keeps_its_contrast(textures, name):
    """A wrong mip level gives a plausible but flat picture: only contrast shows it."""
    distance = {1.0: 1.2}.get(METRES_PER_REPEAT[name], METRES_PER_REPEAT[name] * 0.5)
    own = level(textures, name)[..., :3].astype(float).mean(2).std()
    assert wall_picture(textures, name, distance).std() > 0.3 * own


@pytest.mark.parametrize("name", ["facade_1", "pavement", "marking_white"])
def test_a_far_texture_fades_to_its_mean_without_changing_it(textures, name):
    near, far = wall_picture(textures, name, 7.5), wall_picture(textures, name, 90.0)
    assert far.std() < max(0.8 * near.std(), 4.0)
    assert far.mean() == pytest.approx(near.mean(), abs=12)


def test_mip_levels_halve_and_keep_the_mean(textures):
    for name, index in TEXTURE_INDEX.items():
        size = int(textures.size[index])
        assert size & (size - 1) == 0
        top = level(textures, name).astype(float).mean((0, 1))
        last = level(textures, name, size.bit_length() - 1)
        assert last.shape == (1, 1, 4)
        np.testing.assert_allclose(last[0, 0], top, atol=1.5)


def test_a_seed_is_a_look(textures):
    one, again, other = textures, Textures(textures.seed), Textures(textures.seed + 1)
    np.testing.assert_array_equal(one.texels, again.texels)
    assert (one.texels != other.texels).mean() > 0.5


def test_foliage_has_holes_and_leaves(textures):
    alpha = level(textures, "foliage")[..., 3]
    assert 0.4 < (alpha > 127).mean() < 0.95
