"""Changes a training picture in the ways in which streets, cameras and codecs differ."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vehicle.perception.boxes import PAD_GREY
from vehicle.perception.training.pictures import LEARN_HEIGHT_PX, LEARN_VISIBILITY, Labels

# How much more likely than a car an object of a class is chosen to be in a cut: the rare ones more.
CHOSEN = np.array([1.0, 3.0, 4.0, 5.0, 5.0, 1.7, 3.0])
MIN_WIDTH_PX = 3.0
LEAST_REMAINDER = 0.4  # of a box's area inside the cut; with less it is ignored


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One picture as the network is shown it.

    Attributes:
        pixels: (height, width, 3) uint8 BGR.
        xyxy: (M, 4) float32 pixels of it: objects to find.
        class_id: (M,) int64.
        ignored: (K, 4) float32: where an answer is neither right nor wrong.
    """

    pixels: NDArray[np.uint8]
    xyxy: NDArray[np.float32]
    class_id: NDArray[np.int64]
    ignored: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cut:
    """What part of a picture is shown, and how large.

    Attributes:
        width: Of the sample, pixels.
        height: Of the sample, pixels.
        scales: Least and greatest sample pixels per picture pixel.
        fill: Least and greatest height of a chosen object as a share of the sample's, as far as
            `scales` allow it; None leaves the size to chance. Few recorded objects are near.
    """

    width: int
    height: int
    scales: tuple[float, float]
    fill: tuple[float, float] | None = None


def augmented(
    pixels: NDArray[np.uint8], labels: Labels, cut: Cut, random: np.random.Generator
) -> Sample:
    """A random cut of a picture, mirrored, tinted, blurred, or compressed by chance."""
    box = _chosen(labels, random)
    scale = float(np.exp(random.uniform(*np.log(cut.scales))))
    if cut.fill is not None and box is not None:
        wanted = random.uniform(*cut.fill) * cut.height / max(1.0, float(box[3] - box[1]))
        scale = float(np.clip(wanted, *cut.scales))
    left, top = _corner(pixels, box, cut, scale, random)
    move = np.array([[scale, 0, -left], [0, scale, -top]], np.float32)
    size = (cut.width, cut.height)
    shown = cv2.warpAffine(pixels, move, size, borderValue=(PAD_GREY,) * 3)
    offset = np.array([left, top, left, top], np.float32)
    sample = _sample(shown, labels.xyxy * np.float32(scale) - offset, labels)
    if random.random() < 0.5:
        sample = _mirrored(sample)
    return Sample(recoloured(sample.pixels, random), sample.xyxy, sample.class_id, sample.ignored)


def mosaic(tiles: list[Sample]) -> Sample:
    """Four equal samples as one of twice the width and height (Bochkovskiy et al., YOLOv4, 2020).

    A street is mostly empty road: four cuts round objects teach more than one picture of that size.
    """
    height, width = tiles[0].pixels.shape[:2]
    top, bottom = np.hstack([t.pixels for t in tiles[:2]]), np.hstack([t.pixels for t in tiles[2:]])
    corners = ((0, 0), (width, 0), (0, height), (width, height))
    offsets = [np.array([x, y, x, y], np.float32) for x, y in corners]
    return Sample(
        np.vstack([top, bottom]),
        np.concatenate([t.xyxy + o for t, o in zip(tiles, offsets, strict=True)]),
        np.concatenate([t.class_id for t in tiles]),
        np.concatenate([t.ignored + o for t, o in zip(tiles, offsets, strict=True)]),
    )


def _chosen(labels: Labels, random: np.random.Generator) -> NDArray[np.float32] | None:
    """The object that a cut shall hold, in three of four cuts."""
    if not len(labels.xyxy) or random.random() >= 0.75:
        return None
    share = CHOSEN[labels.class_id]
    box: NDArray[np.float32] = labels.xyxy[random.choice(len(share), p=share / share.sum())]
    return box


def _corner(
    pixels: NDArray[np.uint8],
    chosen: NDArray[np.float32] | None,
    cut: Cut,
    scale: float,
    random: np.random.Generator,
) -> tuple[float, float]:
    """Top left of the cut in scaled pixels, round the chosen object."""
    room_x = pixels.shape[1] * scale - cut.width
    room_y = pixels.shape[0] * scale - cut.height
    left = random.uniform(min(0.0, room_x), max(0.0, room_x))
    top = random.uniform(min(0.0, room_y), max(0.0, room_y))
    if chosen is not None:
        box = chosen * scale
        if room_x > 0:
            centre = (box[0] + box[2]) / 2 - cut.width * random.uniform(0.2, 0.8)
            left = float(np.clip(centre, 0.0, room_x))
        if room_y > 0:
            centre = (box[1] + box[3]) / 2 - cut.height * random.uniform(0.2, 0.8)
            top = float(np.clip(centre, 0.0, room_y))
    return left, top


def _sample(pixels: NDArray[np.uint8], moved: NDArray[np.float32], labels: Labels) -> Sample:
    """Clips the boxes to the picture and parts those to learn from those to ignore."""
    height, width = pixels.shape[:2]
    boxes = np.clip(moved, 0, np.array([width, height, width, height], np.float32))
    whole = np.prod(moved[:, 2:] - moved[:, :2], axis=1)
    sides = boxes[:, 2:] - boxes[:, :2]
    rest = np.prod(sides, axis=1)
    is_inside = rest > 0
    is_learnt = (
        (labels.visibility >= LEARN_VISIBILITY)
        & (rest >= LEAST_REMAINDER * whole)
        & (sides[:, 0] >= MIN_WIDTH_PX)
        & (sides[:, 1] >= LEARN_HEIGHT_PX)
    )
    return Sample(
        pixels,
        boxes[is_learnt & is_inside].astype(np.float32),
        labels.class_id[is_learnt & is_inside].astype(np.int64),
        boxes[~is_learnt & is_inside].astype(np.float32),
    )


def _mirrored(sample: Sample) -> Sample:
    width = sample.pixels.shape[1]

    def flip(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        flipped = boxes.copy()
        flipped[:, [0, 2]] = width - boxes[:, [2, 0]]
        return flipped

    pixels = np.ascontiguousarray(sample.pixels[:, ::-1])
    return Sample(pixels, flip(sample.xyxy), sample.class_id, flip(sample.ignored))


def recoloured(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """What another camera, lens and codec would have made of it, each by chance.

    Strong on purpose: the networks only ever see drawn streets, and shall not rely on how their
    colours and edges look (Tobin et al., Domain Randomization, IROS 2017).
    """
    if random.random() < 0.8:
        pixels = _toned(pixels, random)
    if random.random() < 0.5:
        pixels = _saturated(pixels, random)
    if random.random() < 0.25:
        pixels = _shaded(pixels, random)
    if random.random() < 0.35:
        pixels = _softened(pixels, random)
    if random.random() < 0.35:
        deviation = random.uniform(2.0, 14.0)
        shape = (*pixels.shape[:2], 1 if random.random() < 0.6 else 3)
        noise = random.standard_normal(shape, np.float32) * np.float32(deviation)
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    if random.random() < 0.35:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(20, 90))]
        _, packed = cv2.imencode(".jpg", pixels, quality)
        unpacked = cv2.imdecode(packed, cv2.IMREAD_COLOR)
        assert unpacked is not None
        pixels = unpacked
    return pixels


def _toned(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Exposure, gamma, white balance and black level."""
    levels = (np.arange(256) / 255.0)[:, None] ** random.uniform(0.6, 1.6)
    gain = random.uniform(0.65, 1.35) * random.uniform(0.88, 1.12, 3)
    table = levels * 255.0 * gain + random.uniform(-20, 25)
    toned: NDArray[np.uint8] = cv2.LUT(pixels, np.clip(table, 0, 255).astype(np.uint8)[None])
    return toned


def _saturated(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Between grey and gaudy, with a turn of all hues."""
    turned = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV)
    hue = np.arange(256) + round(random.uniform(-12, 12))
    turned[..., 0] = (hue % 180).astype(np.uint8)[turned[..., 0]]
    gain = 0.0 if random.random() < 0.1 else random.uniform(0.3, 1.5)
    turned[..., 1] = np.clip(np.arange(256) * gain, 0, 255).astype(np.uint8)[turned[..., 1]]
    back: NDArray[np.uint8] = cv2.cvtColor(turned, cv2.COLOR_HSV2BGR)
    return back


def _shaded(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Light that falls off across the picture, as through a dirty windscreen or under a bridge."""
    height, width = pixels.shape[:2]
    coarse = random.uniform(0.55, 1.25, (3, 4, 1)).astype(np.float32)
    light = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    shaded: NDArray[np.uint8] = np.clip(pixels * light[..., None], 0, 255).astype(np.uint8)
    return shaded


def _softened(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Out of focus, in motion, or scaled up from fewer pixels."""
    height, width = pixels.shape[:2]
    chance = random.random()
    soft: NDArray[np.uint8]
    if chance < 0.4:
        soft = cv2.GaussianBlur(pixels, (0, 0), random.uniform(0.4, 1.3))
    elif chance < 0.6:
        soft = cv2.blur(pixels, (int(random.integers(2, 6)), 1))
    else:
        share = random.uniform(0.4, 0.85)
        size = max(2, round(width * share)), max(2, round(height * share))
        fewer = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        soft = cv2.resize(fewer, (width, height), interpolation=cv2.INTER_LINEAR)
    return soft
