"""How far a vehicle could believe what it was told of its links, for the drive's final record."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from scheduler.uplink import Uplink


class LinkBelief(msgspec.Struct, frozen=True):
    """One link's promises against what came.

    Attributes:
        checked: Requests whose promise could be compared.
        error: Expected calibration error of what placements promised, 0..1.
        raw_error: Of the rate's log-normal belief at sending, before it was corrected.
        table: (mean promised, share in time, requests) by tenths of the promise.
        map_score: Area under the ROC curve of breaks that the radio map foresaw; 0.5 while unknown.
        map_cells: Places that the map knows; 0 without a map.
        clock_ms: The unit's monotonic clock less ours at the end, to lay two logs side by side;
            None where it never told.
        clock_bound_ms: The truth lies within this of it.
    """

    checked: int
    error: float
    raw_error: float
    table: list[tuple[float, float, int]]
    map_score: float = 0.5
    map_cells: int = 0
    clock_ms: float | None = None
    clock_bound_ms: float | None = None


def beliefs_of(uplinks: Mapping[str, Uplink], now_ns: int) -> dict[str, LinkBelief]:
    """By link; those that never sent anything are left out."""
    found: dict[str, LinkBelief] = {}
    for link_id, uplink in uplinks.items():
        estimate, radio_map = uplink.estimator, uplink.estimator.place.radio_map
        promised = estimate.promised
        if not promised.count and not (radio_map and len(radio_map)):
            continue
        found[link_id] = LinkBelief(
            promised.count,
            round(promised.error, 4),
            round(estimate.raw.error, 4),
            [
                (round(row.predicted, 4), round(row.in_time, 4), row.count)
                for row in promised.as_rows()
            ],
            round(radio_map.onsets.auc, 4) if radio_map is not None else 0.5,
            len(radio_map) if radio_map is not None else 0,
            *_clock_of(uplink, now_ns),
        )
    return found


def _clock_of(uplink: Uplink, now_ns: int) -> tuple[float | None, float | None]:
    known = uplink.clock.at(now_ns)
    if known is None:
        return None, None
    return round(known.offset_ns / 1e6, 3), round(known.bound_ns / 1e6, 3)
