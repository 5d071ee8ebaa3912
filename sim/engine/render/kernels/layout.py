"""The arrays that the kernels share, grouped by who owns them."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FLAG_TWO_SIDED: Final = 1
FLAG_CUTOUT: Final = 2
FLAG_TEXT: Final = 4  # the texture's cells are chosen by the signs in `Drawn.lamps`
PLANE_COLUMNS: Final = 13  # three edge functions, nearness (A, B, C each), 1 / determinant
TEXT_SHIFT: Final = 20  # PLATE_SHIFT of the scene
SKY_TAG: Final = 11  # CityObjectLabel Sky
SKY_DEPTH_M: Final = 1000.0  # depth of a pixel that shows nothing, as CARLA's far plane


class Geometry(NamedTuple):
    """All meshes, one after the other.

    Attributes:
        vertices: (V, 3) float32, metres, mesh axes.
        normals: (V, 3) float32.
        uv: (V, 2) float32.
        colour: (V, 4) float32, rgb and tint mask.
        triangles: (T, 3) int32, counted from the mesh's own first vertex.
        texture: (T,) int32.
        flags: (T,) uint8, FLAG_*.
        specular: (T,) float32.
        emissive: (T,) float32.
        lamp: (T,) uint8.
    """

    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    uv: NDArray[np.float32]
    colour: NDArray[np.float32]
    triangles: NDArray[np.int32]
    texture: NDArray[np.int32]
    flags: NDArray[np.uint8]
    specular: NDArray[np.float32]
    emissive: NDArray[np.float32]
    lamp: NDArray[np.uint8]


class Drawn(NamedTuple):
    """The instances of one pass, nearest first.

    Attributes:
        vertex_range: (N, 2) int32, first vertex and count in `Geometry`.
        triangle_range: (N, 2) int32, first triangle and count.
        first_point: (N,) int32, first row in the transformed points.
        instance_id: (N,) uint32.
        semantic_tag: (N,) uint8.
        lamps: (N,) int64; from bit `TEXT_SHIFT` on the number plate's signs, 6 bits each.
        tint: (N, 3) float32.
        rotation: (N, 3, 3) float32, world from mesh.
        pixel_from_mesh: (N, 4, 4) float64, rows give X, Y, W and nearness: pixel = X / W, Y / W.
    """

    vertex_range: NDArray[np.int32]
    triangle_range: NDArray[np.int32]
    first_point: NDArray[np.int32]
    instance_id: NDArray[np.uint32]
    semantic_tag: NDArray[np.uint8]
    lamps: NDArray[np.int64]
    tint: NDArray[np.float32]
    rotation: NDArray[np.float32]
    pixel_from_mesh: NDArray[np.float64]


class SetUp(NamedTuple):
    """Triangles ready to fill.

    Attributes:
        planes: (M, PLANE_COLUMNS) float64, functions A x + B y + C of the pixel index.
        bounds: (M, 4) int32, first and last column, first and last row.
        source: (M, 2) int32, index in `Drawn` and triangle in `Geometry`.
    """

    planes: NDArray[np.float64]
    bounds: NDArray[np.int32]
    source: NDArray[np.int32]


class Bands(NamedTuple):
    """Which triangles touch which band of rows.

    Attributes:
        start: (B + 1,) int32, where each band begins in `entry`.
        entry: (E,) int32, rows of `SetUp`, in drawing order.
    """

    start: NDArray[np.int32]
    entry: NDArray[np.int32]


class Atlas(NamedTuple):
    """Textures with their mip levels, see `sim.engine.render.textures.Textures`."""

    texels: NDArray[np.uint32]
    offset: NDArray[np.int32]
    size: NDArray[np.int32]


class Light(NamedTuple):
    """Sun, air and shadow map of one pass.

    Attributes:
        sun: (3,) float32, towards the sun.
        shadow: (S, S) float32, nearness to the sun; (1, 1) without shadows.
        shadow_from_world: (3, 4) float64, column, row and nearness.
        cloud: share of cloud in the sky, 0..1.
        haze_per_m: see `sim.engine.render.scene.Sun`.
        cloud_texture: index in the atlas.
        environment_texture: index in the atlas.
    """

    sun: NDArray[np.float32]
    shadow: NDArray[np.float32]
    shadow_from_world: NDArray[np.float64]
    cloud: float
    haze_per_m: float
    cloud_texture: int
    environment_texture: int


class Target(NamedTuple):
    """What shading writes, all (H, W)."""

    bgr: NDArray[np.uint8]
    depth: NDArray[np.float32]
    instance: NDArray[np.uint32]
    semantic: NDArray[np.uint8]
    surface: NDArray[np.int32]
