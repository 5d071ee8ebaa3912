"""Gives a network the channels that a file's tensors have: how a pruned network loads again."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from scheduler.errors import ConfigError

TRIAL_SIDE = 64  # pixels of the picture that shows whether the layers fit each other


def fit_channels(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Resizes the layers of `network` to the shapes in `state`; the values stay as they were.

    Raises:
        ConfigError: A layer is missing, has another kernel, or does not fit the one before it.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            _resize_convolution(module, name, _shape(state, f"{name}.weight"))
        elif isinstance(module, nn.BatchNorm2d):
            (channels,) = _shape(state, f"{name}.weight")
            module.num_features = channels
            module.weight = nn.Parameter(torch.ones(channels))
            module.bias = nn.Parameter(torch.zeros(channels))
            module.running_mean = torch.zeros(channels)
            module.running_var = torch.ones(channels)
    was_training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, TRIAL_SIDE, TRIAL_SIDE))
    except RuntimeError as error:
        raise ConfigError(f"detector weights: its layers do not fit each other: {error}") from error
    network.train(was_training)


def _shape(state: Mapping[str, Tensor], name: str) -> tuple[int, ...]:
    if name not in state:
        raise ConfigError(f"detector weights: no tensor {name}")
    return tuple(state[name].shape)


def _resize_convolution(layer: nn.Conv2d, name: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 4 or shape[2:] != tuple(layer.kernel_size):
        raise ConfigError(
            f"detector weights: {name} of shape {shape}, expected a kernel {layer.kernel_size}"
        )
    is_depthwise = layer.groups > 1
    layer.out_channels = shape[0]
    layer.groups = shape[0] if is_depthwise else 1
    layer.in_channels = shape[0] if is_depthwise else shape[1]
    layer.weight = nn.Parameter(torch.zeros(shape))
    if layer.bias is not None:
        layer.bias = nn.Parameter(torch.zeros(shape[0]))
