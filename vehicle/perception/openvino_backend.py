"""OpenVINO on the CPU, for the same .onnx files and in the precision that the figures are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, MissingPartError


class OpenVinoModel:
    """A model file with one input, its shapes fixed, ready to run; see `backends.Model`."""

    def __init__(
        self,
        path: Path,
        threads: int,
        fixed: Callable[[tuple[int | None, ...]], tuple[int, ...]],
    ) -> None:
        """Opens `path`.

        Args:
            path: The .onnx file, fp32 or int8 (QDQ).
            threads: Of one run.
            fixed: Fills in the open dimensions of the input's shape.

        Raises:
            MissingPartError: OpenVINO is not installed, or does not compile this model.
            ConfigError: Not a model that it reads.
        """
        try:
            import openvino
        except ImportError as error:
            raise MissingPartError(
                "openvino is not installed: pip install 'vdap[openvino]'"
            ) from error
        if path.suffix != ".onnx":
            raise ConfigError(f"detector weights: {path}, expected a file .onnx")
        core = openvino.Core()
        try:
            model = core.read_model(str(path))
        except RuntimeError as error:
            reason = _last_line(error)
            raise ConfigError(
                f"detector weights: {path} is not a readable model: {reason}"
            ) from error
        given = model.inputs[0]
        shape = tuple(d.get_length() if d.is_static else None for d in given.partial_shape)
        self.input_shape: tuple[int | None, ...] = fixed(shape)
        try:
            model.reshape({given: list(self.input_shape)})
            self._compiled: Any = core.compile_model(model, "CPU", _options(threads))
        except RuntimeError as error:
            raise MissingPartError(
                f"backend 'openvino' does not run {path}: {_last_line(error)}"
            ) from error
        self._request: Any = self._compiled.create_infer_request()
        self.input_type = str(np.dtype(given.element_type.to_dtype()))
        self.outputs: tuple[str, ...] = tuple(out.any_name for out in self._compiled.outputs)
        self.notes: Mapping[str, str] = _notes(model)
        version = openvino.__version__.split("-")[0]
        count = f"{threads} thread" if threads == 1 else f"{threads} threads"
        self.words = f"OpenVINO {version} CPU, {count}"

    def run(self, tensor: NDArray[np.generic]) -> list[NDArray[np.float32]]:
        """One forward pass: an array for each of `outputs`, which the next pass leaves alone."""
        found = self._request.infer([tensor], share_inputs=True, share_outputs=False)
        return [found[index] for index in range(len(self.outputs))]


def _options(threads: int) -> dict[str, object]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the CPU has it
        "ENABLE_CPU_PINNING": False,  # other processes share these cores
    }


def _notes(model: Any) -> dict[str, str]:
    """The metadata of the .onnx file, as far as OpenVINO keeps it."""
    if not model.has_rt_info(["framework"]):
        return {}
    kept = model.get_rt_info(["framework"])
    return {name: str(value) for name, value in kept.value.items()}


def _last_line(error: RuntimeError) -> str:
    """OpenVINO's messages begin with where in its source they arose and end with the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
