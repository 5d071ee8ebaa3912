from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from vehicle.perception.detections import Detections  # noqa: E402
from vehicle.perception.model import SIZES, Network, cells, decode  # noqa: E402
from vehicle.perception.scores.matching import Truth  # noqa: E402
from vehicle.perception.training.augment import Cut, Sample, augmented, mosaic  # noqa: E402
from vehicle.perception.training.breakdown import (  # noqa: E402
    by_class,
    by_height,
    by_weather,
)
from vehicle.perception.training.loss import Target, assign, detection_loss  # noqa: E402
from vehicle.perception.training.pictures import Labels  # noqa: E402

WIDTH, HEIGHT = 192, 128
TINY = replace(SIZES["nano"], input_width=WIDTH, input_height=HEIGHT)


def test_rows_and_cells_agree():
    centres, strides = cells(WIDTH, HEIGHT)
    assert len(centres) == Network(TINY)(torch.rand(1, 3, HEIGHT, WIDTH)).shape[1]
    assert centres[0].tolist() == [4, 4]
    assert centres[1].tolist() == [12, 4]
    assert sorted(set(strides.tolist())) == [8, 16, 32]


def test_an_object_is_answered_by_cells_inside_it():
    centres, strides = cells(WIDTH, HEIGHT)
    target = Target(torch.tensor([[40.0, 40, 104, 88]]), torch.tensor([0]), torch.zeros(0, 4))
    scores = torch.full((len(centres), 7), 0.1)
    boxes = torch.cat([centres - 20, centres + 20], 1)
    cell, owner, quality = assign(scores, boxes, target, centres, strides)
    assert 1 <= len(cell) <= 10
    inside = (centres[cell] > torch.tensor([40, 40])) & (centres[cell] < torch.tensor([104, 88]))
    assert inside.all()
    assert owner.tolist() == [0] * len(cell)
    assert ((quality > 0) & (quality <= 1)).all()


def test_an_object_smaller_than_a_cell_is_answered_too():
    centres, strides = cells(WIDTH, HEIGHT)
    target = Target(torch.tensor([[65.0, 65, 67, 67]]), torch.tensor([5]), torch.zeros(0, 4))
    nowhere = torch.zeros(len(centres), 4)
    cell, _, _ = assign(torch.full((len(centres), 7), 0.1), nowhere, target, centres, strides)
    assert len(cell) >= 1
    assert (strides[cell] == 8).any()


def test_an_answer_in_an_ignored_place_costs_nothing():
    centres, strides = cells(WIDTH, HEIGHT)
    rows = torch.full((1, len(centres), 11), -6.0)
    here = ((centres - torch.tensor([60.0, 60.0])).abs().amax(1) < 10).nonzero()[:, 0]
    rows[0, here, 0] = 4.0
    nothing = Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), torch.zeros(0, 4))
    ignored = replace(nothing, ignored=torch.tensor([[40.0, 40, 80, 80]]))
    held = detection_loss(rows, [nothing], centres, strides)
    free = detection_loss(rows, [ignored], centres, strides)
    assert free.score < 0.05 * held.score


def test_perfect_boxes_have_no_box_loss():
    centres, strides = cells(WIDTH, HEIGHT)
    rows = torch.full((1, len(centres), 11), -4.0)
    box = decode(rows[0, :, 7:], centres, strides)[200]
    target = Target(box[None], torch.tensor([2]), torch.zeros(0, 4))
    assert detection_loss(rows, [target], centres, strides).box < 1e-3


def test_labels_follow_the_picture_through_augmentation():
    pixels = np.full((HEIGHT, WIDTH, 3), 10, np.uint8)
    pixels[40:80, 60:120] = 250  # no colour, since augmentation may take all of it
    box = np.array([[60, 40, 120, 80]], np.float32)
    labels = Labels(box, np.zeros(1, np.int16), np.ones(1, np.float32))
    cut = Cut(96, 64, (0.5, 1.3))
    seen = 0
    for seed in range(40):
        sample = augmented(pixels, labels, cut, np.random.default_rng(seed))
        assert sample.pixels.shape == (64, 96, 3)
        for x1, y1, x2, y2 in sample.xyxy.round().astype(int):
            is_outside = np.ones(sample.pixels.shape[:2], np.bool_)
            is_outside[max(0, y1 - 4) : y2 + 4, max(0, x1 - 4) : x2 + 4] = False
            inside = sample.pixels[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2]
            # The border beyond the picture is grey, never as light as the object.
            assert inside.mean() > sample.pixels[is_outside].mean() + 20
            seen += 1
    assert seen > 10


def test_a_mosaic_moves_labels_with_their_tiles():
    tiles = [
        Sample(
            np.full((64, 96, 3), shade, np.uint8),
            np.array([[8, 4, 40, 30]], np.float32),
            np.array([shade]),
            np.array([[1, 2, 3, 4]], np.float32),
        )
        for shade in range(4)
    ]
    whole = mosaic(tiles)
    assert whole.pixels.shape == (128, 192, 3)
    for (x1, y1, x2, y2), class_id in zip(whole.xyxy.astype(int), whole.class_id, strict=True):
        assert (whole.pixels[y1:y2, x1:x2] == class_id).all()
        assert (x2 - x1, y2 - y1) == (32, 26)
    assert whole.ignored[3].tolist() == [97, 66, 99, 68]


def test_hidden_objects_are_ignored_not_learnt():
    labels = Labels(
        np.array([[20, 20, 60, 60], [80, 20, 120, 60]], np.float32),
        np.zeros(2, np.int16),
        np.array([0.1, 0.9], np.float32),
    )
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    cut = Cut(WIDTH, HEIGHT, (1.0, 1.0001))
    sample = augmented(pixels, labels, cut, np.random.default_rng(0))
    assert (len(sample.xyxy), len(sample.ignored)) == (1, 1)


def test_parts_of_a_set_are_scored_apart():
    def boxes(*rows):
        return np.array(rows, np.float32).reshape(-1, 4)

    def seen(xyxy):
        return Truth(xyxy, np.zeros(len(xyxy), np.int16), np.zeros(len(xyxy), np.bool_))

    low, high = (10, 10, 30, 40), (50, 10, 90, 130)
    found = Detections(boxes(low), np.array([0.9], np.float32), np.zeros(1, np.int16))
    nothing = Detections(boxes(), np.zeros(0, np.float32), np.zeros(0, np.int16))
    pairs = [(found, seen(boxes(low, high))), (nothing, seen(boxes(high)))]
    parts = [(part.name, part.boxes, part.ap50) for part in by_height(pairs)]
    assert parts[0] == ("25-50 px", 1, pytest.approx(1.0))
    assert (parts[1][1], parts[2]) == (0, ("over 100 px", 2, 0.0))
    assert by_class(pairs)[0].name == "car"
    assert by_class(pairs)[0].boxes == 3
    weathers = {part.name: part.boxes for part in by_weather(pairs, ["rain", "fog"])}
    assert weathers == {"fog": 1, "rain": 2}
