"""What the shipped policies choose, and how a wrong name or option is refused."""

import pytest
from virtual_drive import FakeLink, VirtualDrive

from scheduler.effects import Send
from scheduler.errors import ConfigError
from scheduler.onboard import RungSpec
from scheduler.policies import load_policy

MS = 1_000_000


def share_offloaded(drive: VirtualDrive) -> float:
    return drive.dispatcher.counters.offloaded / drive.dispatcher.counters.verdicts


def driven(policy: str, link: FakeLink, frames: int = 80, **options: object) -> VirtualDrive:
    drive = VirtualDrive(load_policy(policy, options), links={"rsu": link}, local_ms=34.0)
    drive.frames(frames)
    drive.run(20_000.0)
    assert drive.dispatcher.counters.late == 0
    return drive


def test_deadline_offloads_on_a_good_link_and_stays_home_on_a_poor_one() -> None:
    assert share_offloaded(driven("deadline", FakeLink(rate_bps=12e6))) > 0.9
    poor = driven("deadline", FakeLink(rate_bps=0.8e6))  # 210 ms a frame: never in time
    assert share_offloaded(poor) == 0.0
    assert poor.dispatcher.counters.onboard / 80 > 0.9


def test_deadline_probes_a_quiet_link_and_comes_back_to_it() -> None:
    """Poor for three seconds, then good: only a probe can find out."""
    link = FakeLink(rate_bps=0.5e6)
    drive = VirtualDrive(load_policy("deadline", {}), links={"rsu": link}, local_ms=34.0)
    drive.frames(120)
    drive.run(4000.0)
    assert drive.dispatcher.counters.offloaded == 0
    link.rate_bps, link.free_ns = 20e6, 0
    drive.run(14_000.0)
    assert any(emit.placement.is_probe for _, emit in drive.emitted)
    last = [emit.kind for _, emit in drive.emitted][-20:]
    assert last.count("offloaded") >= 18


def test_deadline_chooses_a_smaller_picture_on_a_slower_link() -> None:
    def mean_quality(rate: float) -> float:
        link = FakeLink(rate_bps=rate, delay_ms=5.0)
        drive = VirtualDrive(load_policy("deadline", {}), links={"rsu": link}, local_ms=34.0)
        sizes = {80: 39_000, 60: 25_000, 40: 18_000}
        encoded = drive.dispatcher.on_encoded

        def sized(task_id: int, size: int, duration: int, now: int):  # type: ignore[no-untyped-def]
            entry = drive.dispatcher._open.get(task_id)
            quality = entry.sent_as.quality if entry else 60
            drive.size_bytes = sizes[quality]
            return encoded(task_id, sizes[quality], duration, now)

        drive.dispatcher.on_encoded = sized  # type: ignore[method-assign]
        drive.frames(100)
        drive.run(20_000.0)
        used = [e.placement.quality for _, e in drive.emitted if e.placement.place == "offload"]
        return sum(used[10:]) / len(used[10:])

    assert mean_quality(30e6) > mean_quality(5.5e6)


def test_deadline_prices_bytes() -> None:
    free = driven("deadline", FakeLink(rate_bps=12e6))
    dear = driven("deadline", FakeLink(rate_bps=12e6), price_megabyte=30.0)
    assert share_offloaded(free) > 0.9 > share_offloaded(dear)


def test_local_only_takes_the_largest_rung_that_fits() -> None:
    rungs = [RungSpec("small", 0.5, 34 * MS), RungSpec("large", 0.8, 120 * MS)]
    drive = VirtualDrive(load_policy("local_only", {}), links={}, rungs=rungs, local_ms=34.0)
    drive.frames(5)
    drive.run(3000.0)
    assert {emit.model for _, emit in drive.emitted} == {"small"}


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("nearest", {}, "unknown policy 'nearest': expected one of always_offload, best_snr, dead"),
        ("no_such_module:Policy", {}, "cannot import no_such_module:Policy"),
        ("deadline", {"age_taw": 1.0}, "unknown option 'age_taw'"),
        ("deadline", {"age_tau": "long"}, "expected a number, got 'long'"),
        ("always_offload", {"quality": True}, "expected a number, got True"),
    ],
)
def test_wrong_policy_is_one_clear_error(
    name: str, options: dict[str, object], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected.replace("'", "'")):
        load_policy(name, options)


@pytest.mark.parametrize("rate_bps", [3e6, 4e6, 5e6, 8e6])
def test_deadline_sends_no_frame_that_the_unit_must_refuse(rate_bps: float) -> None:
    drive = driven("deadline", FakeLink(rate_bps=rate_bps, service_ms=30.0))
    placed = {emit.task.task_id: emit.placement for _, emit in drive.emitted}
    sends = [effect for _, effect in drive.effects if isinstance(effect, Send)]
    chosen = [send for send in sends if not placed[send.task.task_id].is_probe]
    short = [send for send in chosen if send.budget_ns < 25 * MS]  # encoding may take longer
    assert len(short) <= len(sends) * 0.02
