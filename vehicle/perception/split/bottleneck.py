"""The learned bottleneck: a rung cut at stride 8, with few coarse codes in between.

As in Matsubara et al., BottleFit, WoWMoM 2022: the first layers of a trained detector end in a
narrow quantised layer, a small decoder restores their features, and only these new layers are
trained, to make the frozen rest answer as it did. Rounding passes gradients straight through
(Bengio et al., 2013). The bits of the codes are held down by their entropy, as in learned image
compression (Balle et al., ICLR 2017).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from scheduler.errors import ConfigError
from vehicle.perception.classes import CLASSES
from vehicle.perception.model import ConvBlock, Network, SeparableBlock, cells, decode
from vehicle.perception.split.payload import CODE_STRIDE

STAGES_ON_BOARD = 2  # of the backbone after its stem: the second ends at stride 8


@dataclass(frozen=True, slots=True)
class Shape:
    """What sets one bottleneck apart from another.

    Attributes:
        channels: Of the codes. More cost bytes and keep small objects.
        levels: A code is 0..levels - 1.
        squeeze: Channels of the encoder's own layers, which the vehicle pays for.
        restore: Channels of the decoder's, which the roadside unit pays for.
    """

    channels: int = 16
    levels: int = 16
    squeeze: int = 64
    restore: int = 128


class Bottleneck(nn.Module):
    """Features at stride 8 to codes at stride 16, and back."""

    def __init__(self, features: int, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.squeeze = nn.Sequential(
            ConvBlock(features, shape.squeeze, 1),
            ConvBlock(shape.squeeze, shape.squeeze, 3, 2),
            nn.Conv2d(shape.squeeze, shape.channels, 1),
        )
        wide = shape.restore
        self.restore = nn.Sequential(
            ConvBlock(shape.channels, wide, 3),
            SeparableBlock(wide, wide, 5),
            ConvBlock(wide, 4 * wide, 1),
            nn.PixelShuffle(2),
            SeparableBlock(wide, features, 5),
            SeparableBlock(features, features, 5),
        )

    def codes(self, features: Tensor) -> Tensor:
        """(B, features, H, W) to codes (B, channels, H / 2, W / 2) before rounding."""
        return torch.sigmoid(self.squeeze(features)) * (self.shape.levels - 1)

    def restored(self, codes: Tensor) -> Tensor:
        """Whole codes, as floats, to features at stride 8."""
        answer: Tensor = self.restore(codes / (self.shape.levels - 1) - 0.5)
        return answer

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features that went through the bottleneck, and the codes before rounding."""
        codes = self.codes(features)
        return self.restored(codes + (codes.round() - codes).detach()), codes


def bits_per_code(codes: Tensor, levels: int) -> Tensor:
    """Mean entropy of the codes of a batch (B, C, H, W), bits, with a gradient.

    Each channel has a histogram over the batch, to which a code that lies between two levels adds
    in parts: that is what an adaptive coder of each channel would need.
    """
    values = codes.transpose(0, 1).flatten(1)
    low = values.detach().floor().clamp(0, levels - 2)
    share = values - low
    index = low.long()
    counts = values.new_zeros(len(values), levels)
    counts = counts.scatter_add(1, index, 1 - share).scatter_add(1, index + 1, share)
    probability = counts / counts.sum(1, keepdim=True)
    return -(probability * (probability + 1e-9).log2()).sum(1).mean()


class EncoderHalf(nn.Module):
    """What runs on board: a picture to codes."""

    def __init__(self, network: Network, bottleneck: Bottleneck) -> None:
        """Takes a network that was folded."""
        super().__init__()
        self.stem = network.backbone.stem
        self.stages = nn.Sequential(*network.backbone.stages[:STAGES_ON_BOARD])
        self.bottleneck = bottleneck

    def features(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to features at stride 8."""
        answer: Tensor = self.stages(self.stem(x))
        return answer

    def forward(self, picture: Tensor) -> Tensor:
        """One picture (1, H, W, 3) uint8 BGR to codes (1, H / 16, W / 16, channels) uint8."""
        x = picture.permute(0, 3, 1, 2).float()
        codes = self.bottleneck.codes(self.features(x)).round()
        return codes.permute(0, 2, 3, 1).to(torch.uint8)


class DecoderHalf(nn.Module):
    """What runs on the roadside unit: codes to scores and boxes."""

    def __init__(self, network: Network, bottleneck: Bottleneck) -> None:
        """Takes a network that was folded."""
        super().__init__()
        self.network = network
        self.bottleneck = bottleneck

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (1, rows, columns, channels) uint8 to scores (N, classes) and boxes (N, 4)."""
        height, width = codes.shape[1] * CODE_STRIDE, codes.shape[2] * CODE_STRIDE
        features = self.bottleneck.restored(codes.permute(0, 3, 1, 2).float())
        levels = levels_from(self.network, features)
        rows = self.network.rows(self.network.neck(levels))[0]
        centres, strides = cells(width, height, codes.device)
        count = len(CLASSES)
        return rows[:, :count].sigmoid(), decode(rows[:, count:], centres, strides)


def feature_channels(network: Network) -> int:
    """Channels of the features at stride 8, which pruning may have made fewer."""
    layers = list(network.backbone.stages[STAGES_ON_BOARD - 1].modules())
    return next(m.out_channels for m in reversed(layers) if isinstance(m, nn.Conv2d))


def levels_from(network: Network, features: Tensor) -> list[Tensor]:
    """The backbone's features at strides 8, 16 and 32 from those at stride 8."""
    found = [features]
    for stage in network.backbone.stages[STAGES_ON_BOARD:]:
        found.append(stage(found[-1]))
    return found


def save_bottleneck(bottleneck: Bottleneck, rung: str, path: Path) -> None:
    """Writes what `load_bottleneck` reads, in half precision."""
    state = {
        name: tensor.half().contiguous()
        for name, tensor in bottleneck.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    shape = {name: str(value) for name, value in asdict(bottleneck.shape).items()}
    save_file(state, str(path), metadata={"bottleneck_of": rung, **shape})


def load_bottleneck(path: Path, network: Network) -> Bottleneck:
    """The bottleneck of a .safetensors file, for the rung that it was trained with.

    Raises:
        ConfigError: No such file, or another thing.
    """
    if not path.is_file():
        raise ConfigError(f"bottleneck: no file {path}")
    try:
        with safe_open(str(path), "pt") as file:
            said = file.metadata() or {}
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        shape = Shape(**{name: int(said[name]) for name in asdict(Shape())})
    except (SafetensorError, KeyError, ValueError) as error:
        raise ConfigError(f"bottleneck: {path} is not one: {error}") from error
    bottleneck = Bottleneck(feature_channels(network), shape)
    try:
        fresh = bottleneck.state_dict()
        counts = {k: v for k, v in fresh.items() if k.endswith("num_batches_tracked")}
        bottleneck.load_state_dict(state | counts)
    except RuntimeError as error:
        raise ConfigError(f"bottleneck: {path} does not fit the rung's features") from error
    return bottleneck.eval()
