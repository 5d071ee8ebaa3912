"""What a labelled set is, whatever it was read from: pictures, true boxes, attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError
from vehicle.perception.classes import CLASS_ID, CLASSES
from vehicle.perception.scores.matching import MIN_HEIGHT_PX, MIN_VISIBILITY, Truth

Picture = NDArray[np.uint8]

# What other data sets call our classes, in lower case with spaces.
# fmt: off
ALIASES = {
    "person": "pedestrian", "people": "pedestrian", "motorbike": "motorcycle", "bike": "bicycle",
    "cyclist": "bicycle", "van": "car", "automobile": "car", "lorry": "truck", "coach": "bus",
    "trafficlight": "traffic light",
}
# fmt: on


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """The truth of one picture.

    Attributes:
        name: Of the picture, unique within the set.
        xyxy: (M, 4) float32 pixels.
        class_id: (M,) int16 index into CLASSES.
        visibility: (M,) float32, share of the outline that is not hidden; 1 where not known.
        is_crowd: (M,) bool; such a box is never a hit and never a miss.
        object_id: (M,) int64, one number for one object in all pictures; empty: not known.
        weather: In words; empty: not known.
        town: Likewise.
    """

    name: str
    xyxy: NDArray[np.float32]
    class_id: NDArray[np.int16]
    visibility: NDArray[np.float32]
    is_crowd: NDArray[np.bool_]
    object_id: NDArray[np.int64]
    weather: str = ""
    town: str = ""

    def truth(
        self,
        height_px: tuple[float, float] = (MIN_HEIGHT_PX, np.inf),
        visibility: tuple[float, float] = (MIN_VISIBILITY, np.inf),
    ) -> Truth:
        """The objects of a kind; all others are ignored. Bounds: from, and below."""
        height = self.xyxy[:, 3] - self.xyxy[:, 1]
        is_of_kind = (height >= height_px[0]) & (height < height_px[1])
        is_of_kind &= (self.visibility >= visibility[0]) & (self.visibility < visibility[1])
        return Truth(self.xyxy, self.class_id, ~is_of_kind | self.is_crowd, self.visibility)


class LabelledSet(Protocol):
    """Pictures with their truth."""

    @property
    def title(self) -> str:
        """What it is, for a heading."""
        ...

    @property
    def labels(self) -> Sequence[Labelled]:
        """The truth of each picture."""
        ...

    @property
    def classes(self) -> frozenset[int]:
        """Classes that the set labels; boxes of others say nothing."""
        ...

    @property
    def fps(self) -> float | None:
        """Pictures per second where they follow each other, as in a video."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with the pictures."""
        ...

    def pictures(self, indices: Sequence[int]) -> Iterator[tuple[int, Picture]]:
        """Index and picture (H, W, 3) uint8 BGR of each of `indices`, which rise."""
        ...


def class_ids(names: Mapping[int, str], own: Mapping[str, str], where: str) -> dict[int, int]:
    """Id of each category that is of use -> our class id.

    Args:
        names: Category id -> name as the set calls it.
        own: Name of a category -> one of CLASSES, before all else.
        where: Named in errors.

    Raises:
        ConfigError: Not one category is of use, or `own` names what is not there.
    """
    plain = {key: name.lower().replace("_", " ").replace("-", " ") for key, name in names.items()}
    known = ", ".join(CLASSES)
    for theirs, ours in own.items():
        if theirs not in names.values() or ours not in CLASS_ID:
            raise ConfigError(
                f"class map {theirs!r}={ours!r}: expected a class of {where} "
                f"({', '.join(sorted(names.values()))}) and one of {known}"
            )
    found = {}
    for key, name in names.items():
        ours = own.get(name) or ALIASES.get(plain[key], plain[key])
        if ours in CLASS_ID:
            found[key] = CLASS_ID[ours]
    if not found:
        theirs = ", ".join(sorted(names.values())) or "none"
        raise ConfigError(
            f"{where}: its classes are {theirs}; expected some of {known}, or --class-map "
            "THEIRS=OURS"
        )
    return found
