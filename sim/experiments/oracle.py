"""What the best placement could have got: a DP oracle, a greedy clairvoyant and a relaxed bound.

All three know every link, size and stage time in advance (`sim.experiments.chances`):

- `bound`: each frame takes its best action as if every link and detector were idle; a true upper
  bound that nothing can reach;
- `dp`: dynamic programming over the drive. A state is the time left on the onboard detector and on
  each uplink, in cells of 4 ms; per cell the best way there is kept exactly, and of all cells the
  best `states`. A frame may queue behind the one before it. Use this one;
- `greedy`: each frame takes its best action given what the ones before it left. Not a bound: its
  myopia wastes the links.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import MissingPartError
from sim.experiments.chances import Chances, Curve, Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

CELL_NS = 4e6


class Best(NamedTuple):
    """Mean worth of a frame, in units of F1."""

    dp: float
    greedy: float
    bound: float


def best(chances: Chances, states: int) -> Best:
    """What a drive could have got.

    Args:
        chances: Of the drive.
        states: That the DP keeps per frame; more come closer to the optimum, from below.

    Raises:
        MissingPartError: numba is not installed.
    """
    kernels = _kernels()
    frames = len(chances.stamp)
    if not frames:
        return Best(math.nan, math.nan, math.nan)
    told = _arguments(chances)
    return Best(
        float(kernels.dp(*told, states, CELL_NS)) / frames,
        float(kernels.greedy(*told)) / frames,
        float(kernels.bounds(*told).mean()),
    )


def bounds(chances: Chances) -> list[float]:
    """The relaxed bound of each frame.

    Raises:
        MissingPartError: numba is not installed.
    """
    found: list[float] = _kernels().bounds(*_arguments(chances)).tolist()
    return found


def _kernels() -> Any:
    try:
        from sim.experiments import oracle_kernels
    except ImportError:
        raise MissingPartError(
            "expected numba for the oracle: pip install 'vdap[engine]', or set `oracle: false`"
        ) from None
    return oracle_kernels


def _arguments(chances: Chances) -> tuple[Any, ...]:
    links = len(chances.up)
    up, up_ends = _joined(chances.up)
    down, down_ends = _joined(chances.down)
    spans = [span for span in chances.taken if len(span)]
    taken = np.concatenate(spans) if spans else np.zeros((0, 2), np.float64)
    taken_ends = np.cumsum([0, *(len(span) for span in chances.taken)]).astype(np.int64)
    frame = np.stack([chances.stamp, chances.ready, chances.due], 1)
    return (
        frame, chances.sent, chances.bits, chances.service, chances.link, chances.worth,
        chances.local, chances.local_worth, up, up_ends, down, down_ends, taken, taken_ends,
        np.array([chances.carried, chances.tau, chances.answer_bits, float(links)]),
    )  # fmt: skip


def _joined(curves: Sequence[Curve]) -> tuple[Floats, NDArray[np.int64]]:
    """All curves one behind the other, (4, N), and where each begins."""
    rows = [np.stack([c.start, c.work, c.rate, c.delay]) for c in curves]
    ends = np.cumsum([0, *(len(c.start) for c in curves)]).astype(np.int64)
    return (np.concatenate(rows, 1) if rows else np.zeros((4, 0))), ends
