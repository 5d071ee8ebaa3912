"""The ground of a town as meshes: its surfaces joined and cut into cells, the land below all."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from sim.engine.render.assets.ground import area_mesh, polygon_mesh, strip_mesh
from sim.engine.render.mesh_builder import merge_meshes, split_by_cell
from sim.engine.render.scene import Instance, Mesh
from sim.engine.surfaces import LAWN_HEIGHT, TERRAIN_TAG, Strip
from sim.engine.town import Town

LAWN_REACH = 900.0  # m; the lawn's edge lies behind the haze


def ground_instances(town: Town) -> list[Instance]:
    """Everything flat, cut into cells so that what lies behind the camera costs nothing."""
    bands: dict[int, list[Mesh]] = defaultdict(list)
    for one in town.surfaces:
        if isinstance(one, Strip):
            mesh = strip_mesh(one.left, one.right, one.texture)
        else:
            mesh = area_mesh(one.outline, one.texture)
        bands[one.tag].append(mesh)
    instances = [
        Instance(mesh=part, world_from_mesh=np.eye(4), semantic_tag=tag)
        for tag, meshes in bands.items()
        for part in split_by_cell(merge_meshes(f"ground {tag}", meshes))
    ]
    far = LAWN_REACH
    lawn = polygon_mesh(
        np.array([(-far, -far), (far, -far), (far, far), (-far, far)]), LAWN_HEIGHT, "grass"
    )
    return [*instances, Instance(mesh=lawn, world_from_mesh=np.eye(4), semantic_tag=TERRAIN_TAG)]
