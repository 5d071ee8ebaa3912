"""From the classes of somebody's model to ours: which columns of its scores stand for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from vehicle.perception.classes import CLASS_ID, CLASSES

Columns = NDArray[np.intp] | slice  # an index of an axis of scores

MOST_NAMES = 12  # of a model's classes in a message
# Of COCO and of most sets of street scenes, and our own.
USUAL_NAMES = {name: name for name in CLASSES} | {
    "person": "pedestrian",
    "motorbike": "motorcycle",
    "bike": "bicycle",
    "traffic_light": "traffic light",
}


@dataclass(frozen=True, slots=True, eq=False)
class ClassColumns:
    """The columns of a model's scores that are of use.

    Attributes:
        columns: (K,) their places, or a slice of all of them where all are of use in order.
        class_id: (K,) int16, what each stands for.
    """

    columns: Columns
    class_id: NDArray[np.int16]


def class_columns(
    name: str, theirs: Sequence[str], class_map: Mapping[str, str] | None
) -> ClassColumns:
    """The columns that a user's `class_map`, or else the usual names, make use of.

    Args:
        name: Of the detector, for messages.
        theirs: The model's class names, in the order of its scores.
        class_map: Class name of the model -> name in CLASSES; several may become one of ours.

    Raises:
        ConfigError: A name that the model or CLASSES lacks, or no class of use at all.
    """
    if class_map is None:
        class_map = {known: ours for known, ours in USUAL_NAMES.items() if known in theirs}
        if not class_map:
            raise ConfigError(
                f"detector {name!r}: it knows {_listed(theirs)}; say what they are to us with "
                f"class_map: [THEIRS=OURS, ...], ours: {', '.join(CLASSES)}"
            )
    for known, ours in class_map.items():
        if known not in theirs:
            raise ConfigError(
                f"detector {name!r}: class_map {known!r}: {ours!r}: the model has no class "
                f"{known!r}; it knows {_listed(theirs)}"
            )
        if ours not in CLASS_ID:
            raise ConfigError(
                f"detector {name!r}: class_map {known!r}: {ours!r}, expected one of "
                f"{', '.join(CLASSES)}"
            )
    columns = np.array([theirs.index(known) for known in class_map], np.intp)
    class_id = np.array([CLASS_ID[ours] for ours in class_map.values()], np.int16)
    is_all = np.array_equal(columns, np.arange(len(theirs)))
    return ClassColumns(slice(None) if is_all else columns, class_id)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"
