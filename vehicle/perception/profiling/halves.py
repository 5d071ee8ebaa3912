"""Cells of a rung's two halves: what a split costs on board, and what it costs at the unit."""

from __future__ import annotations

from collections.abc import Callable

from vehicle.perception.detector import DetectorSpec
from vehicle.perception.profile import Cell
from vehicle.perception.profiling.cells import Wanted, picture, resident_bytes
from vehicle.perception.profiling.timing import Timing, Way, against_each_other
from vehicle.perception.rungs import RUNGS
from vehicle.perception.split.codec import Decoder, Encoder, load_decoder, load_encoder, splittable

PRECISION, BACKEND = "fp32", "onnxruntime"  # in which halves are shipped, and what runs them


def rungs_with_halves(wanted: Wanted) -> list[str]:
    """Those among the wanted rungs that ship in two halves; none where their runtime is not."""
    if wanted.precisions and PRECISION not in wanted.precisions:
        return []
    if wanted.backends and BACKEND not in wanted.backends:
        return []
    return [name for name in wanted.rungs or RUNGS if name in splittable()]


def half_cells(
    rung: str,
    size: tuple[int, int],
    threads: int,
    seconds: float,
    load: tuple[Callable[[DetectorSpec, int], Encoder], Callable[[DetectorSpec, int], Decoder]] = (
        load_encoder,
        load_decoder,
    ),
) -> list[Cell]:
    """Cells "medium+encode" and "medium+decode", letterbox, coding and selection included.

    Args:
        rung: One of `rungs_with_halves`.
        size: (width, height) of the input.
        threads: Of inference.
        seconds: Of each cell.
        load: Opens the halves; others in tests.
    """
    spec = DetectorSpec(rung, input_size=size, backend=BACKEND)
    frame = picture()
    start = resident_bytes()
    encoder = load[0](spec, threads)
    payload = encoder.encode(frame)
    between = resident_bytes()
    decoder = load[1](spec, threads)
    decoder.detect(payload)
    end = resident_bytes()
    ways = {
        "encode": Way(lambda: encoder.encode(frame)),
        "decode": Way(lambda: decoder.detect(payload)),
    }
    memory = {"encode": between - start, "decode": end - between}
    return [
        _cell(f"{rung}+{name}", rung, size, threads, timing, max(0, memory[name]) / 2**20)
        for name, timing in against_each_other(ways, seconds).items()
    ]


def _cell(
    model: str, rung: str, size: tuple[int, int], threads: int, timing: Timing, memory_mib: float
) -> Cell:
    return Cell(
        model, size, PRECISION, BACKEND, threads, RUNGS[rung].params,
        round(timing.ms, 4), round(timing.cpu_ms, 4), round(timing.wall_ms, 4),
        round(timing.spread, 4), round(memory_mib, 1),
    )  # fmt: skip
