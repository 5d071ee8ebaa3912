"""What models cost on this machine, as `vdap profile` measured it: one file, read by "auto".

The file is `profile.json` under `$XDG_CACHE_HOME/vdap` (`~/.cache/vdap`), or what `VDAP_PROFILE`
names. It holds of which machine and libraries it is; on another one it is not believed.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Annotated

import msgspec

from scheduler.errors import ConfigError

log = logging.getLogger(__name__)

FORMAT = 1
AGAIN = "run `vdap profile` again"
# Backends that differ by less are one and the same: which of two is ahead then changes with what
# else runs, as RSTensorFlow saw (Alzantot et al., RSTensorFlow, EMDL 2017).
ALIKE = 0.05
LIBRARIES = ("onnxruntime", "onnxruntime-gpu", "openvino", "torch", "numpy")
NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a profile was measured."""

    processor: str
    cores: int
    system: str
    accelerator: str = ""  # the NVIDIA GPUs
    libraries: dict[str, str] = {}

    def difference(self, here: Machine) -> str:
        """What is not as it was, in words; empty when nothing of weight is."""
        changes = [
            f"{name} {_said(now)}, was {_said(was)}"
            for name, was, now in (
                ("processor", self.processor, here.processor),
                ("cores", str(self.cores), str(here.cores)),
                ("system", self.system, here.system),
                ("accelerator", self.accelerator, here.accelerator),
            )
            if was != now
        ]
        for name in sorted({*self.libraries, *here.libraries}):
            was, now = self.libraries.get(name, ""), here.libraries.get(name, "")
            if was != now:
                changes.append(f"{name} {_said(now)}, was {_said(was)}")
        return "; ".join(changes)


class Cell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rung at one input size and precision in one backend with a number of threads.

    Attributes:
        model: A rung, or a rung and what else it does, such as "medium+split".
        size: (width, height) of the input, pixels.
        params: Of the rung; one that was changed since is not the one measured.
        ms: What decides: the median over the rounds of a whole `detect`, compute time. That is CPU
            time, at most the wall time, and the wall time where a GPU computes.
        cpu_ms: CPU time of all threads.
        wall_ms: As a clock on the wall says, on a machine that may have been busy.
        spread: Half the middle half of the rounds' values, as a share of `ms`.
        memory_mib: Resident memory that opening and the first run added.
    """

    model: str
    size: tuple[int, int]
    precision: str
    backend: str
    threads: int
    params: int
    ms: NotNegative
    cpu_ms: NotNegative
    wall_ms: NotNegative
    spread: NotNegative
    memory_mib: float


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    machine: Machine
    cells: list[Cell]
    format: int = FORMAT

    def of(
        self, model: str, size: tuple[int, int], precision: str, threads: int, params: int
    ) -> list[Cell]:
        """What was measured of a model at a size, fastest backend first."""
        wanted = (model, size, precision, threads, params)
        found = [
            cell
            for cell in self.cells
            if (cell.model, cell.size, cell.precision, cell.threads, cell.params) == wanted
        ]
        return sorted(found, key=lambda cell: cell.ms)


def ordered(cells: Sequence[Cell], default: str) -> list[Cell]:
    """Cells of one model, best first; the default leads unless another is clearly faster.

    Args:
        cells: Fastest first.
        default: Kept where the fastest is ahead of it by less than `ALIKE`.
    """
    leading = [c for c in cells if c.backend == default and is_alike(c.ms, cells[0].ms)]
    return leading + [cell for cell in cells if cell not in leading]


def is_alike(ms: float, fastest_ms: float) -> bool:
    """Whether a backend is as fast as the fastest for all that was measured."""
    return ms <= fastest_ms * (1.0 + ALIKE)


def this_machine() -> Machine:
    """Of which machine and libraries a profile is that is measured here and now."""
    return Machine(
        processor(), os.cpu_count() or 1, f"{platform.system()} {platform.machine()}",
        _accelerator(), _versions(LIBRARIES),
    )  # fmt: skip


def processor() -> str:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _accelerator() -> str:
    """Names of the NVIDIA GPUs, as far as the driver tells."""
    lines = (
        line
        for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
    )
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return ", ".join(found)


def cache_folder() -> Path:
    """Where vdap keeps what it measured or prepared once on this machine."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "vdap"


def default_path() -> Path:
    """Of the profile."""
    named = os.environ.get("VDAP_PROFILE")
    return Path(named).expanduser() if named else cache_folder() / "profile.json"


def write(profile: Profile, path: Path) -> None:
    """Replaces the file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    scratch.write_bytes(msgspec.json.format(msgspec.json.encode(profile), indent=1) + b"\n")
    scratch.replace(path)


def read(path: Path) -> Profile:
    """The file, of whatever machine.

    Raises:
        ConfigError: It is not such a file.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Profile)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{path} is not a profile: {error}; {AGAIN}") from error
    if found.format != FORMAT:
        raise ConfigError(f"{path}: format {found.format}, expected {FORMAT}; {AGAIN}")
    return found


def here(path: Path | None = None, *, is_quiet: bool = False) -> Profile | None:
    """The profile of this machine; None, with one line in the log, where it is of another.

    A missing file is no error and not worth a line.

    Args:
        path: The file; None takes `default_path()`.
        is_quiet: No line: another process of this drive says it.
    """
    path = path or default_path()
    return _here(path, path.stat().st_mtime_ns, is_quiet) if path.is_file() else None


@cache
def _here(path: Path, changed_ns: int, is_quiet: bool) -> Profile | None:
    level = logging.DEBUG if is_quiet else logging.WARNING
    try:
        found = read(path)
    except ConfigError as error:
        log.log(level, "%s", error)
        return None
    difference = found.machine.difference(this_machine())
    if difference:
        log.log(level, "%s is of another machine (%s): %s", path, difference, AGAIN)
        return None
    return found


def _versions(names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _said(value: str) -> str:
    return value or "none"
