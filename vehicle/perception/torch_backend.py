"""Our family in torch: for machines without ONNX Runtime, and as its reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vehicle.perception.model import Deployed, load_weights


def open_weights(
    path: Path, input_size: tuple[int, int] | None, threads: int
) -> tuple[
    int,
    int,
    Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]],
]:
    """Width, height and forward pass of the network in a .safetensors file of the family.

    Sets torch's number of threads for the whole process.

    Raises:
        ConfigError: The file is missing or holds something else.
    """
    torch.set_num_threads(threads)
    network = load_weights(path)
    width, height = input_size or (network.size.input_width, network.size.input_height)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    deployed = Deployed(network.eval(), width, height).to(device)

    def infer(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with torch.inference_mode():
            scores, boxes = deployed(torch.from_numpy(picture[None]).to(device))
        return scores.cpu().numpy(), boxes.cpu().numpy()

    return width, height, infer
