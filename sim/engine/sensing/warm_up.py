"""Compiles the kernels of sensors before their first message, or loads them from the cache.

Compiling takes seconds on a machine's first time, in which no client should wait for a tick.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sim.engine.sensing.event_kernels import by_time, count_events, write_brightness, write_events
from sim.engine.sensing.flow_kernel import write_flow
from sim.engine.sensing.hierarchy import build
from sim.engine.sensing.layout import Meshes, Pictures, Placed
from sim.engine.sensing.tracing import incidence, trace, turned


@lru_cache(maxsize=1)
def compile_rays() -> None:
    """Compile what lidars and radars need."""
    corner, number = np.zeros((2, 3), np.float32), np.zeros(2, np.int32)
    tree = build(corner, corner, 1)
    meshes = Meshes(
        tree.boxes,
        tree.children,
        np.zeros((2, 9), np.float32),
        np.zeros((2, 6), np.float32),
        number,
        np.zeros(2, np.uint8),
    )
    row, bounds = np.zeros((2, 12), np.float32), np.zeros((2, 6), np.float32)
    placed = Placed(tree.boxes, tree.children, 0, number, row, bounds)
    holes = Pictures(np.zeros(1, np.uint32), np.zeros((1, 1), np.int32), np.zeros(1, np.int32))
    ray, distance = np.ones((1, 3), np.float32), np.zeros(1, np.float32)
    nothing = np.full(1, -1, np.int32)
    trace(np.full(3, 9.0), ray, 1.0, 1, placed, meshes, holes, distance, nothing, nothing.copy())
    incidence(ray, nothing, nothing, row, meshes.corners, distance)
    turned(ray, np.eye(3, dtype=np.float32))


@lru_cache(maxsize=1)
def compile_flow() -> None:
    """Compile what optical flow cameras need."""
    one = np.ones((1, 1), np.float32)
    ids, tags = np.zeros((1, 1), np.uint32), np.zeros((1, 1), np.uint8)
    to = np.zeros((1, 3, 4))
    write_flow(one, ids, tags, np.zeros(0, np.uint32), to, np.zeros((1, 1, 2), np.float32))


@lru_cache(maxsize=1)
def compile_events() -> None:
    """Compile what event cameras need."""
    one = np.ones((1, 1), np.float32)
    places, since = np.zeros(1, np.uint16), np.zeros(1, np.int64)
    picture = np.zeros((1, 1, 3), np.uint8)
    picture.flags.writeable = False  # as pictures are, which numba types apart
    write_brightness(picture, True, 1.0, one.copy())
    count_events(one, one.copy(), one, one)
    write_events(
        one, one, one.copy(), one, one, 0, 1, 0, since.reshape(1, 1).copy(),
        places, places.copy(), since, np.zeros(1, np.bool_),
    )  # fmt: skip
    by_time(since, 1)


def compile_all() -> None:
    """Compile everything here."""
    for compile_one in (compile_rays, compile_flow, compile_events):
        compile_one()
