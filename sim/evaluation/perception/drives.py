"""What the vehicles of a run believed against the truth: streaming F1, scores of their tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from scheduler.messages import Verdict
from sim.evaluation import truth
from sim.evaluation.belief import Shown, believed, believed_at_pictures
from sim.evaluation.perception.slices import SIZES, VISIBILITIES, Figures
from sim.evaluation.records import RunFolder
from sim.evaluation.truth import TruePicture
from vehicle.perception.classes import CLASSES
from vehicle.perception.scores.matching import MIN_HEIGHT_PX, MIN_VISIBILITY, Truth
from vehicle.perception.scores.streaming import HIT_IOU
from vehicle.perception.scores.sweep import Sweep, sweep
from vehicle.perception.scores.tracking import TrackScores, score_tracks

Pairs = list[tuple[Shown, Truth]]


class Drive(msgspec.Struct, frozen=True):
    """All figures of one service of one camera.

    Attributes:
        pictures: Of the camera, with truth.
        instants: At which belief and truth were compared, every 20 ms.
        boxes: True boxes that count, over all instants: what F1 rests on.
        objects: Different true objects among them, over all pictures.
        f1: Streaming F1 (`f1_current` of the summary).
        tracks: HOTA, IDF1 and CLEAR MOT at the instants of the pictures, delay included.
        tracks_by_class: The same of each class.
    """

    vehicle_id: str
    camera_id: str
    service: str
    town: str
    weather: str
    pictures: int
    instants: int
    boxes: int
    objects: int
    f1: float | None
    precision: float | None
    recall: float | None
    by_class: dict[str, Figures]
    by_size: dict[str, Figures]
    by_visibility: dict[str, Figures]
    by_weather: dict[str, Figures]
    tracks: dict[str, float | int]
    tracks_by_class: dict[str, dict[str, float | int]]


@dataclass(frozen=True, slots=True)
class View:
    """One service of one camera: what was said and what was true."""

    vehicle_id: str
    camera_id: str
    service: str
    verdicts: Sequence[Verdict]
    true: Sequence[TruePicture]
    width: int
    height: int
    town: str = ""
    weather: str = ""


def views(folder: RunFolder) -> list[View]:
    """Every camera's services that ever spoke of a box (of all, where none found any)."""
    found = []
    world = folder.world()
    town, weather = (world.town.rpartition("/")[2], world.weather) if world else ("", "")
    for vehicle in map(folder.config.vehicle, folder.vehicles()):
        verdicts = folder.verdicts(vehicle.id)
        pictures = truth.read(folder.path / "truth.mcap", vehicle.id)
        for camera in vehicle.cameras:
            mine = [v for v in verdicts if v.camera_id == camera.id]
            services = sorted({v.service for v in mine if v.boxes}) or sorted(
                {v.service for v in mine}
            )
            true = pictures.get(camera.id, [])
            found += [
                View(
                    vehicle.id, camera.id, service, [v for v in mine if v.service == service],
                    true, camera.width, camera.height, town, weather,
                )
                for service in services
            ]  # fmt: skip
    return [view for view in found if view.verdicts and view.true]


def score(view: View) -> Drive:
    """All figures of one view."""
    of_view = (view.verdicts, view.true, view.width, view.height)
    pairs: Pairs = list(believed(*of_view))
    whole = sweep(pairs, (HIT_IOU,), MIN_HEIGHT_PX)
    counts = whole.counts(0.0)
    tracks = score_tracks(
        [
            (shown, Truth.seen(true.xyxy, true.class_id, true.visibility), true.actor_id)
            for shown, true in believed_at_pictures(*of_view)
        ]
    )
    total = sum(tracks.values(), TrackScores.zero())
    return Drive(
        view.vehicle_id,
        view.camera_id,
        view.service,
        view.town,
        view.weather,
        len(view.true),
        len(pairs),
        counts.hits + counts.missed,
        total.objects,
        _round(counts.f1),
        _round(counts.precision),
        _round(counts.recall),
        {
            CLASSES[class_id]: _figures(whole.of_class(int(class_id)))
            for class_id in np.flatnonzero(whole.objects.sum(axis=0))
        },
        {name: _of_kind(pairs, px, (MIN_VISIBILITY, np.inf)) for name, px in SIZES.items()},
        {
            name: _of_kind(pairs, (MIN_HEIGHT_PX, np.inf), seen, has_false=False)
            for name, seen in VISIBILITIES.items()
        },
        {view.weather: _figures(whole)} if view.weather else {},
        total.figures(),
        {CLASSES[c]: own.figures() for c, own in tracks.items() if own.boxes},
    )


def _of_kind(
    pairs: Pairs,
    height_px: tuple[float, float],
    visibility: tuple[float, float],
    *,
    has_false: bool = True,
) -> Figures:
    """F1 of the objects of a kind; all others are ignored."""
    made = []
    for shown, true in pairs:
        assert true.visibility is not None  # instants of a run always know it
        height = true.xyxy[:, 3] - true.xyxy[:, 1]
        is_of_kind = (height >= height_px[0]) & (height < height_px[1])
        is_of_kind &= (true.visibility >= visibility[0]) & (true.visibility < visibility[1])
        made.append((shown, Truth(true.xyxy, true.class_id, ~is_of_kind)))
    return _figures(sweep(made, (HIT_IOU,), *height_px), has_false=has_false)


def _figures(matches: Sweep, *, has_false: bool = True) -> Figures:
    counts = matches.counts(0.0)
    return Figures(
        counts.hits + counts.missed,
        None,
        _round(counts.recall),
        _round(counts.f1) if has_false else None,
        _round(counts.precision) if has_false else None,
    )


def at_pictures(view: View) -> tuple[list[int], Pairs]:
    """Ticks of the pictures, and what was believed and true when each was taken."""
    ticks, pairs = [], []
    for shown, true in believed_at_pictures(view.verdicts, view.true, view.width, view.height):
        ticks.append(true.tick)
        pairs.append((shown, Truth.seen(true.xyxy, true.class_id, true.visibility)))
    return ticks, pairs


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
