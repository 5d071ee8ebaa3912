"""Parts of lockstep: draws, events, refusals, the encoder, what messages weigh."""

import itertools
import math
from typing import Any

import pytest

from scheduler.effects import Encode
from scheduler.errors import ConfigError
from scheduler.tasks import Task
from sim.channel.link_model import Row
from sim.lockstep import StageProfile, wire_bytes
from sim.lockstep.encoder import VirtualEncoder
from sim.lockstep.loop import Loop
from sim.lockstep.refusals import Refusals
from sim.lockstep.sizes import FrameSizes
from sim.lockstep.stages import Stage

MS = 1_000_000


def test_draws_have_the_measured_median_and_tail() -> None:
    stage = Stage(StageProfile(10 * MS, 25 * MS), "seed/ego/small")
    drawn = sorted(stage.draw() for _ in range(20_000))
    assert drawn[10_000] == pytest.approx(10 * MS, rel=0.02)
    assert drawn[19_800] == pytest.approx(25 * MS, rel=0.06)
    assert drawn[-1] <= 100 * MS


def test_each_owner_and_stage_has_dice_of_its_own() -> None:
    def first(seed: str) -> list[int]:
        stage = Stage(StageProfile(10 * MS, 25 * MS), seed)
        return [stage.draw() for _ in range(5)]

    assert first("1/a/small") == first("1/a/small") != first("1/b/small")


def test_a_stage_without_a_tail_takes_its_median() -> None:
    assert Stage(StageProfile.of_ms(4.0), "x").draw() == 4 * MS
    with pytest.raises(ConfigError, match="0 <= q50 <= q99"):
        StageProfile(5, 4)


def test_events_come_in_order_of_time_and_then_of_making() -> None:
    loop, seen = Loop(), list[tuple[str, int]]()

    def note(name: str) -> None:
        seen.append((name, loop.now_ns))

    loop.at(20, note, "c")
    loop.at(10, note, "a")
    loop.at(10, note, "b")
    loop.at(15, lambda: loop.at(5, note, "past"))  # what is due in the past is due now
    loop.run(20)
    assert seen == [("a", 10), ("b", 10), ("past", 15), ("c", 20)]
    loop.run(30)
    assert loop.now_ns == 30


def rows(*spans: tuple[float, int]) -> list[Row]:
    return [Row(round(at * 1e9), rate, 0, 0.0) for at, rate in spans]


def test_connections_are_refused_from_three_tenths_into_an_outage_to_its_end() -> None:
    refusals = Refusals(rows((0, 1), (2, 0), (4, 1), (6, 0), (6.2, 1), (10, 1)), is_dropping=True)
    period = 10 + 3.8
    for lap in (0.0, period):
        assert refusals.ends_ns(round((lap + 2.2) * 1e9)) == 0
        assert refusals.ends_ns(round((lap + 2.4) * 1e9)) == round((lap + 4) * 1e9)
        assert refusals.ends_ns(round((lap + 6.1) * 1e9)) == 0  # too short to end a connection
    assert refusals.next_ns(0) == round(2.3e9)
    assert refusals.next_ns(round(3e9)) == round((period + 2.3) * 1e9)


def test_an_outage_over_the_seam_is_one() -> None:
    refusals = Refusals(rows((0, 0), (1, 1), (8, 0), (9, 0)), is_dropping=True)
    assert refusals.ends_ns(round(9.5e9)) == round(11e9)
    assert refusals.ends_ns(round(10.1e9)) == round(11e9)
    assert refusals.ends_ns(round(11.5e9)) == 0


def test_hold_never_refuses_and_a_dead_link_always_does() -> None:
    assert Refusals(rows((0, 1), (2, 0)), is_dropping=False).ends_ns(round(2.9e9)) == 0
    assert Refusals(rows((0, 0), (2, 0)), is_dropping=True).ends_ns(1) > 2**60


def task(number: int) -> Task:
    return Task(number, "ego", "front", number, 0, "object_detection", 0, 100 * MS, 640, 384)


def test_the_encoder_works_in_turn_and_skips_what_was_cancelled() -> None:
    loop, done = Loop(), list[Any]()
    stage = Stage(StageProfile.of_ms(3.0), "x")

    def ended(job: Encode, size: int, took: int) -> None:
        done.append((job.task.task_id, size, took, loop.now_ns))

    encoder = VirtualEncoder(loop, stage, lambda job: 1000, ended)
    for number in (1, 2, 3):
        encoder.encode(Encode(task(number), 80))
    encoder.cancel(1)  # it has begun: its answer is a picture all the same
    encoder.cancel(2)
    loop.run(100 * MS)
    assert done == [(1, 1000, 3 * MS, 3 * MS), (2, 0, 0, 3 * MS), (3, 1000, 3 * MS, 6 * MS)]


def test_sizes_vary_slowly_and_follow_the_table() -> None:
    sizes = FrameSizes("seed")
    taken = []
    for _ in range(4000):
        sizes.step()
        taken.append(sizes.jpeg_bytes(80, 640 * 384))
    logs = [math.log(size) for size in taken]
    steps = [abs(after - before) for before, after in itertools.pairwise(logs)]
    mean = sum(logs) / len(logs)
    assert math.exp(mean) == pytest.approx(0.159 * 640 * 384, rel=0.1)
    assert sum(steps) / len(steps) < 0.06
    assert sizes.jpeg_bytes(40, 640 * 384) < sizes.jpeg_bytes(80, 640 * 384)


def test_messages_weigh_their_payload_and_headers() -> None:
    assert 20_150 < wire_bytes.request_bytes(20_000) < 20_400
    assert wire_bytes.result_bytes(12) - wire_bytes.result_bytes(2) in (210, 217)
    assert wire_bytes.refusal_bytes() < wire_bytes.result_bytes(0)
    assert 80 < wire_bytes.PING_BYTES < 200
