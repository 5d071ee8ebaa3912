import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadside_unit.admission import MOST_WAITING, Admission, Offer
from scheduler.messages import VERSION
from scheduler.offload_messages import Request

MS = 1_000_000


def offer(seq=0, vehicle="ego", camera="front", at_ms=0, budget_ms=80, model="large", age_ms=0):
    request = Request(
        VERSION, vehicle, 7, seq, camera, seq, 0, "object_detection", model, age_ms * 1000,
        int(budget_ms * 1000), 64, 64, 1.0, 4, 0,
    )  # fmt: skip
    return Offer(request, b"jpeg", int(at_ms * MS))


def seqs(refused):
    return [(each.offer.request.seq, each.status) for each in refused]


def test_newer_frame_replaces_the_waiting_one_of_its_camera():
    admission = Admission({})
    assert admission.offer(offer(1), 0) == []
    assert admission.offer(offer(2, camera="rear"), 0) == []
    refused = admission.offer(offer(3), 0)
    assert seqs(refused) == [(1, "late")]
    assert refused[0].reason == "replaced by a newer frame"
    assert len(admission) == 2


def test_an_older_frame_is_kept_while_there_is_time_for_both():
    admission = Admission({"large": 25 * MS})
    admission.offer(offer(0), 0)
    assert admission.take(0)[0].request.seq == 0  # runs until 25 ms
    # Pictures were taken 40 ms apart; the link held the first back.
    assert admission.offer(offer(1, at_ms=5, age_ms=45), 5 * MS) == []
    assert admission.offer(offer(2, at_ms=10, budget_ms=66, age_ms=10), 10 * MS) == []
    # The second would end at 75 ms; a third has no time behind them.
    assert seqs(admission.offer(offer(3, at_ms=20, budget_ms=66), 20 * MS)) == [
        (1, "late"),
        (2, "late"),
    ]


def test_a_frame_that_would_begin_after_the_next_one_comes_is_not_queued_behind_its_elder():
    admission = Admission({"large": 30 * MS})
    admission.offer(offer(0), 0)
    admission.take(0)  # runs until 30 ms
    assert admission.offer(offer(1, at_ms=10, budget_ms=500), 10 * MS) == []
    # It would begin at 60 ms, in time by its budget; but frames come every 10 ms.
    assert seqs(admission.offer(offer(2, at_ms=20, budget_ms=500), 20 * MS)) == [(1, "late")]


def test_under_overload_every_vehicle_has_its_turn_with_its_newest_frame():
    admission = Admission({"large": 100 * MS})
    admission.offer(offer(0, vehicle="a"), 0)
    admission.take(0)
    for round_ in range(1, 4):
        for vehicle in "abc":
            at_ms = 10 * round_
            admission.offer(offer(round_, vehicle=vehicle, at_ms=at_ms, budget_ms=300), at_ms * MS)
    taken = [admission.take(100 * MS)[0].request for _ in range(2)]
    assert [(each.vehicle_id, each.seq) for each in taken] == [("a", 3), ("b", 3)]


def test_a_hopeless_frame_replaces_nothing():
    admission = Admission({"large": 25 * MS})
    admission.offer(offer(1), 0)
    assert seqs(admission.offer(offer(2, budget_ms=10), 0)) == [(2, "late")]
    assert admission.take(0)[0].request.seq == 1


def test_another_vehicle_s_frame_is_not_replaced():
    admission = Admission({})
    admission.offer(offer(1), 0)
    assert admission.offer(offer(2, vehicle="other"), 0) == []
    assert [admission.take(0)[0].request.seq for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(("now_ms", "is_run"), [(0, True), (49, True), (51, False)])
def test_late_request_is_dropped_before_inference(now_ms, is_run):
    admission = Admission({"large": 30 * MS})
    admission.offer(offer(1, budget_ms=80), 0)
    taken, refused = admission.take(now_ms * MS)
    assert (taken is not None) == is_run
    assert seqs(refused) == ([] if is_run else [(1, "late")])


def test_request_that_cannot_be_in_time_is_refused_at_once():
    admission = Admission({"large": 30 * MS})
    assert seqs(admission.offer(offer(1, budget_ms=20), 0)) == [(1, "late")]
    assert len(admission) == 0


def test_estimate_that_became_too_high_comes_down():
    admission = Admission({})
    admission.learn("large", 10_000 * MS)  # the machine was asleep, say
    tries = 0
    while admission.offer(offer(tries), 0):
        tries += 1
        assert tries < 200
    assert tries > 0


def test_refusals_do_not_make_a_model_look_faster_than_it_is():
    admission = Admission({"large": 30 * MS})
    admission.learn("large", 40 * MS)
    for seq in range(100):
        assert admission.offer(offer(seq, budget_ms=5), 0)
    assert admission.expected_ns("large") == 30 * MS


def test_durations_are_learned_slowly():
    admission = Admission({})
    admission.learn("large", 100 * MS)
    admission.learn("large", 50 * MS)
    assert admission.expected_ns("large") == 90 * MS


def test_one_vehicle_cannot_fill_the_memory():
    admission = Admission({})
    refused = []
    for index in range(MOST_WAITING + 5):
        refused += admission.offer(offer(index, camera=f"c{index}"), 0)
    assert len(admission) == MOST_WAITING
    assert {each.status for each in refused} == {"reject"}
    assert admission.offer(offer(99, vehicle="other"), 0) == []


def test_vehicle_that_left_has_nothing_waiting():
    admission = Admission({})
    admission.offer(offer(1), 0)
    admission.offer(offer(2, vehicle="other"), 0)
    assert admission.forget("ego") == 1
    assert admission.take(0)[0].request.seq == 2


def test_refuse_all_empties_the_queue():
    admission = Admission({})
    admission.offer(offer(1), 0)
    assert seqs(admission.refuse_all("gone")) == [(1, "reject")]
    assert admission.take(0) == (None, [])


@settings(deadline=None)  # examples are small, but the machine may be busy
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["offer", "take"]),
            st.sampled_from("ab"),
            st.sampled_from("fr"),
            st.integers(0, 120),
            st.integers(0, 30),
        ),
        max_size=40,
    )
)
def test_every_request_ends_once_and_none_is_run_late(steps):
    admission = Admission({"large": 25 * MS})
    now, offered, ended = 0, 0, []
    for what, vehicle, camera, budget_ms, passed_ms in steps:
        now += passed_ms * MS
        if what == "offer":
            made = offer(offered, vehicle, camera, now / MS, budget_ms)
            offered += 1
            ended += [each.offer.request.seq for each in admission.offer(made, now)]
        else:
            taken, refused = admission.take(now)
            ended += [each.offer.request.seq for each in refused]
            if taken is not None:
                assert now + admission.expected_ns("large") <= taken.due_ns
                ended.append(taken.request.seq)
    ended += [each.offer.request.seq for each in admission.refuse_all("end")]
    assert sorted(ended) == list(range(offered))
