"""The largest objects that a detector missed and the largest boxes that it made up, drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vehicle.perception.boxes import Floats, iou
from vehicle.perception.classes import CLASSES
from vehicle.perception.scores.matching import MIN_HEIGHT_PX, MISSED, Boxes, Truth, matched
from vehicle.perception.scores.streaming import HIT_IOU

CELL = (320, 240)  # width and height of one crop on a sheet, pixels
CAPTION_PX = 18
ROOM = 2.2  # of the shown part of the picture, in sides of the box: what stands around it
LEAST_ROOM_PX = 150.0
RED, ORANGE, GREEN, BLUE = (60, 60, 230), (0, 150, 255), (90, 190, 90), (230, 150, 60)  # BGR
OF_ONE_PICTURE = 1  # mistakes of one kind; ten missed cars of one jam teach no more than one


@dataclass(frozen=True, slots=True, eq=False)
class Mistake:
    """One box that is wrong.

    Attributes:
        picture: Its index.
        kind: Missed, or false: found where nothing is.
        xyxy: (4,) pixels.
        score: Of a false box; of a missed one 0.
        note: What was found or true instead, as far as that explains it.
    """

    picture: int
    kind: Literal["missed", "false"]
    xyxy: NDArray[np.float32]
    class_id: int
    score: float = 0.0
    note: str = ""

    @property
    def height(self) -> float:
        """Pixels."""
        return float(self.xyxy[3] - self.xyxy[1])


def mistakes(pairs: Sequence[tuple[Boxes, Truth]], min_score: float) -> list[Mistake]:
    """Missed objects and false boxes of all pictures, the highest first."""
    made = [m for i, (found, truth) in enumerate(pairs) for m in _of(i, found, truth, min_score)]
    return sorted(made, key=lambda mistake: -mistake.height)


def _of(picture: int, found: Boxes, truth: Truth, min_score: float) -> list[Mistake]:
    made: list[Mistake] = []
    shown = np.flatnonzero(found.score >= min_score)
    shown = shown[np.argsort(-found.score[shown], kind="stable")]
    boxes, classes = found.xyxy[shown], found.class_id[shown]
    overlap = iou(boxes, truth.xyxy)
    for class_id in np.unique(np.concatenate([classes, truth.class_id])):
        mine = np.flatnonzero(classes == class_id)
        there = np.flatnonzero(truth.class_id == class_id)
        taken = matched(overlap[np.ix_(mine, there)], truth.is_ignored[there], HIT_IOU)
        for box in mine[taken == MISSED]:
            if boxes[box, 3] - boxes[box, 1] >= MIN_HEIGHT_PX:
                score = float(found.score[shown[box]])
                note = _best(overlap[box], truth.class_id, "on a")
                made.append(Mistake(picture, "false", boxes[box], int(class_id), score, note))
        is_left = np.ones(len(there), np.bool_)
        is_left[taken[taken != MISSED]] = False
        for place in there[is_left & ~truth.is_ignored[there]]:
            note = _best(overlap[:, place], classes, "found as")
            made.append(Mistake(picture, "missed", truth.xyxy[place], int(class_id), note=note))
    return made


def _best(overlap: Floats, class_id: NDArray[np.int16], word: str) -> str:
    """What overlaps most with the box, if anything does."""
    if not len(overlap) or overlap.max() < 0.1:
        return ""
    best = int(np.argmax(overlap))
    return f"{word} {CLASSES[class_id[best]]} IoU {overlap[best]:.2f}"


def sheet(
    chosen: Sequence[Mistake],
    pairs: Sequence[tuple[Boxes, Truth]],
    picture_of: Callable[[int], NDArray[np.uint8]],
    min_score: float,
    columns: int = 4,
    rows: int = 5,
) -> NDArray[np.uint8] | None:
    """A picture (H, W, 3) uint8 BGR of crops, at most one of a kind and picture.

    A missed box is red, a false one orange, other true boxes are green and other found ones blue.

    Returns:
        None where there is nothing to show.
    """
    cells: list[NDArray[np.uint8]] = []
    shown: dict[tuple[int, str], int] = {}
    for mistake in chosen:
        key = (mistake.picture, mistake.kind)
        if shown.get(key, 0) >= OF_ONE_PICTURE:
            continue
        shown[key] = shown.get(key, 0) + 1
        found, truth = pairs[mistake.picture]
        cells.append(_cell(mistake, found, truth, picture_of(mistake.picture), min_score))
        if len(cells) == columns * rows:
            break
    if not cells:
        return None
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (-len(cells) % columns)
    lines = [np.concatenate(cells[at : at + columns], 1) for at in range(0, len(cells), columns)]
    return np.concatenate(lines, 0)


def _cell(
    mistake: Mistake, found: Boxes, truth: Truth, picture: NDArray[np.uint8], min_score: float
) -> NDArray[np.uint8]:
    import cv2  # heavy, and drawing is its one use here

    left, top, side = _window(mistake.xyxy, picture.shape)
    scale = CELL[0] / side
    width, height = round(side), round(side * CELL[1] / CELL[0])
    crop = np.full((height, width, 3), 114, np.uint8)
    part = picture[top : top + height, left : left + width]
    crop[: part.shape[0], : part.shape[1]] = part
    crop = cv2.resize(crop, CELL, interpolation=cv2.INTER_LINEAR)

    def box(xyxy: NDArray[np.float32], colour: tuple[int, int, int], thickness: int) -> None:
        x1, y1, x2, y2 = ((xyxy - np.array([left, top] * 2)) * scale).round().astype(int).tolist()
        cv2.rectangle(crop, (x1, y1), (x2, y2), colour, thickness)

    for true in truth.xyxy[~truth.is_ignored]:
        box(true, GREEN, 1)
    for own in found.xyxy[found.score >= min_score]:
        box(own, BLUE, 1)
    colour = RED if mistake.kind == "missed" else ORANGE
    box(mistake.xyxy, colour, 2)
    caption = np.full((CAPTION_PX, CELL[0], 3), 255, np.uint8)
    words = f"{mistake.kind} {CLASSES[mistake.class_id]} {mistake.height:.0f} px"
    words += f" at {mistake.score:.2f}" if mistake.kind == "false" else ""
    words += f", {mistake.note}" if mistake.note else ""
    cv2.putText(
        caption, f"{words} #{mistake.picture}", (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.36,
        (0, 0, 0), 1, cv2.LINE_AA,
    )  # fmt: skip
    return np.concatenate([crop, caption], 0)


def _window(xyxy: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[int, int, float]:
    """Left, top and width of the part of the picture that a crop shows, pixels."""
    wide, high = float(xyxy[2] - xyxy[0]), float(xyxy[3] - xyxy[1])
    side = max(LEAST_ROOM_PX, ROOM * wide, ROOM * high * CELL[0] / CELL[1])
    side = min(side, float(shape[1]))
    tall = side * CELL[1] / CELL[0]
    left = (float(xyxy[0] + xyxy[2]) - side) / 2
    top = (float(xyxy[1] + xyxy[3]) - tall) / 2
    left = min(max(left, 0.0), max(0.0, shape[1] - side))
    top = min(max(top, 0.0), max(0.0, shape[0] - tall))
    return round(left), round(top), side
