"""Which lamps burn, what they shine on and which of them one sees glow."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import GLOW_COLUMNS
from sim.engine.render.scene import LAMP_STATE, NIGHT_LAMP, Instance, LampSpot

MOST_LAMPS = 16  # the nearest that light one picture; each costs what it shines on
FARTHEST_M = 130.0  # lamps beyond light too few pixels
POWER, BEAM_POWER = 0.85, 1.5  # light on a surface that faces a lamp, or a head lamp, from near
WIDE_BEAM = 0.15  # cosine at the edge of a lamp's light
HEAD_BEAM, HEAD_REACH_M = 0.86, 12.0  # the same of a head lamp; lamps that reach farther are some


class Lamps:
    """The burning lamps of a scene.

    Args:
        static: instances that stand still; their lamps burn at night.
    """

    def __init__(self, static: Iterable[Instance]) -> None:
        self._standing = _table(static, is_night=True)
        self._moving = _table([], is_night=True)

    def update(self, dynamic: Iterable[Instance], is_night: bool) -> None:
        """Read which lamps of moving things burn."""
        self._moving = _table(dynamic, is_night)

    def lights(
        self, eye: NDArray[np.float64], pixel_of: NDArray[np.float64], size: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """The lamps that shine into a picture by night, (L, LAMP_COLUMNS of the kernels) float32.

        Args:
            eye: (3,) metres.
            pixel_of: (3, 3), a world direction to column, row and depth, the first two times depth.
            size: rows and columns.
        """
        table = np.concatenate([self._standing, self._moving])
        table = _merge_pairs(table[table[:, 3] > 0])
        distance = np.linalg.norm(table[:, :3] - eye, axis=1)
        near = np.argsort(distance, kind="stable")
        table = table[near[distance[near] < FARTHEST_M + table[near, 3]]]
        bounds = _bounds(table, eye, pixel_of, size)
        is_seen = (bounds[:, 0] < bounds[:, 1]) & (bounds[:, 2] < bounds[:, 3])
        table, bounds = table[is_seen][:MOST_LAMPS], bounds[is_seen][:MOST_LAMPS]
        return np.concatenate([table[:, :11], bounds], axis=1).astype(np.float32)

    def glows(
        self, eye: NDArray[np.float64], pixel_of: NDArray[np.float64], strength: float
    ) -> NDArray[np.float32]:
        """Halos of lamps, (G, GLOW_COLUMNS) float32: column, row, depth, radius, colour."""
        table = np.concatenate([self._standing, self._moving]) if strength > 0 else self._moving[:0]
        towards = eye - table[:, :3]
        distance = np.maximum(np.linalg.norm(towards, axis=1), 0.1)
        facing = (towards * table[:, 7:10]).sum(1) / distance
        place = -towards @ pixel_of.T
        depth = place[:, 2]
        shows = (depth > 0.5) & (distance < 250.0) & (facing > 0.05)
        table, place, depth, facing = table[shows], place[shows], depth[shows], facing[shows]
        focal = np.linalg.norm(pixel_of[0])
        is_beam = table[:, 3] > HEAD_REACH_M
        radius = focal * np.where(is_beam, 0.55, 0.3) / depth + 0.006 * focal
        power = strength * np.where(is_beam, 190.0, 120.0) * np.minimum(facing * 1.6, 1.0)
        out = np.empty((len(table), GLOW_COLUMNS), np.float32)
        out[:, 0], out[:, 1] = place[:, 0] / depth, place[:, 1] / depth
        out[:, 2], out[:, 3] = depth - 0.4, radius
        out[:, 4:] = table[:, 4:7] * power[:, None]
        return out


def is_burning(spot: LampSpot, lamps: int, is_night: bool) -> bool:
    """Whether a lamp burns under an instance's flags; as the kernels decide for triangles."""
    if spot.lamp == 0:
        return True
    if spot.lamp == NIGHT_LAMP:
        return is_night
    if spot.lamp < LAMP_STATE:
        return bool((lamps >> (spot.lamp - 1)) & 1)
    return lamps == spot.lamp - LAMP_STATE


def _table(instances: Iterable[Instance], is_night: bool) -> NDArray[np.float64]:
    """Burning lamps (N, 11): position, reach, colour times power, direction, beam's edge."""
    rows = []
    for one in instances:
        for spot in one.mesh.spots:
            if not is_burning(spot, one.lamps, is_night):
                continue
            turn, origin = one.world_from_mesh[:3, :3], one.world_from_mesh[:3, 3]
            is_beam = spot.reach_m > HEAD_REACH_M and spot.lamp != NIGHT_LAMP
            rows.append(
                [
                    *(turn @ np.asarray(spot.position) + origin),
                    spot.reach_m,
                    *((BEAM_POWER if is_beam else POWER) * np.asarray(spot.colour)),
                    *(turn @ np.asarray(spot.direction)),
                    HEAD_BEAM if is_beam else WIDE_BEAM,
                ]
            )
    return np.array(rows, np.float64).reshape(-1, 11)


def _merge_pairs(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """A car's two head lamps as one between them: what they light is all but the same."""
    kept: list[NDArray[np.float64]] = []
    for row in table:
        if kept and row[10] == HEAD_BEAM == kept[-1][10]:
            before = kept[-1]
            if row[3] == before[3] and np.abs(row[:3] - before[:3]).max() < 2.5:
                before[:3] = (before[:3] + row[:3]) / 2.0
                continue
        kept.append(row.copy())
    return np.array(kept).reshape(-1, table.shape[1])


def _bounds(
    table: NDArray[np.float64],
    eye: NDArray[np.float64],
    pixel_of: NDArray[np.float64],
    size: tuple[int, ...],
) -> NDArray[np.float64]:
    """First and past the last column, first and past the last row that each may light, (N, 4)."""
    # What a beam lights lies in a sphere half way along it.
    is_beam = table[:, 10] == HEAD_BEAM
    middle = table[:, :3] + np.where(is_beam, 0.5 * table[:, 3], 0.0)[:, None] * table[:, 7:10]
    place = (middle - eye) @ pixel_of.T
    reach = table[:, 3] * np.where(is_beam, 0.58, 1.0)
    nearest = place[:, 2] - reach
    bounds = np.empty((len(table), 4))
    for axis, length in ((0, size[1]), (1, size[0])):
        # A sphere's edge lies at most its radius times the focal length, over the nearest depth.
        scale = np.linalg.norm(pixel_of[axis])
        depth = np.maximum(nearest, 0.5)
        low = np.minimum(place[:, axis] / np.maximum(place[:, 2], 0.5), place[:, axis] / depth)
        high = np.maximum(place[:, axis] / np.maximum(place[:, 2], 0.5), place[:, axis] / depth)
        spread = scale * reach / depth
        is_wide = nearest < 1.0
        bounds[:, 2 * axis] = np.where(is_wide, 0.0, np.clip(low - spread, 0, length))
        bounds[:, 2 * axis + 1] = np.where(is_wide, length, np.clip(high + spread, 0, length))
    bounds[place[:, 2] + reach < 0.1] = 0.0
    return np.floor(bounds)
