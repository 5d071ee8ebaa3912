"""The folder of a data set: pictures, tags, one file a segment, and the joined COCO annotations."""

from __future__ import annotations

import functools
import json
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import cv2

from scheduler.errors import ConfigError
from sim.dataset.plan import Plan, Segment, segment_of
from sim.dataset.recording import Shot, record
from sim.ground_truth import CLASSES, TruthBox
from sim.plate_truth import PlateBox
from sim.world import World

ANNOTATIONS = "annotations.json"
PICTURES = "images"
MASKS = "masks"
SEGMENTS = "segments"
JPEG_QUALITY = 95

OpenWorld = Callable[[Segment], World]


def write_segment(world: World, segment: Segment, out: Path) -> None:
    """Records one segment: its pictures, and when all are there, its part of the annotations."""
    images: list[Mapping[str, object]] = []
    annotations: list[Mapping[str, object]] = []
    plates: list[Mapping[str, object]] = []
    about = {"town": segment.town, "asset_seed": segment.asset_seed, "weather": segment.sky.name}
    for number, shot in enumerate(record(world, segment)):
        name = f"s{segment.index:04d}_{number:04d}.jpg"
        height, width = shot.bgr.shape[:2]
        cv2.imwrite(str(out / PICTURES / name), shot.bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        cv2.imwrite(str(out / MASKS / f"{Path(name).stem}.png"), shot.semantic)
        images.append({"file_name": name, "width": width, "height": height, **about})
        annotations.extend(_annotation(name, box, shot) for box in shot.boxes)
        plates.extend(_plate(name, plate) for plate in shot.plates)
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


def assemble(plan: Plan, out: Path) -> tuple[int, int]:
    """Joins the segments into annotations.json; returns the numbers of pictures and boxes."""
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
    table = {
        "info": {"description": "recorded by vdap dataset", **asdict(plan)},
        "images": images,
        "annotations": annotations,
        "plates": plates,
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
    (out / MASKS).mkdir(exist_ok=True)
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
