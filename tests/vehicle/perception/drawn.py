"""Draws a tiny data set of plain rectangles, so that training can be tested in seconds."""

import json
from pathlib import Path

import cv2
import numpy as np

CATEGORIES = [{"id": 1, "name": "car"}, {"id": 6, "name": "pedestrian"}, {"id": 9, "name": "hat"}]
COLOURS = {1: (200, 60, 40), 6: (40, 210, 230)}
SIDES = {1: (52, 34), 6: (22, 46)}


def picture(random: np.random.Generator, width: int, height: int):
    """Noise with one car-like and one pedestrian-like rectangle, and their boxes (x, y, w, h)."""
    pixels = random.integers(90, 130, (height, width, 3)).astype(np.uint8)
    boxes = []
    for half, (category, (box_width, box_height)) in enumerate(SIDES.items()):
        left = int(random.integers(0, width // 2 - box_width)) + half * width // 2
        top = int(random.integers(0, height - box_height))
        cv2.rectangle(
            pixels,
            (left, top),
            (left + box_width - 1, top + box_height - 1),
            COLOURS[category],
            -1,
        )
        boxes.append((category, [left, top, box_width, box_height]))
    return pixels, boxes


def write(folder: Path, count: int, seed: int, width: int = 192, height: int = 128) -> None:
    """A COCO data set of `count` pictures in `folder`."""
    random = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for index in range(count):
        pixels, boxes = picture(random, width, height)
        name = f"{index:06d}.png"
        cv2.imwrite(str(folder / "images" / name), pixels)
        images.append({"id": index + 1, "file_name": name, "width": width, "height": height})
        for category, box in boxes:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index + 1,
                    "category_id": category,
                    "bbox": box,
                    "visibility": 1.0,
                }
            )
    table = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    (folder / "annotations.json").write_text(json.dumps(table))
