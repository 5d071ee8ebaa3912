"""Deferred shading: a colour, depth and ids for every pixel of the visibility buffer.

Colours are 0..255 throughout.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels import looks as at
from sim.engine.render.kernels.lamplight import (
    lay_lamplight,
    light_windows,
    place_normals,
    shine,
)
from sim.engine.render.kernels.layout import (
    GLINT,
    MIRROR_SIZE,
    SKY_TAG,
    SKY_UP,
    TEXT_SHIFT,
    Atlas,
    Drawn,
    Lens,
    Light,
    Looks,
    Night,
    Scratch,
    Target,
)
from sim.engine.render.kernels.lighting import (
    cast_shadows,
    gloss,
    lay_light,
    lay_mirror,
    through_air,
)
from sim.engine.render.kernels.options import FAST, FAST_PART
from sim.engine.render.kernels.pieces import (
    BLUE,
    DEPTH,
    GRAIN_SIZE,
    GREEN,
    PIECE,
    RED,
    STRIDE,
)
from sim.engine.render.kernels.surfaces import (
    choose_sign,
    find_depth,
    find_runs,
    find_texels,
    look_up,
    paint,
    place_sky,
    place_surface,
)


@njit(**FAST_PART)
def _show(y: int, x: int, count: int, piece: NDArray[np.float32], bgr: NDArray[np.uint8]) -> None:
    for i in range(count):
        bgr[y, x + i, 0] = np.uint8(piece[BLUE * STRIDE + i])
        bgr[y, x + i, 1] = np.uint8(piece[GREEN * STRIDE + i])
        bgr[y, x + i, 2] = np.uint8(piece[RED * STRIDE + i])


@njit(**FAST_PART)
def _light_up(
    y: int,
    x: int,
    count: int,
    found: int,
    runs: NDArray[np.int32],
    planes: NDArray[np.float32],
    marks: NDArray[np.int32],
    ids: NDArray[np.uint32],
    windows: NDArray[np.float32],
    lamps: NDArray[np.float32],
    ray_of: NDArray[np.float32],
    eye: NDArray[np.float32],
    piece: NDArray[np.float32],
    whole: NDArray[np.int32],
    own: NDArray[np.float32],
) -> None:
    """By night: lamps and windows of a piece; keeps the surfaces' own colours for the lamps."""
    for run in range(found):
        start, n = runs[run, 0], runs[run, 1]
        length = runs[run + 1, 0] - start
        place_normals(y, x + start, length, n, start, planes, marks, piece)
        if n >= 0 and windows[marks[n, at.TEXTURE], 0] > 0:
            light_windows(start, length, int(ids[marks[n, at.DRAWN]]), marks[n, at.WHOLE_U],
                          marks[n, at.WHOLE_V], windows, marks[n, at.TEXTURE], piece,
                          whole)  # fmt: skip
    for i in range(count):
        own[i] = piece[RED * STRIDE + i]
        own[STRIDE + i] = piece[GREEN * STRIDE + i]
        own[2 * STRIDE + i] = piece[BLUE * STRIDE + i]
    shine(y, x, count, lamps, ray_of, eye, piece)


@njit(**FAST_PART)
def _name_pixels(
    y: int,
    x: int,
    found: int,
    runs: NDArray[np.int32],
    marks: NDArray[np.int32],
    ids: NDArray[np.uint32],
    tags: NDArray[np.uint8],
    piece: NDArray[np.float32],
    identities: NDArray[np.uint32],
    semantics: NDArray[np.uint8],
    surfaces: NDArray[np.int32],
    depths: NDArray[np.float32],
) -> None:
    """Ids, tags, surfaces and depths of a piece's runs."""
    for run in range(found):
        start, m = runs[run, 0], runs[run, 1]
        identity, tag, surface = np.uint32(0), np.uint8(SKY_TAG), np.int32(-1)
        if m >= 0:
            q = marks[m, at.DRAWN]
            identity, tag, surface = ids[q], tags[q], marks[m, at.SURFACE]
        for i in range(x + start, x + runs[run + 1, 0]):
            identities[y, i] = identity
            semantics[y, i] = tag
            surfaces[y, i] = surface
            depths[y, i] = piece[DEPTH * STRIDE + i - x]


@njit(**FAST)
def shade(
    rows: tuple[int, int],
    owner: NDArray[np.int32],
    nearness: NDArray[np.float32],
    looks: Looks,
    drawn: Drawn,
    atlas: Atlas,
    light: Light,
    night: Night | None,
    lens: Lens,
    grain: NDArray[np.int32],
    scratch: Scratch,
    target: Target,
) -> None:
    """Write every target of the rows from first to before last.

    The dither of the mip level follows from seed and place alone, so that threads change nothing.

    Args:
        rows: first row and the row after the last.
        owner: (H, W) row of `SetUp` that each pixel shows, -1 for the sky.
        nearness: (H, W) 1 / depth.
        grain: (GRAIN_SIZE + PIECE,) dither of the mip level.
        scratch: nobody else's while this runs.
    """
    planes, marks, row_of = looks.planes, looks.marks, looks.row
    texels, offset, size, numbers = atlas.texels, atlas.offset, atlas.size, light.numbers
    ray_of, map_of, sun, mirror, sky = lens.ray_of, lens.map_of, light.sun, light.mirror, light.sky
    lamps, ids, tags = drawn.lamps, drawn.instance_id, drawn.semantic_tag
    shadow, side = light.shadow, light.shadow_side
    identities, semantics = target.instance, target.semantic
    surfaces, depths = target.surface, target.depth
    piece, bits, whole = scratch.piece, scratch.bits, scratch.whole
    runs, own = scratch.runs, scratch.own
    sky_up, glint = numbers[SKY_UP], numbers[GLINT]
    width = owner.shape[1]
    for y in range(rows[0], rows[1]):
        for x in range(0, width, PIECE):
            count = min(PIECE, width - x)
            find_depth(y, x, count, nearness, piece)
            found = find_runs(y, x, count, owner, row_of, runs)
            shines = False
            for run in range(found):
                start, m = runs[run, 0], runs[run, 1]
                length = runs[run + 1, 0] - start
                if m < 0:
                    place_sky(y, x + start, length, start, ray_of, piece, whole)
                    continue
                texture = marks[m, at.TEXTURE]
                place_surface(y, x + start, length, m, start, planes, marks, map_of, sky_up,
                              offset[texture, 0], size[texture], piece, whole)  # fmt: skip
                shines = shines or planes[m, at.SPECULAR] > 0
                if marks[m, at.IS_TEXT]:
                    choose_sign(start, length, lamps[marks[m, at.DRAWN]] >> TEXT_SHIFT, piece)
            first = ((lens.seed * 9781 + y * 6271 + x * 31) * 40503 >> 4) & (GRAIN_SIZE - 1)
            find_texels(count, bits, grain, first, piece, whole)
            run = 0
            while run < found:
                start, is_sky = runs[run, 0], runs[run, 1] < 0
                while run < found and (runs[run, 1] < 0) == is_sky:
                    run += 1
                look_up(start, runs[run, 0] - start, sky if is_sky else texels, whole)
            paint(count, piece, whole)
            if night is not None:
                _light_up(y, x, count, found, runs, planes, marks, ids, night.windows,
                          night.lamps, ray_of, lens.eye, piece, whole, own)  # fmt: skip
            if side > 1:
                cast_shadows(count, shadow, side, piece)
            lay_light(count, numbers, piece)
            if night is not None:
                lay_lamplight(count, piece, own)
            if shines:
                for run in range(found):
                    start, m = runs[run, 0], runs[run, 1]
                    if m >= 0 and planes[m, at.SPECULAR] > 0:
                        length = runs[run + 1, 0] - start
                        gloss(y, x + start, length, m, start, planes, marks, ray_of, sun, glint,
                              piece)  # fmt: skip
                        lay_mirror(start, length, mirror, MIRROR_SIZE, piece)
            through_air(count, numbers, piece)
            _show(y, x, count, piece, target.bgr)
            _name_pixels(y, x, found, runs, marks, ids, tags, piece, identities, semantics,
                         surfaces, depths)  # fmt: skip
