"""ONNX Runtime: the CPU, and by name CUDA and TensorRT, proven by a run and not by a list.

`get_available_providers` is what a build was compiled with. A provider whose libraries are missing
is dropped by the session in silence and the CPU answers in its stead, so the first run of any other
is counted: which provider computed how many operators, by ONNX Runtime's own profile of that run.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, MissingPartError

CPU = "CPUExecutionProvider"
PROVIDERS = {  # of a backend: its own first, then what may take the operators that it lacks
    "onnxruntime": (CPU,),
    "cuda": ("CUDAExecutionProvider", CPU),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", CPU),
}
IN_WORDS = {"onnxruntime": "CPU", "cuda": "CUDA", "tensorrt": "TensorRT"}
TO_INSTALL = {
    "onnxruntime": "pip install 'vdap[cpu]' (or 'vdap[cuda]')",
    "cuda": "pip uninstall onnxruntime; pip install 'vdap[cuda]', beside CUDA 12 and cuDNN 9",
    "tensorrt": "pip uninstall onnxruntime; pip install 'vdap[cuda]', beside CUDA 12, TensorRT 10",
}


class OnnxModel:
    """A model file with one input, its shapes fixed, ready to run; see `backends.Model`.

    Attributes:
        dimension_names: Of the input's dimensions that are still open, else None.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        dimensions: Mapping[str, int] | None = None,
        *,
        backend: str = "onnxruntime",
        engines: Path | None = None,
    ) -> None:
        """Opens `path`.

        Args:
            path: The .onnx file.
            threads: Of one run. None of them spins while it waits: other processes need the core.
            dimensions: Sizes of the model's named free dimensions, where it has such; what
                depends on shapes alone is then computed once, here.
            backend: A key of `PROVIDERS`.
            engines: Folder that keeps what TensorRT builds; without it each start takes minutes.

        Raises:
            MissingPartError: ONNX Runtime or the provider is missing, or another one answered.
            ConfigError: No such file, or not a model that this runtime reads.
        """
        runtime = _runtime(backend)
        if not path.is_file():
            raise ConfigError(f"detector weights: no file {path}")
        self.backend = backend
        self._session = _session(runtime, path, threads, dimensions or {}, backend, engines)
        given = self._session.get_inputs()[0]
        self._input = given.name
        self.input_shape: tuple[int | None, ...] = tuple(
            size if isinstance(size, int) else None for size in given.shape
        )
        self.dimension_names = tuple(
            size if isinstance(size, str) else None for size in given.shape
        )
        self.input_type = _element_type(given.type)
        self.outputs: tuple[str, ...] = tuple(out.name for out in self._session.get_outputs())
        self.notes: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        on = IN_WORDS[backend]
        if backend != "onnxruntime":
            on += self._proven()
        count = f"{threads} thread" if threads == 1 else f"{threads} threads"
        self.words = f"ONNX Runtime {runtime.__version__} {on}, {count}"

    def run(
        self, tensor: NDArray[np.generic], outputs: Sequence[str] | None = None
    ) -> list[NDArray[np.float32]]:
        """One forward pass: an array for each of `outputs`, by default all of the model's."""
        arrays: list[NDArray[np.float32]] = self._session.run(outputs, {self._input: tensor})
        return arrays

    def _proven(self) -> str:
        """What to add to the words, after a first run of which the provider computed its part.

        Raises:
            MissingPartError: It did not.
        """
        if None in self.input_shape:  # it is opened again when its names are known
            Path(self._session.end_profiling()).unlink()
            return ""
        shape = tuple(size or 1 for size in self.input_shape)
        try:
            self.run(np.zeros(shape, self.input_type))
        except Exception as error:
            raise _refused(self.backend, f"its first run failed: {_first_line(error)}") from error
        answered = counted_operators(Path(self._session.end_profiling()))
        own = answered[PROVIDERS[self.backend][0]]
        if not own:
            names = " and ".join(sorted(answered)) or "nothing"
            raise _refused(self.backend, f"{names} answered in its stead")
        elsewhere = answered.total() - own
        return f" ({elsewhere} of {own + elsewhere} operators elsewhere)" if elsewhere else ""


def counted_operators(profile: Path) -> Counter[str]:
    """How many operators each provider ran, from ONNX Runtime's profile; the file is deleted."""
    events = json.loads(profile.read_text(encoding="utf-8"))
    profile.unlink()
    providers = (
        event.get("args", {}).get("provider") for event in events if event.get("cat") == "Node"
    )
    return Counter(name for name in providers if name)


def compiled_in() -> tuple[str, ...]:
    """Backends that the installed ONNX Runtime was built with; none without it."""
    try:
        import onnxruntime
    except ImportError:
        return ()
    available = onnxruntime.get_available_providers()
    return tuple(name for name, wanted in PROVIDERS.items() if wanted[0] in available)


def _runtime(backend: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPartError(f"onnxruntime is not installed: {TO_INSTALL[backend]}") from error
    available = onnxruntime.get_available_providers()
    if PROVIDERS[backend][0] not in available:
        raise _refused(backend, f"this onnxruntime was built with {', '.join(available)}")
    if backend != "onnxruntime" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # finds CUDA and cuDNN where pip put them; since 1.21
    return onnxruntime


def _refused(backend: str, why: str) -> MissingPartError:
    return MissingPartError(f"backend {backend!r} does not work: {why}; {TO_INSTALL[backend]}")


def _session(
    runtime: Any,
    path: Path,
    threads: int,
    dimensions: Mapping[str, int],
    backend: str,
    engines: Path | None,
) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3 if backend == "onnxruntime" else 4  # what fails, we say
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, size in dimensions.items():
        options.add_free_dimension_override_by_name(name, size)
    if backend != "onnxruntime":
        options.enable_profiling = True
        options.profile_file_prefix = f"{tempfile.gettempdir()}/vdap-first-run-{os.getpid()}"
    try:
        return runtime.InferenceSession(str(path), options, _providers(backend, engines))
    except Exception as error:  # the runtime's own errors share no base
        reason = _first_line(error)
        if backend != "onnxruntime":
            raise _refused(backend, reason) from error
        raise ConfigError(f"detector weights: {path} is not a readable model: {reason}") from error


def _providers(backend: str, engines: Path | None) -> list[object]:
    names: list[object] = list(PROVIDERS[backend])
    if backend == "tensorrt" and engines is not None:
        engines.mkdir(parents=True, exist_ok=True)
        kept = {
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(engines),
            "trt_timing_cache_enable": True,
            "trt_timing_cache_path": str(engines),
        }
        names[0] = (names[0], kept)
    return names


def _element_type(spelt: str) -> str:
    """The name in numpy of what ONNX Runtime calls "tensor(uint8)" and the like."""
    inner = spelt.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(inner, inner)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
