"""What each action would have done to each frame of a drive, for whoever knows all of it.

The arrays that `sim.experiments.oracle` works on: the same links, picture sizes, spans of busy
units and accuracies as the scenario has, and stage times drawn from the same profiles. What an
oracle need not fear is left out, so that it stays an upper bound: lost packets, credits and the
vehicle's own requests before it at the unit.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.placer import EMIT_MARGIN_NS
from sim.channel.link_model import Row
from sim.experiments import encodings
from sim.experiments.worth import BARE
from sim.lockstep import wire_bytes
from sim.lockstep.frames import as_recorded, at_rate
from sim.lockstep.pictures import Pictures, load
from sim.lockstep.scenario import Scenario, UnitModel, UnitSpec
from sim.lockstep.stages import Stage, StageProfile

Floats = NDArray[np.float64]
AFTER_NS = 2_000_000_000  # rows go on so long after the last frame
BOXES = 12  # in an answer


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One direction of a link: rows from 0 on, as arrays of equal length.

    Attributes:
        start: ns.
        work: Bits that were carried before the row.
        rate: Bits a nanosecond.
        delay: ns, one way.
    """

    start: Floats
    work: Floats
    rate: Floats
    delay: Floats

    @staticmethod
    def of(rows: Sequence[Row], length_ns: int, until_ns: int) -> Curve:
        """The rows of a trace, again and again until `until_ns`."""
        starts: list[float] = []
        once = list(rows)
        for lap_ns in range(0, until_ns, length_ns):
            starts += [float(row.start_ns + lap_ns) for row in once]
        laps = len(starts) // len(once)
        start = np.array(starts, np.float64)
        rate = np.tile(np.array([row.rate_bps / 1e9 for row in once], np.float64), laps)
        carried = np.cumsum(rate[:-1] * np.diff(start))
        delay = np.tile(np.array([row.delay_ns for row in once], np.float64), laps)
        return Curve(start, np.concatenate([[0.0], carried]), rate, delay)


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """A drive of F frames, K links, L rungs on board and A ways to send a frame.

    Attributes:
        stamp: (F,) ns, when each picture was taken.
        ready: (F,) ns, when the vehicle has it.
        due: (F,) ns, until when an answer counts.
        sent: (F, A) ns, when it is encoded.
        bits: (F, A) of the request.
        service: (F, A) ns, decoding and inference.
        link: (A,) number of the link.
        worth: (A,) F1 of the answer, fresh.
        local: (F, L) ns, time on board.
        local_worth: (L,) F1 of the answer, fresh.
        carried: F1 without any model.
        tau: ns; worth falls as exp(-age / tau).
        up: Uplinks.
        down: Downlinks.
        taken: (from, until) in ns of each link's unit; each (S, 2).
        answer_bits: Of a result.
    """

    stamp: Floats
    ready: Floats
    due: Floats
    sent: Floats
    bits: Floats
    service: Floats
    link: NDArray[np.int64]
    worth: Floats
    local: Floats
    local_worth: Floats
    carried: float
    tau: float
    up: tuple[Curve, ...]
    down: tuple[Curve, ...]
    taken: tuple[Floats, ...]
    answer_bits: float


def stamps(scenario: Scenario) -> list[int]:
    """When the scenario's one vehicle takes its pictures, in ns."""
    vehicle = scenario.vehicles[0]
    camera = vehicle.cameras[0]
    if vehicle.drive:
        stored, luma = load(vehicle.drive)
        shots = as_recorded(Pictures(stored, camera.id, luma))
    else:
        shots = at_rate(camera, vehicle.id, scenario.seed)
    lead_ns, length_ns = round(scenario.lead_s * 1e9), round(scenario.duration_s * 1e9)
    taken = itertools.takewhile(lambda shot: shot[0] < length_ns, shots)
    return [lead_ns + at_ns for at_ns, _, _ in taken]


def of_scenario(scenario: Scenario, tau_s: float) -> Chances:
    """The chances of the scenario's one vehicle.

    Args:
        scenario: As lockstep drives it.
        tau_s: Of an answer's worth over its age.
    """
    stamps_ns = stamps(scenario)
    vehicle, units = scenario.vehicles[0], {unit.id: unit for unit in scenario.units}
    frames = len(stamps_ns)
    purpose = f"{scenario.seed}/{vehicle.id}/oracle"
    stamp = np.array(stamps_ns, np.float64)
    ready = stamp + _draws(vehicle.capture, f"{purpose}/capture", frames)
    encoded = ready + _draws(vehicle.encode, f"{purpose}/encode", frames)
    bits = encodings.request_bits(scenario, frames)
    columns: list[tuple[int, float, Floats, Floats]] = []  # link, worth, bits, service
    for number, link in enumerate(vehicle.links):
        unit = units[link.unit_id]
        for model in unit.models:
            service = _service(model, unit, f"{purpose}/{unit.id}/{model.model}", frames)
            columns += [(number, way.accuracy(model), sent, service) for way, sent in bits.items()]
    until_ns = int(stamp[-1]) + AFTER_NS if frames else AFTER_NS
    curves = [link.trace.directions() for link in vehicle.links]
    lengths = [round(link.trace.length_s * 1e9) for link in vehicle.links]
    local = [_draws(m.time, f"{purpose}/{m.model}", frames) for m in vehicle.onboard]
    return Chances(
        stamp=stamp,
        ready=ready,
        due=stamp + vehicle.deadline_ms * 1e6 - EMIT_MARGIN_NS,
        sent=np.stack([encoded for _ in columns], 1) if columns else np.zeros((frames, 0)),
        bits=_table([sent for _, _, sent, _ in columns], frames),
        service=_table([service for _, _, _, service in columns], frames),
        link=np.array([number for number, _, _, _ in columns], np.int64),
        worth=np.array([worth for _, worth, _, _ in columns], np.float64),
        local=_table(local, frames),
        local_worth=np.array([m.accuracy for m in vehicle.onboard], np.float64),
        carried=BARE,
        tau=tau_s * 1e9,
        up=tuple(Curve.of(up, n, until_ns) for (up, _), n in zip(curves, lengths, strict=True)),
        down=tuple(Curve.of(dn, n, until_ns) for (_, dn), n in zip(curves, lengths, strict=True)),
        taken=tuple(
            np.array(units[link.unit_id].taken, np.float64).reshape(-1, 2) for link in vehicle.links
        ),
        answer_bits=8.0 * wire_bytes.result_bytes(BOXES),
    )


def _draws(profile: StageProfile, seed: str, count: int) -> Floats:
    stage = Stage(profile, seed)
    return np.array([stage.draw() for _ in range(count)], np.float64)


def _service(model: UnitModel, unit: UnitSpec, seed: str, frames: int) -> Floats:
    return _draws(model.decode, f"{seed}/decode", frames) + _draws(model.infer, seed, frames)


def _table(columns: Sequence[Floats], frames: int) -> Floats:
    return np.stack(columns, 1) if columns else np.zeros((frames, 0), np.float64)
