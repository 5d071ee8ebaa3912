"""The heads as networks in plain torch, on features of the stem; only training imports it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from scheduler.errors import ConfigError
from vehicle.perception.classes import CLASSES
from vehicle.perception.heads.results import DEEP, HEADS, LIGHT_STATES, SHALLOW, SOURCES, SURFACES
from vehicle.perception.model import (
    STRIDES,
    ConvBlock,
    Network,
    SeparableBlock,
    cells,
    decode,
    folded,
    start_low,
)

STRIDE = STRIDES[0]  # of the features that heads look at
FINER = 2  # rows and columns of surface cells in one cell of the features, either way
# Channels of a head, as a share of the features'. More cost time: all heads in one shall cost less
# than two fifths of detection.
WIDTH = {"drivable": 1 / 3, "plates": 1 / 4}
LIGHT_WIDTH = 32


class Head(nn.Module):
    """Two separable blocks and a 1x1 convolution at stride 8.

    The head of light states looks at the stem's features at stride 4: which of three lamps shines
    is a matter of three pixels, and deeper features know that it is a light rather than which.
    """

    def __init__(self, name: str, inputs: int) -> None:
        """Makes an untrained head.

        Raises:
            ConfigError: No head is called so.
        """
        super().__init__()
        if name not in HEADS:
            raise ConfigError(f"head {name!r}: expected one of {', '.join(HEADS)}")
        outputs = {
            "light_state": len(LIGHT_STATES),
            "drivable": len(SURFACES) * FINER * FINER,
            "plates": 1 + 4,
        }[name]
        if SOURCES[name] == SHALLOW:
            width = LIGHT_WIDTH
            first: nn.Module = nn.Sequential(nn.PixelUnshuffle(2), ConvBlock(4 * inputs, width, 1))
        else:
            width = max(8, round(inputs * WIDTH[name] / 8) * 8)
            first = SeparableBlock(inputs, width)
        self.tower = nn.Sequential(first, SeparableBlock(width, width))
        self.last = nn.Conv2d(width, outputs, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        start_low(self.last, 1 if name == "plates" else 0)

    def forward(self, feature: Tensor) -> Tensor:
        """Features of its source to raw numbers of each cell (B, outputs, H / 8, W / 8)."""
        raw: Tensor = self.last(self.tower(feature))
        return raw


def surface_logits(raw: Tensor) -> Tensor:
    """Raw numbers of "drivable" (B, 12, H / 8, W / 8) to logits (B, surfaces, H / 4, W / 4)."""
    return functional.pixel_shuffle(raw, FINER)


def plate_rows(raw: Tensor) -> Tensor:
    """Raw numbers of "plates" (B, 5, H / 8, W / 8) to a row of each cell, (B, N, 5)."""
    return raw.flatten(2).transpose(1, 2)


class Trunk(nn.Module):
    """A trained rung, frozen: its detections, and the features that heads look at."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = folded(network).requires_grad_(False)
        stage = network.backbone.stages[0]  # which ends at stride 4
        assert isinstance(stage, nn.Sequential)
        last = stage[-1]
        assert isinstance(last, SeparableBlock)
        shallow = last.pointwise[0]
        assert isinstance(shallow, nn.Conv2d)
        self.channels = {
            DEEP: network.size.neck + network.backbone.channels[0],
            SHALLOW: shallow.out_channels,
        }
        with torch.no_grad():  # the conversion to 0..1 costs nothing inside the first weights
            self.network.first.weight.mul_(1.0 / 255.0)

    def look(self, picture: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Pictures (B, H, W, 3) uint8 BGR to the neck's features and to those that heads look at.

        The latter by source: (B, channels, H / 8, W / 8) of DEEP, (B, channels, H / 4, W / 4) of
        SHALLOW.

        Heads see the finest features before the neck too: what was trained to find objects keeps
        little of colours and thin lines in its neck.
        """
        shallow, *early = self.network.backbone.pyramid(picture.permute(0, 3, 1, 2).float())
        late: list[Tensor] = self.network.neck(early)
        return late, {DEEP: torch.cat([late[0], early[0]], 1), SHALLOW: shallow}

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One picture (1, H, W, 3) uint8 BGR to scores, boxes, deep and shallow features.

        Scores (N, classes) and boxes (N, 4) in input pixels; features as of `look`.
        """
        late, features = self.look(picture)
        rows = self.network.rows(late)[0]
        centres, strides = cells(picture.shape[2], picture.shape[1], picture.device)
        count = len(CLASSES)
        boxes = decode(rows[:, count:], centres, strides)
        return rows[:, :count].sigmoid(), boxes, features[DEEP], features[SHALLOW]


class DeployedHead(nn.Module):
    """A head as it is shipped: the features of one picture to its answer."""

    def __init__(self, name: str, head: Head) -> None:
        super().__init__()
        self.name = name
        self.head = folded(head)

    def forward(self, feature: Tensor) -> tuple[Tensor, ...]:
        """Features of the head's source to what `OUTPUTS` names.

        Light states (states, H / 8, W / 8) as probabilities; surfaces (H / 4, W / 4) uint8; scores
        (M,) and boxes (M, 4) of plates in input pixels.
        """
        raw = self.head(feature)
        if self.name == "light_state":
            return (raw[0].softmax(0),)
        if self.name == "drivable":
            return (surface_logits(raw)[0].argmax(0).to(torch.uint8),)
        rows = plate_rows(raw)[0]
        centres, strides = fine_cells(feature.shape[3], feature.shape[2], feature.device)
        return rows[:, 0].sigmoid(), decode(rows[:, 1:], centres, strides)


def fine_cells(
    columns: int, rows: int, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Centre (N, 2) and stride (N,) of each cell of the features, pixels of the input."""
    x = (torch.arange(columns, device=device) + 0.5) * STRIDE
    y = (torch.arange(rows, device=device) + 0.5) * STRIDE
    down, across = torch.meshgrid(y, x, indexing="ij")
    centres = torch.stack([across, down], -1).reshape(-1, 2)
    return centres, torch.full_like(centres[:, 0], float(STRIDE))


@dataclass(frozen=True, slots=True)
class HeadFile:
    """A trained head and what it was trained on.

    Attributes:
        name: One of HEADS.
        stem: `stem_mark` of the rung's weights; on others its features mean nothing.
    """

    name: str
    stem: str
    head: Head


def stem_mark(path: Path) -> str:
    """First 16 digits of the SHA-256 of a rung's .safetensors."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def save_head(head: Head, name: str, stem: str, path: Path) -> None:
    """Writes what `load_head` reads, in half precision."""
    state = {
        key: tensor.half().contiguous()
        for key, tensor in head.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    save_file(state, str(path), metadata={"head": name, "stem": stem})


def load_head(path: Path) -> HeadFile:
    """The head of a .safetensors file that `vdap train --head` wrote.

    Raises:
        ConfigError: No such file, or not a head.
    """
    if not path.is_file():
        raise ConfigError(f"head: no file {path}")
    try:
        with safe_open(str(path), "pt") as file:
            said = file.metadata() or {}
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ConfigError(f"head: {path} is not a safetensors file: {error}") from error
    if said.get("head") not in HEADS or "stem" not in said:
        raise ConfigError(f"head: {path} does not say which head it is, of which stem")
    if SOURCES[said["head"]] == SHALLOW:
        first = state.get("tower.0.1.0.weight")
        inputs = 1 if first is None else first.shape[1] // 4
    else:
        first = state.get("tower.0.depthwise.0.weight")
        inputs = 1 if first is None else len(first)
    head = Head(said["head"], inputs)
    counts = {k: v for k, v in head.state_dict().items() if k.endswith("num_batches_tracked")}
    try:
        head.load_state_dict(state | counts)
    except RuntimeError as error:
        raise ConfigError(f"head: {path} does not fit head {said['head']!r}") from error
    return HeadFile(said["head"], said["stem"], head.eval())
