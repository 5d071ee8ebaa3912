"""The detector family as a network in plain torch; only training and the torch backend import it.

One stage, no anchors: a backbone of depthwise-separable blocks (Howard et al., MobileNets, 2017), a
path-aggregation neck (Liu et al., PANet, CVPR 2018) on strides 8, 16 and 32, and for each cell a
score of each class and the distances to the four sides of its box, as in NanoDet and YOLOX.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from scheduler.errors import ConfigError
from vehicle.perception.classes import CLASSES

STRIDES = (8, 16, 32)
STAGE_CHANNELS = (16, 32, 64, 128, 256)  # of a width of 1, at strides 2, 4, 8, 16, 32
STAGE_BLOCKS = (1, 2, 4, 2)
PRIOR = 0.01  # of a score before training, so that the many empty cells do not swamp the loss
LEAST_SIGMOID = 2.0**-104
FIRST_DISTANCE = 2.0  # strides; scale of the softplus that a distance passes through


@dataclass(frozen=True, slots=True)
class Size:
    """What sets one rung apart from another."""

    width: float  # factor on STAGE_CHANNELS
    neck: int  # channels of neck and head
    tower: int  # blocks of the head at each stride
    blocks: tuple[int, int, int, int] = STAGE_BLOCKS  # of the stages, after the one that halves
    input_width: int = 640  # of a training picture; both sides multiples of 64, because it is
    input_height: int = 384  # halved too. A trained network takes any multiples of 32.


SIZES = {
    "nano": Size(width=0.75, neck=40, tower=1),
    "small": Size(width=1.25, neck=64, tower=1),
    "medium": Size(width=1.75, neck=96, tower=2),
    "large": Size(width=3.75, neck=192, tower=2, blocks=(1, 2, 6, 2)),
}


RIVAL = "yolox-nano"  # the architecture that the family is compared with


class ConvBlock(nn.Sequential):
    """Convolution, batch norm, activation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.ReLU | nn.SiLU] = nn.ReLU,
    ) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
            activation(inplace=True),
        )


class SeparableBlock(nn.Module):
    """Depthwise, then pointwise; with a shortcut where the shapes allow one."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = ConvBlock(inputs, inputs, kernel, stride, inputs)
        self.pointwise = ConvBlock(inputs, outputs, 1)
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        y: Tensor = self.pointwise(self.depthwise(x))
        return x + y if self.has_shortcut else y


class Backbone(nn.Module):
    """A picture (B, 3, H, W) to features at strides 8, 16 and 32."""

    def __init__(self, width: float, stage_blocks: tuple[int, ...] = STAGE_BLOCKS) -> None:
        super().__init__()
        channels = [max(16, int(c * width + 8) // 16 * 16) for c in STAGE_CHANNELS]
        self.channels = channels[2:]
        self.stem = ConvBlock(3, channels[0], 3, 2)
        self.stages = nn.ModuleList()
        for index, blocks in enumerate(stage_blocks):
            inputs, outputs = channels[index], channels[index + 1]
            kernel = 5 if index == len(stage_blocks) - 1 else 3
            self.stages.append(
                nn.Sequential(
                    SeparableBlock(inputs, outputs, 3, 2),
                    *[SeparableBlock(outputs, outputs, kernel) for _ in range(blocks)],
                )
            )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of a picture (B, 3, H, W), fine to coarse."""
        return self.pyramid(x)[1:]

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """The same, and before them those at stride 4."""
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class Neck(nn.Module):
    """Carries meaning down to the fine features and place up to the coarse ones."""

    def __init__(self, inputs: list[int], channels: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(ConvBlock(c, channels, 1) for c in inputs)
        self.down = nn.ModuleList(SeparableBlock(channels, channels, 5) for _ in range(2))
        self.up = nn.ModuleList(SeparableBlock(channels, channels, 5) for _ in range(2))
        self.shrink = nn.ModuleList(ConvBlock(channels, channels, 3, 2, channels) for _ in range(2))

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Three features, fine to coarse, to three of the same places and `channels` channels."""
        fine, middle, coarse = (
            lateral(x) for lateral, x in zip(self.lateral, features, strict=True)
        )
        middle = self.down[0](middle + _doubled(coarse))
        fine = self.down[1](fine + _doubled(middle))
        middle = self.up[0](middle + self.shrink[0](fine))
        coarse = self.up[1](coarse + self.shrink[1](middle))
        return [fine, middle, coarse]


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class RowNetwork(nn.Module):
    """A picture to one row of numbers for each cell of each stride: what can be trained here.

    Attributes:
        size: Its place in the family, and the size of its training pictures.
        is_pruned: Whether it has fewer channels than its place in the family says.
    """

    size: Size
    is_pruned: bool = False

    @property
    def first(self) -> nn.Conv2d:
        """The convolution that sees the picture, into which its scaling is folded."""
        raise NotImplementedError


class Network(RowNetwork):
    """A rung of the family."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.backbone = Backbone(size.width, size.blocks)
        self.neck = Neck(self.backbone.channels, size.neck)
        self.towers = nn.ModuleList(
            nn.Sequential(*[SeparableBlock(size.neck, size.neck, 5) for _ in range(size.tower)])
            for _ in STRIDES
        )
        self.heads = nn.ModuleList(nn.Conv2d(size.neck, len(CLASSES) + 4, 1) for _ in STRIDES)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for head in self.heads:
            assert isinstance(head, nn.Conv2d)
            start_low(head, len(CLASSES))

    @property
    def first(self) -> nn.Conv2d:
        """The convolution that sees the picture."""
        convolution = self.backbone.stem[0]
        assert isinstance(convolution, nn.Conv2d)
        return convolution

    def forward(self, x: Tensor) -> Tensor:
        """Raw rows (B, N, classes + 4): logits, then distances before their softplus.

        Args:
            x: (B, 3, H, W) in 0..1, BGR, sides multiples of 32.
        """
        return self.rows(self.neck(self.backbone(x)))

    def rows(self, features: list[Tensor]) -> Tensor:
        """The same from features of the neck, fine to coarse."""
        rows = [
            head(tower(feature)).flatten(2)
            for head, tower, feature in zip(self.heads, self.towers, features, strict=True)
        ]
        return torch.cat(rows, 2).transpose(1, 2)


def start_low(head: nn.Conv2d, scores: int) -> None:
    """Draws a last convolution so that its first `scores` outputs answer `PRIOR` everywhere."""
    assert head.bias is not None
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)
    nn.init.constant_(head.bias[:scores], -math.log((1 - PRIOR) / PRIOR))


def cells(width: int, height: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Centre (N, 2) and stride (N,) of each row, pixels of the input."""
    centres, strides = [], []
    for stride in STRIDES:
        x = (torch.arange(width // stride, device=device) + 0.5) * stride
        y = (torch.arange(height // stride, device=device) + 0.5) * stride
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        centre = torch.stack([columns, rows], -1).reshape(-1, 2)
        centres.append(centre)
        strides.append(torch.full_like(centre[:, 0], float(stride)))
    return torch.cat(centres), torch.cat(strides)


def decode(distances: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """Raw distances (..., N, 4) to xyxy boxes (..., N, 4) in input pixels."""
    return boxes_of(functional.softplus(distances), centres, strides)


def boxes_of(sides: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """Distances (..., N, 4) to the sides, after their softplus, to xyxy boxes."""
    sides = sides * FIRST_DISTANCE * strides[:, None]
    return torch.cat([centres - sides[..., :2], centres + sides[..., 2:]], -1)


class Deployed(nn.Module):
    """A network with its input conversion and decoding, batch norm folded in: what is shipped.

    One for all input sizes: where the cells lie is computed from the picture's shape, and folds
    into constants where a runtime knows that shape.
    """

    def __init__(self, network: RowNetwork) -> None:
        super().__init__()
        self.network = folded(network)
        with torch.no_grad():  # the conversion to 0..1 costs nothing inside the first weights
            self.network.first.weight.mul_(1.0 / 255.0)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """One picture (1, H, W, 3) uint8 BGR to scores (N, classes) and boxes (N, 4)."""
        centres, strides = cells(picture.shape[2], picture.shape[1], picture.device)
        rows = self.network(picture.permute(0, 3, 1, 2).float())[0]
        count = len(CLASSES)
        # softplus(x) = -log(sigmoid(-x)): runtimes vectorise these two, not softplus itself, which
        # took 4 % of a pass of the smallest rung. Below 2^-104, at x = 72, nothing is answered.
        sides = -torch.log(torch.sigmoid(-rows[:, count:]).clamp(min=LEAST_SIGMOID))
        return rows[:, :count].sigmoid(), boxes_of(sides, centres, strides)


AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)


def folded(network: AnyNetwork) -> AnyNetwork:
    """A copy in evaluation mode whose batch norms are part of the convolutions."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, ConvBlock):
            convolution, norm = module[0], module[1]
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            module[0] = fuse_conv_bn_eval(convolution, norm)
            module[1] = nn.Identity()
    return network


def network_of(rung: str, size: Size | None = None) -> RowNetwork:
    """An untrained network, drawn from torch's seed.

    Args:
        rung: One of `SIZES`, or `RIVAL`.
        size: Another than the rung's.

    Raises:
        ConfigError: No such rung.
    """
    if rung == RIVAL:
        from vehicle.perception.yolox_nano import YoloxNano

        return YoloxNano(size or Size(width=0.25, neck=64, tower=2))
    if rung not in SIZES:
        raise ConfigError(f"rung {rung!r}: expected one of {', '.join([*SIZES, RIVAL])}")
    return Network(size or SIZES[rung])


def load_network(path: Path) -> RowNetwork:
    """The network of a .safetensors file that `save_weights` wrote.

    Raises:
        ConfigError: No such file, or not one of ours.
    """
    if not path.is_file():
        raise ConfigError(f"detector weights: no file {path}")
    try:
        with safe_open(str(path), "pt") as file:
            said = file.metadata() or {}
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ConfigError(f"detector weights: {path} is not a safetensors file: {error}") from error
    rung = said.get("rung", "")
    if rung not in (*SIZES, RIVAL):
        raise ConfigError(
            f"detector weights: {path} names rung {rung!r}, expected {', '.join(SIZES)}"
        )
    network = network_of(rung)
    if said.get("pruned"):
        from vehicle.perception.compression.structure import fit_channels

        fit_channels(network, state)
        network.is_pruned = True
    # Batch norm's count of batches is of no use after training and is not shipped.
    counts = {k: v for k, v in network.state_dict().items() if k.endswith("num_batches_tracked")}
    try:
        network.load_state_dict(state | counts)
    except RuntimeError as error:
        raise ConfigError(f"detector weights: {path} does not fit rung {rung!r}") from error
    return network


def load_weights(path: Path) -> Network:
    """The same of a rung of the family.

    Raises:
        ConfigError: No such file, or not one of the family.
    """
    network = load_network(path)
    if not isinstance(network, Network):
        raise ConfigError(f"detector weights: {path} is not of the family")
    return network


def save_weights(network: RowNetwork, rung: str, path: Path) -> None:
    """Writes what `load_network` reads, in half precision."""
    state = {
        name: tensor.half().contiguous()
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    pruned = {"pruned": "yes"} if network.is_pruned else {}  # the tensors say by how much
    save_file(state, str(path), metadata={"rung": rung, **pruned})
