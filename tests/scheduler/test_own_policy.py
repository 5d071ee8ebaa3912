"""The policy of docs/scheduling/policies.md runs as it stands there; baselines do as they say."""

import re
import sys
from pathlib import Path

import pytest
from virtual_drive import FakeLink, VirtualDrive

from scheduler.effects import Send
from scheduler.policies import SHORT_NAMES, load_policy

PAGE = Path(__file__).parents[2] / "docs" / "scheduling" / "policies.md"


def driven(policy, links, options=None, frames=60):
    drive = VirtualDrive(load_policy(policy, options or {}), links=links, local_ms=34.0)
    drive.frames(frames)
    drive.run(frames * 100.0 + 3_000.0)
    counters = drive.dispatcher.counters
    assert (counters.verdicts, counters.late, counters.policy_faults) == (frames, 0, 0)
    return drive


def test_the_policy_of_the_page_takes_turns(tmp_path, monkeypatch):
    (block,) = re.findall(r"```python\n# turns.py\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "turns.py").write_text(block)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("turns", None)
    assert len(block.split('name = "turns"')[1].strip().splitlines()) <= 30
    both = driven("turns:Turns", {"a": FakeLink(), "b": FakeLink()}, {"quality": 60})
    units = [emit.unit_id for _, emit in both.emitted]
    assert abs(units.count("a") - units.count("b")) <= 1 < units.count("a")
    one = driven("turns:Turns", {"a": FakeLink(), "b": FakeLink(rate_bps=0.5e6)})
    assert [emit.unit_id for _, emit in one.emitted].count("a") > 40


@pytest.mark.parametrize("policy", sorted(set(SHORT_NAMES) - {"local_only"}))
def test_every_policy_offloads_over_a_good_link_and_lives_without_one(policy):
    good = driven(policy, {"rsu": FakeLink(rate_bps=40e6)})
    assert good.dispatcher.counters.offloaded > 45
    alone = driven(policy, {})
    assert alone.dispatcher.counters.onboard == 60


@pytest.mark.parametrize("policy", ["deadline", "ewma_latency", "mu_linucb"])
def test_who_learns_leaves_a_link_that_is_too_slow(policy):
    slow = driven(policy, {"rsu": FakeLink(rate_bps=1.2e6)}, frames=150)
    last = [emit.placement.place for _, emit in slow.emitted][-60:]
    assert last.count("onboard") > 45


def test_static_threshold_stays_home_where_the_round_trip_is_long():
    far = driven("static_threshold", {"rsu": FakeLink(delay_ms=25.0)})
    assert not [effect for _, effect in far.effects if isinstance(effect, Send)]


def test_best_snr_takes_the_shorter_round_trip_where_no_radio_tells():
    links = {"far": FakeLink(delay_ms=15.0), "near": FakeLink(delay_ms=2.0)}
    sent = [e for _, e in driven("best_snr", links).effects if isinstance(e, Send)]
    assert {effect.unit_id for effect in sent} == {"near"}
