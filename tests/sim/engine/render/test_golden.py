"""One street, as it looked when somebody looked at it and was content.

To draw the reference anew after a wanted change: `VDAP_DRAW_GOLDEN=1 pytest <this file>`, then look
at the picture before it is committed.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from sim.engine.render.assets.buildings import building_mesh
from sim.engine.render.assets.ground import strip_mesh
from sim.engine.render.assets.people import pedestrian_mesh
from sim.engine.render.assets.street import traffic_light_mesh
from sim.engine.render.assets.vegetation import tree_mesh
from sim.engine.render.assets.vehicles import vehicle_mesh
from sim.engine.render.renderer import CameraView, Renderer
from sim.engine.render.scene import LEVEL_OBJECT_IDS, Instance, Scene
from tests.sim.engine.render.conftest import ground, pose

cv2 = pytest.importorskip("cv2", reason="the golden picture is a PNG: install an OpenCV extra")
GOLDEN = Path(__file__).with_name("golden_street.png")
# Mean over the picture, and share of channels off by more than 12 grey levels. Compilers and
# processors round differently; a wrong mip level, lost shadow or shifted camera is far beyond.
MEAN_TOLERANCE, OUTLIER_TOLERANCE = 0.8, 0.01


def street(textures):
    scene = Scene(textures)
    scene.static.append(ground("grass", z=-0.05, tag=10))
    along = np.arange(-20.0, 100.0, 10.0)

    def line(y, z):
        return np.column_stack([along, np.full_like(along, y), np.full_like(along, z)])

    for left, right, texture, tag in (
        (line(3.5, 0), line(-3.5, 0), "asphalt", 1),
        (line(0.08, 0.01), line(-0.08, 0.01), "marking_white", 24),
        (line(-3.5, 0.15), line(-6, 0.15), "pavement", 2),
        (line(6, 0.15), line(3.5, 0.15), "pavement", 2),
        (line(-3.5, 0), line(-3.5, 0.15), "kerb", 2),
        (line(3.5, 0.15), line(3.5, 0), "kerb", 2),
    ):
        mesh = strip_mesh(left, right, texture)
        scene.static.append(Instance(mesh, np.eye(4), semantic_tag=tag))
    level = [
        (building_mesh(20, 12, 14, 1, 3), pose(22, 13), 3),
        (building_mesh(16, 12, 20, 4, 5), pose(26, -13), 3),
        (building_mesh(22, 12, 17, 3, 6), pose(48, 13), 3),
        (tree_mesh(2), pose(16, -5), 9),
        (tree_mesh(3), pose(27, 5), 9),
    ]
    for k, (mesh, at, tag) in enumerate(level):
        scene.static.append(Instance(mesh, at, (1, 1, 1), LEVEL_OBJECT_IDS + k, tag))
    moving = [
        (vehicle_mesh("car_sedan", 1), pose(11, -1.75), (0.1, 0.2, 0.6), 14, 0x8),
        (vehicle_mesh("car_van", 1), pose(17, 1.75, yaw=np.pi), (0.85, 0.85, 0.85), 14, 0),
        (vehicle_mesh("truck", 4), pose(30, -1.75), (0.7, 0.2, 0.1), 15, 0),
        (pedestrian_mesh(0, 1, 0), pose(9, -4.6, 0.15), (1, 1, 1), 12, 0),
        (traffic_light_mesh(), pose(20, -4, 0.15), (1, 1, 1), 7, 2),
    ]
    for k, (mesh, at, tint, tag, lamps) in enumerate(moving, 1):
        scene.dynamic[k] = Instance(mesh, at, tint, k, tag, True, lamps)
    return scene


def test_the_street_looks_as_it_did(textures):
    renderer = Renderer(street(textures), noise=0)
    picture = renderer.render(CameraView(192, 120, 80.0, pose(0, -1.75, 1.5))).bgr
    if os.environ.get("VDAP_DRAW_GOLDEN"):
        cv2.imwrite(str(GOLDEN), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    golden = cv2.imread(str(GOLDEN))
    assert golden is not None, f"{GOLDEN} is missing"
    off = np.abs(golden.astype(int) - picture)
    assert off.mean() < MEAN_TOLERANCE
    assert (off > 12).mean() < OUTLIER_TOLERANCE
