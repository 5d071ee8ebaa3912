import subprocess
import sys

import numpy as np
import pytest

from sim.engine.render.assets.buildings import building_mesh
from sim.engine.render.assets.people import (
    PEDESTRIAN_HEIGHT,
    PEDESTRIAN_VARIANTS,
    WALK_PHASES,
    pedestrian_mesh,
    pedestrian_meshes,
)
from sim.engine.render.assets.riders import PEDAL_PHASES
from sim.engine.render.assets.street import (
    bench_mesh,
    bin_mesh,
    street_lamp_mesh,
    traffic_light_mesh,
)
from sim.engine.render.assets.vegetation import tree_mesh
from sim.engine.render.assets.vehicles import VEHICLE_EXTENT, vehicle_asset, vehicle_mesh
from sim.engine.render.renderer import CameraView, Renderer
from sim.engine.render.scene import Instance, Scene
from sim.engine.render.textures import TEXTURE_INDEX
from tests.sim.engine.render.conftest import ground, pose

MESHES = {
    **{kind: vehicle_mesh(kind, 2) for kind in VEHICLE_EXTENT},
    **{f"person {v}": pedestrian_mesh(v, 1, v % 4) for v in range(PEDESTRIAN_VARIANTS)},
    "building": building_mesh(18, 12, 17, 3, 5),
    "house": building_mesh(10, 12, 6.5, 0, 8),
    "tree": tree_mesh(1),
    "poplar": tree_mesh(4),
    "traffic light": traffic_light_mesh(),
    "lamp": street_lamp_mesh(),
    "bench": bench_mesh(),
    "bin": bin_mesh(),
}

SKINNED = {"motorcycle", "bicycle", *(name for name in MESHES if name.startswith("person"))}


@pytest.mark.parametrize("name", MESHES)
def test_every_mesh_is_well_formed(name):
    mesh = MESHES[name]
    count = len(mesh.triangles)
    assert mesh.triangles.min() == 0
    assert mesh.triangles.max() == len(mesh.vertices) - 1
    assert {len(a) for a in (mesh.texture, mesh.specular, mesh.emissive, mesh.lamp,
                             mesh.is_cutout, mesh.is_two_sided)} == {count}  # fmt: skip
    assert mesh.texture.max() < len(TEXTURE_INDEX)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-3)
    assert ((mesh.colour[:, 3] >= 0) & (mesh.colour[:, 3] <= 1)).all()
    corner = mesh.vertices[mesh.triangles].astype(float)
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    agreement = (face * mesh.normals[mesh.triangles].sum(1)).sum(1)
    folded = 0.02 if name in SKINNED else 0.0  # where a bent limb creases
    assert (agreement < -1e-9).mean() <= folded  # counter-clockwise seen from outside


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("kind", VEHICLE_EXTENT)
def test_a_vehicle_fills_its_extent_and_stands_on_the_ground(kind, seed):
    vertices = vehicle_mesh(kind, seed).vertices
    length, width, height = VEHICLE_EXTENT[kind]
    low, high = vertices.min(0), vertices.max(0)
    np.testing.assert_allclose((low[0], high[0]), (-length / 2, length / 2), atol=1e-3)
    assert high[2] == pytest.approx(height, abs=1e-3)
    assert low[2] == pytest.approx(0, abs=0.03)
    mirrors = 0.2
    assert width - 0.15 < np.ptp(vertices[:, 1]) < width + 2 * mirrors


@pytest.mark.parametrize("variant", range(PEDESTRIAN_VARIANTS))
def test_a_pedestrian_has_its_height_and_strides(variant):
    phases = pedestrian_meshes(variant, 1)
    assert len(phases) == WALK_PHASES + 1
    height = PEDESTRIAN_HEIGHT[variant]
    for mesh in phases:
        assert mesh.vertices[:, 2].min() == pytest.approx(0, abs=0.01)
        assert mesh.vertices[:, 2].max() == pytest.approx(height, rel=0.05)
        assert len(mesh.triangles) <= 1500
        assert len(mesh.coarse.triangles) < 0.5 * len(mesh.triangles)
    assert phases[-1].vertices[:, 2].max() == pytest.approx(height, abs=1e-3)
    feet = [np.ptp(m.vertices[m.vertices[:, 2] < 0.12 * height, 0]) for m in phases]
    assert feet[0] > feet[WALK_PHASES // 4] + 0.05 * height  # heel strike against passing
    np.testing.assert_array_equal(phases[0].colour, phases[5].colour)


def test_steps_are_small(textures):
    """No point of a walker jumps from phase to phase: the fastest, a foot, swings at 5 m/s."""
    phases = pedestrian_meshes(0, 1)[:WALK_PHASES]
    for one, following in zip(phases, phases[1:] + phases[:1], strict=True):
        assert np.linalg.norm(following.vertices - one.vertices, axis=1).max() < 0.42


@pytest.mark.parametrize("kind", VEHICLE_EXTENT)
def test_a_vehicle_keeps_its_budget_of_triangles_and_has_a_far_form(kind):
    asset = vehicle_asset(kind, 3)
    near = len(asset.body.triangles) + sum(len(w.mesh.triangles) for w in asset.wheels)
    assert near <= 2500
    assert len(asset.body.coarse.triangles) < 0.6 * len(asset.body.triangles)
    low, high = asset.body.vertices.min(0), asset.body.vertices.max(0)
    for vertices in (asset.body.coarse.vertices, *(spot.position for spot in asset.body.spots)):
        assert (np.atleast_2d(vertices) >= low - 0.05).all()
        assert (np.atleast_2d(vertices) <= high + 0.05).all()
    for wheel in asset.wheels:
        assert wheel.at[2] == wheel.radius  # stands on the road
        assert np.abs(wheel.mesh.vertices[:, [0, 2]]).max() == pytest.approx(wheel.radius, rel=0.02)


def test_who_rides_a_bicycle_pedals_and_holds_the_bars():
    rider = vehicle_asset("bicycle", 2).rider
    assert len(rider) == PEDAL_PHASES
    low = [mesh.vertices[:, 2] < 0.25 for mesh in (rider[0], rider[PEDAL_PHASES // 2])]
    assert not (low[0] & low[1]).any()  # one foot is down, then the other
    for foot in low:
        path = np.array([mesh.vertices[foot].mean(0) for mesh in rider])
        np.testing.assert_allclose(np.ptp(path, axis=0)[[0, 2]], 0.33, atol=0.05)  # twice the crank
    for mesh in rider[1:]:
        high = mesh.vertices[:, 2] > 1.3
        np.testing.assert_allclose(mesh.vertices[high], rider[0].vertices[high], atol=1e-5)


def test_walls_stand_on_the_asked_rectangle():
    mesh = building_mesh(20, 12, 15, 2, 4)
    assert 10 <= mesh.vertices[:, 0].max() <= 10.9
    assert 6 <= mesh.vertices[:, 1].max() <= 6.95
    assert mesh.vertices[:, 2].min() == pytest.approx(0, abs=0.01)
    assert 15 <= mesh.vertices[:, 2].max() < 19


def test_a_seed_is_a_look_and_stays_one():
    for make in (lambda s: vehicle_mesh("car_suv", s), lambda s: building_mesh(15, 10, 12, 1, s),
                 tree_mesh, lambda s: pedestrian_mesh(2, s, 0)):  # fmt: skip
        one, again, other = make(1), make(1), make(2)
        np.testing.assert_array_equal(one.vertices, again.vertices)
        np.testing.assert_array_equal(one.colour, again.colour)
        assert (
            one.vertices.shape != other.vertices.shape
            or not np.array_equal(one.vertices, other.vertices)
            or not np.array_equal(one.colour, other.colour)
        )


def test_unknown_kinds_are_refused():
    with pytest.raises(KeyError):
        vehicle_mesh("tram", 1)


def red_excess(textures, mesh, at, lamps, camera):
    scene = Scene(textures)
    scene.static.append(ground())
    scene.dynamic[3] = Instance(mesh, at, (0.5, 0.5, 0.5), 3, 14, True, lamps)
    renderer = Renderer(scene, noise=0, shadows=False)
    picture = renderer.render(CameraView(200, 160, 60.0, camera))
    return picture.bgr[picture.instance == 3].astype(int)


def test_brake_lamps_glow_with_the_brake_bit(textures):
    mesh, at, camera = vehicle_mesh("car_sedan", 1), pose(6), pose(0, 0, 1.0)
    off, brake, left = (red_excess(textures, mesh, at, bits, camera) for bits in (0, 0x8, 0x20))
    bright = [(p[:, 2] > 240) & (p[:, 0] < 120) & (p[:, 1] < 120) for p in (off, brake, left)]
    assert bright[0].sum() == bright[2].sum() == 0
    assert bright[1].sum() > 40


@pytest.mark.parametrize(("state", "channels"), [(0, (2,)), (1, (2, 1)), (2, (1,)), (3, ())])
def test_a_traffic_light_shows_its_state(textures, state, channels):
    mesh = traffic_light_mesh()
    pixels = red_excess(textures, mesh, pose(6, 0, 0), state, pose(0, 1.8, 3.5, pitch=0.1))
    vivid = pixels[(pixels.max(1) > 170) & (np.ptp(pixels, axis=1) > 90)]
    if not channels:
        assert len(vivid) == 0
        return
    assert len(vivid) > 20
    mean = vivid.mean(0)
    assert all(mean[c] > 120 for c in channels)
    assert all(mean[c] < 0.75 * mean.max() for c in range(3) if c not in channels)


def test_scene_and_assets_need_no_numba():
    code = (
        "import sys; import sim.engine.render.scene, sim.engine.render.textures;"
        "import sim.engine.render.assets.vehicles, sim.engine.render.assets.buildings;"
        "import sim.engine.render.assets.street, sim.engine.render.assets.vegetation;"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
