"""How safely an ego drove, from the truth: contacts, least time to collision, hard brakes."""

import math
from collections.abc import Sequence

import numpy as np

from sim.ground_truth import TRAFFIC_LIGHT
from sim.routes import Track
from sim.world import Body, Ego, EgoState

LOOK_M = 60.0  # ahead along the route
SIDE_M = 0.2  # beside the ego that still counts as its path
MIN_CLOSING = 0.3  # m/s; slower approaches have no meaningful time
HARD_BRAKE = 4.0  # m/s^2; a driver's comfortable limit is 3 to 3.5
HARD_BRAKE_END = 2.0  # m/s^2 under which the next one may begin
SMOOTH_S = 0.2  # over which deceleration is measured
IMPACT_S = 0.5  # after a contact in which deceleration is no braking


class SafetyMeter:
    """Counts of one ego over a drive.

    Attributes:
        collisions: contacts that began; one counts again after a second apart.
        min_ttc_s: least (gap / closing speed) to anything in the ego's path, which is its route as
            wide as the ego and `SIDE_M`; None while nothing was ever ahead and approached.
        hard_brakes: times that the deceleration rose over `HARD_BRAKE`, impacts left out.
    """

    def __init__(self, ego: Ego, track: Track) -> None:
        self._ego = ego
        self._track = track
        self.collisions = 0
        self.min_ttc_s: float | None = None
        self.hard_brakes = 0
        self._speeds: list[float] = []
        self._is_hard = False
        self._impact_s = 0.0

    def update(self, state: EgoState, s: float, bodies: Sequence[Body], delta_s: float) -> None:
        """Take in one tick.

        Args:
            state: of the ego.
            s: metres along its route.
            bodies: everybody.
            delta_s: seconds since the last tick.
        """
        self.collisions += state.collisions
        self._impact_s = IMPACT_S if state.collisions else max(0.0, self._impact_s - delta_s)
        self._count_brakes(state.speed, delta_s)
        ttc = self.time_to_collision(state, s, bodies)
        if ttc is not None and (self.min_ttc_s is None or ttc < self.min_ttc_s):
            self.min_ttc_s = ttc

    def time_to_collision(self, state: EgoState, s: float, bodies: Sequence[Body]) -> float | None:
        """Seconds until the ego would touch what is in its path; None where nothing is."""
        near = [
            body
            for body in bodies
            if body.class_id != TRAFFIC_LIGHT
            and body.actor_id != self._ego.actor_id
            and math.hypot(body.pose.x - state.pose.x, body.pose.y - state.pose.y) < LOOK_M + 10.0
        ]
        if not near:
            return None
        corners = np.array([_corners(body) for body in near]).reshape(-1, 2)
        along, lateral = self._track.project(corners, around=s + LOOK_M / 2, reach=LOOK_M / 2 + 10)
        along = along - s
        if self._track.is_loop:
            half = self._track.length / 2.0
            along = (along + half) % self._track.length - half
        along, lateral = along.reshape(-1, 4), lateral.reshape(-1, 4)
        limit = self._ego.extent[1] + SIDE_M
        is_in_path = (lateral.min(axis=1) < limit) & (lateral.max(axis=1) > -limit)
        least = None
        for i in np.flatnonzero(is_in_path & (along.max(axis=1) > 0.0)).tolist():
            gap = max(0.0, float(along[i].min()) - self._ego.extent[0])
            if gap > LOOK_M:
                continue
            heading = self._track.at(s + float(along[i].mean()))[3]
            vx, vy, _ = near[i].velocity
            closing = state.speed - (vx * math.cos(heading) + vy * math.sin(heading))
            if closing > MIN_CLOSING and (least is None or gap / closing < least):
                least = gap / closing
        return least

    def _count_brakes(self, speed: float, delta_s: float) -> None:
        span = max(1, round(SMOOTH_S / delta_s))
        self._speeds = [*self._speeds[-span:], speed]
        if len(self._speeds) <= span:
            return
        deceleration = (self._speeds[0] - speed) / (span * delta_s)
        if self._impact_s > 0.0:
            self._is_hard = True  # what follows an impact is no braking either
        elif deceleration > HARD_BRAKE and not self._is_hard:
            self._is_hard = True
            self.hard_brakes += 1
        elif deceleration < HARD_BRAKE_END:
            self._is_hard = False


def _corners(body: Body) -> list[tuple[float, float]]:
    cos, sin = math.cos(body.pose.yaw), math.sin(body.pose.yaw)
    length, width, _ = body.extent
    return [
        (body.pose.x + x * cos - y * sin, body.pose.y + x * sin + y * cos)
        for x, y in ((length, width), (-length, width), (-length, -width), (length, -width))
    ]
