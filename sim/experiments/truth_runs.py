"""The same drive twice: in real time over the emulator, and in virtual time over the same trace.

Between the two lie sockets, CURVE, threads and the system's scheduling on one side, and
`sim.lockstep`'s models of them on the other. Stage times are measured in the very run that is
compared with, so that what is left is how the two treat link, queues and timers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from scheduler import processes
from scheduler.clock import MonotonicClock
from scheduler.config import (
    Camera,
    Compute,
    Config,
    Detector,
    Link,
    Policy,
    Replay,
    Service,
    Unit,
    Vehicle,
)
from scheduler.effects import Encode, Send
from scheduler.errors import VdapError
from scheduler.messages import Verdict
from scheduler.tasks import Task
from sim.channel.trace import Trace
from sim.evaluation.records import RunFolder
from sim.experiments.canned import LEAD_S, PICTURES, frame_ns, pictures
from sim.launcher import run_folder
from sim.launcher.drive import Drive
from sim.launcher.plan import make_plan
from sim.lockstep.held import HeldDrive
from sim.lockstep.sections import StageTimes
from sim.lockstep.stages import NOTHING, StageProfile
from vehicle.perception.detections import Detections
from vehicle.services.base import Frame

VEHICLE, UNIT, CAMERA = "ego", "rsu1", "front"
WIDTH, HEIGHT, RATE_HZ = 640, 384, 15.0
# A part of a model's time is computed, the rest is waited, so that one machine can play both.
SLOWDOWN, UNIT_SLOWDOWN = 10.0, 4.0
ONBOARD_MS, UNIT_MS = (45.0, 55.0), (12.0, 15.0)  # median and 99th percentile
SETTLE_S = 3.0  # after the beginning: connections and estimates are not compared
START_FILE = "replay_start"
TAIL_S = 1.0


def config_of(policy: Policy, trace: Path, seconds: float, folder: Path) -> Config:
    """A drive of canned pictures and models over a trace."""
    ms, p99_ms = (value / SLOWDOWN for value in ONBOARD_MS)
    unit_ms, unit_p99_ms = (value / UNIT_SLOWDOWN for value in UNIT_MS)
    kind = "sim.experiments.canned:CannedDetector"
    vehicle = Vehicle(
        id=VEHICLE,
        cameras=[
            Camera(id=CAMERA, source="sim.experiments.canned:CannedCamera", width=WIDTH,
                   height=HEIGHT, rate_hz=RATE_HZ)
        ],
        services=[Service(name="object_detection", options={"motion": False})],
        policy=policy,
        compute=Compute(slowdown=SLOWDOWN),
        detectors=[
            Detector(id="small", kind=kind, accuracy=0.5, options={"ms": ms, "p99_ms": p99_ms})
        ],
    )  # fmt: skip
    options: dict[str, object] = {"ms": unit_ms, "p99_ms": unit_p99_ms}
    unit = Unit(
        id=UNIT, at=(0.0, 0.0, 5.0), slowdown=UNIT_SLOWDOWN,
        detectors=[Detector(id="large", kind=kind, accuracy=0.8, options=options)],  # type: ignore[arg-type]
    )  # fmt: skip
    return Config(
        name=f"truth-{policy.name}",
        duration_s=seconds,
        vehicles=[vehicle],
        roadside_units=[unit],
        link=Link(trace=str(trace.resolve())),
        replay=Replay(origin_ns=0, start=str((folder / START_FILE).resolve())),
    )


def in_real_time(config: Config, folder: Path) -> list[Verdict]:
    """Drive it with real processes; its verdicts, of frames after `SETTLE_S`.

    Raises:
        VdapError: a process did not start or died, or no verdict came.
    """
    plan = make_plan(config, dashboard=False)
    run_folder.fill(folder, plan.config)
    stop = processes.Stop()
    drive = Drive(plan, folder, Console(), MonotonicClock(), lambda: stop.is_set)
    drive.run()
    if drive.was_interrupted:
        raise KeyboardInterrupt
    verdicts = RunFolder(folder).verdicts(VEHICLE)
    if not verdicts:
        raise VdapError(f"no verdict came; why is in {folder / 'logs'}")
    first_tick = first_compared(RATE_HZ)
    return [verdict for verdict in verdicts if verdict.tick >= first_tick]


def first_compared(rate_hz: float) -> int:
    """The first tick after `SETTLE_S`."""
    return math.ceil(max(0.0, SETTLE_S - LEAD_S) * rate_hz) + 1


def measured(verdicts: Sequence[Verdict]) -> StageTimes:
    """Stage times as that run's verdicts tell them; residuals are what no stage names.

    What a request waits at the unit beside its computing is the way from the unit's front process
    to its worker: the unit here is busy for a third of the time, so it is hardly ever a queue.
    """
    handed = [
        verdict.stages_ms["queue"] + verdict.stages_ms["decode"]
        for verdict in verdicts
        if {"queue", "decode"} <= set(verdict.stages_ms)
    ]
    local = _times(verdicts, "local")
    residual = [
        rest
        for verdict in verdicts
        if verdict.answer == "offloaded"
        and (rest := verdict.age_ms - sum(verdict.stages_ms.values())) >= 0.0
    ]
    direct = [
        verdict.age_ms - verdict.stages_ms["local"]
        for verdict in verdicts
        if verdict.pipeline == "onboard" and verdict.answer == "onboard"
    ]
    rest_ms = direct if len(direct) > len(residual) else residual
    return StageTimes(
        onboard={"small": _profile(local, ONBOARD_MS)},
        infer={(UNIT, "large"): _profile(_times(verdicts, "infer"), UNIT_MS)},
        decode={UNIT: _profile(handed, (2.0, 3.0))},
        encode=_profile(_times(verdicts, "encode"), (3.0, 5.0)),
        capture=_profile(rest_ms, (0.5, 1.0)),
    )


def _times(verdicts: Sequence[Verdict], stage: str) -> list[float]:
    return [verdict.stages_ms[stage] for verdict in verdicts if stage in verdict.stages_ms]


def _profile(values_ms: Sequence[float], otherwise: tuple[float, float]) -> StageProfile:
    """Through the median and the 99th percentile; as declared where too few were measured."""
    if len(values_ms) < 20:
        return StageProfile.of_ms(*otherwise)
    p50, p99 = np.percentile(values_ms, [50, 99])
    if p50 <= 0.0:
        return NOTHING
    return StageProfile.of_ms(float(p50), max(float(p50), float(p99)))


class CannedEyes:
    """One box from everybody; JPEGs weigh what the canned pictures do."""

    def __init__(self, qualities: Sequence[int]) -> None:
        self._bytes = weights(qualities)

    def on_board(self, task: Task, model: str) -> Detections:
        """One box."""
        return _ONE

    def at_unit(self, sent: Send, quality: int) -> Detections:
        """The same."""
        return _ONE

    def jpeg_bytes(self, job: Encode) -> int | None:
        """Of the canned picture of this tick."""
        return self._bytes[job.quality][job.task.tick % PICTURES]

    def done(self, task: Task) -> None:
        """Nothing is kept."""


_ONE = Detections(
    np.array([[0, 0, WIDTH / 2, HEIGHT / 2]], np.float32),
    np.array([0.9], np.float32),
    np.array([0], np.int16),
)


def weights(qualities: Sequence[int]) -> Mapping[int, list[int]]:
    """Bytes of each canned picture's JPEG by quality."""
    import cv2

    found: dict[int, list[int]] = {}
    drawn = pictures(WIDTH, HEIGHT)
    for quality in qualities:
        flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
        found[quality] = [len(cv2.imencode(".jpg", image, flags)[1]) for image in drawn]
    return found


def in_virtual_time(config: Config, trace: Trace, times: StageTimes) -> list[Verdict]:
    """Drive the same with lockstep; verdicts of the same frames."""
    eyes = CannedEyes(config.vehicles[0].qualities)
    held = HeldDrive(config, {VEHICLE: eyes}, traces={(VEHICLE, UNIT): trace}, times=times)
    vehicle = held.vehicles[VEHICLE]
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for tick in range(1, round(config.duration_s * RATE_HZ) + 1):
        at_ns = frame_ns(tick, RATE_HZ)
        held.advance(at_ns)
        vehicle.on_frame(
            Frame(
                vehicle_id=VEHICLE, camera_id=CAMERA, tick=tick, sim_ns=at_ns, stamp_ns=at_ns,
                image=black, intrinsics=(320.0, 320.0, 320.0, 192.0), distortion=(),
                camera_from_vehicle=(1.5, 0.0, 1.5, 0.0, 0.0, 0.0),
            )
        )  # fmt: skip
    held.advance(held.loop.now_ns + round(TAIL_S * 1e9))
    held.shutdown()
    first_tick = first_compared(RATE_HZ)
    return [verdict for verdict in held.verdicts(VEHICLE) if verdict.tick >= first_tick]
