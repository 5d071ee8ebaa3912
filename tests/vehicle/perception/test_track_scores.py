import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vehicle.perception.scores.assignment import assigned
from vehicle.perception.scores.clear import clear
from vehicle.perception.scores.hota import ALPHAS, Hota, hota
from vehicle.perception.scores.identity import identity
from vehicle.perception.scores.matching import Truth
from vehicle.perception.scores.tracking import TrackScores, score_tracks
from vehicle.perception.scores.tracks import Instant, numbered
from vehicle.perception.tracker import Tracks

# TrackEval adds the same float64 terms in another order: a few units in the last place.
EPSILON = 1e-9


def instant(true_id, track_id, overlap):
    shape = (len(true_id), len(track_id))
    return Instant(
        np.array(true_id, np.int64),
        np.array(track_id, np.int64),
        np.array(overlap, np.float64).reshape(shape),
    )


def followed(tracks, overlap=1.0):
    """One object with the given track in each instant; None where it is lost."""
    return [
        instant([5], [] if track is None else [track], [] if track is None else [overlap])
        for track in tracks
    ]


def test_a_perfect_track_scores_one():
    instants = followed([7, 7, 7, 7])
    assert hota(instants).hota == pytest.approx(1.0)
    assert hota(instants).loc_a == pytest.approx(1.0)
    assert identity(instants).idf1 == 1.0
    assert (clear(instants).mota, clear(instants).mostly_tracked) == (1.0, 1)


def test_an_object_that_changes_its_track_halfway_by_hand():
    instants = followed([1, 1, 2, 2])
    result = hota(instants)
    # Each pair: 2 instants together of 4 and 2: 2 / (4 + 2 - 2) = 1/2.
    assert (result.det_a, result.ass_a) == (1.0, pytest.approx(0.5))
    assert result.hota == pytest.approx(np.sqrt(0.5))
    assert identity(instants).idf1 == 0.5  # two boxes right, two false, two missed
    assert (clear(instants).swaps, clear(instants).mota) == (1, 0.75)


def test_a_gap_is_a_break_and_no_swap():
    result = clear(followed([1, None, 1, 1, 1]))
    assert (result.swaps, result.missed) == (0, 1)
    # As in TrackEval an instant without any box forgets nothing of the one before.
    assert result.breaks == 0
    with_another = [
        instant([5, 6], [1, 2], np.eye(2)),
        instant([5, 6], [2], [0, 1]),
        instant([5, 6], [1, 2], np.eye(2)),
    ]
    assert clear(with_another).breaks == 1


def test_overlap_decides_which_alphas_count():
    result = hota(followed([1, 1], overlap=0.52))
    expected = np.sum(ALPHAS <= 0.52) / len(ALPHAS)
    assert result.det_a == pytest.approx(expected)
    assert result.loc_a == pytest.approx((expected * 0.52) + (1 - expected))


def test_a_found_pair_is_kept_though_another_track_overlaps_more():
    instants = [instant([1], [1], [0.9]), instant([1], [1, 2], [0.6, 0.9])]
    result = clear(instants)
    assert (result.swaps, result.false, result.hits) == (0, 1, 2)


def test_sequences_add_up():
    right, wrong = followed([1, 1]), followed([None, None])
    total = hota(right) + hota(wrong)
    assert total.det_a == pytest.approx(0.5)
    assert total.ass_a == pytest.approx(1.0)
    assert (identity(right) + identity(wrong)).idf1 == pytest.approx(2 / 3)
    assert (clear(right) + clear(wrong)).mota == 0.5


def test_nothing_at_all_is_no_error():
    for empty in ([], [instant([], [], [])]):
        assert hota(empty).hota == 0.0
        assert identity(empty).idf1 == 0.0
        assert clear(empty).mota == 0.0
    assert Hota.zero().loc_a == 1.0
    assert TrackScores.zero().figures()["hota"] == 0.0


matrices = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: st.lists(
        st.lists(st.floats(0, 1), min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    )
)


@settings(max_examples=50, deadline=None)
@given(matrices)
def test_assignment_is_as_good_as_scipys(rows):
    optimize = pytest.importorskip("scipy.optimize", reason="the reference is not installed")
    gain = np.array(rows)
    row, column = assigned(gain)
    assert len(row) == min(gain.shape)
    assert len(set(row.tolist())) == len(set(column.tolist())) == len(row)
    theirs = gain[optimize.linear_sum_assignment(gain, maximize=True)].sum()
    assert gain[row, column].sum() == pytest.approx(theirs, abs=1e-9)


def random_sequence(seed, frames=30, objects=6):
    """Objects that come and go, tracks that swap, break and invent, in boxes that drift."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 200, (objects, 2))
    made = []
    for frame in range(frames):
        there = np.flatnonzero(random.random(objects) < 0.8)
        boxes = np.concatenate([corner, corner + 60], 1) + frame * 2.0
        found = there[random.random(len(there)) < 0.8]
        ids = np.where(random.random(len(found)) < 0.1, 100 + frame, found + (frame // 12) * 20)
        extra = random.uniform(0, 260, (int(random.integers(0, 3)), 2))
        xyxy = np.concatenate(
            [
                boxes[found] + random.normal(0, 6, (len(found), 4)),
                np.concatenate([extra, extra + 60], 1),
            ]
        )
        track = np.concatenate([ids, 500 + np.arange(len(extra)) + 5 * (frame // 4)])
        _, first = np.unique(track, return_index=True)
        xyxy, track = xyxy[first].astype(np.float32), track[first].astype(np.int32)
        score = random.uniform(0.4, 1.0, len(track)).astype(np.float32)
        zeros = np.zeros(len(track), np.int16)
        tracks = Tracks(frame, xyxy, score, zeros, track, np.zeros_like(xyxy))
        truth = Truth(
            boxes[there].astype(np.float32),
            np.zeros(len(there), np.int16),
            np.zeros(len(there), bool),
        )
        made.append((tracks, truth, there.astype(np.int64)))
    return made


def reference(instants):
    trackeval = pytest.importorskip("trackeval", reason="the reference is not installed")
    sequence = numbered(instants)
    data = {
        "num_timesteps": len(instants),
        "num_gt_ids": len(sequence.true_seen),
        "num_tracker_ids": len(sequence.track_seen),
        "num_gt_dets": int(sequence.true_seen.sum()),
        "num_tracker_dets": int(sequence.track_seen.sum()),
        "gt_ids": [i.true_id for i in sequence.instants],
        "tracker_ids": [i.track_id for i in sequence.instants],
        "similarity_scores": [i.overlap for i in sequence.instants],
    }
    metrics = trackeval.metrics
    quiet = {"PRINT_CONFIG": False}
    found = metrics.HOTA().eval_sequence(data)
    found |= metrics.CLEAR(quiet).eval_sequence(data)
    found |= metrics.Identity(quiet).eval_sequence(data)
    return found


def assert_equal_to_trackeval(instants):
    theirs = reference(instants)
    ours, who, clr = hota(instants), identity(instants), clear(instants)
    assert np.sqrt(ours.detection_at() * ours.association_at()) == pytest.approx(
        theirs["HOTA"], abs=EPSILON
    )
    assert ours.detection_at() == pytest.approx(theirs["DetA"], abs=EPSILON)
    assert ours.association_at() == pytest.approx(theirs["AssA"], abs=EPSILON)
    assert ours.loc_a == pytest.approx(theirs["LocA"].mean(), abs=EPSILON)
    assert (who.right, who.missed, who.false) == (theirs["IDTP"], theirs["IDFN"], theirs["IDFP"])
    assert who.idf1 == pytest.approx(theirs["IDF1"], abs=EPSILON)
    assert who.idp == pytest.approx(theirs["IDP"], abs=EPSILON)
    assert who.idr == pytest.approx(theirs["IDR"], abs=EPSILON)
    assert clr.mota == pytest.approx(theirs["MOTA"], abs=EPSILON)
    assert clr.motp == pytest.approx(theirs["MOTP"], abs=EPSILON)
    assert (clr.hits, clr.missed, clr.false) == (
        theirs["CLR_TP"], theirs["CLR_FN"], theirs["CLR_FP"],
    )  # fmt: skip
    assert (clr.swaps, clr.breaks) == (theirs["IDSW"], theirs["Frag"])
    assert (clr.mostly_tracked, clr.mostly_lost) == (theirs["MT"], theirs["ML"])


@pytest.mark.parametrize("seed", range(6))
def test_scores_of_drawn_sequences_equal_trackeval(seed):
    from vehicle.perception.scores.tracks import by_class

    assert_equal_to_trackeval(by_class(random_sequence(seed), min_height_px=0.0)[0])


# Overlaps without equals: where two pairings are worth the same, either library may take any.
overlaps = st.permutations([0.11, 0.23, 0.37, 0.41, 0.53, 0.59, 0.67, 0.71, 0.83, 0.97])


@st.composite
def small_sequences(draw):
    instants = []
    for _ in range(draw(st.integers(1, 5))):
        true = draw(st.sets(st.integers(0, 2), max_size=3))
        track = draw(st.sets(st.integers(10, 12), max_size=3))
        values = draw(overlaps)[: len(true) * len(track)]
        noise = draw(st.integers(0, 10**6)) * 1e-9
        instants.append(instant(sorted(true), sorted(track), np.array(values) + noise))
    return instants


@settings(max_examples=60, deadline=None)
@given(small_sequences())
def test_scores_of_small_sequences_equal_trackeval(instants):
    assume(any(len(i.true_id) for i in instants))  # without truth its MOTA is a constant 0
    assert_equal_to_trackeval(instants)


def tracks(*rows):
    table = np.array(rows, np.float32).reshape(-1, 7)
    return Tracks(
        0, table[:, :4], table[:, 4], table[:, 5].astype(np.int16),
        table[:, 6].astype(np.int32), np.zeros((len(table), 4), np.float32),
    )  # fmt: skip


def test_tracks_on_ignored_objects_count_neither_way():
    truth = Truth(
        np.array([[0, 0, 40, 40], [100, 0, 140, 40]], np.float32),
        np.zeros(2, np.int16),
        np.array([False, True]),
    )
    found = tracks((0, 0, 40, 40, 0.9, 0, 1), (100, 0, 140, 40, 0.9, 0, 2))
    scores = score_tracks([(found, truth, np.array([1, 2]))])
    assert (scores[0].clear.hits, scores[0].clear.false, scores[0].clear.missed) == (1, 0, 0)
    assert (scores[0].objects, scores[0].tracks, scores[0].boxes) == (1, 1, 1)


def test_low_boxes_on_nothing_do_not_count_and_high_ones_do():
    truth = Truth(np.array([[0, 0, 40, 40]], np.float32), np.zeros(1, np.int16), np.array([False]))
    found = tracks(
        (0, 0, 40, 40, 0.9, 0, 1), (300, 0, 320, 20, 0.9, 0, 2), (200, 0, 240, 40, 0.9, 0, 3)
    )
    scores = score_tracks([(found, truth, np.array([1]))])
    assert scores[0].clear.false == 1


def test_classes_are_scored_apart_and_add_up():
    truth = Truth(
        np.array([[0, 0, 40, 40], [100, 0, 140, 40]], np.float32),
        np.array([0, 5], np.int16),
        np.zeros(2, bool),
    )
    found = tracks((0, 0, 40, 40, 0.9, 0, 1), (100, 0, 140, 40, 0.9, 0, 2))
    scores = score_tracks([(found, truth, np.array([1, 2]))] * 2)
    assert sorted(scores) == [0, 5]
    total = sum(scores.values(), TrackScores.zero())
    assert (total.identity.right, total.identity.missed, total.identity.false) == (2, 2, 2)
    assert total.figures()["idf1"] == 0.5


def test_tracks_of_a_class_that_is_not_there_are_false():
    truth = Truth(np.array([[0, 0, 40, 40]], np.float32), np.zeros(1, np.int16), np.array([False]))
    found = tracks((0, 0, 40, 40, 0.9, 0, 1), (0, 0, 40, 40, 0.9, 5, 2))
    total = sum(score_tracks([(found, truth, np.array([1]))]).values(), TrackScores.zero())
    assert (total.identity.right, total.identity.false, total.boxes) == (1, 1, 1)
