"""What both worlds say of road users: classes of blueprints and tags, who is drawn, who was hit."""

import random
from collections.abc import Iterator, Mapping, Sequence

from sim.engine.geometry import Pose

EGO_BLUEPRINT = "vehicle.tesla.model3"
STEER_SHARE = 0.9  # of the lock that full steer gives at town speed (CARLA's steering curve)
EGO_ROOM_M = 20.0  # between an ego and traffic at the start: it does not look ahead by itself
NEAR_M = 150.0  # of an ego, from where others meet it within a minute
NEAR_WEIGHT = 3.0  # more leaves the rest of the town empty
CONTACT_PAUSE_NS = 1_000_000_000  # without touching, after which the same contact counts anew

CLASS_OF_TAG = {
    12: "pedestrian",
    14: "car",
    15: "truck",
    16: "bus",
    18: "motorcycle",
    19: "bicycle",
    7: "traffic light",
}
SHARES = {"car": 0.70, "truck": 0.08, "bus": 0.06, "motorcycle": 0.09, "bicycle": 0.07}


def class_of_tag(tag: int) -> str:
    """The class that a CityObjectLabel stands for; anything else on wheels is a car."""
    return CLASS_OF_TAG.get(tag, "car")


def nearness(x: float, y: float, egos: Sequence[tuple[float, float]]) -> float:
    """How much likelier somebody starts here because an ego is near: a drive should meet others."""
    is_near = any((x - ex) ** 2 + (y - ey) ** 2 < NEAR_M**2 for ex, ey in egos)
    return NEAR_WEIGHT if is_near else 1.0


def spread(
    points: Sequence[Pose], egos: Sequence[tuple[float, float]], choose: random.Random
) -> list[Pose]:
    """Spawn points in random order by `nearness`, without those right beside an ego.

    Weighted order after Efraimidis and Spirakis, Weighted Random Sampling with a Reservoir, 2006.
    """
    free = [
        pose
        for pose in points
        if all((pose.x - x) ** 2 + (pose.y - y) ** 2 > EGO_ROOM_M**2 for x, y in egos)
    ]
    keys = [choose.random() ** (1.0 / nearness(pose.x, pose.y, egos)) for pose in free]
    order = sorted(range(len(free)), key=lambda i: -keys[i])
    return [free[i] for i in order]


def draw_vehicles(
    classes: Mapping[str, str],
    points: Sequence[Pose],
    choose: random.Random,
    shares: Mapping[str, float] = SHARES,
) -> Iterator[tuple[str, Pose]]:
    """A blueprint for each point: class by `shares`, then any blueprint of that class.

    Args:
        classes: class name by blueprint id.
        points: where to.
        choose: the random source.
        shares: of each class among the vehicles.
    """
    names: dict[str, list[str]] = {}
    for blueprint_id in sorted(classes):
        names.setdefault(classes[blueprint_id], []).append(blueprint_id)
    kinds = [kind for kind in shares if kind in names]
    for pose in points:
        kind = choose.choices(kinds, [shares[k] for k in kinds])[0]
        yield choose.choice(names[kind]), pose


class Contacts:
    """Counts a touch once, however many ticks it lasts."""

    def __init__(self) -> None:
        self._last_ns: dict[int, int] = {}

    def is_new(self, other_id: int, sim_ns: int) -> bool:
        """Whether this touch begins a contact."""
        last = self._last_ns.get(other_id)
        self._last_ns[other_id] = sim_ns
        return last is None or sim_ns - last > CONTACT_PAUSE_NS
