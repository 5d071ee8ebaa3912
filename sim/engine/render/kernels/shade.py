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
    SKY_DEPTH_M,
    SKY_TAG,
    SKY_UP,
    TEXT_SHIFT,
    Atlas,
    Drawn,
    Lens,
    Light,
    Looks,
    Night,
    Target,
)
from sim.engine.render.kernels.lighting import (
    cast_shadows,
    gloss,
    lay_light,
    lay_mirror,
    through_air,
)
from sim.engine.render.kernels.pieces import (
    BLUE,
    DEPTH,
    GRAIN_SIZE,
    GREEN,
    PIECE,
    PLACES,
    RED,
    STRIDE,
    WHOLE_PLACES,
)
from sim.engine.render.kernels.sampling import FAST, F
from sim.engine.render.kernels.surfaces import (
    choose_sign,
    find_runs,
    find_texels,
    look_up,
    paint,
    place_sky,
    place_surface,
)


@njit(**FAST)
def _show(y: int, x: int, count: int, piece: NDArray[np.float32], bgr: NDArray[np.uint8]) -> None:
    for i in range(count):
        bgr[y, x + i, 0] = np.uint8(piece[BLUE * STRIDE + i])
        bgr[y, x + i, 1] = np.uint8(piece[GREEN * STRIDE + i])
        bgr[y, x + i, 2] = np.uint8(piece[RED * STRIDE + i])


@njit(**FAST)
def _light_up(
    y: int,
    x: int,
    count: int,
    found: int,
    runs: NDArray[np.int32],
    looks: Looks,
    drawn: Drawn,
    night: Night,
    lens: Lens,
    piece: NDArray[np.float32],
    whole: NDArray[np.int32],
    own: NDArray[np.float32],
) -> None:
    """By night: lamps and windows of a piece; keeps the surfaces' own colours for the lamps."""
    planes, marks, windows, ids = looks.planes, looks.marks, night.windows, drawn.instance_id
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
    shine(y, x, count, night.lamps, lens.ray_of, lens.eye, piece)


@njit(**FAST)
def _shade_piece(
    y: int,
    x: int,
    count: int,
    found: int,
    runs: NDArray[np.int32],
    looks: Looks,
    drawn: Drawn,
    atlas: Atlas,
    light: Light,
    night: Night | None,
    lens: Lens,
    grain: NDArray[np.int32],
    piece: NDArray[np.float32],
    whole: NDArray[np.int32],
    own: NDArray[np.float32],
    target: Target,
) -> None:
    planes, marks, numbers = looks.planes, looks.marks, light.numbers
    ray_of, map_of, sun, mirror = lens.ray_of, lens.map_of, light.sun, light.mirror
    offset, size = atlas.offset, atlas.size
    lamps, ids, tags = drawn.lamps, drawn.instance_id, drawn.semantic_tag
    identities, semantics, surfaces, depths = (
        target.instance, target.semantic, target.surface, target.depth)  # fmt: skip
    sky_up, glint = numbers[SKY_UP], numbers[GLINT]
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
    find_texels(count, piece.view(np.int32), grain, first, piece, whole)
    run = 0
    while run < found:
        start, is_sky = runs[run, 0], runs[run, 1] < 0
        while run < found and (runs[run, 1] < 0) == is_sky:
            run += 1
        look_up(start, runs[run, 0] - start, light.sky if is_sky else atlas.texels, whole)
    paint(count, piece, whole)
    if night is not None:
        _light_up(y, x, count, found, runs, looks, drawn, night, lens, piece, whole, own)
    if light.shadow_side > 1:
        cast_shadows(count, light.shadow, light.shadow_side, piece)
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
    for run in range(found):
        start, m = runs[run, 0], runs[run, 1]
        identity, tag, surface = np.uint32(0), np.uint8(SKY_TAG), np.int32(-1)
        if m >= 0:
            q = marks[m, at.DRAWN]
            identity, tag, surface = (
                ids[q],
                tags[q],
                marks[m, at.SURFACE],
            )
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
    target: Target,
) -> None:
    """Write every target of the rows from first to before last.

    The dither of the mip level follows from seed and place alone, so that threads change nothing.
    """
    piece = np.zeros(PLACES * STRIDE, np.float32)
    whole = np.zeros(WHOLE_PLACES * STRIDE, np.int32)
    own = np.zeros(3 * STRIDE, np.float32)
    runs = np.zeros((PIECE + 1, 2), np.int32)
    width = owner.shape[1]
    for y in range(rows[0], rows[1]):
        for x in range(0, width, PIECE):
            count = min(PIECE, width - x)
            for i in range(count):
                piece[DEPTH * STRIDE + i] = F(1) / max(nearness[y, x + i], F(1 / SKY_DEPTH_M))
            found = find_runs(y, x, count, owner, looks.row, runs)
            _shade_piece(y, x, count, found, runs, looks, drawn, atlas, light, night, lens,
                         grain, piece, whole, own, target)  # fmt: skip
