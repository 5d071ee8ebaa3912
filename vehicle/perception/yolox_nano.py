"""YOLOX-nano's architecture in plain torch, to compare the family with on the same training.

Ge et al., YOLOX: Exceeding YOLO Series in 2021: a CSPDarknet of width 0.25 and depth 0.33 (Wang et
al., CSPNet, 2020) with a focus stem and spatial pyramid pooling, a path-aggregation neck of CSP
blocks, a decoupled head with objectness, SiLU, depthwise convolutions as the nano variant has
them. Its answers take the family's form, a score of each class and four distances, so that loss,
schedule, runtime and suppression are the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vehicle.perception.classes import CLASSES
from vehicle.perception.model import ConvBlock, RowNetwork, Size, start_low

DEPTHS = (1, 3, 3, 1)  # bottlenecks of the stages: YOLOX's 3, 9, 9, 3 at depth 0.33
CHANNELS = (16, 32, 64, 128, 256)  # its 64 to 1024 at width 0.25
POOLS = (5, 9, 13)


def _block(inputs: int, outputs: int, kernel: int, stride: int = 1) -> ConvBlock:
    return ConvBlock(inputs, outputs, kernel, stride, activation=nn.SiLU)


def _separable(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        ConvBlock(inputs, inputs, kernel, stride, inputs, activation=nn.SiLU),
        _block(inputs, outputs, 1),
    )


class Bottleneck(nn.Module):
    """Pointwise, separable, and a shortcut where asked for."""

    def __init__(self, channels: int, *, has_shortcut: bool) -> None:
        super().__init__()
        self.narrow = _block(channels, channels, 1)
        self.wide = _separable(channels, channels, 3)
        self.has_shortcut = has_shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to the same."""
        y: Tensor = self.wide(self.narrow(x))
        return x + y if self.has_shortcut else y


class CrossStage(nn.Module):
    """Half of the channels pass the bottlenecks, half go past them."""

    def __init__(self, inputs: int, outputs: int, depth: int, *, has_shortcut: bool) -> None:
        super().__init__()
        half = outputs // 2
        self.through = _block(inputs, half, 1)
        self.past = _block(inputs, half, 1)
        self.blocks = nn.Sequential(
            *[Bottleneck(half, has_shortcut=has_shortcut) for _ in range(depth)]
        )
        self.joined = _block(outputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        both = torch.cat([self.blocks(self.through(x)), self.past(x)], 1)
        y: Tensor = self.joined(both)
        return y


class PyramidPooling(nn.Module):
    """Sees a wide surround by pooling over several windows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.narrow = _block(channels, half, 1)
        self.wide = _block(half * (1 + len(POOLS)), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to the same."""
        x = self.narrow(x)
        pooled = [functional.max_pool2d(x, pool, 1, pool // 2) for pool in POOLS]
        y: Tensor = self.wide(torch.cat([x, *pooled], 1))
        return y


class Darknet(nn.Module):
    """A picture (B, 3, H, W) to features at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _block(12, CHANNELS[0], 3)
        self.stages = nn.ModuleList()
        for index, depth in enumerate(DEPTHS):
            inputs, outputs = CHANNELS[index], CHANNELS[index + 1]
            is_last = index == len(DEPTHS) - 1
            self.stages.append(
                nn.Sequential(
                    _separable(inputs, outputs, 3, 2),
                    *([PyramidPooling(outputs)] if is_last else []),
                    CrossStage(outputs, outputs, depth, has_shortcut=not is_last),
                )
            )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of a picture (B, 3, H, W), fine to coarse."""
        quarters = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        x = self.stem(torch.cat(quarters, 1))
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features[1:]


class PyramidNeck(nn.Module):
    """Top down, then bottom up, joining by concatenation."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = CHANNELS[2:]

        def joined(inputs: int, outputs: int) -> CrossStage:
            return CrossStage(inputs, outputs, DEPTHS[0], has_shortcut=False)

        self.lateral = nn.ModuleList([_block(coarse, middle, 1), _block(middle, fine, 1)])
        self.down = nn.ModuleList([joined(2 * middle, middle), joined(2 * fine, fine)])
        self.shrink = nn.ModuleList([_separable(c, c, 3, 2) for c in (fine, middle)])
        self.up = nn.ModuleList([joined(2 * fine, middle), joined(2 * middle, coarse)])

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Three features, fine to coarse, to three of the same shapes."""
        fine, middle, coarse = features
        top = self.lateral[0](coarse)
        inner = self.lateral[1](self.down[0](torch.cat([_doubled(top), middle], 1)))
        fine = self.down[1](torch.cat([_doubled(inner), fine], 1))
        middle = self.up[0](torch.cat([self.shrink[0](fine), inner], 1))
        coarse = self.up[1](torch.cat([self.shrink[1](middle), top], 1))
        return [fine, middle, coarse]


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class Head(nn.Module):
    """Two towers at one stride: what it is, and where."""

    def __init__(self, inputs: int, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = _block(inputs, channels, 1)
        self.kind = nn.Sequential(*[_separable(channels, channels, 3) for _ in range(2)])
        self.place = nn.Sequential(*[_separable(channels, channels, 3) for _ in range(2)])
        self.scores = nn.Conv2d(channels, classes, 1)
        self.sides = nn.Conv2d(channels, 4, 1)
        self.objectness = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, classes + 4, H, W)."""
        x = self.stem(x)
        place = self.place(x)
        # The family's loss asks for one score: both logits add up to it.
        scores = self.scores(self.kind(x)) + self.objectness(place)
        return torch.cat([scores, self.sides(place)], 1)


class YoloxNano(RowNetwork):
    """The whole; `size` says how large its training pictures are, its own shape is fixed."""

    def __init__(self, size: Size, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.size = size
        self.backbone = Darknet()
        self.neck = PyramidNeck()
        self.heads = nn.ModuleList(Head(c, CHANNELS[2], classes) for c in CHANNELS[2:])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for head in self.heads:
            assert isinstance(head, Head)
            start_low(head.scores, classes)
            start_low(head.sides, 0)
            start_low(head.objectness, 0)

    @property
    def first(self) -> nn.Conv2d:
        """The convolution that sees the picture."""
        backbone = self.backbone
        convolution = backbone.stem[0]
        assert isinstance(convolution, nn.Conv2d)
        return convolution

    def forward(self, x: Tensor) -> Tensor:
        """Raw rows (B, N, classes + 4), as those of the family.

        Args:
            x: (B, 3, H, W) in 0..1, BGR, sides multiples of 32.
        """
        features = self.neck(self.backbone(x))
        rows = [
            head(feature).flatten(2) for head, feature in zip(self.heads, features, strict=True)
        ]
        return torch.cat(rows, 2).transpose(1, 2)
