"""Which runtime runs a model: the seam that all of them fill, and the choice among them.

Without a profile of this machine "auto" is ONNX Runtime, on its GPU where that build was installed,
then torch. With one (`vdap profile`) it is what was fastest here. A runtime that does not work, or
whose provider another one answered for, is passed over with one line in the log; asked for by
name, it is an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, MissingPartError
from vehicle.perception import profile

log = logging.getLogger(__name__)

AUTO = "auto"
DEFAULT = "onnxruntime"
# In the order in which "auto" tries them without a profile. TensorRT builds for minutes at its
# first run and is chosen by a profile or by name alone.
BACKENDS = ("cuda", "onnxruntime", "openvino", "torch", "tensorrt")
TORCHSCRIPT = (".torchscript", ".pt", ".pth", ".ts")  # suffixes
OF_TORCHSCRIPT_FILES: tuple[str, ...] = ("torch",)
OF_ONNX_FILES: tuple[str, ...] = ("cuda", "onnxruntime", "openvino", "tensorrt")
DEFAULT_SIZE = (640, 384)  # (width, height) for a model that takes any and names none
EXTRAS = {"onnxruntime": "cpu", "cuda": "cuda", "tensorrt": "cuda", "openvino": "openvino",
          "torch": "torch"}  # fmt: skip
UNASKED = ("cuda", "onnxruntime", "torch")

Opened = TypeVar("Opened")
Shape = tuple[int | None, ...]


class Model(Protocol):
    """An opened model file with one input; used by one thread at a time.

    Attributes:
        words: What answered, for people: "ONNX Runtime 1.32.0 CPU, 1 thread".
        input_shape: Of the tensor that `run` takes; None where a dimension was left open.
        input_type: Its element type as numpy calls it, such as "uint8".
        outputs: Their names, in the order of the answer.
        notes: What the file says of itself, such as the class names of a YOLOv8 export.
    """

    words: str
    input_shape: Shape
    input_type: str
    outputs: tuple[str, ...]
    notes: Mapping[str, str]

    def run(self, tensor: NDArray[np.generic]) -> list[NDArray[np.float32]]:
        """One forward pass: an array for each of `outputs`."""
        ...


def threads_in_words(threads: int) -> str:
    """As `Model.words` ends."""
    return f"{threads} thread" if threads == 1 else f"{threads} threads"


@cache
def installed() -> tuple[str, ...]:
    """Backends whose library is here; whether they work is known after a run."""
    from vehicle.perception.runtime import compiled_in

    found = compiled_in()
    found += tuple(name for name in ("openvino", "torch") if find_spec(name) is not None)
    return tuple(name for name in BACKENDS if name in found)


def candidates(
    asked: str,
    readers: Sequence[str] = BACKENDS,
    measured: Sequence[str] = (),
) -> tuple[str, ...]:
    """Backends to try, best first.

    Args:
        asked: "auto", or the one that the user wants.
        readers: Those that read the file in question.
        measured: Those that this machine's profile knows for it, best first.

    Raises:
        ConfigError: Asked for one that there is not, or that does not read the file.
        MissingPartError: None of the readers is installed.
    """
    if asked != AUTO:
        if asked not in readers:
            raise ConfigError(
                f"backend {asked!r} does not read this file, expected auto or one of "
                f"{', '.join(readers)}"
            )
        return (asked,)
    here = [name for name in installed() if name in readers]
    known = [name for name in measured if name in here]
    known += [name for name in UNASKED if name in here and name not in known]
    known += [name for name in here if name not in known and name != "tensorrt"]
    if not known:
        wanted = DEFAULT if DEFAULT in readers else readers[0]
        raise MissingPartError(
            f"no runtime that reads this file is installed ({', '.join(readers)}): "
            f"pip install 'vdap[{EXTRAS[wanted]}]'"
        )
    return tuple(known)


def first_that_works(names: Sequence[str], open_with: Callable[[str], Opened]) -> Opened:
    """What `open_with` makes of the first backend that does not refuse.

    Args:
        names: As `candidates` gives them.
        open_with: Opens the model with a backend; raises `MissingPartError` where that fails.

    Raises:
        MissingPartError: The last one refused too.
    """
    *others, last = names
    for name in others:
        try:
            return open_with(name)
        except MissingPartError as error:
            log.warning("%s; going on with the next", error)
    return open_with(last)


def open_picture_model(
    path: Path,
    backend: str,
    threads: int,
    input_size: tuple[int, int] | None = None,
    *,
    is_planar: bool = False,
) -> Model:
    """Opens a file whose one input is a picture, (1, H, W, 3) or (1, 3, H, W), at a fixed size.

    Args:
        path: .onnx, or TorchScript for "torch".
        backend: One of `BACKENDS`.
        threads: Of one run.
        input_size: (width, height) that the user wants; None takes what the file says, or else
            `DEFAULT_SIZE`.
        is_planar: Whether a TorchScript file, which does not say so, takes (1, 3, H, W) floats.

    Raises:
        ConfigError: No such file, not a model, no picture as input, or not of that size.
        MissingPartError: The backend is not installed or does not work here.
    """
    if not path.is_file():
        raise ConfigError(f"detector weights: no file {path}")
    if backend == "torch":
        opened: Model = torch_part().open_torchscript(
            path, threads, input_size, is_planar=is_planar
        )
        return opened
    fixed = partial(picture_shape, what=str(path), input_size=input_size)
    if backend == "openvino":
        from vehicle.perception.openvino_backend import OpenVinoModel

        return OpenVinoModel(path, threads, fixed)
    from vehicle.perception.runtime import OnnxModel

    width, height = input_size or DEFAULT_SIZE
    engines = profile.cache_folder() / "tensorrt"
    dimensions = {"width": width, "height": height, "batch": 1}
    model = OnnxModel(path, threads, dimensions, backend=backend, engines=engines)
    shape = fixed(model.input_shape)
    named = zip(model.dimension_names, shape, strict=True)
    others = {name: size for name, size in named if name}
    if others:  # it calls them otherwise
        model = OnnxModel(path, threads, dimensions | others, backend=backend, engines=engines)
    model.input_shape = shape
    return model


def picture_shape(shape: Shape, what: str, input_size: tuple[int, int] | None) -> tuple[int, ...]:
    """The shape of a picture's tensor with every open dimension filled in.

    Args:
        shape: As the model says it; None where it takes any.
        what: Of the message.
        input_size: (width, height) that the user wants; None takes the model's own.

    Raises:
        ConfigError: The model takes no picture, or one of another size alone.
    """
    is_planar = len(shape) == 4 and shape[1] == 3
    if len(shape) != 4 or 3 not in (shape[1], shape[3]) or shape[0] not in (1, None):
        spelt = ", ".join("any" if size is None else str(size) for size in shape)
        raise ConfigError(
            f"detector weights: {what} takes an input ({spelt}), "
            "expected a picture: (1, H, W, 3) or (1, 3, H, W)"
        )
    height, width = shape[2:] if is_planar else shape[1:3]
    fallback = input_size or DEFAULT_SIZE
    size = (width or fallback[0], height or fallback[1])
    if input_size is not None and size != input_size:
        raise ConfigError(
            f"detector weights: {what} takes pictures of {size[0]}x{size[1]}, "
            f"input_size says {input_size[0]}x{input_size[1]}"
        )
    return (1, 3, size[1], size[0]) if is_planar else (1, size[1], size[0], 3)


def torch_part() -> ModuleType:
    """The module that runs models in torch.

    Raises:
        MissingPartError: torch is not installed.
    """
    try:
        return import_module("vehicle.perception.torch_backend")
    except ImportError as error:
        raise MissingPartError("torch is not installed: pip install 'vdap[torch]'") from error
