"""Follows the road users in the vehicle's way: how far along it, and how fast on their own.

One Kalman filter an object, state (s, v): metres along the way, and the object's own speed along
it in m/s. The vehicle's own motion is known, so the filter predicts with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.messages import Box
from vehicle.services.ground import GroundCamera, Way

# Width of the face that looks at us, metres (nominal passenger car, lorry, bus, two-wheelers).
WIDTH = {0: 1.9, 1: 2.5, 2: 2.5, 3: 0.8, 4: 0.7, 5: 0.6}
MAX_DISTANCE = 60.0  # m; beyond, a pixel of the box's lower side is over 4 m
START_SPEED = 5.0  # m/s, standard deviation of a new object's own speed around standing
ACCELERATION = 4.0  # m/s^2 that an object may do; raising it trusts the newest frame more
UNSEEN_NS = 600_000_000  # a confirmed object is believed this long without being seen
UNSEEN_STANDING_NS = 10_000_000_000  # the same while we stand behind it: what fills the picture
# is often not detected, and it cannot have gone without being seen at a distance
NEAR = 10.0  # m from the vehicle's origin; farther objects do not fill the picture
BORDER = 2.0  # pixels; a box this near to the picture's side goes on beyond it
SAME_PLACE = 3.0  # m; a new track this near to a lost one is the same object


@dataclass(slots=True)
class Obstacle:
    """One object in the way.

    Attributes:
        s: Metres along the way from the vehicle's origin to its near face.
        speed: Its own, m/s along the way; negative comes towards us.
        hits: Verdicts of a model that saw it in the way.
    """

    class_id: int
    s: float
    at_ns: int
    seen_ns: int
    speed: float = 0.0
    hits: int = 0
    is_braked_for: bool = False
    position_variance: float = 4.0
    cross_variance: float = 0.0
    speed_variance: float = START_SPEED**2

    def predict(self, now_ns: int, own_speed: float) -> None:
        """Move to `now_ns`."""
        dt = max(0.0, (now_ns - self.at_ns) / 1e9)
        noise = ACCELERATION**2
        self.s += (self.speed - own_speed) * dt
        self.position_variance += (
            2 * dt * self.cross_variance + dt * dt * self.speed_variance + noise * dt**4 / 4
        )
        self.cross_variance += dt * self.speed_variance + noise * dt**3 / 2
        self.speed_variance += noise * dt * dt
        self.at_ns = now_ns

    def correct(self, s: float) -> None:
        """A measured distance; its error grows with it (a pixel of the lower side)."""
        error = (0.3 + 0.05 * s) ** 2
        total = self.position_variance + error
        gain, speed_gain = self.position_variance / total, self.cross_variance / total
        residual = s - self.s
        self.s += gain * residual
        self.speed += speed_gain * residual
        self.speed_variance -= speed_gain * self.cross_variance
        self.cross_variance *= 1.0 - gain
        self.position_variance *= 1.0 - gain


def face(box: Box, camera: GroundCamera) -> tuple[float, float, float] | None:
    """(x, y, width) in metres of the face that an object shows us: its middle on the road.

    Of a car seen from the side as well, only the end nearer to the picture's border is near; the
    rest of the box is its flank, which leads away from us.
    """
    left, right = camera.point(box.xyxy[0], box.xyxy[3]), camera.point(box.xyxy[2], box.xyxy[3])
    if left is None or right is None:
        return None
    x = (left[0] + right[0]) / 2
    width = min(left[1] - right[1], WIDTH[box.class_id])
    middle = (left[1] + right[1]) / 2
    if left[1] - right[1] > width:
        middle = left[1] - width / 2 if middle > 0.0 else right[1] + width / 2
    return x, middle, width


def _patience_ns(obstacle: Obstacle, own_speed: float, farthest: float) -> int:
    """How long an object is believed without being seen.

    Args:
        farthest: Metres to the farthest object in the way that is seen now: it would be hidden by
            one that still stood in front of it.
    """
    if obstacle.hits <= 2:
        return UNSEEN_NS // 2
    is_uncovered = farthest > obstacle.s + SAME_PLACE
    if own_speed < 1.0 and obstacle.s < NEAR and not is_uncovered:
        return UNSEEN_STANDING_NS
    return UNSEEN_NS


class Obstacles:
    """The objects in the way, by track.

    Args:
        half_width: Metres to either side of the way that an object must not touch. Raising it
            brakes for cars of the next lane.
    """

    def __init__(self, half_width: float) -> None:
        self._half_width = half_width
        self._by_track: dict[int, Obstacle] = {}

    def update(
        self,
        boxes: list[Box],
        camera: GroundCamera,
        width: int,
        way: Way,
        own_speed: float,
        now_ns: int,
        is_seen: bool,
    ) -> list[Obstacle]:
        """What is in the way now.

        Args:
            boxes: At `now_ns`.
            width: Of the picture, pixels. What its side cuts off is beside us, or so near that it
                was seen before: such a box places nothing.
            is_seen: Whether a model looked at a newer picture than before; boxes that are only
                carried on move objects and confirm none.
        """
        for obstacle in self._by_track.values():
            obstacle.predict(now_ns, own_speed)
        for box in boxes:
            if box.xyxy[0] < BORDER or box.xyxy[2] > width - BORDER:
                continue
            place = self._place(box, camera, way)
            if place is None:
                if is_seen:
                    self._by_track.pop(box.track_id, None)  # it has left the way
                continue
            known = self._by_track.get(box.track_id) or self._adopted(box, place, now_ns)
            if is_seen:
                known.correct(place)
                known.hits += 1
                known.seen_ns = now_ns
        farthest = max((o.s for o in self._by_track.values() if o.seen_ns == now_ns), default=0.0)
        self._by_track = {
            track: obstacle
            for track, obstacle in self._by_track.items()
            if now_ns - obstacle.seen_ns <= _patience_ns(obstacle, own_speed, farthest)
        }
        return list(self._by_track.values())

    def _place(self, box: Box, camera: GroundCamera, way: Way) -> float | None:
        """Metres along the way, None when it is not in it."""
        if box.class_id not in WIDTH:
            return None
        found = face(box, camera)
        if found is None or not 0.0 < found[0] < MAX_DISTANCE:
            return None
        s, offset = way.locate(found[0], found[1])
        return s if abs(offset) - found[2] / 2 < self._half_width else None

    def _adopted(self, box: Box, s: float, now_ns: int) -> Obstacle:
        """A new track: the object that another track lost just here, or a new one."""
        for track, other in list(self._by_track.items()):
            if other.seen_ns < now_ns and abs(other.s - s) < SAME_PLACE:
                self._by_track[box.track_id] = self._by_track.pop(track)
                return other
        made = Obstacle(box.class_id, s, now_ns, now_ns)
        self._by_track[box.track_id] = made
        return made
