"""Routes for egos: a closed one through the lane graph, found the same way in every world."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

LaneKey = tuple[int, ...]  # OpenDRIVE road, section, lane

MAX_LOOP_M = 1500.0  # longer loops are not looked for: a drive of minutes does not close them
MAX_STEPS = 40_000  # of the search; a large town has more loops than anyone can count
RANDOM_ROUTE_M = 5000.0  # ten minutes at 8 m/s
SPACING_M = 1.0  # between the points of a route


@dataclass(frozen=True, slots=True, eq=False)
class RouteLane:
    """One lane as routes see it.

    Attributes:
        centre: (N, 3) float64, metres, in the direction of travel.
        successors: lanes that may follow.
    """

    centre: NDArray[np.float64]
    successors: Sequence[LaneKey]

    @property
    def length(self) -> float:
        """Metres."""
        return float(np.linalg.norm(np.diff(self.centre, axis=0), axis=1).sum())


def closed_route(lanes: Mapping[LaneKey, RouteLane], start: LaneKey) -> list[LaneKey] | None:
    """The longest loop without repeats from a lane back to it, up to `MAX_LOOP_M`.

    A depth-first search in the order of the keys, so that every world that has the same roads
    finds the same loop. None where no loop was found within `MAX_STEPS`.
    """
    lengths = {key: lane.length for key, lane in lanes.items()}
    best: list[LaneKey] | None = None
    best_length = 0.0
    path, total = [start], lengths[start]
    branches = [iter(sorted(lanes[start].successors))]
    on_path = {start}
    for _ in range(MAX_STEPS):
        step = next(branches[-1], None)
        if step is None:
            branches.pop()
            gone = path.pop()
            on_path.discard(gone)
            total -= lengths[gone]
            if not path:
                break
        elif step == start:
            if total > best_length + 1e-6:
                best, best_length = list(path), total
        elif step in lanes and step not in on_path and total + lengths[step] <= MAX_LOOP_M:
            path.append(step)
            on_path.add(step)
            total += lengths[step]
            branches.append(iter(sorted(lanes[step].successors)))
    return best


def random_route(
    lanes: Mapping[LaneKey, RouteLane], start: LaneKey, length: float, seed: int
) -> list[LaneKey]:
    """A seeded random walk of at least `length` metres, where the roads do not end before."""
    choose = random.Random(seed)
    path, total = [start], lanes[start].length
    while total < length:
        ways = [key for key in sorted(lanes[path[-1]].successors) if key in lanes]
        if not ways:
            break
        path.append(choose.choice(ways))
        total += lanes[path[-1]].length
    return path


def polyline(
    lanes: Mapping[LaneKey, RouteLane], path: Sequence[LaneKey], start_s: float, *, is_loop: bool
) -> NDArray[np.float64]:
    """The lane centres of a path as points `SPACING_M` apart, (N, 3) float64.

    Args:
        lanes: the lane graph.
        path: lanes in order.
        start_s: metres along the first lane where the route begins.
        is_loop: the route ends where it began.
    """
    pieces = [lanes[key].centre for key in path]
    if is_loop:
        pieces.append(lanes[path[0]].centre)
    points = np.concatenate(pieces)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    is_new = np.concatenate([[True], steps > 1e-6])
    points = points[is_new]
    along = np.concatenate([[0.0], np.cumsum(steps[steps > 1e-6])])
    end_s = start_s + sum(lanes[key].length for key in path) if is_loop else along[-1]
    end_s = min(end_s, along[-1])
    count = max(2, math.floor((end_s - start_s) / SPACING_M) + 1)
    at = start_s + SPACING_M * np.arange(count)
    at = at[at < end_s - (SPACING_M / 2 if is_loop else 0.0)]
    return np.stack([np.interp(at, along, points[:, axis]) for axis in range(3)], axis=1)


def plan_route(
    lanes: Mapping[LaneKey, RouteLane],
    start: LaneKey,
    start_s: float,
    kind: Literal["loop", "random"],
    seed: int,
) -> tuple[NDArray[np.float64], bool]:
    """The route of an ego that stands `start_s` metres along a lane.

    Returns:
        Points as `polyline` gives them, and whether they are a loop: where the roads have none
        from here, a `loop` becomes a random route.
    """
    path = closed_route(lanes, start) if kind == "loop" else None
    if path is not None:
        return polyline(lanes, path, start_s, is_loop=True), True
    path = random_route(lanes, start, start_s + RANDOM_ROUTE_M, seed)
    return polyline(lanes, path, start_s, is_loop=False), False


class Track:
    """A route as a line with a length along it, which closes on itself where it is a loop."""

    def __init__(self, points: NDArray[np.float64], *, is_loop: bool) -> None:
        line = np.concatenate([points, points[:1]]) if is_loop else points
        self.is_loop = is_loop
        self._points = line
        steps = np.diff(line[:, :2], axis=0)
        spans = np.maximum(np.linalg.norm(steps, axis=1), 1e-9)
        self._units = steps / spans[:, None]
        self._spans = spans
        self._along = np.concatenate([[0.0], np.cumsum(spans)])
        self.length = float(self._along[-1])

    def wrap(self, s: float) -> float:
        """The same place with 0 <= s < length on a loop; held at the ends of an open route."""
        return s % self.length if self.is_loop else min(max(s, 0.0), self.length)

    def at(self, s: float) -> tuple[float, float, float, float]:
        """x, y, z in metres and heading in radians `s` metres along it."""
        s = self.wrap(s)
        i = min(int(np.searchsorted(self._along, s, side="right")) - 1, len(self._spans) - 1)
        share = (s - self._along[i]) / self._spans[i]
        x, y, z = (self._points[i] + share * (self._points[i + 1] - self._points[i])).tolist()
        return x, y, z, math.atan2(self._units[i, 1], self._units[i, 0])

    def nearest(
        self, x: float, y: float, around: float | None = None, reach: float = 25.0
    ) -> tuple[float, float]:
        """Of the nearest place: metres along the route, and how far left of it the point is.

        Args:
            x: metres east.
            y: metres north.
            around: look only within `reach` metres of here, because a route may cross itself.
            reach: metres.
        """
        s, lateral = self.project(np.array([[x, y]]), around, reach)
        return float(s[0]), float(lateral[0])

    def project(
        self, points: NDArray[np.float64], around: float | None = None, reach: float = 25.0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The same for (N, 2) points: (N,) metres along, (N,) metres to the left."""
        if around is None:
            return self._project(points, np.arange(len(self._spans)))
        away = np.abs(self._along[:-1] - around)
        if self.is_loop:
            away = np.minimum(away, self.length - away)
        return self._project(points, np.flatnonzero(away <= reach))

    def _project(
        self, points: NDArray[np.float64], pieces: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        units, spans, starts = self._units[pieces], self._spans[pieces], self._along[pieces]
        away = points[:, None, :2] - self._points[pieces][None, :, :2]
        along = np.clip((away * units).sum(axis=2), 0.0, spans)
        offset = away - along[..., None] * units
        best = np.argmin((offset**2).sum(axis=2), axis=1)
        rows = np.arange(len(points))
        chosen = away[rows, best]
        left = units[best, 0] * chosen[:, 1] - units[best, 1] * chosen[:, 0]
        return starts[best] + along[rows, best], left

    def curvature(self, reach: float = 3.0) -> NDArray[np.float64]:
        """1/m at each metre of the route, from the turn of its heading over +-`reach` metres."""
        count = max(1, int(self.length))
        headings = [
            (self.at(s - reach)[3], self.at(s + reach)[3]) for s in map(float, range(count))
        ]
        return np.array([math.remainder(b - a, math.tau) / (2.0 * reach) for a, b in headings])
