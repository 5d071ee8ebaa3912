"""The example policy is loaded as its README says and decides as it claims."""

from pathlib import Path

import pytest

from scheduler import config_file
from scheduler.dispatcher import Dispatcher
from scheduler.errors import ConfigError
from scheduler.onboard import RungSpec
from scheduler.placement import Policy
from scheduler.policies import load_policy
from scheduler.tasks import Task

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_policy" / "drive.yaml"
MS = 1_000_000


def task(tick: int, now_ns: int) -> Task:
    deadline_ns = now_ns + 100 * MS
    return Task(tick, "ego", "front", tick, 0, "object_detection", now_ns, deadline_ns, 640, 384)


def example() -> Policy:
    section = config_file.load(str(EXAMPLE)).vehicles[0].policy
    return load_policy(section.name, section.options)


def test_every_third_frame_is_offloaded_while_a_link_is_up() -> None:
    now_ns = 0
    dispatcher = Dispatcher(
        example(), [RungSpec("small", 0.5, 20 * MS)], ["rsu"], accuracies={"large": 0.8}, now_ns=0
    )
    dispatcher.on_worker(True, 0)
    for number in range(1, 5):
        now_ns += 20 * MS
        dispatcher.on_welcome("rsu", 2, [("large", 10 * MS)], now_ns)
        dispatcher.on_timer(now_ns)
        dispatcher.on_pong("rsu", number, now_ns)
    view = dispatcher.placer.view(task(1, now_ns), now_ns)
    policy = example()
    places = [policy.place(task(tick, now_ns), view).place for tick in range(1, 7)]
    assert places == ["onboard", "onboard", "offload", "onboard", "onboard", "offload"]


def test_without_a_link_it_stays_on_board() -> None:
    dispatcher = Dispatcher(
        example(), [RungSpec("small", 0.5, 20 * MS)], [], accuracies={}, now_ns=0
    )
    dispatcher.on_worker(True, 0)
    view = dispatcher.placer.view(task(3, 0), 0)
    assert example().place(task(3, 0), view).label == "onboard/small"


def test_its_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="every"):
        load_policy("alternate:Alternate", {"every": 0})
