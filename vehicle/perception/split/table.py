"""The splits that ship, with what was measured of each; see `rungs` for the rungs in one piece."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from vehicle.perception.rungs import WEIGHTS

TABLE = "splits.json"

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SplitCell:
    """A split at one input size, on validation pictures, and on one thread of this machine.

    Attributes:
        bytes_mean: Of a payload.
        bytes_p95: 95 of 100 payloads are not longer.
        ap50: Through the bottleneck, as are `ap` and `f1`.
        score_threshold: At which that F1 is best.
        full_ap50: Of the rung in one piece on the same pictures, as is `full_ap`.
        encoder_ms: Median CPU time of a whole `encode`, as is `decoder_ms` of a `detect`.
        full_ms: Of the rung's whole `detect`.
    """

    bytes_mean: float
    bytes_p95: float
    ap50: float
    ap: float
    f1: float
    score_threshold: float
    full_ap50: float
    full_ap: float
    encoder_ms: float
    decoder_ms: float
    full_ms: float

    @property
    def ap_loss(self) -> float:
        """How much AP the bottleneck costs, 0..1."""
        return self.full_ap - self.ap


def load_splits(path: Path = WEIGHTS / TABLE) -> dict[str, dict[Size, SplitCell]]:
    """Cells by rung and by input size; a missing file means that no split is shipped."""
    if not path.exists():
        return {}
    table = json.loads(path.read_text(encoding="utf-8"))
    return {
        rung: {_size(at): SplitCell(**figures) for at, figures in cells.items()}
        for rung, cells in table.items()
    }


def enter(path: Path, rung: str, cells: Mapping[Size, SplitCell]) -> None:
    """Replaces a rung's row in the table at `path`, which is made where there is none."""
    table = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    table[rung] = {f"{width}x{height}": asdict(cell) for (width, height), cell in cells.items()}
    text = json.dumps(dict(sorted(table.items())), indent=2)
    path.write_text(text + "\n", encoding="utf-8")


def cell_of(rung: str, size: Size) -> SplitCell | None:
    """The figures of a rung's split at the measured input size nearest in area; None without."""
    cells = SPLITS.get(rung, {})
    if not cells:
        return None
    area = math.prod(size)
    return cells[min(cells, key=lambda at: abs(math.log(math.prod(at) / area)))]


def _size(text: str) -> Size:
    width, height = text.split("x")
    return int(width), int(height)


SPLITS = load_splits()
