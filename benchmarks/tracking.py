"""What flow and the filters bring: boxes that hold at an age, and metres against the truth.

    python benchmarks/tracking.py [--detector small | noisy | FILE.onnx] [--quick]

Records short drives through the embedded world once (into runs/benchmark_drives), runs the detector
over them once, and replays them: pictures ten a second, answers at a given age, flow after 20 ms.
At every 50 ms the boxes that are believed then are held against the truth of that instant.
"noisy" stands for a detector: true boxes with 3 % of noise, a tenth of them missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import tracking_drives
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tracking_drives import HEIGHT, MOUNT, PLANS, WIDTH, Step

from scheduler.errors import VdapError
from vehicle.perception.boxes import iou
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec, load_detector
from vehicle.perception.flow import BoxFlow, FlowOptions
from vehicle.perception.motion import Motion
from vehicle.perception.scores.matching import Truth
from vehicle.perception.scores.streaming import Counts, count
from vehicle.perception.tracker import Tracker, Tracks
from vehicle.services.ground import GroundCamera
from vehicle.services.ranging import OwnMotion, Place, Ranging

MS = 1_000_000
FRAME_STEPS = 2  # steps of 50 ms between two pictures that the vehicle gets
FLOW_MS = 20  # from a picture to its motion
SETTLE_STEPS = 20  # of a drive, not counted
FLOWS: dict[str, FlowOptions | None] = {
    "none": None,
    "LK": FlowOptions(),
    "LK, else dense": FlowOptions(is_dense=True),
    "dense": FlowOptions(most_in_box=0, is_dense=True),
}
SETTINGS = ((20, 1), (100, 1), (200, 1), (300, 1), (20, 3), (300, 3))  # age in ms, look each n-th
QUICK_SETTINGS, QUICK_FLOWS = ((100, 1), (300, 1), (20, 3)), ("none", "LK")
RECORDED = 400  # pictures of a drive, twenty a second
BANDS = ((0.0, 15.0), (15.0, 30.0), (30.0, 80.0))


@dataclass(frozen=True, slots=True)
class Drive:
    """A recorded drive and what the detector found in each of its pictures."""

    steps: Sequence[Step]
    found: Sequence[Detections]


@dataclass(slots=True)
class Held:
    """How well boxes held, and what the flow cost."""

    counts: Counts = field(default_factory=Counts)
    overlaps: list[float] = field(default_factory=list)
    flow_ms: list[float] = field(default_factory=list)


def noisy(step: Step, random: np.random.Generator) -> Detections:
    """The truth as a middling detector sees it."""
    boxes = step.xyxy
    seen = (random.random(len(boxes)) > 0.1) & (step.visibility > 0.25)
    seen &= boxes[:, 3] - boxes[:, 1] > 15
    boxes = boxes[seen]
    error = np.maximum(0.03 * (boxes[:, 2:] - boxes[:, :2]).mean(axis=1, keepdims=True), 0.7)
    shaken = (boxes + random.normal(0, 1, boxes.shape) * error).astype(np.float32)
    return Detections(shaken, np.full(len(boxes), 0.9, np.float32), step.class_id[seen])


def load(folder: Path, detector: str, pictures: int) -> list[Drive]:
    """Records what is missing, and detects."""
    drives = []
    random = np.random.default_rng(5)
    spec = DetectorSpec(Path(detector).stem, weights=detector)
    network = None if detector == "noisy" else load_detector(spec)
    for plan in PLANS:
        place = folder / plan.name.replace(",", "").replace(" ", "_")
        tracking_drives.record(plan, place, RECORDED)
        steps = list(tracking_drives.steps(place))[:pictures]
        found = [network.detect(s.image) if network else noisy(s, random) for s in steps]
        drives.append(Drive(steps, found))
    return drives


def held(drive: Drive, age_ms: int, every: int, flow: FlowOptions | None) -> Held:
    """Replays a drive with answers `age_ms` old, one for each `every`-th picture."""
    tracker, motion = Tracker(), BoxFlow(flow) if flow else None
    coming: list[tuple[int, int, Detections | Motion]] = []  # due, picture's instant, what
    result = Held()
    for index, (step, found) in enumerate(zip(drive.steps, drive.found, strict=True)):
        now = step.stamp_ns
        for item in [item for item in coming if item[0] <= now]:
            coming.remove(item)
            if isinstance(item[2], Motion):
                tracker.move(item[2])
            else:
                tracker.update(item[2], item[1])
        if index % FRAME_STEPS == 0:
            if (index // FRAME_STEPS) % every == 0:
                coming.append((now + age_ms * MS, now, found))
            if motion is not None:
                began = time.thread_time_ns()
                moved = motion.update(step.image, now, tracker.predict(now).xyxy)
                result.flow_ms.append((time.thread_time_ns() - began) * 1e-6)
                coming.append((now + FLOW_MS * MS, now, moved))
        if index >= SETTLE_STEPS:
            _score(result, tracker.predict(now), step)
    return result


def _score(result: Held, tracks: Tracks, step: Step) -> None:
    xyxy = np.clip(tracks.xyxy, 0, np.array([WIDTH, HEIGHT] * 2, np.float32))
    truth = Truth.seen(step.xyxy, step.class_id, step.visibility)
    result.counts += count(replace(tracks, xyxy=xyxy), truth)
    overlap = iou(truth.xyxy[~truth.is_ignored], xyxy)
    overlap[truth.class_id[~truth.is_ignored][:, None] != tracks.class_id[None, :]] = 0.0
    if overlap.size:
        best = overlap.max(axis=1)
        result.overlaps += best[best > 0.1].tolist()


def ages_table(drives: Sequence[Drive], is_quick: bool) -> Table:
    """Flow by age of the answers."""
    settings = QUICK_SETTINGS if is_quick else SETTINGS
    flows = {name: FLOWS[name] for name in (QUICK_FLOWS if is_quick else FLOWS)}
    table = Table(title="streaming F1, and mean IoU of what is followed, by flow")
    for column in ("answers", *flows):
        table.add_column(column, justify="left" if column == "answers" else "right")
    spent: dict[str, list[float]] = {name: [] for name in flows}
    for age_ms, every in settings:
        row = []
        for name, options in flows.items():
            results = [held(drive, age_ms, every, options) for drive in drives]
            f1 = statistics.mean(r.counts.f1 or 0.0 for r in results)
            overlap = statistics.mean(o for r in results for o in r.overlaps)
            row.append(f"{f1:.3f} {overlap:.3f}")
            spent[name] += [ms for r in results for ms in r.flow_ms]
        table.add_row(f"{age_ms} ms" + ("" if every == 1 else f", every {every}rd"), *row)
    table.add_row(
        "CPU ms a picture", *(f"{statistics.median(ms):.2f}" if ms else "" for ms in spent.values())
    )
    return table


@dataclass(frozen=True, slots=True)
class Metres:
    """One object at one instant: where it was and what was believed."""

    distance: float
    place: Place
    true_place: NDArray[np.float64]
    true_velocity: NDArray[np.float64]
    true_ttc: float | None


def metres(drive: Drive, flow: FlowOptions | None) -> list[Metres]:
    """What ranging says of each object that is whole in the picture and followed."""
    tracker, motion, ranging = Tracker(), BoxFlow(flow) if flow else None, Ranging()
    intrinsics = (WIDTH / 2.0, WIDTH / 2.0, WIDTH / 2.0, HEIGHT / 2.0)
    mount = (MOUNT.x, MOUNT.y, MOUNT.z, 0.0, 0.0, 0.0)
    ranging.aim(GroundCamera(intrinsics, (), mount), WIDTH, HEIGHT)
    rows: list[Metres] = []
    for index, (step, found) in enumerate(zip(drive.steps, drive.found, strict=True)):
        if index % FRAME_STEPS:
            continue
        now = step.stamp_ns
        ranging.drive(OwnMotion(step.speed, step.yaw_rate))
        if motion is not None:
            moved = motion.update(step.image, now, tracker.predict(now).xyxy)
            tracker.move(moved)
            ranging.move(moved, tracker.predict(now))
        tracker.update(found, now)
        tracks = tracker.predict(now)
        ranging.look(tracks)
        if index >= SETTLE_STEPS:
            rows += _compared(step, tracks, ranging.places(now))
    return rows


def _compared(step: Step, tracks: Tracks, places: dict[int, Place]) -> list[Metres]:
    truth = Truth.seen(step.xyxy, step.class_id, step.visibility)
    overlap = iou(step.xyxy, tracks.xyxy)
    overlap[step.class_id[:, None] != tracks.class_id[None, :]] = 0.0
    rows = []
    for index in np.flatnonzero(~truth.is_ignored).tolist():
        x1, _, x2, y2 = step.xyxy[index].tolist()
        is_whole = x1 > 2 and x2 < WIDTH - 2 and y2 < HEIGHT - 2
        best = int(overlap[index].argmax()) if overlap.shape[1] else -1
        if best < 0 or overlap[index, best] < 0.5 or not is_whole:
            continue
        place, velocity = step.place[index], step.velocity[index]
        closing = step.speed - velocity[0]
        ttc = (place[0] - MOUNT.x) / closing if closing > 0.5 else None
        known = places[int(tracks.track_id[best])]
        rows.append(Metres(float(place[0]), known, place, velocity, ttc))
    return rows


def metres_table(drives: Sequence[Drive]) -> Table:
    """Median errors by distance, with and without flow."""
    table = Table(title="median errors in metres, m/s and % of the time to collision below 10 s")
    for column in ("flow", "distance", "boxes", "range", "%", "side", "vx", "vy", "TTC", "told"):
        table.add_column(column, justify="left" if column in ("flow", "distance") else "right")
    for name in ("none", "LK"):
        rows = [row for drive in drives for row in metres(drive, FLOWS[name])]
        for low, high in BANDS:
            band = [row for row in rows if low <= row.distance < high]
            if band:
                table.add_row(name, f"{low:.0f}-{high:.0f} m", str(len(band)), *_errors(band))
    return table


def _errors(band: Sequence[Metres]) -> list[str]:
    def median(values: Sequence[float]) -> str:
        return f"{statistics.median(values):.2f}" if values else "-"

    share = statistics.median(abs(r.place.x - r.true_place[0]) / r.distance for r in band)
    near = [r for r in band if r.true_ttc is not None and 0 < r.true_ttc < 10]
    told = [(r.place.ttc_s, r.true_ttc) for r in near if r.place.ttc_s and r.true_ttc]
    ttc = [abs(mine - true) / true for mine, true in told]
    return [
        median([abs(r.place.x - r.true_place[0]) for r in band]),
        f"{share:.1%}",
        median([abs(r.place.y - r.true_place[1]) for r in band]),
        median([abs(r.place.vx - r.true_velocity[0]) for r in band]),
        median([abs(r.place.vy - r.true_velocity[1]) for r in band]),
        f"{statistics.median(ttc):.0%}" if ttc else "-",
        f"{len(ttc)}/{len(near)}",
    ]


def main() -> int:
    """Runs the benchmark."""
    it = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    it.add_argument("--detector", default="small", help="a rung, a model file, or noisy")
    it.add_argument("--pictures", type=int, default=RECORDED, help="of each drive, at most")
    it.add_argument("--quick", action="store_true", help="three ages, Lucas-Kanade alone")
    it.add_argument("--drives", type=Path, default=Path("runs") / "benchmark_drives")
    it.add_argument("--only", choices=("ages", "metres"))
    arguments = it.parse_args()
    cv2.setNumThreads(1)
    try:
        drives = load(arguments.drives, arguments.detector, arguments.pictures)
    except VdapError as error:
        sys.stderr.write(f"tracking: {error}\n")
        return error.exit_code
    console = Console()
    if arguments.only != "metres":
        console.print(ages_table(drives, arguments.quick))
    if arguments.only != "ages":
        console.print(metres_table(drives))
    return 0


if __name__ == "__main__":
    sys.exit(main())
