"""The one-to-one pairing of rows and columns with the largest sum, for scores of tracks.

Shortest augmenting paths with potentials: Jonker and Volgenant, Computing 38, 1987.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assigned(gain: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs whose gains add up to the most.

    Args:
        gain: (N, M) finite; pairs of no gain are made too, min(N, M) pairs in all.

    Returns:
        Row and column of each pair, by rising row.
    """
    if not gain.size:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    if gain.shape[0] > gain.shape[1]:
        columns, rows = assigned(gain.T)
        order = np.argsort(rows, kind="stable")
        return rows[order], columns[order]
    row_of = _row_of_columns(gain.max() - gain)
    columns = np.flatnonzero(row_of >= 0)
    order = np.argsort(row_of[columns], kind="stable")
    return row_of[columns][order], columns[order]


def _row_of_columns(cost: NDArray[np.float64]) -> NDArray[np.intp]:
    """(M,) row that each column got at the least total cost, or -1; cost (N, M) with N <= M."""
    count, width = cost.shape
    row_price, column_price = np.zeros(count), np.zeros(width)
    row_of = np.full(width, -1, np.intp)
    for start in range(count):
        distance = np.full(width, np.inf)
        came_from = np.full(width, -1, np.intp)
        is_done = np.zeros(width, np.bool_)
        row, column = start, -1
        while True:
            step = cost[row] - row_price[row] - column_price
            is_nearer = ~is_done & (step < distance)
            distance[is_nearer] = step[is_nearer]
            came_from[is_nearer] = column
            nearest = int(np.argmin(np.where(is_done, np.inf, distance)))
            length = distance[nearest]
            reached = row_of[is_done]
            row_price[reached] += length
            row_price[start] += length
            column_price[is_done] -= length
            distance[~is_done] -= length
            column = nearest
            is_done[column] = True
            if row_of[column] < 0:
                break
            row = int(row_of[column])
        while column >= 0:  # back along the path, each row moves on by one column
            before = int(came_from[column])
            row_of[column] = start if before < 0 else row_of[before]
            column = before
    return row_of
