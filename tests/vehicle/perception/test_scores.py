import contextlib
import io

import numpy as np
import pytest

from vehicle.perception.detections import Detections
from vehicle.perception.scores.average_precision import average_precision, precision_of
from vehicle.perception.scores.matching import MISSED, Truth, matched
from vehicle.perception.scores.streaming import Counts, count
from vehicle.perception.scores.sweep import IOUS, sweep


def found(*rows):
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int16))


def truth(*rows, ignored=()):
    table = np.array(rows, np.float32).reshape(-1, 5)
    is_ignored = np.zeros(len(table), bool)
    is_ignored[list(ignored)] = True
    return Truth(table[:, :4], table[:, 4].astype(np.int16), is_ignored)


CAR = (0, 0, 40, 40, 0)


def test_a_counting_box_is_preferred_to_an_ignored_one():
    overlap = np.array([[0.9, 0.6]])
    assert matched(overlap, np.array([True, False]), 0.5).tolist() == [1]
    assert matched(overlap, np.array([True, False]), 0.7).tolist() == [0]
    assert matched(overlap, np.array([True, False]), 0.95).tolist() == [MISSED]


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([(0, 0, 40, 40, 0.9, 0)], Counts(1, 0, 0)),
        ([(0, 0, 40, 40, 0.9, 1)], Counts(0, 1, 1)),
        ([(0, 0, 40, 40, 0.9, 0), (1, 0, 41, 40, 0.8, 0)], Counts(1, 1, 0)),
        ([(60, 0, 99, 40, 0.9, 0)], Counts(0, 1, 1)),
        ([], Counts(0, 0, 1)),
        ([(60, 0, 80, 10, 0.9, 0)], Counts(0, 0, 1)),  # too low to count as false
    ],
)
def test_counts_by_hand(boxes, expected):
    assert count(found(*boxes), truth(CAR)) == expected


def test_ignored_objects_are_neither_hit_nor_miss():
    there = truth(CAR, (100, 0, 140, 40, 0), ignored=[1])
    assert count(found((0, 0, 40, 40, 0.9, 0)), there) == Counts(1, 0, 0)
    both = found((0, 0, 40, 40, 0.9, 0), (100, 0, 140, 40, 0.9, 0))
    assert count(both, there) == Counts(1, 0, 0)


def test_boxes_below_the_least_score_are_not_looked_at():
    assert count(found((0, 0, 40, 40, 0.2, 0)), truth(CAR), min_score=0.3) == Counts(0, 0, 1)


def test_truth_that_is_low_or_hidden_is_ignored():
    xyxy = np.array([[0, 0, 9, 24], [0, 0, 9, 25], [0, 0, 40, 40]], np.float32)
    seen = Truth.seen(xyxy, np.zeros(3, np.int16), np.array([1, 1, 0.29], np.float32))
    assert seen.is_ignored.tolist() == [True, False, True]


def test_f1_is_none_where_there_is_no_truth():
    assert Counts(0, 3, 0).f1 is None
    assert Counts(0, 0, 2).f1 == 0.0
    assert (Counts(1, 1, 0) + Counts(2, 0, 1)).f1 == pytest.approx(6 / 8)
    assert (Counts(3, 1, 1).precision, Counts(3, 1, 1).recall) == (0.75, 0.75)


def random_pictures(seed, pictures=24, classes=3):
    random = np.random.default_rng(seed)
    pairs = []
    for _ in range(pictures):
        size = int(random.integers(0, 8))
        corner = random.uniform(0, 300, (size, 2))
        xyxy = np.concatenate([corner, corner + random.uniform(10, 120, (size, 2))], 1)
        class_id = random.integers(0, classes, size)
        shifted = xyxy + random.normal(0, 6, (size, 4))
        noise = random.uniform(0, 300, (3, 2))
        false = np.concatenate([noise, noise + random.uniform(10, 120, (3, 2))], 1)
        boxes = np.concatenate([shifted, false]).astype(np.float32)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 5)
        swap = random.random(size + 3) < 0.1
        labels = np.where(
            swap,
            random.integers(0, classes, size + 3),
            np.concatenate([class_id, random.integers(0, classes, 3)]),
        ).astype(np.int16)
        scores = random.permutation(np.linspace(0.05, 0.95, size + 3)).astype(np.float32)
        ignored = random.random(size) < 0.25
        there = Truth(xyxy.astype(np.float32), class_id.astype(np.int16), ignored)
        pairs.append((Detections(boxes, scores, labels), there))
    return pairs


def reference(pairs, classes=3, height_px=(-1.0, 1e10)):
    """AP and AP50 by pycocotools; ignoring goes through its area ranges, of heights."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    images, annotations, results = [], [], []
    for index, (boxes, there) in enumerate(pairs):
        images.append({"id": index + 1})
        for xyxy, class_id, ignored in zip(
            there.xyxy.astype(float), there.class_id, there.is_ignored, strict=True
        ):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index + 1,
                    "category_id": int(class_id) + 1,
                    "bbox": [*xyxy[:2], *(xyxy[2:] - xyxy[:2])],
                    "area": -2.0 if ignored else xyxy[3] - xyxy[1],
                    "iscrowd": 0,
                }
            )
        for xyxy, score, class_id in zip(
            boxes.xyxy.astype(float), boxes.score, boxes.class_id, strict=True
        ):
            results.append(
                {
                    "image_id": index + 1,
                    "category_id": int(class_id) + 1,
                    "bbox": [*xyxy[:2], *(xyxy[2:] - xyxy[:2])],
                    "score": float(score),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": images,
            "annotations": annotations,
            "categories": [{"id": c + 1} for c in range(classes)],
        }
        coco.createIndex()
        answers = coco.loadRes(results)
        for answer in answers.anns.values():
            answer["area"] = answer["bbox"][3]
        evaluation = COCOeval(coco, answers, "bbox")
        evaluation.params.areaRng = [list(height_px)]
        evaluation.params.areaRngLbl = ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]  # (thresholds, recalls, classes)
    return precision[precision > -1].mean(), precision[0][precision[0] > -1].mean()


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_equals_pycocotools(seed):
    pytest.importorskip("pycocotools", reason="the reference implementation is not installed")
    pairs = random_pictures(seed)
    ap, ap50 = reference(pairs)
    ours = average_precision(pairs)
    # Both sum 101 precisions; only the order of additions differs.
    assert ours.ap50 == pytest.approx(ap50, abs=1e-9)
    assert ours.ap == pytest.approx(ap, abs=1e-9)


@pytest.mark.parametrize("low_high", [(25.0, 50.0), (50.0, 100.0), (100.0, 1e9)])
def test_average_precision_of_a_range_of_heights_equals_pycocotools(low_high):
    pytest.importorskip("pycocotools", reason="the reference implementation is not installed")
    pairs = random_pictures(5, pictures=40)
    low, high = low_high
    of_range = []
    for boxes, there in pairs:
        height = there.xyxy[:, 3] - there.xyxy[:, 1]
        is_ignored = there.is_ignored | (height < low) | (height >= high)
        of_range.append((boxes, Truth(there.xyxy, there.class_id, is_ignored)))
    ap, ap50 = reference(pairs, height_px=low_high)
    ours = precision_of(sweep(of_range, IOUS, low, high))
    assert ours.ap50 == pytest.approx(ap50, abs=1e-9)
    assert ours.ap == pytest.approx(ap, abs=1e-9)


def test_average_precision_by_hand():
    pairs = [
        (found((0, 0, 40, 40, 0.9, 0), (200, 0, 240, 40, 0.8, 0)), truth(CAR)),
        (found((0, 0, 40, 40, 0.7, 0)), truth(CAR)),
    ]
    # Precision 1 up to recall 0.5, then 2/3: (51 x 1 + 50 x 2/3) / 101.
    assert average_precision(pairs).ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_average_precision_without_truth_is_not_a_number():
    assert np.isnan(average_precision([(found((0, 0, 9, 9, 0.9, 0)), truth())]).ap50)


def test_a_class_that_is_never_found_counts_as_zero():
    pairs = [(found((0, 0, 40, 40, 0.9, 0)), truth(CAR, (100, 0, 140, 40, 5)))]
    result = average_precision(pairs)
    assert result.ap50_by_class == {0: pytest.approx(1.0), 5: 0.0}
    assert result.ap50 == pytest.approx(0.5)


def test_low_false_boxes_can_be_left_out():
    pairs = [(found((99, 0, 120, 20, 0.95, 0), (0, 0, 40, 40, 0.9, 0)), truth(CAR))]
    assert average_precision(pairs).ap50 == pytest.approx(0.5)
    assert average_precision(pairs, min_height_px=25).ap50 == pytest.approx(1.0)


def test_a_sweep_counts_what_frame_by_frame_counting_does():
    pairs = random_pictures(7)
    matches = sweep(pairs, min_height_px=25.0)
    for least in (0.0, 0.3, 0.62, 1.1):
        one_by_one = sum((count(*pair, min_score=least) for pair in pairs), Counts())
        assert matches.counts(least) == one_by_one
    half = np.arange(len(pairs)) < 12
    some = sum((count(*pair, min_score=0.3) for pair in pairs[:12]), Counts())
    assert matches.of_pictures(half).counts(0.3) == some


def test_a_sweep_of_some_pictures_has_their_average_precision():
    pairs = random_pictures(8)
    chosen = np.arange(len(pairs)) % 3 == 0
    part = precision_of(sweep(pairs, IOUS).of_pictures(chosen))
    alone = average_precision([pair for pair, is_in in zip(pairs, chosen, strict=True) if is_in])
    assert part.ap == pytest.approx(alone.ap)
    assert part.ap50_by_class == pytest.approx(alone.ap50_by_class)


def test_the_best_f1_is_the_best_of_all_scores():
    pairs = random_pictures(9)
    matches = sweep(pairs)
    best, score = matches.best_f1()
    scores = np.unique(np.concatenate([boxes.score for boxes, _ in pairs]))
    assert best == pytest.approx(max(matches.counts(float(s)).f1 for s in scores))
    assert matches.counts(score).f1 == pytest.approx(best)


def test_the_score_of_a_precision_by_hand():
    boxes = found((0, 0, 40, 40, 0.9, 0), (200, 0, 240, 40, 0.8, 0), (100, 0, 140, 40, 0.7, 0))
    matches = sweep([(boxes, truth(CAR, (100, 0, 140, 40, 0)))])
    assert matches.curve().precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert matches.curve().recall.tolist() == pytest.approx([0.5, 0.5, 1.0])
    assert matches.score_of_precision(0.6) == pytest.approx(0.7)
    assert matches.score_of_precision(0.7) == pytest.approx(0.9)
    assert sweep([(boxes, truth())]).score_of_precision(0.1) is None


def test_equal_scores_are_one_step_of_a_curve():
    boxes = found((0, 0, 40, 40, 0.5, 0), (200, 0, 240, 40, 0.5, 0))
    curve = sweep([(boxes, truth(CAR))]).curve()
    assert (curve.score.tolist(), curve.precision.tolist()) == ([0.5], [0.5])


def test_boxes_of_another_size_do_not_count_in_a_slice():
    boxes = found((0, 0, 40, 40, 0.9, 0), (200, 0, 240, 90, 0.8, 0), (300, 0, 330, 30, 0.7, 0))
    counts = sweep([(boxes, truth(CAR))], min_height_px=25, max_height_px=50).counts(0.0)
    assert counts == Counts(1, 1, 0)


def test_no_pictures_and_no_boxes_are_no_error():
    assert sweep([]).best_f1() == (0.0, 1.0)
    empty = sweep([(Detections.empty(), truth(CAR))])
    assert empty.counts(0.0) == Counts(0, 0, 1)
    assert precision_of(empty).ap50 == 0.0
    assert np.isnan(precision_of(empty, least=2).ap50)
    assert empty.of_class(4).counts(0.0) == Counts()
