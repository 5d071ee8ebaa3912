"""torch as a runtime: our family's weights as they were trained, and TorchScript files."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from vehicle.perception.backends import DEFAULT_SIZE, threads_in_words
from vehicle.perception.model import Deployed, load_network

NOTES_FILE = "config.txt"  # inside a TorchScript file of a YOLOv8 export: JSON


class TorchModule:
    """A module with one input, ready to run; see `backends.Model`."""

    def __init__(
        self,
        module: torch.nn.Module,
        threads: int,
        input_shape: tuple[int, ...],
        input_type: str,
        notes: Mapping[str, str],
    ) -> None:
        """Runs it once. Sets torch's number of threads for the whole process.

        Raises:
            ConfigError: It does not take a picture of that shape, or answers no tensors.
        """
        torch.set_num_threads(threads)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._module = module.to(self._device).eval()
        self.input_shape: tuple[int | None, ...] = input_shape
        self.input_type = input_type
        self.notes = notes
        version = torch.__version__.split("+")[0]
        on = "CPU" if self._device == "cpu" else torch.cuda.get_device_name()
        self.words = f"torch {version} {on}, {threads_in_words(threads)}"
        count = len(self.run(np.zeros(input_shape, input_type)))
        self.outputs: tuple[str, ...] = tuple(str(index) for index in range(count))

    def run(self, tensor: NDArray[np.generic]) -> list[NDArray[np.float32]]:
        """One forward pass: an array for each of `outputs`."""
        with torch.inference_mode():
            answer = self._module(torch.from_numpy(tensor).to(self._device))
        tensors = answer if isinstance(answer, (tuple, list)) else [answer]
        return [found.float().cpu().numpy() for found in tensors]


def open_weights(
    path: Path, threads: int, input_size: tuple[int, int] | None = None
) -> TorchModule:
    """The network in a .safetensors file of the family, at an input size (width, height).

    Raises:
        ConfigError: The file is missing or holds something else.
    """
    width, height = input_size or DEFAULT_SIZE
    deployed = Deployed(load_network(path).eval())
    deployed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    module = TorchModule(deployed, threads, (1, height, width, 3), "uint8", {})
    module.outputs = ("scores", "boxes")
    return module


def open_torchscript(
    path: Path, threads: int, input_size: tuple[int, int] | None, *, is_planar: bool
) -> TorchModule:
    """A TorchScript file. It holds code: open only those that you trust.

    Args:
        path: As `torch.jit.save` wrote it.
        threads: Of one run.
        input_size: (width, height); None takes what a YOLOv8 export says, or `DEFAULT_SIZE`.
        is_planar: Whether it takes (1, 3, H, W) float32; else (1, H, W, 3) uint8, as ours do.

    Raises:
        ConfigError: Not such a file, or it does not take such a picture.
    """
    kept = {NOTES_FILE: ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch would like to see another format
            module = torch.jit.load(  # type: ignore[no-untyped-call]
                str(path), map_location="cpu", _extra_files=kept
            )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"detector weights: {path} is not a TorchScript file: {reason}"
        ) from error
    notes = _notes(kept[NOTES_FILE])
    width, height = input_size or _size(notes) or DEFAULT_SIZE
    shape = (1, 3, height, width) if is_planar else (1, height, width, 3)
    try:
        return TorchModule(module, threads, shape, "float32" if is_planar else "uint8", notes)
    except (RuntimeError, AttributeError, NotImplementedError) as error:
        raise ConfigError(
            f"detector weights: {path} does not take {shape} of "
            f"{'float32' if is_planar else 'uint8'}, as its kind promises: {_last_line(error)}"
        ) from error


def _notes(text: str | bytes) -> dict[str, str]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in said.items()} if isinstance(said, dict) else {}


def _size(notes: Mapping[str, str]) -> tuple[int, int] | None:
    """The (width, height) of "[height, width]"."""
    try:
        height, width = json.loads(notes.get("imgsz", ""))
        return int(width), int(height)
    except (ValueError, TypeError):
        return None


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
