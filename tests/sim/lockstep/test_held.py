"""Vehicles on simulated time, fed from outside."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from scheduler import messages
from scheduler.config import Camera, Config, Detector, Link, Policy, Service, Unit, Vehicle, World
from scheduler.errors import ConfigError
from sim.channel.base import LinkState
from sim.channel.trace import Trace
from sim.lockstep.believer import Advised
from sim.lockstep.held import HeldDrive
from sim.lockstep.held_process import Held
from sim.lockstep.sections import known_accuracy, measured, unit_spec, vehicle_spec
from vehicle.perception.detections import Detections
from vehicle.services.base import Frame

SECOND = 1_000_000_000
STEP = 100_000_000
GOOD = LinkState(20e6, 5.0, 0.0, 20e6, 5.0, 0.0)
OUT = LinkState(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SMALL = Detector(id="small", options={"input_size": [320, 192], "precision": "int8"})


class Car:
    """A car that stands in the way; every model finds it."""

    def __init__(self) -> None:
        self.closeness = 0.0
        self.looks: list[str] = []

    def found(self, what: str) -> Detections:
        self.looks.append(what)
        half = 20.0 + 100.0 * self.closeness
        box = np.array([[320 - half, 215 - half, 320 + half, 215 + half]], np.float32)
        return Detections(box, np.array([0.9], np.float32), np.array([0], np.int16))

    def on_board(self, task, model):
        return self.found(f"local/{model}")

    def at_unit(self, sent, quality):
        return self.found(f"{sent.unit_id}/{sent.model}@{quality}")

    def jpeg_bytes(self, job):
        return 20_000

    def done(self, task):
        pass


def config_of(policy: str = "always_offload", link: Link | None = None) -> Config:
    vehicle = Vehicle(
        cameras=[Camera(width=640, height=384)], policy=Policy(name=policy), detectors=[SMALL]
    )
    unit = Unit(id="rsu1", at=(0.0, 0.0, 5.0), detectors=[Detector(id="medium")])
    return Config(world=World(), vehicles=[vehicle], roadside_units=[unit], link=link or Link())


def frame(tick: int) -> Frame:
    stamp_ns = SECOND + tick * STEP
    return Frame(
        "ego", "front", tick, stamp_ns, stamp_ns, np.zeros((384, 640, 3), np.uint8),
        (320.0, 320.0, 320.0, 192.0), (), (1.5, 0.0, 1.5, 0.0, 0.0, 0.0),
    )  # fmt: skip


def pose(tick: int, speed: float = 10.0) -> messages.Pose:
    sim_ns = SECOND + tick * STEP
    return messages.Pose(
        messages.VERSION, "ego", tick, sim_ns, 0, (tick * speed * 0.1, 0.0, 0.0), (0.0, 0.0, 0.0),
        speed, 0.0, 0.0, False,
    )  # fmt: skip


def driven(
    config: Config, states: list[LinkState], *, live: bool = False, ticks: int = 40
) -> tuple[HeldDrive, Car, list[Advised]]:
    eyes = Car()
    trace = Trace.of([k * 0.1 for k in range(len(states))], states, "drop")
    traces = {} if live else {("ego", "rsu1"): trace}
    drive = HeldDrive(config, {"ego": eyes}, traces=traces)
    advised: list[Advised] = []
    for tick in range(-10, ticks):
        now_ns = SECOND + tick * STEP
        advised += drive.advance(now_ns)["ego"]
        if live:
            drive.on_radio("ego", "rsu1", states[(tick + 10) % len(states)])
        if tick >= 0:
            eyes.closeness = tick / ticks
            drive.vehicles["ego"].on_frame(frame(tick))
            drive.vehicles["ego"].on_pose(pose(tick))
    drive.advance(SECOND + ticks * STEP + SECOND)
    drive.shutdown()
    return drive, eyes, advised


def lines(drive: HeldDrive) -> bytes:
    return msgspec.json.encode(drive.verdicts("ego"))


@pytest.mark.parametrize("live", [False, True])
def test_every_frame_has_its_verdict_and_two_drives_leave_the_same(live: bool) -> None:
    states = [GOOD] * 200
    drive, eyes, _ = driven(config_of(), states, live=live)
    verdicts = drive.verdicts("ego")
    assert [verdict.tick for verdict in verdicts] == list(range(40))
    assert sum(verdict.answer == "offloaded" for verdict in verdicts) > 35
    assert not any(verdict.is_late for verdict in verdicts)
    assert "rsu1/medium@80" in eyes.looks
    assert lines(drive) == lines(driven(config_of(), states, live=live)[0])


def test_a_live_link_and_its_trace_carry_the_same() -> None:
    states = [GOOD, GOOD, LinkState(6e6, 12.0, 0.0, 6e6, 12.0, 0.0)] * 40
    ages = [
        [verdict.age_ms for verdict in driven(config_of(), states, live=live)[0].verdicts("ego")]
        for live in (False, True)
    ]
    assert np.median(ages[0]) == pytest.approx(np.median(ages[1]), rel=0.05)


def test_a_long_outage_cuts_a_live_link_and_it_comes_back() -> None:
    states = [GOOD] * 20 + [OUT] * 8 + [GOOD] * 60
    drive, _, _ = driven(config_of(), states, live=True, ticks=60)
    kinds = [verdict.answer for verdict in drive.verdicts("ego")]
    assert "offloaded" not in kinds[12:17]  # out from the tenth frame on
    assert kinds[-10:].count("offloaded") >= 8
    offload = drive.vehicles["ego"].dispatcher.counters.offload
    assert offload.sent == offload.ok + offload.late + offload.rejected + offload.lost


def test_what_comes_nearer_is_braked_for() -> None:
    drive, _, advised = driven(config_of("local_only"), [GOOD] * 100)
    assert advised and advised[-1].advisory.brake > 0.0
    assert all(one.at_ns <= drive.loop.now_ns for one in advised)
    assert [one.tick for one in advised] == sorted(one.tick for one in advised)


def test_sections_know_the_times_of_shipped_rungs_alone() -> None:
    config = config_of()
    spec = vehicle_spec(config, config.vehicles[0], [])
    slowed = msgspec.structs.replace(
        config.vehicles[0], compute=msgspec.structs.replace(config.vehicles[0].compute, slowdown=8)
    )
    own, other = (vehicle_spec(config, v, []).onboard[0].time for v in (config.vehicles[0], slowed))
    assert other.q50_ns == pytest.approx(8 * own.q50_ns, rel=1e-6)
    assert spec.cameras[0].rate_hz == 10.0
    unit = config.roadside_units[0]
    native = unit_spec(unit).models[0].infer.q50_ns
    slow = unit_spec(msgspec.structs.replace(unit, slowdown=3.0)).models[0].infer.q50_ns
    assert slow == pytest.approx(3 * native, rel=1e-6)
    smaller = unit_spec(unit, resolutions=[(320, 192)]).models[0]
    assert 0.0 < smaller.shrunk[320, 192] < smaller.accuracy
    ladder = msgspec.structs.replace(
        config.vehicles[0], resolutions=[(640, 384), (320, 192)], max_links=1
    )
    spec = vehicle_spec(config, ladder, [])
    assert (spec.resolutions, spec.max_links) == (((640, 384), (320, 192)), 1)
    foreign = Detector(id="mine", kind="yolox", weights="mine.onnx")
    for call in (known_accuracy, lambda one: measured(one, 1.0)):
        with pytest.raises(ConfigError, match="rung"):
            call(foreign)


def test_another_every_frame_service_is_refused() -> None:
    config = config_of()
    vehicle = msgspec.structs.replace(
        config.vehicles[0], services=[Service(name=f"{__name__}:Strange")]
    )
    with pytest.raises(ConfigError, match=r"simulated time|service"):
        HeldDrive(msgspec.structs.replace(config, vehicles=[vehicle]), {"ego": Car()})


# --- the process between the bridge's messages ---


def bridge_says(held: Held, ticks: int) -> list[messages.Feedback]:
    said: list[messages.Feedback] = []
    site = messages.Site(
        messages.VERSION, "Straight", [messages.Unit("rsu1", (60.0, 8.0, 5.0))], [],
        {"ego": [(float(x), 0.0) for x in range(0, 300, 5)]},
    )  # fmt: skip
    said += held.advance(SECOND - STEP)
    for tick in range(ticks):
        sim_ns = SECOND + tick * STEP
        header = messages.Frame(
            messages.VERSION, "ego", "front", tick, sim_ns, 0, 640, 384, "bgr",
            (320.0, 320.0, 320.0, 192.0), [], (1.5, 0.0, 1.5, 0.0, 0.0, 0.0),
        )  # fmt: skip
        image = np.full((384, 640, 3), 40 + tick % 7, np.uint8)
        held.hear(header, [image.tobytes()])
        held.hear(pose(tick), [])
        if tick == 0:
            held.hear(site, [])
        said += held.advance(sim_ns + STEP)
    return said


def test_the_held_process_leaves_what_a_vehicle_leaves(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        held = Held(config_of("always_offload"), folder)
        bridge_says(held, 8)
        held.close()
        found.append(lines(held.drive))
        assert {path.name for path in folder.iterdir()} == {
            "run.mcap", "vehicle-ego.json", "link.json", "link-ego-rsu1.csv",
        }  # fmt: skip
        counts = msgspec.json.decode((folder / "vehicle-ego.json").read_bytes())
        assert counts["captured"] == counts["verdicts"] == 8
        trace = Trace(folder / "link-ego-rsu1.csv")
        assert trace.at(1.5).up_bps > 1e6  # the unit stands beside the road
    assert found[0] == found[1]
