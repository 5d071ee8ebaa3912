"""The file of stored detections: a compressed .npz without pickles, written in parts that stay."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, SourceError
from sim.evaluation.detect.stored import FORMAT, VERSION, About, Arrays, StoredDetections

ABOUT = "about"
PLAN = "plan.json"


def read(path: Path) -> StoredDetections:
    """The stored detections of a file.

    Raises:
        SourceError: It is missing, broken, of another kind or of a newer version.
    """
    arrays = _arrays(path)
    if ABOUT not in arrays:
        raise SourceError(f"{path} holds no stored detections: it lacks {ABOUT!r}")
    try:
        about = msgspec.json.decode(arrays[ABOUT].tobytes(), type=About)
    except msgspec.MsgspecError as error:
        raise SourceError(f"{path} holds no stored detections: {error}") from None
    if about.format != FORMAT or about.version != VERSION:
        raise SourceError(
            f"{path}: expected {FORMAT!r} version {VERSION}, got {about.format!r} "
            f"version {about.version}"
        )
    return StoredDetections(about, arrays)


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise SourceError(f"expected an .npz at {path}")
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise SourceError(f"expected stored detections at {path}: {error}") from None


class Parts:
    """A file in the making: a folder beside it with one .npz for each block of frames.

    A stopped run goes on behind the blocks that are there.
    """

    def __init__(self, out: Path, plan: Mapping[str, object]) -> None:
        """Opens or begins the folder.

        Args:
            out: The file that will be written.
            plan: All that decides what is stored.

        Raises:
            ConfigError: The folder was begun with another plan.
        """
        self._out = out
        self._folder = out.with_name(out.name + ".parts")
        told = msgspec.json.encode(plan)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / PLAN
        if path.exists() and path.read_bytes() != told:
            raise ConfigError(
                f"{self._folder} was begun with other options or models: remove it, or give "
                "another --out"
            )
        path.write_bytes(told)

    def blocks(self) -> int:
        """How many blocks are there, from the first without a gap."""
        count = 0
        while self._path(count).exists():
            count += 1
        return count

    def add(self, block: int, arrays: Arrays) -> None:
        """One block; it is there as a whole or not at all."""
        part = self._path(block).with_suffix(".new.npz")
        np.savez(part, **_plain(arrays))
        part.rename(self._path(block))

    def finish(self, about: About, lengths: Sequence[str]) -> StoredDetections:
        """Joins the blocks into the file and drops the folder.

        Args:
            about: What they are of.
            lengths: Names of the arrays, all joined along their first axis.
        """
        blocks = [_arrays(self._path(block)) for block in range(self.blocks())]
        joined = {name: np.concatenate([block[name] for block in blocks]) for name in lengths}
        stored = StoredDetections(about, joined)
        text: Any = np.frombuffer(msgspec.json.encode(about), np.uint8)
        part = self._out.with_name(self._out.name + ".new.npz")
        np.savez_compressed(part, about=text, **_plain(joined))
        part.replace(self._out)
        shutil.rmtree(self._folder)
        return stored

    def _path(self, block: int) -> Path:
        return self._folder / f"{block:06d}.npz"


def _plain(arrays: Arrays) -> dict[str, Any]:
    return {name: np.asarray(array) for name, array in arrays.items()}
