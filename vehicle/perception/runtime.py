"""ONNX Runtime behind two verbs: open a model file, run it on one input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, MissingPartError

# Best first; TensorRT is left out because it builds for minutes at its first run.
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class OnnxModel:
    """A model file with one input and fixed shapes, ready to run."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Opens `path`.

        Args:
            path: The .onnx file.
            threads: Of one run. None of them spins while it waits: other processes need the core.

        Raises:
            MissingPartError: ONNX Runtime is not installed.
            ConfigError: No such file, or not a model that this runtime reads.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingPartError(
                "onnxruntime is not installed: pip install 'vdap[cpu]' (or 'vdap[cuda]')"
            ) from error
        if not path.is_file():
            raise ConfigError(f"detector weights: no file {path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors; a machine without a GPU is not one
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        available = onnxruntime.get_available_providers()
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, [name for name in PROVIDERS if name in available]
            )
        except Exception as error:  # the runtime's own errors share no base
            reason = str(error).splitlines()[0]
            raise ConfigError(
                f"detector weights: {path} is not a readable model: {reason}"
            ) from error
        given = self._session.get_inputs()[0]
        self._input = given.name
        self.input_shape: tuple[int, ...] = tuple(
            size if isinstance(size, int) else 1 for size in given.shape
        )
        self.outputs: tuple[str, ...] = tuple(out.name for out in self._session.get_outputs())

    def run(self, tensor: NDArray[np.uint8] | NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """One forward pass: an array for each of `outputs`."""
        arrays: list[NDArray[np.float32]] = self._session.run(None, {self._input: tensor})
        return arrays
