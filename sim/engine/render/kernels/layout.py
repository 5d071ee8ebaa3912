"""The arrays that the kernels share, grouped by who owns them."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FLAG_TWO_SIDED: Final = 1
FLAG_CUTOUT: Final = 2
FLAG_TEXT: Final = 4  # the texture's cells are chosen by the signs in `Drawn.lamps`
PLANE_COLUMNS: Final = 13  # three edge functions, nearness (A, B, C each), 1 / determinant
TEXT_SHIFT: Final = 20  # PLATE_SHIFT of the scene
TILE: Final = 8  # pixels; depth is known coarsely by squares of this size
EVERYWHERE: Final = 1e30  # `Drawn.nearest` of what reaches behind the near plane
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
        plane: (T, 4) float32, unit normal and minus its distance from the origin, mesh axes; a
            point is in front where the product with (x, y, z, 1) is above 0. (0, 0, 0, 0) for
            what is seen from both sides.
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
    plane: NDArray[np.float32]


class MeshTable(NamedTuple):
    """What culling knows of every mesh.

    Attributes:
        vertex_range: (M, 2) int32, first vertex and count in `Geometry`.
        triangle_range: (M, 2) int32, first triangle and count.
        box: (M, 6) float64, centre and half extents, mesh axes, metres.
        is_opaque: (M,) uint8, hides what is behind it.
        coarser: (M,) int32, a mesh with fewer triangles, -1 without one.
        coarser_below: (M,) float32, pixels that the box spans when that takes over.
    """

    vertex_range: NDArray[np.int32]
    triangle_range: NDArray[np.int32]
    box: NDArray[np.float64]
    is_opaque: NDArray[np.uint8]
    coarser: NDArray[np.int32]
    coarser_below: NDArray[np.float32]


class Placed(NamedTuple):
    """Instances as arrays, before any camera.

    Attributes:
        mesh: (N,) int32, index in the `MeshTable`.
        columns: (N, 4, 4) float64, `world_from_mesh` transposed: a row per axis, then the origin.
        sphere: (N, 4) float64, centre in the world and radius of the bounding sphere, metres.
        tint: (N, 3) float32.
        instance_id: (N,) uint32.
        semantic_tag: (N,) uint8.
        lamps: (N,) int64.
    """

    mesh: NDArray[np.int32]
    columns: NDArray[np.float64]
    sphere: NDArray[np.float64]
    tint: NDArray[np.float32]
    instance_id: NDArray[np.uint32]
    semantic_tag: NDArray[np.uint8]
    lamps: NDArray[np.int64]


class Drawn(NamedTuple):
    """The instances of one pass that may be seen.

    Attributes:
        vertex_range: (N, 2) int32, first vertex and count in `Geometry`.
        triangle_range: (N, 2) int32, first triangle and count.
        order: (N,) float32, drawing order; see `culling`.
        rect: (N, 4) int32, first and last column, first and last row of the box's pixels.
        nearest: (N,) float32, greatest nearness of the box.
        eye: (N, 4) float32, the camera in mesh axes, homogeneous.
        instance_id: (N,) uint32.
        semantic_tag: (N,) uint8.
        lamps: (N,) int64; from bit `TEXT_SHIFT` on the number plate's signs, 6 bits each.
        tint: (N, 3) float32.
        rotation: (N, 3, 3) float32, world from mesh.
        lens: (N, 4, 4) float64, what each mesh axis, and the origin, adds to X, Y, W and nearness;
            pixel = X / W, Y / W.
    """

    vertex_range: NDArray[np.int32]
    triangle_range: NDArray[np.int32]
    order: NDArray[np.float32]
    rect: NDArray[np.int32]
    nearest: NDArray[np.float32]
    eye: NDArray[np.float32]
    instance_id: NDArray[np.uint32]
    semantic_tag: NDArray[np.uint8]
    lamps: NDArray[np.int64]
    tint: NDArray[np.float32]
    rotation: NDArray[np.float32]
    lens: NDArray[np.float64]


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


class Projection(NamedTuple):
    """From the world to the pixels of one pass.

    Attributes:
        pixel_from_world: (4, 4) float64, rows give X, Y, W and nearness: pixel = X / W, Y / W.
        eye: (4,) float64, the camera in the world, homogeneous; W 0 for a direction.
        width: pixels.
        height: pixels.
        near_w: W of the near plane.
        limit: greatest nearness shown.
        facing: sign of the determinant of triangles that look away, see `kernels.raster`.
        coarseness: coarse meshes take over at so many times the size; more is faster.
    """

    pixel_from_world: NDArray[np.float64]
    eye: NDArray[np.float64]
    width: int
    height: int
    near_w: float
    limit: float
    facing: int
    coarseness: float


class Atlas(NamedTuple):
    """Textures with their mip levels, see `sim.engine.render.textures.Textures`."""

    texels: NDArray[np.uint32]
    offset: NDArray[np.int32]
    size: NDArray[np.int32]


class Light(NamedTuple):
    """Sun, sky, air, lamps and shadow map of one picture.

    Attributes:
        sun: (3,) float32, towards the sun.
        towards: (3, 3) float32, world axes to columns, rows and nearness of the shadow map.
        numbers: (AIR_NUMBERS,) float32, places below.
        shadow: (S * S,) float32, nearness to the sun, row by row.
        shadow_side: S, 1 without shadows.
        sky: (DOME_SIZE ** 2,) uint32 0xAABBGGRR, the upper half of the sky by octahedral mapping.
        mirror: (MIRROR_SIZE ** 2,) uint32, all surroundings by octahedral mapping.
    """

    sun: NDArray[np.float32]
    towards: NDArray[np.float32]
    numbers: NDArray[np.float32]
    shadow: NDArray[np.float32]
    shadow_side: int
    sky: NDArray[np.uint32]
    mirror: NDArray[np.uint32]


class Night(NamedTuple):
    """What burns; a picture by day has none, and no kernel for it is compiled before dark.

    Attributes:
        lamps: (L, LAMP_COLUMNS) float32, the lamps that light this picture.
        windows: (textures, 3) float32, windows across and up a repeat, and the share with light on.
    """

    lamps: NDArray[np.float32]
    windows: NDArray[np.float32]


# Places in `Light.numbers`; three-channel values are red, green, blue.
SUN_LIGHT: Final = 0  # 3: what a surface that faces the sun gets
SKY_LIGHT: Final = 3  # 3: what an upright surface gets from the sky
SKY_UP: Final = 6  # how much more, per unit of the normal's upward part
AIR_COLOUR: Final = 7  # 3: of haze and fog
HAZE_PER_M: Final = 10  # share of a ray's light that haze replaces, per metre
FOG_PER_M: Final = 11  # the same of fog, beyond FOG_START
FOG_START: Final = 12  # metres
GAIN: Final = 13  # exposure
WET: Final = 14  # 0 dry to 1 wet
NIGHT: Final = 15  # 0 day, 1 street lamps and windows lit
GLINT: Final = 16  # brightness of the sun's mirror image
PUDDLES: Final = 17  # share of the road under water
RAIN: Final = 18  # 0 none to 1 heaviest
WIND: Final = 19  # 0 none to 1 strongest; it slants the rain
AIR_NUMBERS: Final = 20
DOME_SIZE: Final = 256
MIRROR_SIZE: Final = 128

# Columns of `Light.lamps`: position, reach (m), colour, beam direction, cosine of the beam's edge,
# and the part of the picture that it may light: first and past the last column, the same of rows.
LAMP_COLUMNS: Final = 15
# Of halos: column, row, depth, radius in pixels, red, green, blue.
GLOW_COLUMNS: Final = 7


class Lens(NamedTuple):
    """Where the pixels of one picture look.

    Attributes:
        ray_of: (3, 3) float32, a pixel (x, y, 1) to a world ray of depth 1.
        eye: (3,) float32, metres.
        map_of: (3, 4) float32, a pixel's (x, y, 1) times depth, and 1, to column, row and
            nearness of the shadow map.
        seed: of the picture's dither and noise.
    """

    ray_of: NDArray[np.float32]
    eye: NDArray[np.float32]
    map_of: NDArray[np.float32]
    seed: int


class Looks(NamedTuple):
    """What shading needs of every visible triangle.

    Attributes:
        planes: (N, LOOK_COLUMNS) float32, see `kernels.looks`.
        marks: (N, LOOK_MARKS) int32, see `kernels.looks`.
        source: (N,) int32, row in `SetUp`.
        row: (M,) int32, of a row in `SetUp` the row here, -1 where no pixel shows it.
    """

    planes: NDArray[np.float32]
    marks: NDArray[np.int32]
    source: NDArray[np.int32]
    row: NDArray[np.int32]


LOOK_COLUMNS: Final = 32
LOOK_MARKS: Final = 8


class Scratch(NamedTuple):
    """Memory of one shading thread; see `kernels.pieces`.

    Attributes:
        piece: (PLACES * STRIDE,) float32.
        bits: the same memory as int32.
        whole: (WHOLE_PLACES * STRIDE,) int32.
        own: (3 * STRIDE,) float32, the surfaces' own colours by night.
        runs: (PIECE + 1, 2) int32, start and look of each run, see `kernels.surfaces.find_runs`.
    """

    piece: NDArray[np.float32]
    bits: NDArray[np.int32]
    whole: NDArray[np.int32]
    own: NDArray[np.float32]
    runs: NDArray[np.int32]


class Target(NamedTuple):
    """What shading writes, all (H, W)."""

    bgr: NDArray[np.uint8]
    depth: NDArray[np.float32]
    instance: NDArray[np.uint32]
    semantic: NDArray[np.uint8]
    surface: NDArray[np.int32]
