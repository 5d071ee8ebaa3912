"""What heads learn from: states of lights, tags of the ground and number plates of a data set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scheduler.errors import SourceError
from vehicle.perception.boxes import PAD_GREY
from vehicle.perception.heads.results import DRIVABLE, LIGHT_STATES, LINE, SURFACES
from vehicle.perception.training.augment import recoloured
from vehicle.perception.training.pictures import ANNOTATIONS, PICTURES

MASKS = "masks"
MASK_STEP = 2  # picture pixels per pixel of a mask
ROAD_TAG, LINE_TAG = 1, 24  # CARLA's CityObjectLabel
LEARN_LIGHT_PX = 6.0  # least height of a light to learn from, pixels of the sample
LEARN_LIGHT_VISIBILITY = 0.4
LEARN_PLATE_PX = 3.0
FOCUS_SHARE = 0.8  # of the cuts that are laid round a light or a plate where there is one
LINE_SHARE = 0.25  # of a surface cell that must be painted for it to be a line
IGNORED = 255  # surface where the sample shows no picture
MAP_STEP = 4  # sample pixels per surface cell

Boxes = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class HeadLabels:
    """Truth of one picture.

    Attributes:
        lights: (N, 4) float32 xyxy pixels.
        states: (N,) int64, index into LIGHT_STATES.
        light_visibility: (N,) float32, 0..1.
        plates: (M, 4) float32 xyxy pixels of those that can be seen.
    """

    lights: Boxes
    states: NDArray[np.int64]
    light_visibility: NDArray[np.float32]
    plates: Boxes


@dataclass(frozen=True, slots=True, eq=False)
class HeadSample:
    """One picture as the heads are shown it.

    Attributes:
        pixels: (H, W, 3) uint8 BGR.
        surface: (H / 4, W / 4) uint8, index into SURFACES, or IGNORED.
        lights: (N, 4) float32 pixels of it: those to learn from.
        states: (N,) int64.
        plates: (M, 4) float32.
        ignored: (K, 4) float32: plates too low or cut off, neither learnt nor held against it.
    """

    pixels: NDArray[np.uint8]
    surface: NDArray[np.uint8]
    lights: Boxes
    states: NDArray[np.int64]
    plates: Boxes
    ignored: Boxes


class HeadPictures:
    """A data set of `vdap dataset`, read picture by picture.

    Attributes:
        labels: Of each picture.
        telling: Indices of the pictures from which the heads can learn.
    """

    def __init__(self, folder: Path, heads: Sequence[str]) -> None:
        """Opens `folder`.

        Args:
            folder: Of the set.
            heads: What its truth must serve.

        Raises:
            SourceError: No annotations there, or not those that the heads need.
        """
        path = folder / ANNOTATIONS
        if not path.is_file():
            raise SourceError(f"data set: expected {path}; record one with vdap dataset {folder}")
        table = json.loads(path.read_text(encoding="utf-8"))
        self._folder = folder
        self._rows = sorted(table["images"], key=lambda row: int(row["id"]))
        needed = {
            "light_state": any("state" in a for a in table["annotations"]),
            "drivable": (folder / MASKS).is_dir(),
            "plates": bool(table.get("plates")),
        }
        missing = [head for head in heads if not needed[head]]
        if missing:
            raise SourceError(
                f"data set: {folder} has no truth for {', '.join(missing)}; "
                "record one with vdap dataset"
            )
        self.labels = _labels(table, [row["id"] for row in self._rows])
        self.telling = list(range(len(self._rows)))
        if tuple(heads) == ("light_state",):  # the others hold no truth for it
            self.telling = [i for i in self.telling if len(self.labels[i].lights)]

    def __len__(self) -> int:
        return len(self._rows)

    def picture(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Pixels (H, W, 3) BGR and surfaces (H / 2, W / 2) of one picture.

        Raises:
            SourceError: One of its files cannot be read.
        """
        name = str(self._rows[index]["file_name"])
        pixels = cv2.imread(str(self._folder / PICTURES / name), cv2.IMREAD_COLOR)
        tags = cv2.imread(
            str(self._folder / MASKS / f"{Path(name).stem}.png"), cv2.IMREAD_UNCHANGED
        )
        if pixels is None or tags is None:
            raise SourceError(f"data set: cannot read {self._folder / PICTURES / name} or its mask")
        return pixels.astype(np.uint8, copy=False), _SURFACE_OF_TAG[tags]


def _surface_of_tag() -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[ROAD_TAG], table[LINE_TAG] = DRIVABLE, LINE
    return table


_SURFACE_OF_TAG = _surface_of_tag()


def _labels(table: dict[str, list[dict[str, object]]], ids: Sequence[object]) -> list[HeadLabels]:
    lights: dict[object, list[dict[str, object]]] = {each: [] for each in ids}
    plates: dict[object, list[dict[str, object]]] = {each: [] for each in ids}
    for annotation in table["annotations"]:
        if annotation.get("state") in LIGHT_STATES:
            lights[annotation["image_id"]].append(annotation)
    for plate in table.get("plates", []):
        plates[plate["image_id"]].append(plate)
    return [
        HeadLabels(
            _xyxy(lights[each]),
            np.array([LIGHT_STATES.index(str(a["state"])) for a in lights[each]], np.int64),
            np.array([a["visibility"] for a in lights[each]], np.float32),
            _xyxy(plates[each]),
        )
        for each in ids
    ]


def _xyxy(rows: Sequence[dict[str, object]]) -> Boxes:
    boxes = np.array([row["bbox"] for row in rows], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def cut(
    pictures: HeadPictures,
    index: int,
    heads: Sequence[str],
    size: tuple[int, int],
    scales: tuple[float, float],
    random: np.random.Generator,
) -> HeadSample:
    """A random cut of a picture, often round a light or plate, mirrored and recoloured by chance.

    Args:
        pictures: The set.
        index: Of the picture.
        heads: That are trained: what cuts are laid round.
        size: (width, height) of the sample, multiples of 32.
        scales: Least and greatest sample pixels per picture pixel.
        random: The source of chance.
    """
    pixels, surface = pictures.picture(index)
    labels = pictures.labels[index]
    scale = float(np.exp(random.uniform(*np.log(scales))))
    left, top = _corner(pixels.shape, _focus(labels, heads), size, scale, random)
    sample = _moved(pixels, surface, labels, scale, (left, top), size)
    if random.random() < 0.5:
        sample = _mirrored(sample)
    return replace(sample, pixels=recoloured(sample.pixels, random))


def whole(pictures: HeadPictures, index: int, size: tuple[int, int]) -> HeadSample:
    """All of a picture at `size` (width, height), top left as a detector's input has it."""
    pixels, surface = pictures.picture(index)
    scale = min(size[0] / pixels.shape[1], size[1] / pixels.shape[0])
    return _moved(pixels, surface, pictures.labels[index], scale, (0.0, 0.0), size)


def _focus(labels: HeadLabels, heads: Sequence[str]) -> Boxes:
    chosen = [labels.lights] if "light_state" in heads else []
    chosen += [labels.plates] if "plates" in heads else []
    return np.concatenate([*chosen, np.zeros((0, 4), np.float32)])


def _corner(
    shape: tuple[int, ...],
    focus: Boxes,
    size: tuple[int, int],
    scale: float,
    random: np.random.Generator,
) -> tuple[float, float]:
    """Top left of the cut, scaled pixels."""
    room = (shape[1] * scale - size[0], shape[0] * scale - size[1])
    corner = [random.uniform(min(0.0, r), max(0.0, r)) for r in room]
    if len(focus) and random.random() < FOCUS_SHARE:
        box = focus[random.integers(len(focus))] * scale
        for axis in (0, 1):
            if room[axis] > 0:
                middle = (box[axis] + box[axis + 2]) / 2 - size[axis] * random.uniform(0.2, 0.8)
                corner[axis] = float(np.clip(middle, 0.0, room[axis]))
    return corner[0], corner[1]


def _moved(
    pixels: NDArray[np.uint8],
    surface: NDArray[np.uint8],
    labels: HeadLabels,
    scale: float,
    corner: tuple[float, float],
    size: tuple[int, int],
) -> HeadSample:
    move = np.array([[scale, 0, -corner[0]], [0, scale, -corner[1]]], np.float32)
    if scale < 0.75:  # averaged, as a camera or a letterbox does; a warp alone would skip pixels
        shape = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
        pixels = cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA).astype(np.uint8)
        move[:, :2] = np.eye(2)
    shown = cv2.warpAffine(pixels, move, size, borderValue=(PAD_GREY,) * 3)
    offset = np.array([*corner, *corner], np.float32)
    lights = labels.lights * np.float32(scale) - offset
    plates = labels.plates * np.float32(scale) - offset
    is_learnt = _is_inside(lights, size) & (lights[:, 3] - lights[:, 1] >= LEARN_LIGHT_PX)
    is_learnt &= labels.light_visibility >= LEARN_LIGHT_VISIBILITY
    is_plate = _is_inside(plates, size) & (plates[:, 3] - plates[:, 1] >= LEARN_PLATE_PX)
    return HeadSample(
        np.asarray(shown, np.uint8),
        _surface_cells(surface, scale, corner, size),
        lights[is_learnt],
        labels.states[is_learnt],
        plates[is_plate],
        plates[~is_plate],
    )


def _is_inside(boxes: Boxes, size: tuple[int, int]) -> NDArray[np.bool_]:
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.asarray(((middle >= 0) & (middle < np.array(size))).all(1), np.bool_)


def _surface_cells(
    surface: NDArray[np.uint8], scale: float, corner: tuple[float, float], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cells of the sample: a line where a quarter is painted, else what most of it is."""
    move = np.array([[scale, 0, -corner[0] / MASK_STEP], [0, scale, -corner[1] / MASK_STEP]])
    half = (size[0] // MASK_STEP, size[1] // MASK_STEP)
    cells = (size[0] // MAP_STEP, size[1] // MAP_STEP)
    shares = []
    for kind in (*range(len(SURFACES)), None):  # None: whether there is any picture at all
        plane = np.full(surface.shape, 255, np.uint8) if kind is None else _plane(surface, kind)
        warped = cv2.warpAffine(plane, move.astype(np.float32), half, flags=cv2.INTER_LINEAR)
        shares.append(cv2.resize(warped, cells, interpolation=cv2.INTER_AREA) / 255.0)
    other, drivable, line, shown = shares
    found = np.where(drivable > other, DRIVABLE, 0)
    found = np.where(line >= LINE_SHARE, LINE, found)
    return np.where(shown < 0.5, IGNORED, found).astype(np.uint8)


def _plane(surface: NDArray[np.uint8], kind: int) -> NDArray[np.uint8]:
    plane: NDArray[np.uint8] = (surface == kind).astype(np.uint8) * np.uint8(255)
    return plane


def _mirrored(sample: HeadSample) -> HeadSample:
    width = sample.pixels.shape[1]

    def flip(boxes: Boxes) -> Boxes:
        flipped = boxes.copy()
        flipped[:, [0, 2]] = width - boxes[:, [2, 0]]
        return flipped

    return replace(
        sample,
        pixels=np.ascontiguousarray(sample.pixels[:, ::-1]),
        surface=np.ascontiguousarray(sample.surface[:, ::-1]),
        lights=flip(sample.lights),
        plates=flip(sample.plates),
        ignored=flip(sample.ignored),
    )
