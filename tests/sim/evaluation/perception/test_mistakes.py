import numpy as np
import pytest

from sim.evaluation.perception.mistakes import CELL, ORANGE, RED, mistakes, sheet
from vehicle.perception.detections import Detections
from vehicle.perception.scores.matching import Truth


def found(*rows):
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int16))


def truth(*rows, ignored=()):
    table = np.array(rows, np.float32).reshape(-1, 5)
    is_ignored = np.zeros(len(table), bool)
    is_ignored[list(ignored)] = True
    return Truth(table[:, :4], table[:, 4].astype(np.int16), is_ignored)


PAIRS = [
    (
        found((0, 0, 40, 40, 0.9, 0), (100, 0, 140, 60, 0.8, 1), (200, 0, 220, 20, 0.9, 0)),
        truth((0, 0, 40, 40, 0), (100, 0, 140, 60, 2), (200, 100, 240, 190, 0)),
    ),
    (found((0, 0, 40, 40, 0.1, 0)), truth((0, 0, 40, 50, 0), (80, 0, 99, 99, 0), ignored=[1])),
]


def test_mistakes_come_by_height_and_say_what_was_there_instead():
    made = mistakes(PAIRS, 0.3)
    assert [(m.kind, m.picture, m.height) for m in made] == [
        ("missed", 0, 90.0), ("false", 0, 60.0), ("missed", 0, 60.0), ("missed", 1, 50.0),
    ]  # fmt: skip
    assert (made[1].note, made[2].note) == ("on a bus IoU 1.00", "found as truck IoU 1.00")
    assert made[1].score == pytest.approx(0.8)


def test_a_lower_score_lets_a_hit_in():
    assert [m.picture for m in mistakes(PAIRS, 0.05)] == [0, 0, 0]


def test_a_sheet_shows_one_mistake_of_a_kind_and_picture():
    made = [m for m in mistakes(PAIRS, 0.3) if m.kind == "missed"]
    picture = np.zeros((192, 320, 3), np.uint8)
    drawn = sheet(made, PAIRS, lambda index: picture, 0.3, columns=4)
    assert drawn.shape == (CELL[1] + 18, 4 * CELL[0], 3)
    shown = [(drawn[:, i * CELL[0] : (i + 1) * CELL[0]] == RED).all(axis=2).any() for i in range(4)]
    assert shown == [True, True, False, False]
    false = [m for m in mistakes(PAIRS, 0.3) if m.kind == "false"]
    assert (sheet(false, PAIRS, lambda index: picture, 0.3) == ORANGE).all(axis=2).any()


def test_nothing_wrong_is_no_sheet():
    assert sheet([], PAIRS, lambda index: np.zeros((9, 9, 3), np.uint8), 0.3) is None
