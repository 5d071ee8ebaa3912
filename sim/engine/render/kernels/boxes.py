"""Where bounding boxes lie in a picture."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import EVERYWHERE
from sim.engine.render.kernels.options import EXACT

# Columns of what is found: first and last column, first and last row; greatest nearness; pixels
# spanned, -1 for what is not in sight; least distance ahead.
RECT, NEAREST, ACROSS, AHEAD = 0, 4, 5, 6
BOX_COLUMNS = 7


@njit(**EXACT)
def project_boxes(
    lens: NDArray[np.float64],
    box: NDArray[np.float64],
    width: float,
    height: float,
    near_w: float,
    found: NDArray[np.float32],
) -> None:
    """Write found (N, BOX_COLUMNS) for boxes (N, 6) under lenses (N, 4, 4) as in `Drawn`.

    A box that reaches behind the near plane counts as all over the picture, unless it lies wholly
    beyond one of its sides.
    """
    for n in range(len(box)):
        left, right, top, bottom = 1e30, -1e30, 1e30, -1e30
        nearest, ahead = -1e30, 1e30
        behind, beyond = 0, 15  # a bit for each side that all corners are beyond
        for corner in range(8):
            x = box[n, 0] + box[n, 3] * (2.0 * (corner & 1) - 1.0)
            y = box[n, 1] + box[n, 4] * ((corner & 2) - 1.0)
            z = box[n, 2] + box[n, 5] * (0.5 * (corner & 4) - 1.0)
            px = lens[n, 0, 0] * x + lens[n, 1, 0] * y + lens[n, 2, 0] * z + lens[n, 3, 0]
            py = lens[n, 0, 1] * x + lens[n, 1, 1] * y + lens[n, 2, 1] * z + lens[n, 3, 1]
            w = lens[n, 0, 2] * x + lens[n, 1, 2] * y + lens[n, 2, 2] * z + lens[n, 3, 2]
            near = lens[n, 0, 3] * x + lens[n, 1, 3] * y + lens[n, 2, 3] * z + lens[n, 3, 3]
            aside = (px < 0.0) | ((px > width * w) << 1)
            beyond &= aside | ((py < 0.0) << 2) | ((py > height * w) << 3)
            behind += w <= near_w
            ahead = min(ahead, w)
            inverse = 1.0 / w
            left, right = min(left, px * inverse), max(right, px * inverse)
            top, bottom = min(top, py * inverse), max(bottom, py * inverse)
            nearest = max(nearest, near * inverse)
        if behind:
            left, right, top, bottom, nearest = 0.0, width, 0.0, height, EVERYWHERE
        found[n, ACROSS] = max(right - left, bottom - top)
        left, right = np.ceil(max(left, 0.0) - 0.5), np.floor(min(right, width) - 0.5)
        top, bottom = np.ceil(max(top, 0.0) - 0.5), np.floor(min(bottom, height) - 0.5)
        if behind == 8 or beyond or left > right or top > bottom:
            found[n, ACROSS] = -1.0
            continue
        found[n, RECT], found[n, RECT + 1] = max(left, 0.0), right
        found[n, RECT + 2], found[n, RECT + 3] = max(top, 0.0), bottom
        found[n, NEAREST], found[n, AHEAD] = nearest, max(ahead, 0.0)
