"""The oracles' inner loops, compiled (numba): times as float64 ns, work as float64 bits.

Arrays are those of `oracle._arguments`: `frame` (F, 3) holds stamp, ready and due; a curve (4, N)
start, work, rate and delay of all links' rows, those of link k from `ends[k]` to `ends[k + 1]`;
`facts` the worth of carrying, tau, the bits of an answer and the number of links.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,no-any-return,untyped-decorator"

import math

import numpy as np
from numba import njit

NEVER = 1e18  # ns
EMPTY = -1
CELLS = 255  # of a resource: a second and more is one cell
OPTIONS = {"cache": True, "fastmath": False, "nogil": True}


@njit(**OPTIONS)
def _row_at(starts, low, high, at):
    """The last row that starts at or before `at`."""
    while low + 1 < high:
        middle = (low + high) // 2
        if starts[middle] <= at:
            low = middle
        else:
            high = middle
    return low


@njit(**OPTIONS)
def _row_of(works, low, high, work):
    """The last row before which less than `work` was carried."""
    while low + 1 < high:
        middle = (low + high) // 2
        if works[middle] < work:
            low = middle
        else:
            high = middle
    return low


@njit(**OPTIONS)
def _work_at(curve, low, high, at):
    """What was carried until `at`."""
    row = _row_at(curve[0], low, high, at)
    return curve[1, row] + curve[2, row] * max(0.0, at - curve[0, row])


@njit(**OPTIONS)
def _reached(curve, low, high, work):
    """When so much was carried, and when that has come out."""
    row = _row_of(curve[1], low, high, work)
    if curve[2, row] <= 0.0:
        return NEVER, NEVER
    at = curve[0, row] + (work - curve[1, row]) / curve[2, row]
    return at, at + curve[3, row]


@njit(**OPTIONS)
def _answered(arrived, service, link, down, down_ends, taken, taken_ends, answer_bits):
    """When the answer to a request that came whole at `arrived` is back."""
    low, high = taken_ends[link], taken_ends[link + 1]
    if high > low and arrived >= taken[low, 0]:
        span = _row_at(taken[:, 0], low, high, arrived)
        arrived = max(arrived, taken[span, 1])
    done = arrived + service
    low, high = down_ends[link], down_ends[link + 1]
    work = _work_at(down, low, high, done) + answer_bits
    return _reached(down, low, high, work)[1]


@njit(**OPTIONS)
def _try_link(
    i, a, free, frame, sent, bits, service, link, worth,
    up, up_ends, down, down_ends, taken, taken_ends, facts,
):  # fmt: skip
    """Worth of sending frame i in way a (negative: too late), and until when the link is taken.

    `free` is the work at which the link is done with what it has.
    """
    k = link[a]
    low, high = up_ends[k], up_ends[k + 1]
    work = max(free, _work_at(up, low, high, sent[i, a])) + bits[i, a]
    until, arrived = _reached(up, low, high, work)
    if arrived >= frame[i, 2]:
        return -1.0, work, until
    back = _answered(arrived, service[i, a], k, down, down_ends, taken, taken_ends, facts[2])
    if back > frame[i, 2]:
        return -1.0, work, until
    return worth[a] * math.exp(-(back - frame[i, 0]) / facts[1]), work, until


@njit(**OPTIONS)
def _try_local(i, r, free, frame, local, local_worth, facts):
    """Worth of running rung r on frame i on board, and when it ends."""
    ends = max(free, frame[i, 1]) + local[i, r]
    if ends > frame[i, 2]:
        return -1.0, ends
    return local_worth[r] * math.exp(-(ends - frame[i, 0]) / facts[1]), ends


@njit(**OPTIONS)
def bounds(
    frame, sent, bits, service, link, worth, local, local_worth,
    up, up_ends, down, down_ends, taken, taken_ends, facts,
):  # fmt: skip
    """(F,) what each frame would get alone."""
    found = np.empty(len(frame))
    for i in range(len(frame)):
        most = facts[0]
        for r in range(local.shape[1]):
            most = max(most, _try_local(i, r, 0.0, frame, local, local_worth, facts)[0])
        for a in range(len(link)):
            value = _try_link(
                i, a, 0.0, frame, sent, bits, service, link, worth,
                up, up_ends, down, down_ends, taken, taken_ends, facts,
            )[0]  # fmt: skip
            most = max(most, value)
        found[i] = most
    return found


@njit(**OPTIONS)
def greedy(
    frame, sent, bits, service, link, worth, local, local_worth,
    up, up_ends, down, down_ends, taken, taken_ends, facts,
):  # fmt: skip
    """Sum of what is got by taking the best for each frame in turn."""
    board = 0.0
    free = np.zeros(int(facts[3]))
    total = 0.0
    for i in range(len(frame)):
        most, chosen, until = facts[0], -1, 0.0
        for r in range(local.shape[1]):
            value, ends = _try_local(i, r, board, frame, local, local_worth, facts)
            if value > most:
                most, chosen, until = value, 0, ends
        for a in range(len(link)):
            value, work, _ = _try_link(
                i, a, free[link[a]], frame, sent, bits, service, link, worth,
                up, up_ends, down, down_ends, taken, taken_ends, facts,
            )  # fmt: skip
            if value > most:
                most, chosen, until = value, 1 + link[a], work
        if chosen == 0:
            board = until
        elif chosen > 0:
            free[chosen - 1] = until
        total += most
    return total


@njit(**OPTIONS)
def _place(table, keys, used, key):
    """Where a key is or goes in the hash table (open addressing)."""
    mask = len(table) - 1
    slot = (key * 0x9E3779B97F4A7C15 >> 20) & mask
    while table[slot] != EMPTY and keys[table[slot]] != key:
        slot = (slot + 1) & mask
    return slot


@njit(**OPTIONS)
def _offer(value, key, state, resource, at, until, old, new, table, count):
    """Keep a way to a cell if it is the best one so far; the number of cells."""
    values, keys, frees, untils, slots = new
    slot = _place(table, keys, count, key)
    if table[slot] == EMPTY:
        table[slot] = count
        slots[count] = slot
        keys[count] = key
        values[count] = -1.0
        count += 1
    n = table[slot]
    if value > values[n]:
        values[n] = value
        frees[n] = old[2][state]
        untils[n] = old[3][state]
        if resource >= 0:
            frees[n, resource] = at
            untils[n, resource] = until
    return count


@njit(**OPTIONS)
def _left(until, next_ready, cell):
    return int(min(float(CELLS), max(0.0, (until - next_ready) / cell)))


@njit(**OPTIONS)
def _key(untils, resource, until, next_ready, cell):
    """Time left on each resource at the next frame, in cells, as one number."""
    key = 0
    for r in range(len(untils)):
        key = key * 256 + _left(until if r == resource else untils[r], next_ready, cell)
    return key


@njit(**OPTIONS)
def _keep_best(new, count, states, old):
    """Copy the best states; how many."""
    values, keys, frees, untils, _ = new
    chosen = np.arange(count)
    if count > states:
        chosen = np.argsort(-values[:count], kind="mergesort")[:states]
    for n in range(len(chosen)):
        old[0][n] = values[chosen[n]]
        old[1][n] = keys[chosen[n]]
        old[2][n] = frees[chosen[n]]
        old[3][n] = untils[chosen[n]]
    return len(chosen)


@njit(**OPTIONS)
def _space(rows, resources):
    return (
        np.zeros(rows), np.zeros(rows, np.int64), np.zeros((rows, resources)),
        np.zeros((rows, resources)), np.zeros(rows, np.int64),
    )  # fmt: skip


@njit(**OPTIONS)
def dp(
    frame, sent, bits, service, link, worth, local, local_worth,
    up, up_ends, down, down_ends, taken, taken_ends, facts, states, cell,
):  # fmt: skip
    """Sum of what the best sequence of actions gets, among the states that are kept."""
    resources = 1 + int(facts[3])
    most = states * (1 + local.shape[1] + len(link))
    size = 64
    while size < 2 * most:
        size *= 2
    table = np.full(size, EMPTY, np.int64)
    old, new = _space(states, resources), _space(most, resources)
    kept = 1
    idle = np.empty(len(link))
    for i in range(len(frame)):
        coming = frame[min(i + 1, len(frame) - 1), 1]
        for a in range(len(link)):
            idle[a] = _try_link(
                i, a, 0.0, frame, sent, bits, service, link, worth,
                up, up_ends, down, down_ends, taken, taken_ends, facts,
            )[0]  # fmt: skip
        count = 0
        for s in range(kept):
            value, untils = old[0][s], old[3][s]
            key = _key(untils, -1, 0.0, coming, cell)
            count = _offer(value + facts[0], key, s, -1, 0.0, 0.0, old, new, table, count)
            for r in range(local.shape[1]):
                more, ends = _try_local(i, r, old[2][s, 0], frame, local, local_worth, facts)
                if more >= 0.0:
                    key = _key(untils, 0, ends, coming, cell)
                    count = _offer(value + more, key, s, 0, ends, ends, old, new, table, count)
            for a in range(len(link)):
                if idle[a] < 0.0:
                    continue
                more, work, until = _try_link(
                    i, a, old[2][s, 1 + link[a]], frame, sent, bits, service, link, worth,
                    up, up_ends, down, down_ends, taken, taken_ends, facts,
                )  # fmt: skip
                if more >= 0.0:
                    key = _key(untils, 1 + link[a], until, coming, cell)
                    count = _offer(
                        value + more, key, s, 1 + link[a], work, until, old, new, table, count
                    )
        for n in range(count):
            table[new[4][n]] = EMPTY
        kept = _keep_best(new, count, states, old)
    return old[0][:kept].max()
