"""Cells of a rung with heads, by their number: what each further task costs on one stem."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vehicle.perception.detector import DetectorSpec
from vehicle.perception.heads.multi import SUFFIX, MultiDetector, load_multi
from vehicle.perception.profile import Cell
from vehicle.perception.profiling.cells import Wanted, picture, resident_bytes
from vehicle.perception.profiling.timing import Way, against_each_other
from vehicle.perception.rungs import RUNGS, WEIGHTS

PRECISION, BACKEND = "fp32", "onnxruntime"  # in which heads are shipped, and what runs them


def rungs_with_heads(wanted: Wanted) -> list[str]:
    """Those among the wanted rungs whose heads are shipped; none where their runtime is not."""
    if wanted.precisions and PRECISION not in wanted.precisions:
        return []
    if wanted.backends and BACKEND not in wanted.backends:
        return []
    return [name for name in wanted.rungs or RUNGS if (WEIGHTS / f"{name}{SUFFIX}").is_file()]


def head_cells(
    rung: str,
    size: tuple[int, int],
    threads: int,
    seconds: float,
    load: Callable[[DetectorSpec, int], MultiDetector] = load_multi,
) -> list[Cell]:
    """A cell for each number of heads: models "medium+light_state", then one more each time.

    Args:
        rung: One of `rungs_with_heads`.
        size: (width, height) of the input.
        threads: Of inference.
        seconds: Of each cell.
        load: Opens it; another in tests.
    """
    frame = picture()
    before = resident_bytes()
    multi = load(DetectorSpec(rung, input_size=size, backend=BACKEND), threads)
    memory_mib = max(0, resident_bytes() - before) / 2**20
    asked = [multi.heads[: count + 1] for count in range(len(multi.heads))]

    def way(heads: Sequence[str]) -> Way:
        return Way(lambda: multi.detect_heads(frame, heads))

    models = ["+".join((rung, *heads)) for heads in asked]
    times = against_each_other(
        {model: way(heads) for model, heads in zip(models, asked, strict=True)}, seconds
    )
    return [
        Cell(
            model,
            size,
            PRECISION,
            BACKEND,
            threads,
            RUNGS[rung].params,
            round(timing.ms, 4),
            round(timing.cpu_ms, 4),
            round(timing.wall_ms, 4),
            round(timing.spread, 4),
            round(memory_mib, 1),
        )
        for model, timing in times.items()
    ]
