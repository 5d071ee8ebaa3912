"""Ground truth of a picture: the visible box of every road user and traffic light in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sim.calibration import Intrinsics
from sim.engine.geometry import Vector
from sim.world import Body, Picture

# Equal to vehicle.perception.classes.CLASSES, which `sim` may not import; a test compares them.
CLASSES = ("car", "truck", "bus", "motorcycle", "bicycle", "pedestrian", "traffic light")
TRAFFIC_LIGHT = CLASSES.index("traffic light")


@dataclass(frozen=True, slots=True)
class TruthBox:
    """One visible object in one picture.

    Attributes:
        actor_id: who it is; the same over ticks, so that it also names the track.
        class_id: index in `CLASSES`.
        xyxy: tight box round its visible pixels; right and bottom are exclusive.
        visibility: its pixels / area of the clipped hull of its projected 3D box, 0..1. A car in
            full view reaches 0.7 to 0.9, because it does not fill its box.
        distance_m: from the camera to the middle of its 3D box.
        position: middle of its 3D box, world metres.
        velocity: m/s, world axes.
    """

    actor_id: int
    class_id: int
    xyxy: tuple[float, float, float, float]
    visibility: float
    distance_m: float
    position: Vector
    velocity: Vector


class GroundTruth:
    """Truth of one camera over its ticks; it remembers which id hint turned out to be whom."""

    def __init__(self, intrinsics: Intrinsics, own_id: int = 0) -> None:
        raise NotImplementedError

    def boxes(self, picture: Picture, bodies: Sequence[Body]) -> list[TruthBox]:
        """The visible road users and traffic lights that face the camera, nearest first.

        The vehicle that carries the camera (`own_id`) is left out.
        """
        raise NotImplementedError
