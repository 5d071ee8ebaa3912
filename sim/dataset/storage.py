"""The folder of a data set: pictures, tags, one file a segment, and the joined COCO annotations."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2

from scheduler.errors import ConfigError
from sim.dataset.crew import Crew
from sim.dataset.plan import Plan, Segment, segment_of
from sim.dataset.recording import Shot, record
from sim.ground_truth import CLASSES, TruthBox
from sim.plate_truth import PlateBox
from sim.world import World

ANNOTATIONS = "annotations.json"
PICTURES = "images"
MASKS = "masks"
SEGMENTS = "segments"
PATIENCE_S = 300.0  # between two pictures; the first waits for a town and for compilation

OpenWorld = Callable[[Segment, int], World]


def write_segment(
    world: World, segment: Segment, plan: Plan, out: Path, tell: Callable[[], None]
) -> None:
    """Records one segment: its pictures, and when all are there, its part of the annotations."""
    images: list[Mapping[str, object]] = []
    annotations: list[Mapping[str, object]] = []
    plates: list[Mapping[str, object]] = []
    about = {"town": segment.town, "asset_seed": segment.asset_seed, "weather": segment.sky.name}
    if plan.world != "embedded":
        about = {"town": world.town.rpartition("/")[2], "weather": segment.sky.name}
    for number, shot in enumerate(record(world, segment)):
        name = f"s{segment.index:04d}_{number:04d}.jpg"
        height, width = shot.bgr.shape[:2]
        cv2.imwrite(str(out / PICTURES / name), shot.bgr, [cv2.IMWRITE_JPEG_QUALITY, plan.quality])
        cv2.imwrite(str(out / MASKS / f"{Path(name).stem}.png"), shot.semantic)
        whose = {"vehicle": shot.vehicle, "camera": shot.camera, "sim_ns": shot.sim_ns}
        images.append({"file_name": name, "width": width, "height": height, **about, **whose})
        tall = (box for box in shot.boxes if box.xyxy[3] - box.xyxy[1] >= plan.min_height)
        annotations.extend(_annotation(name, box, shot) for box in tall)
        plates.extend(_plate(name, plate) for plate in shot.plates)
        tell()
    part = {
        "segment": segment.index,
        "images": images,
        "annotations": annotations,
        "plates": plates,
    }
    _write_json(_segment_path(out, segment.index), part)


def _annotation(name: str, box: TruthBox, shot: Shot) -> dict[str, object]:
    x1, y1, x2, y2 = box.xyxy
    state = shot.light_of(box)
    return {
        **({"state": state} if state else {}),
        "file_name": name,
        "category_id": box.class_id + 1,
        "bbox": [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)],
        "area": round((x2 - x1) * (y2 - y1), 2),
        "iscrowd": 0,
        "visibility": round(box.visibility, 4),
        "distance_m": round(box.distance_m, 2),
        "actor_id": box.actor_id,
    }


def _plate(name: str, plate: PlateBox) -> dict[str, object]:
    x1, y1, x2, y2 = plate.xyxy
    return {
        "file_name": name,
        "bbox": [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)],
        "quad": [round(v, 2) for corner in plate.corners for v in corner],
        "readable": plate.is_readable,
        "actor_id": plate.actor_id,
    }


def assemble(plan: Plan, out: Path) -> dict[str, Any]:
    """Joins the segments into annotations.json; returns what it holds."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    plates: list[dict[str, object]] = []
    ids: dict[str, int] = {}
    for index in range(plan.segments):
        part = json.loads(_segment_path(out, index).read_text(encoding="utf-8"))
        for image in part["images"]:
            ids[image["file_name"]] = len(images) + 1
            images.append({"id": len(images) + 1, **image})
        for annotation in part["annotations"]:
            picture = ids[annotation.pop("file_name")]
            annotations.append({"id": len(annotations) + 1, "image_id": picture, **annotation})
        # sets of an older version have none
        plates.extend({"image_id": ids[p.pop("file_name")], **p} for p in part.get("plates", []))
    table: dict[str, Any] = {
        "info": {"description": "recorded by vdap dataset", "vdap": _version(), **asdict(plan)},
        "images": images,
        "annotations": annotations,
        "plates": plates,
        "categories": [{"id": index + 1, "name": name} for index, name in enumerate(CLASSES)],
    }
    _write_json(out / ANNOTATIONS, table)
    return table


def _version() -> str:
    try:
        return version("vdap")
    except PackageNotFoundError:
        return "not installed"


def _segment_path(out: Path, index: int) -> Path:
    return out / SEGMENTS / f"{index:04d}.json"


def _write_json(path: Path, table: Mapping[str, object]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(table), encoding="utf-8")
    part.rename(path)


def begin(plan: Plan, out: Path) -> list[int]:
    """Makes the folders; returns the segments that are still to record.

    Raises:
        ConfigError: The folder holds a set of another plan.
    """
    told = json.loads(json.dumps(asdict(plan)))
    path = out / "plan.json"
    if path.exists():
        held = json.loads(path.read_text(encoding="utf-8"))
        usual = {**told, **json.loads(json.dumps(asdict(Plan(0, (), (), 0))))}
        differs = [name for name in told if {**usual, **held}[name] != told[name]]
        if differs:
            raise ConfigError(
                f"{out} holds a set recorded with other options ({', '.join(differs)}); "
                "give another folder"
            )
    for folder in (PICTURES, SEGMENTS, MASKS):
        (out / folder).mkdir(parents=True, exist_ok=True)
    _write_json(path, told)
    return [index for index in range(plan.segments) if not _segment_path(out, index).exists()]


def record_all(
    plan: Plan,
    out: Path,
    open_world: OpenWorld,
    report: Callable[[int], None],
    workers: int = 0,
) -> dict[str, Any]:
    """Records what is missing of a set and joins it; returns the annotations.

    Args:
        plan: What to record.
        out: The set's folder.
        open_world: Makes the world of a segment at the n-th attempt; with workers, a function of a
            module.
        report: Told the number of pictures whenever it changes, those of an earlier run included.
        workers: Processes, each with a segment of its own; 0 records in this one.

    Raises:
        ConfigError: The folder holds a set of another plan.
        WorldError: The world broke down.
    """
    missing = begin(plan, out)
    done = plan.images - sum(plan.pictures_of(index) for index in missing)
    report(done)
    record_one = functools.partial(_record_one, plan, out, open_world)
    if workers:
        for step in Crew(record_one, min(workers, max(1, len(missing))), PATIENCE_S).run(missing):
            done += step
            report(done)
        return assemble(plan, out)

    def tell() -> None:
        nonlocal done
        done += 1
        report(done)

    for index in missing:
        record_one(index, 1, tell)
    return assemble(plan, out)


def _record_one(
    plan: Plan,
    out: Path,
    open_world: OpenWorld,
    index: int,
    attempt: int,
    tell: Callable[[], None],
) -> None:
    cv2.setNumThreads(1)
    segment = segment_of(plan, index)
    world = open_world(segment, attempt)
    try:
        write_segment(world, segment, plan, out, tell)
    finally:
        world.close()
