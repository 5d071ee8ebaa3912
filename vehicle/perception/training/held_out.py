"""Tells when a validation set is not held out: it shares towns or looks with the training set."""

from __future__ import annotations

import json
from pathlib import Path

from scheduler.errors import SourceError

ANNOTATIONS = "annotations.json"


def shared(train: Path, val: Path) -> str:
    """What two data sets have in common, as a line for people; empty where nothing.

    Towns of one name with other seeds have the same roads. Sets that do not say their towns and
    looks are taken for different.

    Raises:
        SourceError: One of the folders holds no annotations.
    """
    towns = sorted(_of(train, "town") & _of(val, "town"))
    looks = sorted(_of(train, "asset_seed") & _of(val, "asset_seed"))
    both = [
        f"{what} {', '.join(found)}"
        for what, found in (("towns", towns), ("asset seeds", looks))
        if found
    ]
    if not both:
        return ""
    return (
        f"{val} is not held out: it shares {' and '.join(both)} with {train}; its scores flatter "
        "the detector (record it with vdap dataset --split val)"
    )


def _of(folder: Path, key: str) -> set[str]:
    path = folder / ANNOTATIONS
    try:
        images = json.loads(path.read_text(encoding="utf-8"))["images"]
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"data set: expected {path}: {error}") from None
    return {str(image[key]).partition("-")[0] for image in images if key in image}
