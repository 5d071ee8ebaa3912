"""The sizes in which our detector family ships, with what was measured of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True, slots=True)
class Rung:
    """One shipped size of the family; the figures are those of the model card.

    Attributes:
        name: "small" or "large".
        width: Of the input, pixels.
        height: Of the input, pixels.
        params: Number of trained numbers.
        ap50: Average precision at IoU 0.5 on the validation pictures, all classes.
        ap50_by_class: The same of each class that occurs there.
        streaming_f1: F1 at IoU 0.5 of single frames without delay, at `score_threshold`.
        score_threshold: The score at which that F1 is best.
        latency_ms: Median CPU time of a whole `detect` on one thread, on the machine of the card.
    """

    name: str
    width: int
    height: int
    params: int
    ap50: float
    ap50_by_class: dict[str, float]
    streaming_f1: float
    score_threshold: float
    latency_ms: float

    @property
    def onnx(self) -> Path:
        """The model for ONNX Runtime."""
        return WEIGHTS / f"{self.name}.onnx"

    @property
    def safetensors(self) -> Path:
        """The same weights for torch."""
        return WEIGHTS / f"{self.name}.safetensors"


def load_rungs(path: Path = WEIGHTS / "rungs.json") -> dict[str, Rung]:
    """Reads the committed table; a missing file means that no rung is shipped."""
    if not path.exists():
        return {}
    table = json.loads(path.read_text(encoding="utf-8"))
    return {name: Rung(name=name, **row) for name, row in table.items()}


RUNGS = load_rungs()
