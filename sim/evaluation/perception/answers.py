"""What each detector finds in a set, kept on disk so that a stopped or repeated run goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from scheduler.errors import WireError
from sim.evaluation.perception.candidates import Candidate
from sim.evaluation.perception.labels import LabelledSet
from vehicle.perception.detections import Detections
from vehicle.perception.detector import load_detector

SAVE_EVERY = 200  # pictures; what a stopped run loses at most

Progress = Callable[[int], None]  # told how many pictures are done


def answers(
    candidate: Candidate, pictures: LabelledSet, folder: Path, report: Progress = lambda done: None
) -> list[Detections]:
    """The detector's answer to every picture of the set, with those from disk taken over.

    Args:
        folder: Holds one file for each detector and set.

    Raises:
        ConfigError: The detector cannot be loaded.
        SourceError: A picture cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = hashlib.sha256(f"{candidate.key} {pictures.fingerprint}".encode()).hexdigest()[:8]
    path = folder / f"{candidate.key}-{told}.npz"
    total = len(pictures.labels)
    found = _stored(path, total)
    report(len(found))
    if len(found) == total:
        return found
    detector = load_detector(candidate.spec, threads=1)
    for _, picture in pictures.pictures(range(len(found), total)):
        found.append(detector.detect(picture))
        if len(found) % SAVE_EVERY == 0:
            _store(path, found)
        report(len(found))
    _store(path, found)
    return found


def of_classes(found: Sequence[Detections], classes: frozenset[int]) -> list[Detections]:
    """Without boxes of classes that the set does not label."""
    wanted = sorted(classes)
    return [answer.select(np.isin(answer.class_id, wanted)) for answer in found]


def _store(path: Path, found: Sequence[Detections]) -> None:
    part = path.with_suffix(".part.npz")
    packed = b"".join(answer.to_bytes() for answer in found)
    np.savez_compressed(
        part,
        boxes=np.frombuffer(packed, np.uint8),
        counts=np.array([len(answer) for answer in found], np.int64),
    )
    part.replace(path)


def _stored(path: Path, total: int) -> list[Detections]:
    """The answers in a file; none where it is missing or broken."""
    try:
        with np.load(path) as file:
            counts = file["counts"].tolist()
            packed = file["boxes"].tobytes()
        size = len(packed) // max(1, sum(counts))
        found, at = [], 0
        for number in counts[:total]:
            found.append(Detections.from_bytes(packed[at : at + number * size]))
            at += number * size
        return found
    except (OSError, ValueError, KeyError, WireError):
        return []
