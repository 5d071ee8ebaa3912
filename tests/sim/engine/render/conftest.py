"""Little scenes that the renderer's tests share."""

import numpy as np
import pytest

from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.scene import Instance, Scene
from sim.engine.render.textures import Textures


def pose(x=0.0, y=0.0, z=0.0, yaw=0.0, pitch=0.0):
    """world_from_body, yaw counter-clockwise, pitch nose-up, radians."""
    c, s, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    matrix = np.eye(4)
    matrix[:3, :3] = [[c * cp, -s, -c * sp], [s * cp, c, -s * sp], [sp, 0, cp]]
    matrix[:3, 3] = x, y, z
    return matrix


def box_mesh(size, texture="plain", **look):
    builder = MeshBuilder()
    builder.box((0, 0, 0), size, Material(texture, **look))
    return builder.build("box")


def ground(texture="asphalt", half=200.0, z=0.0, tag=1):
    builder = MeshBuilder()
    corners = [(-half, -half, z), (half, -half, z), (half, half, z), (-half, half, z)]
    builder.quad(corners, Material(texture), (half / 3, half / 3))
    return Instance(builder.build("ground"), np.eye(4), semantic_tag=tag)


@pytest.fixture(scope="session")
def textures():
    return Textures(1)


@pytest.fixture
def scene(textures):
    """Ground, a wall 10 m ahead, a red car-sized box to the left of it."""
    scene = Scene(textures)
    scene.static.append(ground())
    wall = box_mesh((1.0, 4.0, 6.0), "facade_1")
    scene.static.append(Instance(wall, pose(10.5, 0, 3), (1, 1, 1), 1 << 24, 3))
    car = box_mesh((4.0, 1.8, 1.5), tint=1.0)
    scene.dynamic[7] = Instance(car, pose(9, 4, 0.75), (0.8, 0.1, 0.1), 7, 14, True)
    return scene
