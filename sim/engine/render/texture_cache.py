"""Keeps painted textures in the user's cache folder: reading them takes 0.03 s, painting 0.4 s."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.engine.render import facades, glyphs, noise, patterns, textures
from sim.engine.render.textures import MAX_LEVELS, Textures

KEPT_FILES = 4  # of 28 MB each; the longest unused goes first
PAINTERS = (facades, glyphs, noise, patterns, textures)  # what decides how textures look
HEAD = 2  # numbers before all others: the check sum of those, and how many textures there are


def kept_textures(seed: int) -> Textures:
    """The textures of a seed, from a file if an earlier process left one."""
    try:
        path = _folder() / f"textures-{seed}-{_version()}.npy"
    except (OSError, RuntimeError):  # sources out of reach, a user without a home
        return Textures(seed)
    found = _read(path, seed)
    if found is None:
        found = Textures(seed)
        _write(path, found)
    return found


def _folder() -> Path:
    """Where the XDG base directory specification wants what can be made again."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "vdap"


@lru_cache(maxsize=1)
def _version() -> str:
    """Changes with everything that may change a texture."""
    state = hashlib.sha256(np.__version__.encode())
    for module in PAINTERS:
        assert module.__file__ is not None
        state.update(Path(module.__file__).read_bytes())
    return state.hexdigest()[:16]


def _read(path: Path, seed: int) -> Textures | None:
    """The textures in a file; None where there is none or it is not whole."""
    try:
        stored = np.load(path, allow_pickle=False)
        os.utime(path)
    except (OSError, ValueError, EOFError):
        return None
    if stored.dtype != np.uint32 or stored.ndim != 1 or len(stored) < HEAD:
        return None
    numbers: NDArray[np.uint32] = stored[HEAD:]
    count = int(stored[1])
    table = count * (MAX_LEVELS + 1)
    if zlib.crc32(numbers.data) != stored[0] or len(numbers) < table:
        return None
    offset = numbers[: count * MAX_LEVELS].astype(np.int32).reshape(count, MAX_LEVELS)
    size = numbers[count * MAX_LEVELS : table].astype(np.int32)
    return Textures.of(seed, numbers[table:], offset, size)


def _write(path: Path, made: Textures) -> None:
    """Keep textures; where that cannot be, they are painted again the next time."""
    numbers = np.concatenate([made.offset.reshape(-1), made.size]).astype(np.uint32)
    numbers = np.concatenate([numbers, made.texels])
    head = np.array([zlib.crc32(numbers.data), len(made.size)], np.uint32)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(".part", "textures-", path.parent)
        try:
            with os.fdopen(handle, "wb") as part:
                np.save(part, np.concatenate([head, numbers]))
            Path(name).replace(path)  # readers see the whole file or none
        finally:
            Path(name).unlink(missing_ok=True)
        files = sorted(path.parent.glob("textures-*.npy"), key=lambda one: one.stat().st_mtime)
        for old in files[:-KEPT_FILES]:
            old.unlink(missing_ok=True)
