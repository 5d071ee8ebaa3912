"""Which cells a profile has, and how each is opened and measured."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, VdapError
from vehicle.perception.backends import BACKENDS, OF_ONNX_FILES, installed
from vehicle.perception.detector import DetectorSpec, load_detector
from vehicle.perception.profile import Cell
from vehicle.perception.profiling.timing import Timing, Way, against_each_other
from vehicle.perception.rungs import INPUT_SIZES, PRECISIONS, RUNGS, Rung

FRAME = (384, 640)  # (H, W) of the picture shown; a smaller input includes the resizing
BLOCK = 16  # pixels of one colour
ON_GPU = ("cuda", "tensorrt")


@dataclass(frozen=True, slots=True)
class Group:
    """What is measured against each other: one model at one size, in several runtimes.

    Attributes:
        size: (width, height) of the input, pixels.
    """

    rung: Rung
    size: tuple[int, int]
    precision: str
    threads: int
    backends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure; empty for everything that is shipped and installed."""

    rungs: Sequence[str] = ()
    sizes: Sequence[tuple[int, int]] = INPUT_SIZES
    precisions: Sequence[str] = ()
    backends: Sequence[str] = ()
    threads: Sequence[int] = (1,)

    def groups(self) -> Iterator[Group]:
        """In the order of the table.

        Raises:
            ConfigError: A rung or backend that there is not.
        """
        for name in self.rungs or RUNGS:
            if name not in RUNGS:
                raise ConfigError(f"rung {name!r}, expected one of {', '.join(RUNGS)}")
            for size in self.sizes:
                for precision in self.precisions or PRECISIONS:
                    if RUNGS[name].model(precision).is_file():
                        for threads in self.threads:
                            backends = self._runtimes(precision)
                            yield Group(RUNGS[name], size, precision, threads, backends)

    def _runtimes(self, precision: str) -> tuple[str, ...]:
        for name in self.backends:
            if name not in BACKENDS:
                raise ConfigError(f"backend {name!r}, expected one of {', '.join(BACKENDS)}")
        readers = OF_ONNX_FILES if precision == "int8" else BACKENDS
        return tuple(name for name in self.backends or installed() if name in readers)


def picture() -> NDArray[np.uint8]:
    """Coloured blocks (384, 640, 3), always the same."""
    blocks = np.random.default_rng(4).integers(0, 255, (FRAME[0] // BLOCK, FRAME[1] // BLOCK, 3))
    return np.kron(blocks, np.ones((BLOCK, BLOCK, 1), np.int64)).astype(np.uint8)


def measured(
    group: Group, seconds: float, refused: Callable[[str, str], None]
) -> list[tuple[Cell, Timing]]:
    """The cells of a group, in the order of its runtimes.

    Args:
        group: The cells.
        seconds: Of each cell.
        refused: Told the backend and the reason where one does not work here.
    """
    frame = picture()
    ways, memory = {}, {}
    for backend in group.backends:
        before = resident_bytes()
        try:
            detector = load_detector(_spec(group, backend), group.threads)
            detector.detect(frame)
        except VdapError as error:
            refused(backend, str(error))
            continue
        memory[backend] = max(0, resident_bytes() - before) / 2**20
        ways[backend] = Way(lambda d=detector: d.detect(frame), backend in ON_GPU)  # type: ignore[misc]
    if not ways:
        return []
    times = against_each_other(ways, seconds)
    return [(_cell(group, name, times[name], memory[name]), times[name]) for name in ways]


def merged(old: Iterable[Cell], new: Sequence[Cell]) -> list[Cell]:
    """The new cells, after the old ones of other models, sizes, precisions and threads."""
    again = {(c.model, c.size, c.precision, c.threads) for c in new}
    kept = [c for c in old if (c.model, c.size, c.precision, c.threads) not in again]
    return [*kept, *new]


def resident_bytes() -> int:
    """Resident memory of this process, after giving back what is free; 0 where that is unknown."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return 0  # not glibc
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - not a real file
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _spec(group: Group, backend: str) -> DetectorSpec:
    figures = group.rung.cell(group.size, group.precision)
    return DetectorSpec(
        group.rung.name,
        input_size=group.size,
        precision=group.precision,
        backend=backend,
        score_threshold=figures.score_threshold,
    )


def _cell(group: Group, backend: str, timing: Timing, memory_mib: float) -> Cell:
    return Cell(
        group.rung.name, group.size, group.precision, backend, group.threads, group.rung.params,
        round(timing.ms, 4), round(timing.cpu_ms, 4), round(timing.wall_ms, 4),
        round(timing.spread, 4), round(memory_mib, 1),
    )  # fmt: skip
