"""The arrays that rays look into."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

TWO_SIDED: Final = 1  # bits of `Meshes.flags`
CUTOUT: Final = 2


class Meshes(NamedTuple):
    """All meshes, one after the other, each with its own hierarchy in its own axes.

    Attributes:
        boxes: (N, 12) float32, see `sim.engine.sensing.hierarchy`.
        children: (N, 2) int32; leaves count triangles.
        corners: (T, 9) float32, first corner and the two sides from it, metres.
        uv: (T, 6) float32, texture coordinates of the three corners.
        texture: (T,) int32.
        flags: (T,) uint8, TWO_SIDED and CUTOUT.
    """

    boxes: NDArray[np.float32]
    children: NDArray[np.int32]
    corners: NDArray[np.float32]
    uv: NDArray[np.float32]
    texture: NDArray[np.int32]
    flags: NDArray[np.uint8]


class Placed(NamedTuple):
    """All instances and the hierarchy over them, in world axes.

    Attributes:
        boxes: (N, 12) float32.
        children: (N, 2) int32; leaves hold one instance's number each.
        start: node that rays begin at.
        root: (I,) int32, node of the instance's mesh in `Meshes`.
        mesh_from_world: (I, 12) float32, rows of the (3, 4) transform.
        bounds: (I, 6) float32, low and high corner in world axes.
    """

    boxes: NDArray[np.float32]
    children: NDArray[np.int32]
    start: int
    root: NDArray[np.int32]
    mesh_from_world: NDArray[np.float32]
    bounds: NDArray[np.float32]


class Pictures(NamedTuple):
    """Textures that make holes, see `sim.engine.render.textures.Textures`."""

    texels: NDArray[np.uint32]
    offset: NDArray[np.int32]
    size: NDArray[np.int32]
