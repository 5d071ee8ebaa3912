"""The ground of a town as meshes: its surfaces joined and cut into cells, the land below all."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from sim.engine.land import land_instances
from sim.engine.render.assets.ground import area_mesh, strips_mesh
from sim.engine.render.mesh_builder import merge_meshes, split_by_cell
from sim.engine.render.scene import Instance, Mesh
from sim.engine.surfaces import Strip
from sim.engine.town import Town


def ground_instances(town: Town) -> list[Instance]:
    """Everything flat, cut into cells so that what lies behind the camera costs nothing."""
    bands: dict[int, list[Mesh]] = defaultdict(list)
    alike: dict[tuple[str, int, int], list[Strip]] = defaultdict(list)
    for one in town.surfaces:
        if isinstance(one, Strip):
            alike[one.texture, one.tag, len(one.left)].append(one)
        else:
            bands[one.tag].append(area_mesh(one.outline, one.texture))
    for (texture, tag, _), strips in alike.items():
        lines = ([strip.left for strip in strips], [strip.right for strip in strips])
        bands[tag].append(strips_mesh(np.array(lines[0]), np.array(lines[1]), texture))
    instances = [
        Instance(mesh=part, world_from_mesh=np.eye(4), semantic_tag=tag)
        for tag, meshes in bands.items()
        for part in split_by_cell(merge_meshes(f"ground {tag}", meshes))
    ]
    return [*instances, *land_instances(town)]
