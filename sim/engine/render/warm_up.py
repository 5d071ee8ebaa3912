"""Compiles the longest kernels of pictures with the least arguments that have the right types."""

from __future__ import annotations

import numpy as np

from sim.engine.render.kernels.finish import finish
from sim.engine.render.kernels.layout import (
    AIR_NUMBERS,
    DOME_SIZE,
    LAMP_COLUMNS,
    MIRROR_SIZE,
    Atlas,
    Drawn,
    Lens,
    Light,
    Night,
    Target,
)
from sim.engine.render.kernels.shade import shade
from sim.engine.render.shading import empty_looks, new_scratch

NO_ROWS = (0, 0)


def compile_shading(*, is_night: bool = False) -> None:
    """Compile what colours pixels by day, or by night."""
    atlas = Atlas(np.zeros(1, np.uint32), np.zeros((1, 1), np.int32), np.ones(1, np.int32))
    target = _target()
    night = None
    if is_night:
        night = Night(np.zeros((0, LAMP_COLUMNS), np.float32), np.zeros((1, 3), np.float32))
    grain = np.zeros(1, np.int32)
    owner, nearness = np.full((1, 1), -1, np.int32), np.zeros((1, 1), np.float32)
    shade(NO_ROWS, owner, nearness, empty_looks(0), _drawn(), atlas, _light(), night, _lens(),
          grain, new_scratch(), target)  # fmt: skip
    picture = target.bgr.reshape(1, -1)
    finish(NO_ROWS, picture, target.surface, np.zeros(1, np.int8), 0.0, 0, picture.copy())


def _drawn() -> Drawn:
    return Drawn(
        vertex_range=np.zeros((0, 2), np.int32),
        triangle_range=np.zeros((0, 2), np.int32),
        order=np.zeros(0, np.float32),
        rect=np.zeros((0, 4), np.int32),
        nearest=np.zeros(0, np.float32),
        eye=np.zeros((0, 4), np.float32),
        instance_id=np.zeros(0, np.uint32),
        semantic_tag=np.zeros(0, np.uint8),
        lamps=np.zeros(0, np.int64),
        tint=np.zeros((0, 3), np.float32),
        rotation=np.zeros((0, 3, 3), np.float32),
        lens=np.zeros((0, 4, 4), np.float64),
    )


def _light() -> Light:
    return Light(
        sun=np.zeros(3, np.float32),
        towards=np.zeros((3, 3), np.float32),
        numbers=np.zeros(AIR_NUMBERS, np.float32),
        shadow=np.zeros(1, np.float32),
        shadow_side=1,
        sky=np.zeros(DOME_SIZE * DOME_SIZE, np.uint32),
        mirror=np.zeros(MIRROR_SIZE * MIRROR_SIZE, np.uint32),
    )


def _lens() -> Lens:
    return Lens(
        ray_of=np.eye(3, dtype=np.float32),
        eye=np.zeros(3, np.float32),
        map_of=np.zeros((3, 4), np.float32),
        seed=0,
    )


def _target() -> Target:
    return Target(
        bgr=np.zeros((1, 1, 3), np.uint8),
        depth=np.zeros((1, 1), np.float32),
        instance=np.zeros((1, 1), np.uint32),
        semantic=np.zeros((1, 1), np.uint8),
        surface=np.zeros((1, 1), np.int32),
    )
