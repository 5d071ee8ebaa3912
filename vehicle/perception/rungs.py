"""The sizes in which our detector family ships, with what was measured of each."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from scheduler.errors import ConfigError

WEIGHTS = Path(__file__).parent / "weights"
TABLE = "rungs.json"
# Width and height at which every rung is trained, scored and measured; the first is the default.
INPUT_SIZES = ((640, 384), (320, 192))
PRECISIONS = ("fp32", "int8")


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured of one rung at one input size and precision, as on its model card.

    Attributes:
        ap50: Average precision at IoU 0.5 on the validation pictures, all classes.
        ap: The same, mean over IoU 0.5 to 0.95.
        ap50_by_class: AP50 of each class that occurs there.
        f1: F1 at IoU 0.5 of single frames without delay, at `score_threshold`.
        score_threshold: The score at which that F1 is best.
        latency_ms: Median CPU time of a whole `detect` on one thread, on the machine of the card.
    """

    ap50: float
    ap: float
    ap50_by_class: dict[str, float]
    f1: float
    score_threshold: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Rung:
    """One shipped size of the family.

    Attributes:
        name: One of `RUNGS`.
        params: Number of trained numbers.
        cells: What was measured, by (width, height) in pixels and by precision.
    """

    name: str
    params: int
    cells: dict[tuple[int, int], dict[str, Cell]]

    def cell(self, size: tuple[int, int] | None = None, precision: str = "fp32") -> Cell:
        """The figures at an input size (width, height), by default the first of `INPUT_SIZES`.

        Of a size that was not measured, those of the measured one nearest in area.

        Raises:
            ConfigError: The rung does not ship in that precision.
        """
        area = math.prod(size or INPUT_SIZES[0])
        measured = {at: row[precision] for at, row in self.cells.items() if precision in row}
        if not measured:
            known = ", ".join(sorted({name for row in self.cells.values() for name in row}))
            raise ConfigError(
                f"rung {self.name!r}: no precision {precision!r}, it ships in {known}"
            )
        return measured[min(measured, key=lambda at: abs(math.log(math.prod(at) / area)))]

    def model(self, precision: str = "fp32") -> Path:
        """The .onnx file of a precision; one for all input sizes."""
        return WEIGHTS / (f"{self.name}.onnx" if precision == "fp32" else f"{self.name}.int8.onnx")

    @property
    def onnx(self) -> Path:
        """The model in full precision."""
        return self.model()

    @property
    def safetensors(self) -> Path:
        """The same weights for torch."""
        return WEIGHTS / f"{self.name}.safetensors"


def load_rungs(path: Path = WEIGHTS / TABLE) -> dict[str, Rung]:
    """Reads the committed table; a missing file means that no rung is shipped."""
    if not path.exists():
        return {}
    table = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Rung(
            name,
            row["params"],
            {
                _size(at): {precision: Cell(**figures) for precision, figures in cells.items()}
                for at, cells in row["cells"].items()
            },
        )
        for name, row in table.items()
    }


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


RUNGS = load_rungs()
