"""Small labelled sets of coloured rectangles."""

import json

import cv2
import numpy as np
import pytest
from rectangle_finder import COLOURS

SIZE = (320, 192)


def drawn(*objects):
    """A grey picture with rectangles (x1, y1, x2, y2, class id)."""
    picture = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    for x1, y1, x2, y2, class_id in objects:
        picture[y1:y2, x1:x2] = COLOURS[class_id]
    return picture


# Objects of each picture, and whether they are painted: what is not is there to be missed.
CAR, TALL, PERSON = (20, 30, 80, 70, 0), (150, 20, 290, 140, 0), (100, 50, 120, 100, 5)
PICTURES = ((CAR,), (TALL,), (PERSON, CAR), (TALL, PERSON))
WEATHERS = ("rain", "clear", "rain", "clear")


@pytest.fixture
def coco_folder(tmp_path):
    """Four pictures; the pedestrian of the last one is labelled but not painted."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    table = {
        "images": [],
        "annotations": [],
        "categories": [
            {"id": 1, "name": "car"},
            {"id": 9, "name": "person"},
            {"id": 4, "name": "sofa"},
        ],
    }
    for index, objects in enumerate(PICTURES):
        painted = [o for o in objects if not (index == 3 and o is PERSON)]
        cv2.imwrite(str(folder / "images" / f"{index}.png"), drawn(*painted))
        row = {"id": index, "file_name": f"{index}.png", "weather": WEATHERS[index]}
        table["images"].append(row)
        for x1, y1, x2, y2, class_id in objects:
            table["annotations"].append(
                {
                    "id": len(table["annotations"]), "image_id": index,
                    "category_id": 1 if class_id == 0 else 9,
                    "bbox": [x1, y1, x2 - x1, y2 - y1], "visibility": 0.9,
                }
            )  # fmt: skip
    (folder / "annotations.json").write_text(json.dumps(table))
    return folder


@pytest.fixture
def video(tmp_path):
    """Twelve frames of a car that moves right by 4 px a frame, with MOTChallenge's gt.txt."""
    folder = tmp_path / "drive"
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    lines = []
    for index in range(12):
        left = 20 + 4 * index
        cv2.imwrite(
            str(folder / "img1" / f"{index + 1:06d}.png"), drawn((left, 30, left + 60, 70, 0))
        )
        lines.append(f"{index + 1},7,{left + 1},31,60,40,1,3,1.0")
    lines.append("1,8,200,100,20,50,0,1,1.0")
    (folder / "gt" / "gt.txt").write_text("\n".join(lines) + "\n")
    (folder / "seqinfo.ini").write_text("[Sequence]\nname=drive\nframeRate=10\n")
    return folder
