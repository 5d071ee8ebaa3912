"""An ego's own driver: follows its route, keeps its speed, obeys lights, sees nobody else.

Steering is pure pursuit (Coulter, Implementation of the Pure Pursuit Path Tracking Algorithm,
CMU-RI-TR-92-01) of the rear axle; speed is a PI controller towards the lowest of the asked speed,
the limit, what bends allow and what a stop line asks. It does not look at other actors: braking
for them comes from the vehicle's advisories alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim.routes import Track
from sim.world import Ego, EgoState, Light, StopLine

LATERAL_ACCEL = 2.5  # m/s^2 in bends; passengers call 3 uncomfortable (ISO 11270 allows 3)
COMFORT_BRAKE = 2.0  # m/s^2 before bends and stop lines
YELLOW_BRAKE = 3.5  # m/s^2 that a yellow light may ask; else it is passed
LOOKAHEAD_S = 0.5  # of travel; more is smoother and cuts corners
LOOKAHEAD_M = (2.5, 12.0)  # bounds
STOP_GAP = 1.0  # m between bumper and stop line
LINE_REACH = 2.5  # m off the route within which a stop line is meant for it
LOST_M = 10.0  # off the route from which the ego looks for it anew
PEDAL_LAG_S = 0.4  # by which the speed follows what the pedals ask
SPEED_KP = 0.35  # pedal per m/s
SPEED_KI = 0.06  # pedal per m/s and second; more overshoots after a stop
INTEGRAL_ERROR = 1.5  # m/s within which the integral works, so that pulling away adds nothing
INTEGRAL_LIMIT = 6.0  # m, so that waiting at a light winds nothing up


@dataclass(frozen=True, slots=True)
class Control:
    """Pedals 0..1 and wheel -1..1, left positive."""

    throttle: float
    steer: float
    brake: float


class EgoDriver:
    """Drives one ego along its route.

    Args:
        ego: what is driven, and where.
        stop_lines: of the whole town; those on the route count.
        speed: m/s to aim for. More needs longer to stop for what the advisories see.
    """

    def __init__(self, ego: Ego, stop_lines: Sequence[StopLine], speed: float) -> None:
        self._ego = ego
        self.track = Track(ego.route, is_loop=ego.is_loop)
        self.s = 0.0  # m along the route; it begins where the ego stands
        self._speed = speed
        self._integral = 0.0
        self._stopping_for = 0
        self._bend_speeds = self._speeds_in_bends()
        self._lines = self._lines_on_route(stop_lines)

    def control(self, state: EgoState, lights: Mapping[int, Light], delta_s: float) -> Control:
        """Pedals and wheel for the next `delta_s` seconds."""
        self.s, lateral = self.track.nearest(state.pose.x, state.pose.y, around=self.s)
        if abs(lateral) > LOST_M:
            self.s, _ = self.track.nearest(state.pose.x, state.pose.y)
        wanted = self.wanted_speed(self.s, state, lights)
        throttle, brake = self._pedals(wanted, state.speed, delta_s)
        return Control(throttle, self._steer(self.s, state), brake)

    def rest(self) -> None:
        """Somebody else has the pedals: nothing is to be caught up afterwards."""
        self._integral = 0.0

    def wanted_speed(self, s: float, state: EgoState, lights: Mapping[int, Light]) -> float:
        """m/s to drive at `s` metres along the route."""
        ahead = int(self.track.wrap(s + PEDAL_LAG_S * state.speed)) % len(self._bend_speeds)
        speed = min(self._speed, float(self._bend_speeds[ahead]))
        if state.speed_limit > 0.0:
            speed = min(speed, state.speed_limit)
        if not self.track.is_loop:
            speed = min(speed, _stopping_speed(self.track.length - s - 2.0))
        distance = self._distance_to_stop(s, state.speed, lights)
        return speed if distance is None else min(speed, _stopping_speed(distance))

    def _distance_to_stop(
        self, s: float, speed: float, lights: Mapping[int, Light]
    ) -> float | None:
        """Metres until the bumper must stand; None where no light says so."""
        front = self._ego.extent[0]
        nearest = None
        if lights.get(self._stopping_for) not in ("red", "yellow"):
            self._stopping_for = 0
        for line_s, light_id in self._lines:
            ahead = line_s - s
            if self.track.is_loop:
                ahead %= self.track.length
            gap = ahead - front - STOP_GAP
            if ahead > 60.0 or gap < -STOP_GAP - 0.5:  # far, or the bumper is over the line
                continue
            light = lights.get(light_id, "off")
            can_stop = speed * speed <= 2.0 * YELLOW_BRAKE * max(gap, 0.05)
            # Decided once per yellow: halfway through a stop it may look too late again.
            is_yellow_stop = light == "yellow" and (can_stop or light_id == self._stopping_for)
            if light == "red" or is_yellow_stop:
                self._stopping_for = light_id
                nearest = gap if nearest is None else min(nearest, gap)
        return nearest

    def _pedals(self, wanted: float, speed: float, delta_s: float) -> tuple[float, float]:
        if wanted < 0.2 and speed < 0.5:
            self._integral = 0.0
            return 0.0, 0.5
        error = wanted - speed
        if abs(error) < INTEGRAL_ERROR:
            self._integral += error * delta_s
        self._integral = min(max(self._integral, -INTEGRAL_LIMIT), INTEGRAL_LIMIT)
        if error < -1.0:
            self._integral = min(self._integral, 0.0)
        pedal = SPEED_KP * error + SPEED_KI * self._integral
        return min(max(pedal, 0.0), 0.9), min(max(-pedal, 0.0), 0.9)

    def _steer(self, s: float, state: EgoState) -> float:
        pose, wheelbase = state.pose, self._ego.wheelbase
        rear_x = pose.x - math.cos(pose.yaw) * wheelbase / 2.0
        rear_y = pose.y - math.sin(pose.yaw) * wheelbase / 2.0
        lookahead = min(max(LOOKAHEAD_S * state.speed, LOOKAHEAD_M[0]), LOOKAHEAD_M[1])
        x, y, _, _ = self.track.at(s + lookahead)
        dx, dy = x - rear_x, y - rear_y
        left = -math.sin(pose.yaw) * dx + math.cos(pose.yaw) * dy
        curvature = 2.0 * left / max(dx * dx + dy * dy, 1.0)
        return min(max(math.atan(wheelbase * curvature) / self._ego.max_steer, -1.0), 1.0)

    def _speeds_in_bends(self) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        """m/s at each metre: what the bend there allows, and braking in time for the next."""
        curvature = np.abs(self.track.curvature())
        speeds = np.sqrt(LATERAL_ACCEL / np.maximum(curvature, 1e-4))
        count = len(speeds)
        for i in range(2 * count - 1, -1, -1):
            if i + 1 < count or self.track.is_loop:
                after = speeds[(i + 1) % count]
                reachable = math.sqrt(after * after + 2.0 * COMFORT_BRAKE)
                speeds[i % count] = min(speeds[i % count], reachable)
        return speeds

    def _lines_on_route(self, stop_lines: Sequence[StopLine]) -> list[tuple[float, int]]:
        found = []
        for line in stop_lines:
            s, lateral = self.track.nearest(line.pose.x, line.pose.y)
            heading = self.track.at(s)[3]
            if abs(lateral) < LINE_REACH and math.cos(heading - line.pose.yaw) > 0.7:
                found.append((s, line.light_id))
        return sorted(found)


def _stopping_speed(distance: float) -> float:
    """m/s from which `COMFORT_BRAKE` stops within a distance in metres."""
    return math.sqrt(2.0 * COMFORT_BRAKE * distance) if distance > 0.0 else 0.0
