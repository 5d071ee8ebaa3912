"""A stranger's eye: how many of our road users a COCO detector recognises, by class and blueprint.

    python benchmarks/strangers_eye.py [--model PATH] [--pictures 320] [--towns NAME ...]

Half of the pictures are taken from driving cars, half look at one road user from a chosen side
and distance, so that every blueprint is seen. Counted are the truth boxes over 40 px high that the
border does not cut and of which at least half is seen: visible pixels over the pixels that the road
user has when it is drawn alone (the truth's own visibility is a share of the 3D box's outline, of
which a person fills a third). One is recalled where a detection of score
0.3 or more overlaps it by IoU 0.5 or more and names a class of its group: car, truck or bus for
what has more than two wheels; motorcycle, bicycle or person for two-wheelers with their riders;
person for walkers. A detection over 40 px is false where it overlaps no road user by 0.3 and is
not filled to 0.3 by pixels of road users: parked cars are level objects, which have no truth.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from sim.calibration import Intrinsics
from sim.engine.actor_instances import ActorInstances
from sim.engine.actors import Actor
from sim.engine.geometry import Pose
from sim.engine.render.renderer import CameraView, Renderer
from sim.engine.render.scene import Scene
from sim.engine.render.textures import Textures
from sim.engine.simulation import Engine, SpawnCollision
from sim.engine.town import build_town, town_names
from sim.ground_truth import CLASSES, GroundTruth, TruthBox
from sim.road_users import class_of_tag
from sim.world import Body, Picture
from vehicle.perception.boxes import iou
from vehicle.perception.detections import Detections
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.yolox import load_yolox

MODEL = Path(__file__).resolve().parents[2] / "shared/data/yolox_nano.onnx"
WIDTH, HEIGHT, FOV_DEG = 640, 384, 90.0
SCORE, IOU, NEAR_IOU = 0.3, 0.5, 0.3
ROAD_USER_TAGS = (12, 13, 14, 15, 16, 18, 19)  # CityObjectLabel
LEAST_HEIGHT, LEAST_VISIBILITY = 40.0, 0.5  # px, share
DELTA_S, BETWEEN_TICKS, WARM_UP_TICKS = 0.1, 5, 40
VEHICLES, WALKERS = 70, 60
FOUR_WHEELS, TWO_WHEELS, PEOPLE = "cars, trucks, buses", "two-wheelers", "people"
GROUP = {
    **dict.fromkeys(("car", "truck", "bus"), FOUR_WHEELS),
    **dict.fromkeys(("motorcycle", "bicycle"), TWO_WHEELS),
    "pedestrian": PEOPLE,
}
NAMED = {
    FOUR_WHEELS: ("car", "truck", "bus"),
    TWO_WHEELS: ("motorcycle", "bicycle", "pedestrian"),
    PEOPLE: ("pedestrian",),
}


@dataclass(slots=True)
class Tally:
    """Hits and misses under one heading."""

    truths: int = 0
    hits: int = 0
    detections: int = 0
    false: int = 0

    @property
    def recall(self) -> float:
        """Share of the truth that was found."""
        return self.hits / self.truths if self.truths else math.nan

    @property
    def precision(self) -> float:
        """Share of the detections that are true."""
        return 1.0 - self.false / self.detections if self.detections else math.nan


@dataclass(slots=True)
class Result:
    """All counts of a run, by group, by class of the truth, by blueprint, by kind of picture."""

    groups: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    classes: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    blueprints: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    sources: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))

    def score(
        self,
        truths: list[TruthBox],
        seen_share: list[float],
        names: dict[int, str],
        found: Detections,
        source: str,
        on_road_users: NDArray[np.bool_] | None = None,
    ) -> list[bool]:
        """Count one picture; returns whether each truth was recalled."""
        xyxy = np.array([truth.xyxy for truth in truths], np.float32).reshape(-1, 4)
        overlap = iou(xyxy, found.xyxy)
        classes = [CLASSES[int(c)] for c in found.class_id]
        taken: set[int] = set()
        recalled = []
        for row, truth in enumerate(truths):
            group = GROUP[CLASSES[truth.class_id]]
            usable = [k for k, name in enumerate(classes) if name in NAMED[group]]
            usable = [k for k in usable if k not in taken and overlap[row, k] >= IOU]
            best = max(usable, key=lambda k: overlap[row, k], default=None)
            if best is not None:
                taken.add(best)
            recalled.append(best is not None)
            if not is_counted(truth, seen_share[row]):
                continue
            kind = CLASSES[truth.class_id]
            for table, key in ((self.groups, group), (self.classes, kind),
                               (self.blueprints, names[truth.actor_id]),
                               (self.sources, f"{group}, {source}")):  # fmt: skip
                table[key].truths += 1
                table[key].hits += best is not None
        for k, name in enumerate(classes):
            if name not in GROUP or found.xyxy[k, 3] - found.xyxy[k, 1] < LEAST_HEIGHT:
                continue
            tally = self.groups[GROUP[name]]
            tally.detections += 1
            is_near = len(truths) > 0 and bool(overlap[:, k].max() >= NEAR_IOU)
            tally.false += not is_near and filled(on_road_users, found.xyxy[k]) < NEAR_IOU
        return recalled


def filled(mask: NDArray[np.bool_] | None, xyxy: NDArray[np.float32]) -> float:
    """Share of a box's pixels that a mask (H, W) has."""
    if mask is None:
        return 0.0
    x1, y1, x2, y2 = (max(int(v), 0) for v in xyxy)
    inside = mask[y1:y2, x1:x2]
    return float(inside.mean()) if inside.size else 0.0


def is_large(truth: TruthBox) -> bool:
    """High enough and whole."""
    x1, y1, x2, y2 = truth.xyxy
    is_whole = x1 > 1 and y1 > 1 and x2 < WIDTH - 1 and y2 < HEIGHT - 1
    return is_whole and y2 - y1 >= LEAST_HEIGHT


def is_counted(truth: TruthBox, seen_share: float) -> bool:
    """High enough, whole and visible enough."""
    return is_large(truth) and seen_share >= LEAST_VISIBILITY


@dataclass(frozen=True, slots=True)
class Taken:
    """One picture: how it was taken, what it shows, who is in it and how much of each is seen."""

    source: str
    bgr: NDArray[np.uint8]
    truths: list[TruthBox]
    seen_share: list[float]
    on_road_users: NDArray[np.bool_]


class Street:
    """A town with traffic of every blueprint, and the cameras that look at it."""

    def __init__(self, town: str, seed: int) -> None:
        self.engine = Engine(build_town(town), seed=seed, asset_seed=seed)
        self._random = random.Random(f"{town} {seed} eye")
        self.road_users: list[Actor] = []
        self._alone = Scene(Textures(seed))
        self._shapes = ActorInstances(seed)
        self._alone_renderer: Renderer | None = None
        engine, points = self.engine, self.engine.town
        for prefix, places, count, go in (
            ("vehicle.", points.spawn_points, VEHICLES, engine.follow_lanes),
            ("walker.", points.walker_spawn_points, WALKERS, engine.walk_pavement),
        ):
            names = [name for name in sorted(engine.blueprints) if name.startswith(prefix)]
            self._random.shuffle(names)
            places = self._random.sample(places, min(count, len(places)))
            for k, place in enumerate(places):
                name = names[k % len(names)]
                paints = {a.id: a.recommended for a in engine.blueprints[name].attributes}
                attributes = {}
                if paints.get("color"):
                    attributes["color"] = self._random.choice(paints["color"])
                try:
                    actor = engine.spawn(name, place, attributes)
                except SpawnCollision:
                    continue
                go(actor.id)
                self.road_users.append(actor)
        for _ in range(WARM_UP_TICKS):
            engine.tick(DELTA_S)

    def pictures(self, count: int) -> Iterator[Taken]:
        """Pictures in turns, from a driver's seat and at a road user: source, picture, truth."""
        drivers = [a for a in self.road_users if a.blueprint.semantic_tag == 14]
        walkers = [a for a in self.road_users if a.kind == "walker"]
        others = [a for a in self.road_users if a.kind != "walker"]
        subjects = [  # two on wheels for each on foot
            self._random.choice(walkers if k % 3 == 2 and walkers else others) for k in range(count)
        ]
        for number in range(count):
            for _ in range(BETWEEN_TICKS):
                self.engine.tick(DELTA_S)
            if number % 2:
                source, own, pose = "drives", *self._driver_view(self._random.choice(drivers))
            else:
                source, own, pose = (
                    "portraits",
                    0,
                    self._portrait(subjects[number // 2 % len(subjects)]),
                )
            yield self._take(source, pose, own)

    def _driver_view(self, actor: Actor) -> tuple[int, Pose]:
        draw = self._random
        yaw = draw.gauss(0, 0.05) if draw.random() < 0.6 else draw.uniform(-1.2, 1.2)
        local = Pose(actor.extent[0] * 0.3, 0.0, draw.uniform(1.3, 1.7), yaw, -0.02)
        return actor.id, actor.pose.compose(local)

    def _portrait(self, actor: Actor) -> Pose:
        """A camera at eye height that sees the actor 45 to 220 px high from any side."""
        draw = self._random
        focal = WIDTH / 2 / math.tan(math.radians(FOV_DEG / 2))
        height, length = 2 * actor.extent[2], 2 * actor.extent[0]
        wanted = math.exp(draw.uniform(math.log(45), math.log(220)))
        for _ in range(12):
            away = max(focal * height / wanted, 0.75 * length, 3.0)
            turn = draw.uniform(-math.pi, math.pi)
            x, y = actor.pose.x + away * math.cos(turn), actor.pose.y + away * math.sin(turn)
            if not self._is_in_building(x, y):
                break
        ground = self.engine.town.ground_height(x, y)
        yaw = turn + math.pi + draw.uniform(-0.35, 0.35)
        return Pose(x, y, ground + draw.uniform(1.3, 1.9), yaw, draw.uniform(-0.08, 0.02))

    def _is_in_building(self, x: float, y: float) -> bool:
        for building in self.engine.town.buildings:
            dx, dy = x - building.centre.x, y - building.centre.y
            c, s = math.cos(building.centre.yaw), math.sin(building.centre.yaw)
            if (abs(c * dx + s * dy) < building.length / 2 + 1
                    and abs(c * dy - s * dx) < building.width / 2 + 1):  # fmt: skip
                return True
        return False

    def _take(self, source: str, pose: Pose, own: int) -> Taken:
        view = CameraView(WIDTH, HEIGHT, FOV_DEG, pose.matrix())
        drawn = self.engine.picture(view)
        ids = drawn.instance.astype(np.uint16)
        seen = Picture(drawn.bgr, ids, drawn.semantic, pose.matrix())
        bodies = []
        for actor in self.road_users:
            name = "pedestrian"
            if actor.kind == "vehicle":
                name = class_of_tag(actor.blueprint.semantic_tag)
            middle = actor.pose.compose(Pose(*actor.box_offset))
            bodies.append(Body(actor.id, CLASSES.index(name), middle, actor.extent))
        truth = GroundTruth(Intrinsics.from_fov(WIDTH, HEIGHT, FOV_DEG), own)
        boxes = truth.boxes(seen, bodies)
        shares = [self._seen_share(box, ids, view) if is_large(box) else 0.0 for box in boxes]
        return Taken(source, drawn.bgr, boxes, shares, np.isin(drawn.semantic, ROAD_USER_TAGS))

    def _seen_share(self, box: TruthBox, ids: NDArray[np.uint16], view: CameraView) -> float:
        """Pixels of a road user here over its pixels with nothing else in the world."""
        self._shapes.update(
            self._alone.dynamic,
            {box.actor_id: self.engine.actors[box.actor_id]},
            self.engine.elapsed_s,
        )
        if self._alone_renderer is None:
            self._alone_renderer = Renderer(self._alone, shadows=False, noise=0)
        self._alone_renderer.begin_tick(0)
        alone = self._alone_renderer.render(view)
        return float((ids == box.actor_id).sum() / max((alone.instance > 0).sum(), 1))

    def names(self) -> dict[int, str]:
        """Blueprint of each road user, by actor id."""
        return {actor.id: actor.blueprint.id for actor in self.road_users}


def main() -> int:
    """Runs the benchmark."""
    it = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    it.add_argument("--model", type=Path, default=MODEL, help="a YOLOX model with COCO's classes")
    it.add_argument("--pictures", type=int, default=320)
    it.add_argument("--towns", nargs="+", default=None, metavar="NAME")
    it.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    it.add_argument("--save", type=Path, help="write pictures with boxes into this folder")
    arguments = it.parse_args()
    if not arguments.model.exists():
        sys.stdout.write(f"strangers_eye: skipped, no model at {arguments.model} (--model PATH)\n")
        return 0
    cv2.setNumThreads(1)
    detector = load_yolox(
        DetectorSpec("eye", kind="yolox", weights=str(arguments.model), score_threshold=SCORE)
    )
    towns = arguments.towns or list(town_names())
    streets = [(town, seed) for town in towns for seed in arguments.seeds]
    result = Result()
    for town, seed in streets:
        street = Street(town, seed)
        names = street.names()
        share = max(arguments.pictures // len(streets), 1)
        for number, one in enumerate(street.pictures(share)):
            found = detector.detect(one.bgr)
            recalled = result.score(one.truths, one.seen_share, names, found, one.source,
                                    one.on_road_users)  # fmt: skip
            if arguments.save:
                arguments.save.mkdir(parents=True, exist_ok=True)
                path = arguments.save / f"{town}_{seed}_{number:03d}.jpg"
                cv2.imwrite(str(path), marked(one, recalled, found))
    report(result, arguments.pictures, towns)
    return 0


def marked(one: Taken, recalled: list[bool], found: Detections) -> NDArray[np.uint8]:
    """The picture with recalled truth green, missed truth red, detections thin yellow."""
    shown = one.bgr.copy()
    for truth, share, is_recalled in zip(one.truths, one.seen_share, recalled, strict=True):
        if is_counted(truth, share):
            x1, y1, x2, y2 = (int(v) for v in truth.xyxy)
            colour = (60, 200, 60) if is_recalled else (40, 40, 230)
            cv2.rectangle(shown, (x1, y1), (x2, y2), colour, 2)
    for box, score, class_id in zip(found.xyxy, found.score, found.class_id, strict=True):
        x1, y1, x2, y2 = (int(v) for v in box)
        cv2.rectangle(shown, (x1, y1), (x2, y2), (0, 220, 220), 1)
        text = f"{CLASSES[int(class_id)]} {score:.2f}"
        cv2.putText(shown, text, (x1, y1 - 2), cv2.FONT_HERSHEY_PLAIN, 0.8, (0, 220, 220))
    return shown


def report(result: Result, pictures: int, towns: list[str]) -> None:
    """The tables."""
    console = Console(width=100)
    title = f"Recall at score {SCORE}, IoU {IOU}: {pictures} pictures, {', '.join(towns)}"
    table = Table(title=title)
    for column in ("what", "seen", "recalled", "recall", "precision"):
        table.add_column(column, justify="left" if column == "what" else "right")
    parts = (result.groups, result.sources, result.classes, result.blueprints)
    for part in parts:
        for name, tally in sorted(part.items()):
            precision = f"{tally.precision:.2f}" if part is result.groups else ""
            table.add_row(
                name, str(tally.truths), str(tally.hits), f"{tally.recall:.2f}", precision
            )
        table.add_section()
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
