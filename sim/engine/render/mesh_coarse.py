"""Coarse forms of meshes, for where they are small in the picture."""

from dataclasses import replace

import numpy as np

from sim.engine.render.scene import Mesh


def coarse_mesh(mesh: Mesh, cell_m: float) -> Mesh:
    """The mesh with its points drawn together in a grid of cells, for far away.

    After Rossignac and Borrel, Multi-resolution 3D approximations, 1993. Raising `cell_m` leaves
    fewer triangles and a rougher outline.
    """
    cell = np.floor(mesh.vertices / cell_m).astype(np.int64)
    _, place = np.unique(cell, axis=0, return_inverse=True)
    place = place.reshape(-1)
    used = np.bincount(place)
    middle = np.stack([np.bincount(place, mesh.vertices[:, k]) / used for k in range(3)], 1)
    corner = place[mesh.triangles]
    a, b, c = corner.T
    kept = np.flatnonzero((a != b) & (b != c) & (a != c))
    # of triangles over the same three cells that look one way, one is enough
    facing = mesh.normals[mesh.triangles[kept]].sum(1)
    way = np.abs(facing).argmax(1)
    key = np.column_stack([np.sort(corner[kept], 1), 2 * way, mesh.texture[kept]])
    key[:, 3] += np.take_along_axis(facing, way[:, None], 1)[:, 0] > 0
    _, first = np.unique(key, axis=0, return_index=True)
    kept = kept[np.sort(first)]
    points, local = np.unique(mesh.triangles[kept].reshape(-1), return_inverse=True)
    vertices, normals = middle[place[points]].astype(np.float32), mesh.normals[points]
    triangles = local.reshape(-1, 3).astype(np.int32)
    at = vertices[triangles]
    face = np.cross(at[:, 1] - at[:, 0], at[:, 2] - at[:, 0])
    turned = (face * normals[triangles].sum(1)).sum(1) < 0
    triangles[turned] = triangles[turned][:, ::-1]
    return replace(
        mesh,
        name=f"{mesh.name} far",
        vertices=vertices,
        normals=normals,
        uv=mesh.uv[points],
        colour=mesh.colour[points],
        triangles=triangles,
        texture=mesh.texture[kept],
        specular=mesh.specular[kept],
        emissive=mesh.emissive[kept],
        lamp=mesh.lamp[kept],
        is_cutout=mesh.is_cutout[kept],
        is_two_sided=mesh.is_two_sided[kept],
        coarse=None,
    )
