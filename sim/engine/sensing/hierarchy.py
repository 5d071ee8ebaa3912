"""A bounding volume hierarchy over boxes, built by the surface area heuristic in bins.

A node holds the boxes of its two children, so that a ray looks into memory once for both:
`boxes` (N, 12) float32 is low x y z, high x y z of the first child and then of the second;
`children` (N, 2) int32 is a node, or for a leaf -1 - (8 x first + count) in the order found.
After Wald, On fast Construction of SAH-based Bounding Volume Hierarchies, 2007.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

BINS: Final = 12
MAX_LEAF: Final = 7  # three bits of a leaf's code count its boxes
PAD_M: Final = 1e-3  # boxes grow by this, so that no ray slips between two that touch
DEEPEST_CUT: Final = 40  # generations; below it come at most 24 more of halves
EMPTY_LOW: Final = 1e30  # of the box of a child that is not there


class Hierarchy(NamedTuple):
    """Nodes from the root on, and the boxes' numbers in the order that leaves count."""

    boxes: NDArray[np.float32]
    children: NDArray[np.int32]
    order: NDArray[np.int32]


def build(low: NDArray[np.float32], high: NDArray[np.float32], leaf: int) -> Hierarchy:
    """Return the hierarchy over boxes (N, 3); `leaf` boxes at most share a leaf.

    Raises:
        ValueError: `leaf` does not fit the code of a leaf.
    """
    if not 1 <= leaf <= MAX_LEAF:
        raise ValueError(f"boxes in a leaf: expected 1 to {MAX_LEAF}, got {leaf}")
    count = len(low)
    boxes = np.zeros((max(1, count), 12), np.float32)
    boxes[:, :3] = boxes[:, 6:9] = EMPTY_LOW
    boxes[:, 3:6] = boxes[:, 9:] = -EMPTY_LOW
    children = np.full((max(1, count), 2), -1, np.int32)
    order = np.arange(count, dtype=np.int32)
    low, high = np.ascontiguousarray(low, np.float32), np.ascontiguousarray(high, np.float32)
    used = _split_all(
        low - np.float32(PAD_M), high + np.float32(PAD_M), leaf, order, boxes, children
    )
    return Hierarchy(boxes[:used].copy(), children[:used].copy(), order)


@njit(cache=True, nogil=True, error_model="numpy")
def _split_all(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    leaf: int,
    order: NDArray[np.int32],
    boxes: NDArray[np.float32],
    children: NDArray[np.int32],
) -> int:
    """Fill `boxes`, `children` and `order`; return the number of nodes."""
    count = len(order)
    if count == 0:
        return 1
    # Each entry: first, past the last, node and side to write to, generations above.
    stack = np.empty((count + 2, 5), np.int64)
    stack[0] = (0, count, -1, 0, 0)
    depth, used = 1, 0
    while depth:
        depth -= 1
        first, end, parent, side, above = stack[depth]
        is_leaf = end - first <= leaf
        if is_leaf and parent < 0:
            parent, used = 0, 1
        if parent >= 0:
            _enclose(low, high, order, first, end, boxes, parent, 6 * side)
        if is_leaf:
            children[parent, side] = -1 - (8 * first + (end - first))
            continue
        node = used
        used += 1
        if parent >= 0:
            children[parent, side] = node
        # Far down halves will do, so that no ray has to put more aside than it has room for.
        middle = (first + end) // 2
        if above < DEEPEST_CUT:
            middle = _split(low, high, order, first, end)
        stack[depth] = (middle, end, node, 1, above + 1)
        stack[depth + 1] = (first, middle, node, 0, above + 1)
        depth += 2
    return used


@njit(cache=True, nogil=True, error_model="numpy")
def _enclose(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    order: NDArray[np.int32],
    first: int,
    end: int,
    boxes: NDArray[np.float32],
    node: int,
    column: int,
) -> None:
    for axis in range(3):
        a, b = low[order[first], axis], high[order[first], axis]
        for k in range(first + 1, end):
            a = min(a, low[order[k], axis])
            b = max(b, high[order[k], axis])
        boxes[node, column + axis] = a
        boxes[node, column + 3 + axis] = b


@njit(cache=True, nogil=True, error_model="numpy")
def _split(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    order: NDArray[np.int32],
    first: int,
    end: int,
) -> int:
    """Sort `order[first:end]` into two parts; return where the second begins."""
    best_axis, best_bin, best_cost = -1, 0, np.inf
    best_low, best_scale = 0.0, 0.0
    counts = np.empty(BINS, np.int64)
    bounds = np.empty((BINS, 6), np.float64)
    areas = np.empty(BINS, np.float64)
    for axis in range(3):
        a, b = np.inf, -np.inf
        for k in range(first, end):
            centre = low[order[k], axis] + high[order[k], axis]
            a, b = min(a, centre), max(b, centre)
        if b - a < 1e-6:
            continue
        scale = BINS * 0.999999 / (b - a)
        counts[:] = 0
        bounds[:, :3] = np.inf
        bounds[:, 3:] = -np.inf
        for k in range(first, end):
            one = order[k]
            place = int((low[one, axis] + high[one, axis] - a) * scale)
            counts[place] += 1
            for c in range(3):
                bounds[place, c] = min(bounds[place, c], low[one, c])
                bounds[place, 3 + c] = max(bounds[place, 3 + c], high[one, c])
        cost, place = _cheapest(counts, bounds, areas)
        if cost < best_cost:
            best_axis, best_bin, best_cost, best_low, best_scale = axis, place, cost, a, scale
    if best_axis < 0:  # all in one place: halves will do
        return (first + end) // 2
    left, right = first, end - 1
    while left <= right:
        one = order[left]
        centre = low[one, best_axis] + high[one, best_axis]
        if int((centre - best_low) * best_scale) <= best_bin:
            left += 1
        else:
            order[left], order[right] = order[right], one
            right -= 1
    return left


@njit(cache=True, nogil=True, error_model="numpy")
def _cheapest(
    counts: NDArray[np.int64], bounds: NDArray[np.float64], areas: NDArray[np.float64]
) -> tuple[float, int]:
    """Return the least cost of a cut between bins, and the last bin before it."""
    box = np.empty(6, np.float64)
    total = 0
    box[:3], box[3:] = np.inf, -np.inf
    for place in range(BINS - 1, 0, -1):  # what lies behind each cut
        for c in range(3):
            box[c] = min(box[c], bounds[place, c])
            box[3 + c] = max(box[3 + c], bounds[place, 3 + c])
        total += counts[place]
        areas[place] = total * _half_area(box) if total else np.inf
    best_cost, best = np.inf, 0
    total = 0
    box[:3], box[3:] = np.inf, -np.inf
    for place in range(BINS - 1):
        for c in range(3):
            box[c] = min(box[c], bounds[place, c])
            box[3 + c] = max(box[3 + c], bounds[place, 3 + c])
        total += counts[place]
        if total:
            cost = total * _half_area(box) + areas[place + 1]
            if cost < best_cost:
                best_cost, best = cost, place
    return best_cost, best


@njit(cache=True, nogil=True, error_model="numpy")
def _half_area(box: NDArray[np.float64]) -> float:
    x, y, z = box[3] - box[0], box[4] - box[1], box[5] - box[2]
    return float(x * y + y * z + z * x)
