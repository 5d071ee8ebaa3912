"""Draws a tiny data set with lights, a road and plates, so that heads can be trained in seconds."""

import json
from pathlib import Path

import cv2
import numpy as np

STATES = {"red": (30, 30, 230), "green": (60, 220, 40)}
WIDTH, HEIGHT = 192, 128


def write(folder: Path, count: int, seed: int, with_plates: bool = True) -> None:
    """`count` pictures: a light above, a plate in the middle, a road with a line below."""
    random = np.random.default_rng(seed)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    images, annotations, plates = [], [], []
    for index in range(count):
        pixels = random.integers(90, 130, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        tags = np.zeros((HEIGHT, WIDTH), np.uint8)
        name = f"{index:03d}"
        state = ("red", "green")[index % 2]
        left, top = int(random.integers(4, WIDTH - 20)), int(random.integers(2, 20))
        cv2.rectangle(pixels, (left, top), (left + 11, top + 25), STATES[state], -1)
        light = {"bbox": [left, top, 12, 26], "state": state, "visibility": 1.0}
        annotations.append({"image_id": index + 1, "category_id": 7, **light})
        x, y = int(random.integers(4, WIDTH - 50)), int(random.integers(50, 66))
        cv2.rectangle(pixels, (x, y), (x + 39, y + 11), (250, 250, 250), -1)
        plates.append({"image_id": index + 1, "bbox": [x, y, 40, 12], "readable": True})
        pixels[88:], tags[88:] = pixels[88:] // 3, 1
        line = int(random.integers(20, WIDTH - 20))
        pixels[88:, line : line + 8], tags[88:, line : line + 8] = 240, 24
        cv2.imwrite(str(folder / "images" / f"{name}.png"), pixels)
        cv2.imwrite(str(folder / "masks" / f"{name}.png"), tags[::2, ::2])
        images.append(
            {"id": index + 1, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT}
        )
    table = {
        "images": images,
        "annotations": annotations,
        "plates": plates if with_plates else [],
        "categories": [{"id": 7, "name": "traffic light"}],
    }
    (folder / "annotations.json").write_text(json.dumps(table))
