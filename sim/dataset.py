"""`vdap dataset OUT`: drives through the world and writes pictures with their truth, in COCO form.

The pictures are recorded in segments. A segment has its own town, looks, traffic and cameras, all
drawn from the seed, so the same command writes the same set, and a stopped one goes on.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, VdapError
from sim.calibration import Intrinsics
from sim.ego_driver import EgoDriver
from sim.engine.geometry import Pose
from sim.ground_truth import CLASSES, TRAFFIC_LIGHT, GroundTruth, TruthBox
from sim.world import Body, CameraMount, Ego, EgoState, World, WorldTick
from sim.worlds import town_of

ANNOTATIONS = "annotations.json"
PICTURES = "images"
SEGMENTS = "segments"
JPEG_QUALITY = 95
DELTA_S = 0.1  # of a tick
EVERY_TICKS = 6  # so that pictures of one camera differ
WARM_UP_TICKS = 30  # until traffic has spread and moves
STANDING = 0.3  # m/s
MAX_STANDING = 2  # pictures of one wait at a light
DEFAULT_TOWNS = ["VdapTown01", "VdapTown02", "VdapTown03", "VdapTown04"]
LOOK_AHEAD_M = 7.0  # the least gap to what stands in the way; grows by a second of driving


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command was told.

    Attributes:
        images: Pictures in all.
        towns: Names of those to drive through, in turn.
        asset_seeds: Looks of cars, people and houses, in turn.
        seed: Of traffic, places and cameras.
        width: Of a picture, pixels.
        height: Of a picture, pixels.
        per_segment: Pictures of one segment.
        egos: Driven at once in one segment.
    """

    images: int
    towns: tuple[str, ...]
    asset_seeds: tuple[int, ...]
    seed: int
    width: int = 640
    height: int = 384
    per_segment: int = 160
    egos: int = 6

    @property
    def segments(self) -> int:
        """How many it takes."""
        return math.ceil(self.images / self.per_segment)

    def pictures_of(self, segment: int) -> int:
        """Pictures of one segment; the last may have fewer."""
        return min(self.per_segment, self.images - segment * self.per_segment)


@dataclass(frozen=True, slots=True)
class Segment:
    """One drive: what the world looks like, who is in it and how the cameras look.

    Attributes:
        index: Number of the segment.
        pictures: To take.
        town: Its name.
        asset_seed: Of the looks.
        traffic_seed: Of who drives and walks where.
        vehicles: Other vehicles asked for.
        pedestrians: Asked for.
        egos: Spawn index, speed in m/s and camera of each ego.
    """

    index: int
    pictures: int
    town: str
    asset_seed: int
    traffic_seed: int
    vehicles: int
    pedestrians: int
    egos: tuple[tuple[int, float, CameraMount], ...]


OpenWorld = Callable[[Segment], World]


def segment_of(plan: Plan, index: int) -> Segment:
    """Draws one segment; the same for the same plan."""
    random = np.random.default_rng((plan.seed, index))
    town = plan.towns[index % len(plan.towns)]
    asset = plan.asset_seeds[index // len(plan.towns) % len(plan.asset_seeds)]
    egos = tuple(
        (
            int(random.integers(0, 1000)),
            float(random.uniform(6.0, 11.0)),
            _mount(plan, random),
        )
        for _ in range(plan.egos)
    )
    return Segment(
        index,
        plan.pictures_of(index),
        town,
        asset,
        int(random.integers(1, 1 << 30)),
        int(random.integers(50, 100)),
        int(random.integers(60, 140)),
        egos,
    )


def _mount(plan: Plan, random: np.random.Generator) -> CameraMount:
    """A windscreen or roof camera, most often looking ahead."""
    is_ahead = random.random() < 0.7
    pose = Pose(
        float(random.uniform(0.6, 1.8)),
        float(random.uniform(-0.4, 0.4)),
        float(random.uniform(1.2, 1.9)),
        float(random.normal(0.0, 0.03) if is_ahead else random.uniform(-0.9, 0.9)),
        float(random.normal(-0.02, 0.03)),
        float(random.normal(0.0, 0.01)),
    )
    fov_deg = float(random.choice([90.0, random.uniform(65.0, 100.0)]))
    intrinsics = Intrinsics.from_fov(plan.width, plan.height, fov_deg)
    return CameraMount(pose, intrinsics)


class _Driven:
    """One ego with its driver, its camera and the truth of it."""

    def __init__(self, world: World, number: int, spawn: int, speed: float, mount: CameraMount):
        self.ego: Ego = world.spawn_ego(f"ego{number}", spawn, "random")
        self.camera = world.attach_camera(self.ego, mount)
        self.truth = GroundTruth(mount.intrinsics, self.ego.actor_id)
        self.stood = 0  # pictures in a row that were taken without moving
        self._driver = EgoDriver(self.ego, world.stop_lines(), speed)

    def drive(self, world: World, seen: WorldTick) -> None:
        """Pedals for the next tick; unlike a demo's ego it stops for what stands in its way."""
        state = seen.egos[self.ego.actor_id]
        control = self._driver.control(state, seen.lights, DELTA_S)
        if is_blocked(self.ego.actor_id, state, seen.bodies):
            world.apply_control(self.ego.actor_id, 0.0, control.steer, 1.0)
            return
        world.apply_control(self.ego.actor_id, control.throttle, control.steer, control.brake)


def is_blocked(actor_id: int, state: EgoState, bodies: Sequence[Body]) -> bool:
    """Whether a road user stands in the ego's lane within what it drives in a second."""
    cos, sin = math.cos(state.pose.yaw), math.sin(state.pose.yaw)
    for body in bodies:
        if body.actor_id == actor_id or body.class_id == TRAFFIC_LIGHT:
            continue
        dx, dy = body.pose.x - state.pose.x, body.pose.y - state.pose.y
        ahead, left = cos * dx + sin * dy, cos * dy - sin * dx
        if 0.0 < ahead < LOOK_AHEAD_M + state.speed and abs(left) < 1.6:
            return True
    return False


def record(world: World, segment: Segment) -> Iterator[tuple[NDArray[np.uint8], list[TruthBox]]]:
    """Drives one segment and yields each picture (H, W, 3) BGR with its truth."""
    world.traffic(segment.vehicles, segment.pedestrians, segment.traffic_seed)
    driven = [_Driven(world, number, *ego) for number, ego in enumerate(segment.egos)]
    patience = WARM_UP_TICKS + 3 * EVERY_TICKS * segment.pictures  # ticks; then stuck or not
    taken, ticks = 0, 0
    while taken < segment.pictures:
        seen = world.tick()
        ticks += 1
        for each in driven:
            each.drive(world, seen)
        if ticks < WARM_UP_TICKS or ticks % EVERY_TICKS:
            continue
        for each in driven:
            is_standing = seen.egos[each.ego.actor_id].speed < STANDING
            each.stood = each.stood + 1 if is_standing else 0
            if each.stood > MAX_STANDING and ticks < patience:
                continue
            picture = world.picture(each.camera)
            if picture is None or taken == segment.pictures:
                continue
            taken += 1
            yield picture.bgr, each.truth.boxes(picture, seen.bodies)


def write_segment(world: World, segment: Segment, out: Path) -> None:
    """Records one segment: its pictures, and when all are there, its part of the annotations."""
    images: list[Mapping[str, object]] = []
    annotations: list[Mapping[str, object]] = []
    for number, (bgr, boxes) in enumerate(record(world, segment)):
        name = f"s{segment.index:04d}_{number:04d}.jpg"
        height, width = bgr.shape[:2]
        cv2.imwrite(str(out / PICTURES / name), bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        images.append({"file_name": name, "width": width, "height": height})
        annotations.extend(_annotation(name, box) for box in boxes)
    part = {"segment": segment.index, "images": images, "annotations": annotations}
    _write_json(_segment_path(out, segment.index), part)


def _annotation(name: str, box: TruthBox) -> dict[str, object]:
    x1, y1, x2, y2 = box.xyxy
    return {
        "file_name": name,
        "category_id": box.class_id + 1,
        "bbox": [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)],
        "area": round((x2 - x1) * (y2 - y1), 2),
        "iscrowd": 0,
        "visibility": round(box.visibility, 4),
        "distance_m": round(box.distance_m, 2),
        "actor_id": box.actor_id,
    }


def assemble(plan: Plan, out: Path) -> tuple[int, int]:
    """Joins the segments into annotations.json; returns the numbers of pictures and boxes."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    ids: dict[str, int] = {}
    for index in range(plan.segments):
        part = json.loads(_segment_path(out, index).read_text(encoding="utf-8"))
        for image in part["images"]:
            ids[image["file_name"]] = len(images) + 1
            images.append({"id": len(images) + 1, **image})
        for annotation in part["annotations"]:
            picture = ids[annotation.pop("file_name")]
            annotations.append({"id": len(annotations) + 1, "image_id": picture, **annotation})
    table = {
        "info": {"description": "recorded by vdap dataset", **asdict(plan)},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": index + 1, "name": name} for index, name in enumerate(CLASSES)],
    }
    _write_json(out / ANNOTATIONS, table)
    return len(images), len(annotations)


def _segment_path(out: Path, index: int) -> Path:
    return out / SEGMENTS / f"{index:04d}.json"


def _write_json(path: Path, table: Mapping[str, object]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(table), encoding="utf-8")
    part.rename(path)


def _begin(plan: Plan, out: Path) -> list[int]:
    """Makes the folders; returns the segments that are still to record.

    Raises:
        ConfigError: The folder holds a set of another plan.
    """
    (out / PICTURES).mkdir(parents=True, exist_ok=True)
    (out / SEGMENTS).mkdir(exist_ok=True)
    told = json.loads(json.dumps(asdict(plan)))
    path = out / "plan.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != told:
        raise ConfigError(f"{out} holds a set recorded with other options; give another folder")
    _write_json(path, told)
    return [index for index in range(plan.segments) if not _segment_path(out, index).exists()]


def record_all(
    plan: Plan,
    out: Path,
    open_world: OpenWorld,
    report: Callable[[int], None],
    workers: int = 1,
) -> tuple[int, int]:
    """Records what is missing of a set and joins it; returns numbers of pictures and boxes.

    Args:
        plan: What to record.
        out: The set's folder.
        open_world: Makes the world of a segment; with several workers, a function of a module.
        report: Told the number of pictures after each segment, those of an earlier run included.
        workers: Processes, each with a segment of its own.
    """
    missing = _begin(plan, out)
    done = plan.images - sum(plan.pictures_of(index) for index in missing)
    report(done)
    record_one = functools.partial(_record_one, plan, out, open_world)
    if workers == 1:
        for pictures in map(record_one, missing):
            done += pictures
            report(done)
        return assemble(plan, out)
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, fresh) as pool:
        for future in as_completed([pool.submit(record_one, index) for index in missing]):
            done += future.result()
            report(done)
    return assemble(plan, out)


def _record_one(plan: Plan, out: Path, open_world: OpenWorld, index: int) -> int:
    segment = segment_of(plan, index)
    world = open_world(segment)
    try:
        write_segment(world, segment, out)
    finally:
        world.close()
    return segment.pictures


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(prog="vdap dataset", description=__doc__)
    it.add_argument("out", type=Path, help="folder of the set; a started one goes on")
    it.add_argument("--images", type=int, default=4000)
    it.add_argument("--towns", nargs="+", default=DEFAULT_TOWNS, metavar="TOWN")
    it.add_argument("--asset-seeds", type=int, nargs="+", default=[1, 2, 3], metavar="SEED")
    it.add_argument("--seed", type=int, default=1, help="of traffic, places and cameras")
    it.add_argument("--width", type=int, default=640)
    it.add_argument("--height", type=int, default=384)
    it.add_argument("--workers", type=int, default=1, help="processes that record")
    return it


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    arguments = parser().parse_args(argv)
    try:
        plan = Plan(
            arguments.images,
            tuple(town_of(town, 1) for town in arguments.towns),
            tuple(arguments.asset_seeds),
            arguments.seed,
            arguments.width,
            arguments.height,
        )
        pictures, boxes = _with_progress(plan, arguments.out, arguments.workers)
    except VdapError as error:
        sys.stderr.write(f"vdap dataset: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("vdap dataset: stopped; the same command goes on\n")
        return 130
    sys.stdout.write(f"{pictures} pictures with {boxes} boxes in {arguments.out}\n")
    return 0


def _with_progress(plan: Plan, out: Path, workers: int) -> tuple[int, int]:
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    cv2.setNumThreads(1)
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("pictures", total=plan.images)

        def report(done: int) -> None:
            progress.update(task, completed=done)

        return record_all(plan, out, _open_world, report, workers)


def _open_world(segment: Segment) -> World:
    from sim.inprocess_world import InprocessWorld

    return InprocessWorld(
        town=segment.town,
        asset_seed=segment.asset_seed,
        seed=segment.traffic_seed,
        fixed_delta_s=DELTA_S,
    )


if __name__ == "__main__":
    sys.exit(main())
