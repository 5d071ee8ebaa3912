"""The rasteriser against an independent ray caster in plain numpy."""

import numpy as np

from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.renderer import OPTICAL_FROM_BODY, CameraView, Renderer
from sim.engine.render.scene import Instance, Scene
from tests.sim.engine.render.conftest import pose

NEAR = 0.08


def cast_rays(corners, rays):
    """Nearest triangle (index, depth) per ray of unit depth, Moeller-Trumbore in float64.

    corners: (T, 3, 3) in optical axes; rays: (P, 3) with z = 1.
    """
    best = np.full(len(rays), np.inf)
    owner = np.full(len(rays), -1)
    for k, (a, b, c) in enumerate(corners):
        edge1, edge2 = b - a, c - a
        p = np.cross(rays, edge2)
        det = p @ edge1
        with np.errstate(divide="ignore", invalid="ignore"):
            u = (p @ -a) / det
            q = np.cross(-a, edge1)
            v = (rays @ q) / det
            depth = (edge2 @ q) / det
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (depth > NEAR) & (depth < best)
        best[hit], owner[hit] = depth[hit], k
    return owner, best


def test_ids_and_depth_match_ray_casting_of_a_triangle_soup(textures):
    rng = np.random.default_rng(5)
    view = CameraView(96, 72, 90.0, pose(0.3, -0.2, 0.5, yaw=0.4, pitch=-0.1))
    scene, corners = Scene(textures), []
    for k in range(420):
        # Around the camera, so that some triangles pass its plane and the near plane.
        points = rng.uniform(-12, 12, 3) + rng.uniform(-3, 3, (3, 3))
        builder = MeshBuilder()
        normal = np.cross(points[1] - points[0], points[2] - points[0])
        look = Material(is_two_sided=True)
        builder.add(points, normal, np.zeros((3, 2)), [(0, 1, 2)], look)
        scene.static.append(Instance(builder.build("t"), np.eye(4), instance_id=k + 1))
        corners.append(points.astype(np.float32).astype(np.float64))
    picture = Renderer(scene).render(view)

    optical_from_world = OPTICAL_FROM_BODY @ view.world_from_camera[:3, :3].T
    moved = (np.array(corners) - view.world_from_camera[:3, 3]) @ optical_from_world.T
    y, x = np.mgrid[0:72, 0:96] + 0.5
    focal = 48.0
    rays = np.stack([(x - 48) / focal, (y - 36) / focal, np.ones_like(x)], -1).reshape(-1, 3)
    owner, depth = cast_rays(moved, rays)
    same = picture.instance.reshape(-1) == owner + 1

    assert 0.3 < (owner >= 0).mean() < 1.0
    assert len(np.unique(owner)) > 20
    assert same.mean() > 0.998  # pixel centres within rounding of an edge may differ
    hit = same & (owner >= 0)
    np.testing.assert_allclose(picture.depth.reshape(-1)[hit], depth[hit], rtol=2e-4)


def test_neighbouring_triangles_leave_no_crack(textures):
    """A finely split, tilted plane covers every pixel of its outline."""
    rng = np.random.default_rng(2)
    n = 40
    grid = np.linspace(-30, 30, n)
    y, z = np.meshgrid(grid, grid, indexing="ij")
    y[1:-1, 1:-1] += rng.uniform(-0.6, 0.6, (n - 2, n - 2))
    z[1:-1, 1:-1] += rng.uniform(-0.6, 0.6, (n - 2, n - 2))
    points = np.stack([10 + 0.3 * z, y, z], -1)
    builder = MeshBuilder()
    builder.grid(points, np.zeros((n, n, 2)), Material(is_two_sided=True))
    scene = Scene(textures)
    scene.static.append(Instance(builder.build("plane"), np.eye(4), instance_id=3))
    picture = Renderer(scene, shadows=False).render(CameraView(160, 120, 70.0, pose(yaw=0.05)))
    assert (picture.instance == 3).all()
