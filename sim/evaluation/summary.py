"""`summary.json`: what a drive came to, per vehicle and in all."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from scheduler.messages import LinkRow, Verdict
from sim.evaluation import alone, truth
from sim.evaluation.belief import f1_current
from sim.evaluation.pipelines import pipelines_of
from sim.evaluation.records import Counts as Counters
from sim.evaluation.records import RunFolder, WorldFigures
from vehicle.perception.scores.streaming import Counts

PLACES = ("onboard", "offloaded", "carried")
OFFLOAD = ("sent", "ok", "late", "rejected", "lost")
FLATTERED_BELOW = 0.95  # real_time_factor under which latency figures look better than they are

Json = dict[str, object]


@dataclass(slots=True)
class VehicleResult:
    """All that is known of one vehicle's drive."""

    vehicle_id: str
    counters: Counters
    verdicts: list[Verdict]
    f1: Counts = field(default_factory=Counts)
    objects: set[tuple[str, int]] = field(default_factory=set)  # (camera, actor) that count
    alone: dict[str, Counts] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def judge(folder: RunFolder, *, with_alone: bool) -> list[VehicleResult]:
    """Score each vehicle of the run.

    Args:
        with_alone: Also run each rung over a sample of the recorded pictures (seconds).
    """
    results = []
    for vehicle in map(folder.config.vehicle, folder.vehicles()):
        verdicts = folder.verdicts(vehicle.id)
        counters = folder.counts(vehicle.id)
        notes = []
        if counters is None:
            counters = counted(verdicts)
            notes.append(f"{vehicle.id} wrote no counters: these are counted from its verdicts")
        result = VehicleResult(vehicle.id, counters, verdicts, notes=notes)
        pictures = truth.read(folder.path / "truth.mcap", vehicle.id)
        for camera in vehicle.cameras:
            true = pictures.get(camera.id, [])
            result.objects |= {(camera.id, actor) for actor in truth.counting(true)}
            for said in _by_service(v for v in verdicts if v.camera_id == camera.id):
                result.f1 += f1_current(said, true, camera.width, camera.height)
        if with_alone and pictures:
            result.alone = alone.f1_alone(folder, vehicle.id, pictures)
        results.append(result)
    return results


def _by_service(verdicts: Iterable[Verdict]) -> list[list[Verdict]]:
    """The verdicts of each service that speaks of boxes (of all, where none found any)."""
    services: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        services.setdefault(verdict.service, []).append(verdict)
    with_boxes = [said for said in services.values() if any(v.boxes for v in said)]
    return with_boxes or list(services.values())[:1]


def counted(verdicts: Sequence[Verdict]) -> Counters:
    """Counters of a vehicle that was killed, from the verdicts that its recorder kept."""
    frames = {(verdict.camera_id, verdict.tick) for verdict in verdicts}
    span_ns = verdicts[-1].stamp_ns - verdicts[0].stamp_ns if verdicts else 0
    return Counters(
        captured=len(frames),
        verdicts=len(verdicts),
        late=sum(verdict.is_late for verdict in verdicts),
        answers=dict(Counter(verdict.answer for verdict in verdicts)),
        fps=(len(frames) - 1) / (span_ns / 1e9) if span_ns else 0.0,
    )


def summarise(folder: RunFolder, results: Sequence[VehicleResult]) -> Json:
    """The content of `summary.json`."""
    config = folder.config
    world = folder.world()
    links = link_figures(folder.link_rows())
    _add_expected(folder, links)
    vehicles = {r.vehicle_id: _of_vehicle(folder, r, world, links) for r in results}
    counters = [result.counters for result in results]
    notes = [note for result in results for note in result.notes]
    factor = world.real_time_factor if world else None
    is_held = config.bridge.pace == "hold"  # then no figure depends on the machine's pace
    if factor is not None and factor < FLATTERED_BELOW and not is_held:
        notes.append(f"real_time_factor {factor:.2f}: latency figures are flattered by it")
    ttcs = list(world.min_ttc_s.values()) if world else []
    return {
        "name": config.name,
        "seed": config.seed,
        "duration_s": config.duration_s,
        "world": world.adapter if world else None,
        **_counters(counters),
        "pipelines": pipelines_of(v for result in results for v in result.verdicts),
        **_ages(verdict for result in results for verdict in result.verdicts),
        "fps": _round(_mean([c.fps for c in counters]), 2),
        "real_time_factor": _round(factor, 3),
        "f1_current": _round(sum((r.f1 for r in results), Counts()).f1, 4),
        "f1_boxes": sum(result.f1.hits + result.f1.missed for result in results),
        "f1_objects": sum(len(result.objects) for result in results),
        "f1_alone": _f1s(_pooled(result.alone for result in results)),
        "outage_share": _round(_mean([_outage(links, v.id) for v in config.vehicles]), 4),
        "collisions": sum(world.collisions.values()) if world else None,
        "min_ttc_s": _round(min(ttcs), 2) if ttcs else None,
        "hard_brakes": sum(world.hard_brakes.values()) if world else None,
        "vehicles": vehicles,
        "links": {f"{v}.{u}": figures for (v, u), figures in links.items() if u},
        "notes": notes,
    }


def _of_vehicle(
    folder: RunFolder,
    result: VehicleResult,
    world: WorldFigures | None,
    links: Mapping[tuple[str, str], Json],
) -> Json:
    section = folder.config.vehicle(result.vehicle_id)
    name = result.vehicle_id
    return {
        "policy": section.policy.name,
        "deadline_ms": section.deadline_ms,
        "compute": {
            "slowdown": section.compute.slowdown,
            "threads": section.compute.threads,
            "watts": section.compute.watts,
        },
        "models": result.counters.models,
        **_counters([result.counters]),
        "pipelines": pipelines_of(result.verdicts),
        "faults": result.counters.faults,
        **_ages(result.verdicts),
        "stages_ms": _stages(result.verdicts),
        "fps": _round(result.counters.fps, 2),
        "f1_current": _round(result.f1.f1, 4),
        "f1_boxes": result.f1.hits + result.f1.missed,
        "f1_objects": len(result.objects),
        "precision": _round(result.f1.precision, 4),
        "recall": _round(result.f1.recall, 4),
        "f1_alone": _f1s(result.alone),
        "outage_share": _round(_outage(links, name), 4),
        "collisions": world.collisions.get(name) if world else None,
        "min_ttc_s": _round(world.min_ttc_s.get(name), 2) if world else None,
        "hard_brakes": world.hard_brakes.get(name) if world else None,
    }


def _counters(counters: Sequence[Counters]) -> Json:
    return {
        "captured": sum(c.captured for c in counters),
        "missed_upstream": sum(c.missed_upstream for c in counters),
        "verdicts": sum(c.verdicts for c in counters),
        "late": sum(c.late for c in counters),
        "placements": {p: sum(c.answers.get(p, 0) for c in counters) for p in PLACES},
        "offload": {o: sum(c.offload.get(o, 0) for c in counters) for o in OFFLOAD},
    }


def _ages(verdicts: Iterable[Verdict]) -> Json:
    """Percentiles of age (frame to verdict) and of the age of the model's last look."""
    pairs = [(verdict.age_ms, verdict.answer_age_ms) for verdict in verdicts]
    return {
        "age_ms": _percentiles([age for age, _ in pairs]),
        "answer_age_ms": _percentiles([age for _, age in pairs]),
    }


def _stages(verdicts: Sequence[Verdict]) -> dict[str, dict[str, float | None]]:
    names = sorted({name for verdict in verdicts for name in verdict.stages_ms})
    return {
        name: _percentiles([v.stages_ms[name] for v in verdicts if name in v.stages_ms])
        for name in names
    }


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"p50": None, "p99": None}
    p50, p99 = np.percentile(np.array(values, np.float64), [50, 99])
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2)}


def link_figures(rows: Sequence[tuple[int, LinkRow]]) -> dict[tuple[str, str], Json]:
    """Outage share and mean rate of each link; under (vehicle, "") of no link at all.

    Rows before any pose is known say nothing of the radio and do not count.
    """
    up: dict[tuple[str, str], dict[int, float]] = {}
    for _, row in rows:
        if row.state != "unknown":
            instant = round(row.t_s * 10)
            up.setdefault((row.vehicle_id, row.unit_id), {})[instant] = row.up_bps
    figures: dict[tuple[str, str], Json] = {}
    for key, rates in up.items():
        values = np.array(list(rates.values()))
        figures[key] = {
            "outage_share": round(float(np.mean(values <= 0.0)), 4),
            "mean_up_mbps": round(float(values.mean()) / 1e6, 3),
        }
    for vehicle in {key[0] for key in up}:
        mine = [rates for key, rates in up.items() if key[0] == vehicle]
        common = set.intersection(*(set(rates) for rates in mine))
        if common:
            out = [all(rates[instant] <= 0.0 for rates in mine) for instant in common]
            figures[vehicle, ""] = {"outage_share": round(float(np.mean(out)), 4)}
    return figures


def _add_expected(folder: RunFolder, links: Mapping[tuple[str, str], Json]) -> None:
    """What the channel's model expected, where the link emulator wrote it down."""
    try:
        written = json.loads((folder.path / "link.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    pairs = written.get("pairs", written) if isinstance(written, dict) else {}
    for (vehicle, unit), figures in links.items():
        own = pairs.get(f"{vehicle}.{unit}") if isinstance(pairs, dict) else None
        if isinstance(own, dict):
            figures.update({k: v for k, v in own.items() if k not in figures})


def _outage(links: Mapping[tuple[str, str], Json], vehicle_id: str) -> float | None:
    share = links.get((vehicle_id, ""), {}).get("outage_share")
    return share if isinstance(share, float) else None


def _pooled(parts: Iterable[Mapping[str, Counts]]) -> dict[str, Counts]:
    total: dict[str, Counts] = {}
    for part in parts:
        for name, counts in part.items():
            total[name] = total.get(name, Counts()) + counts
    return total


def _f1s(counts: Mapping[str, Counts]) -> dict[str, float | None]:
    return {name: _round(c.f1, 4) for name, c in counts.items()}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
