"""Scenes of a few triangles for rays, without a town."""

from types import SimpleNamespace

import numpy as np
import pytest

from sim.engine.geometry import Pose

pytest.importorskip("numba", reason="rays need the engine extra")

from sim.engine.render.scene import Instance, Mesh
from sim.engine.sensing.ray_scene import RayScene


def mesh_of(corners, *, uv=None, is_two_sided=False, is_cutout=False):
    """A mesh of loose triangles, corners (T, 3, 3)."""
    corners = np.asarray(corners, np.float32)
    count = len(corners)
    return Mesh(
        name="test",
        vertices=corners.reshape(-1, 3),
        normals=np.tile(np.float32([0, 0, 1]), (3 * count, 1)),
        uv=np.zeros((3 * count, 2), np.float32) if uv is None else np.float32(uv).reshape(-1, 2),
        colour=np.ones((3 * count, 4), np.float32),
        triangles=np.arange(3 * count, dtype=np.int32).reshape(-1, 3),
        texture=np.zeros(count, np.int16),
        specular=np.zeros(count, np.float32),
        emissive=np.zeros(count, np.float32),
        lamp=np.zeros(count, np.uint8),
        is_cutout=np.full(count, is_cutout),
        is_two_sided=np.full(count, is_two_sided),
    )


def wall_mesh(half=20.0, **look):
    """A square in the plane x = 0 that looks along -x."""
    a, b, c, d = [(0, s * half, t * half) for s, t in ((1, -1), (-1, -1), (-1, 1), (1, 1))]
    uv = [[(0, 1), (1, 1), (1, 0)], [(0, 1), (1, 0), (0, 0)]]
    return mesh_of([(a, b, c), (a, c, d)], uv=uv, **look)


def instance_of(mesh, pose, instance_id=0, tag=3):
    return Instance(mesh, pose.matrix(), instance_id=instance_id, semantic_tag=tag)


def scene_of(static, dynamic=(), texels=(0xFFFFFFFF,)):
    texels = np.array(texels, np.uint32)
    size = int(len(texels) ** 0.5)
    textures = SimpleNamespace(
        texels=texels, offset=np.zeros((1, 11), np.int32), size=np.array([size], np.int32)
    )
    moving = {one.instance_id: one for one in dynamic}
    return SimpleNamespace(textures=textures, static=list(static), dynamic=moving)


def rays_of(static, dynamic=(), **look):

    rays = RayScene()
    rays.update(scene_of(static, dynamic, **look), 1)
    return rays


@pytest.fixture
def wall():
    """A wall 10 m east of the origin, of instance 7 and tag 3, and a body of nothing else."""
    return rays_of([instance_of(wall_mesh(), Pose(x=10.0), 7)])
