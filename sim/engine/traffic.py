"""The engine's own traffic: drivers who keep lane, limit and distance, and obey lights.

Following is the intelligent driver model of Treiber, Hennecke and Helbing (Phys. Rev. E 62, 2000);
steering is pure pursuit (Coulter, CMU-RI-TR-92-01, 1992).
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass

from sim.engine.actors import Actor, VehicleControl
from sim.engine.dynamics import pedals, steer_limit
from sim.engine.junction_rules import LONG, JunctionRules, Occupant
from sim.engine.lane_path import LaneMarks, LanePath
from sim.engine.lanes import Lane, LaneId
from sim.engine.town import Town
from sim.engine.traffic_lights import LightState, TrafficLight

ACCELERATION = 1.8  # m/s^2, of the driver model
COMFORT_BRAKE = 2.5  # m/s^2
SPEED_GAIN = 3.0  # 1/s, deceleration per m/s above the wanted speed
HARDEST_BRAKE = -8.0  # m/s^2
HEADWAY = 1.3  # s; raising it makes gaps longer and streets emptier
STANDING_GAP = 2.0  # m between bumpers
LINE_GAP = 0.8  # m between bumper and stop line
YELLOW_BRAKE = 3.5  # m/s^2 beyond which one goes on at yellow
GUIDED = 0.65  # of the way from the rear axle to the bumper; more cuts bends, less swings out
SIDE_MARGIN = 0.3  # m that one keeps from what one passes
KNOWN_AHEAD = 70.0  # m of path that is always chosen
KNOWN_TIME = 6.0  # s of driving for which the path is chosen too
DECISION_DISTANCE = 22.0  # m before the line at which one asks whether the junction is free
APPROACH_BRAKE = 2.2  # m/s^2 with which one that has priority could still stop
GIVING_WAY = 4.0  # m before the line at which one who gives way asks
STOPPED = 0.3  # m/s, at which one has stopped at a stop sign
PATIENCE = 45.0  # s of standing after which others let one turn left, about one light cycle
RIGHT_BLINKER, LEFT_BLINKER, BRAKE_LAMP = 16, 32, 8
NIGHT_LAMPS = 1 | 2  # position lights and low beam
DRIVING_LAMPS = RIGHT_BLINKER | LEFT_BLINKER | BRAKE_LAMP


@dataclass(slots=True)
class Driver:
    """One driver.

    Attributes:
        actor_id: the vehicle.
        rng: chooses its turns.
        haste: share of the speed limit at which it drives.
        path: where it goes, None before its first tick.
        granted: the junction lane it has been let onto.
        waited: seconds for which it has been standing.
        stopped_on: the lane with a stop sign at whose line it has stopped.
        lit: lights that it has switched on for the night.
    """

    actor_id: int
    rng: random.Random
    haste: float
    path: LanePath | None = None
    granted: LaneId | None = None
    waited: float = 0.0
    stopped_on: LaneId | None = None
    lit: int = 0


class Traffic:
    """All drivers of a world."""

    def __init__(self, town: Town, seed: int) -> None:
        self._town = town
        self._seed = seed
        self._marks = LaneMarks(town.lanes)
        self._rules = JunctionRules(town)
        self._drivers: dict[int, Driver] = {}
        self._long: set[int] = set()
        self._is_night = False

    def adopt(self, actor_id: int) -> None:
        """Drive a vehicle from now on."""
        rng = random.Random(f"{self._seed} driver {actor_id}")
        self._drivers.setdefault(actor_id, Driver(actor_id, rng, rng.uniform(0.85, 1.0)))

    def release(self, actor_id: int) -> None:
        """Drive it no more; its pedals stay as they are."""
        self._drivers.pop(actor_id, None)

    def guide(
        self,
        actors: dict[int, Actor],
        lights: dict[int, TrafficLight],
        delta_s: float,
        *,
        is_night: bool = False,
    ) -> None:
        """Set pedals, wheel and lights of every driver's vehicle for the next tick."""
        if not self._drivers:
            return
        drivers = [(driver, actors[driver.actor_id]) for driver in self._drivers.values()]
        for driver, actor in drivers:
            self._find_place(driver, actor)
            driver.waited = driver.waited + delta_s if actor.speed < 0.1 else 0.0
        bodies = [one for one in actors.values() if one.has_body and one.parent is None]
        self._long = {one.id for one in bodies if one.extent[0] > LONG}
        occupants = self._occupants(bodies)
        claims = self._claims(bodies)
        bodies.sort(key=lambda one: one.pose.x)
        eastings = [one.pose.x for one in bodies]
        for driver, actor in drivers:
            reach = 12.0 + 3.0 * actor.speed
            low = bisect_left(eastings, actor.pose.x - reach)
            high = bisect_right(eastings, actor.pose.x + reach)
            self._drive(driver, actor, bodies[low:high], lights, occupants, claims)
        if is_night != self._is_night or is_night:
            self._light_up(drivers, is_night)

    def _light_up(self, drivers: list[tuple[Driver, Actor]], is_night: bool) -> None:
        """Burn position lights and low beams at night; what was lit is put out in the morning."""
        self._is_night = is_night
        for driver, actor in drivers:
            if is_night:
                missing = NIGHT_LAMPS & ~actor.light_flags
                driver.lit |= missing
                actor.light_flags |= missing
            else:
                actor.light_flags &= ~driver.lit
                driver.lit = 0

    def _find_place(self, driver: Driver, actor: Actor) -> None:
        pose = actor.pose
        if driver.path is None:
            lane, s, _ = self._town.lanes.nearest(pose.x, pose.y, pose.yaw)
            driver.path = LanePath(self._marks, driver.rng, lane, s)
        driver.path.locate(pose.x, pose.y, pose.yaw)
        driver.path.extend(max(KNOWN_AHEAD, KNOWN_TIME * actor.speed))
        if driver.granted is not None and driver.granted not in driver.path.lane_ids()[:2]:
            driver.granted = None

    def _place(self, actor: Actor) -> tuple[Lane, float] | None:
        driver = self._drivers.get(actor.id)
        if driver is not None and driver.path is not None:
            return driver.path.lanes[0], driver.path.s
        return None if actor.lane is None else (actor.lane, actor.lane_s)

    def _way(self, actor_id: int) -> LaneId | None:
        driver = self._drivers.get(actor_id)
        ahead = driver.path.next_junction() if driver and driver.path else None
        return ahead[1].id if ahead else None

    def _occupants(self, bodies: list[Actor]) -> dict[LaneId, list[Occupant]]:
        """Who is on which lane."""
        found: dict[LaneId, list[Occupant]] = defaultdict(list)
        for actor in bodies:
            place = self._place(actor) if actor.kind == "vehicle" else None
            if place is not None:
                way = self._way(actor.id)
                found[place[0].id].append(
                    Occupant(actor.id, place[1], actor.extent[0], actor.speed, way)
                )
        return found

    def _claims(self, bodies: list[Actor]) -> dict[LaneId, set[int]]:
        """Who is on a junction lane, or past the line before it, or was let onto it."""
        claims: dict[LaneId, set[int]] = defaultdict(set)
        for actor in bodies:
            place = self._place(actor) if actor.kind == "vehicle" else None
            if place is None:
                continue
            lane, s = place
            driver = self._drivers.get(actor.id)
            if lane.is_junction:
                claims[lane.id].add(actor.id)
            elif driver is not None:
                if driver.granted is not None:
                    claims[driver.granted].add(actor.id)
            elif s + actor.extent[0] > lane.stop_s:
                for after in lane.successors:
                    claims[after].add(actor.id)
            # the rear is in the junction until the whole vehicle has left it
            for before in lane.predecessors:
                if s < actor.extent[0] and self._town.lanes[before].is_junction:
                    if driver is None or not driver.path:
                        continue
                    claims[before].add(actor.id)
        return claims

    def _drive(
        self,
        driver: Driver,
        actor: Actor,
        bodies: list[Actor],
        lights: dict[int, TrafficLight],
        occupants: dict[LaneId, list[Occupant]],
        claims: dict[LaneId, set[int]],
    ) -> None:
        path = driver.path
        assert path is not None
        pose = actor.pose
        speed = actor.velocity[0] * math.cos(pose.yaw) + actor.velocity[1] * math.sin(pose.yaw)
        speed = max(speed, 0.0)
        wanted = path.speed_limit(driver.haste)
        wish = _free_acceleration(speed, wanted)
        gap, pace = self._obstacle(actor, path, bodies, speed)
        wish = min(wish, _following(speed, gap, pace, STANDING_GAP))
        line = self._line_gap(driver, actor, speed, lights, occupants, claims)
        if line is not None:
            wish = min(wish, _following(speed, line, 0.0, LINE_GAP))
        throttle, brake = pedals(actor, max(wish, HARDEST_BRAKE), speed)
        if speed < 0.1 and wish <= 0.0:
            throttle, brake = 0.0, 1.0
        steer = _pursuit(actor, path, speed)
        actor.control = VehicleControl(throttle=throttle, steer=steer, brake=brake)
        actor.light_flags = _lamps(actor.light_flags, path, brake)

    def _obstacle(
        self, actor: Actor, path: LanePath, bodies: list[Actor], speed: float
    ) -> tuple[float, float]:
        """(gap in metres, its speed along the path) of the nearest body in the way."""
        reach = 12.0 + 3.0 * speed
        pose, half_width = actor.pose, actor.extent[1]
        x, y = pose.x, pose.y
        cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
        near = []
        for other in bodies:
            pose = other.pose
            dx, dy = pose.x - x, pose.y - y
            if dx * dx + dy * dy < reach * reach and dx * cos + dy * sin > -2.0:
                near.append(other)
        if len(near) < 2:  # oneself is always near
            return math.inf, 0.0
        marks = path.ahead(reach)
        best = (math.inf, 0.0)
        for other in near:
            if other is actor:
                continue
            px, py, yaw = other.pose.x, other.pose.y, other.pose.yaw
            oc, os = math.cos(yaw), math.sin(yaw)
            length, width = other.extent[0], other.extent[1]
            for distance, (_, mx, my, mc, ms, _) in marks:
                dx, dy = px - mx, py - my
                along = dx * mc + dy * ms
                if along > 2.0 + length or along < -2.0 - length:
                    continue
                turned, straight = abs(oc * ms - os * mc), abs(oc * mc + os * ms)
                aside = abs(dy * mc - dx * ms) - length * turned - width * straight
                if aside > half_width + SIDE_MARGIN:
                    continue
                gap = distance + along - length * straight - width * turned - actor.extent[0]
                if gap < best[0] and distance + along > 0.0:
                    vx, vy, _ = other.velocity
                    best = (gap, vx * mc + vy * ms)
        return best

    def _must_stop(
        self,
        driver: Driver,
        lane: Lane,
        gap: float,
        speed: float,
        lights: dict[int, TrafficLight],
    ) -> bool:
        """A light or a stop sign holds one at the line."""
        if lane.approach == "stop":
            if speed < STOPPED and gap < 3.0:
                driver.stopped_on = lane.id
            return driver.granted is None and driver.stopped_on != lane.id
        if lane.light_id is None:
            return False
        state = lights[lane.light_id].state
        must_brake = speed * speed / (2 * max(gap, 0.1))
        return state == LightState.RED or (state == LightState.YELLOW and must_brake < YELLOW_BRAKE)

    def _line_gap(
        self,
        driver: Driver,
        actor: Actor,
        speed: float,
        lights: dict[int, TrafficLight],
        occupants: dict[LaneId, list[Occupant]],
        claims: dict[LaneId, set[int]],
    ) -> float | None:
        """Metres to a stop line where one has to stop, or None."""
        path = driver.path
        assert path is not None
        lane = path.lanes[0]
        if not lane.approach or len(path.lanes) < 3 or not path.lanes[1].is_junction:
            return None
        gap = lane.stop_s - path.s - actor.extent[0]
        if gap < -0.5 and driver.granted is not None:
            return None
        if gap < -lane.width:
            return None
        if self._must_stop(driver, lane, gap, speed, lights):
            driver.granted = None
            return max(gap, 0.05)
        if driver.granted is not None or gap > _asking_distance(lane, speed):
            return max(gap, 0.05) if _slows_down(driver, lane) else None
        queue = occupants.get(lane.id, [])
        if any(path.s < one.s <= lane.stop_s - one.half_length for one in queue):
            return None  # whoever is first in the queue asks first
        turn, leave = path.lanes[1], path.lanes[2]
        is_free = self._rules.may_enter(
            actor.id, turn, claims, occupants, driver.waited > PATIENCE, self._long
        )
        if is_free and _has_room(actor, occupants.get(leave.id, [])):
            driver.granted = turn.id
            claims[turn.id].add(actor.id)
            return None
        return max(gap, 0.05)


def _asking_distance(lane: Lane, speed: float) -> float:
    """Metres before the line at which one asks whether the junction is free."""
    if lane.approach in ("stop", "yield"):
        return max(GIVING_WAY, 0.6 * speed)
    braking = speed * speed / (2 * APPROACH_BRAKE)
    return max(DECISION_DISTANCE, 2.0 * speed, braking + 6.0 if lane.approach == "priority" else 0)


def _slows_down(driver: Driver, lane: Lane) -> bool:
    """Far from the line one who gives way already brakes for it."""
    return driver.granted is None and lane.approach in ("stop", "yield")


def _has_room(actor: Actor, leaving: list[Occupant]) -> bool:
    """Behind those that stand on the lane one leaves by there is room for oneself."""
    room = 2 * actor.extent[0] + STANDING_GAP
    return not any(one.s - one.half_length < room and one.speed < 2.0 for one in leaving)


def _free_acceleration(speed: float, wanted: float) -> float:
    if speed > wanted:
        return -min(SPEED_GAIN * (speed - wanted), COMFORT_BRAKE)
    return ACCELERATION * (1.0 - (speed / wanted) ** 4)


def _following(speed: float, gap: float, pace: float, standing_gap: float) -> float:
    """Acceleration that the gap to something ahead allows, m/s^2."""
    if gap == math.inf:
        return math.inf
    closing = speed * (speed - pace) / (2.0 * math.sqrt(ACCELERATION * COMFORT_BRAKE))
    wanted_gap = standing_gap + max(0.0, speed * HEADWAY * min(1.0, pace + 0.5) + closing)
    return ACCELERATION * (1.0 - (wanted_gap / max(gap, 0.1)) ** 2)


def _pursuit(actor: Actor, path: LanePath, speed: float) -> float:
    """Steer, left positive, so that the body sweeps as far out of a bend as into it.

    What follows the path is a point near the front axle. It and the point of the path that is
    aimed at lie on one circle about the middle of the turn, which lies beside the rear axle:
    that gives the turn at once, whatever the wheels do now.
    """
    pose, wheelbase = actor.pose, actor.blueprint.wheelbase
    rear = 0.5 * wheelbase  # m from the middle back to the rear axle
    guided = GUIDED * (rear + actor.extent[0])  # m from the rear axle to what follows the path
    target = path.pose_ahead(guided - rear + min(max(0.5 * speed + 1.5, 3.0), 9.0))
    cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
    dx, dy = target.x - pose.x + rear * cos, target.y - pose.y + rear * sin
    left = dy * cos - dx * sin
    square = max(dx * dx + dy * dy - guided * guided, 1.0)
    angle = math.atan(2.0 * wheelbase * left / square)
    return min(max(angle / steer_limit(speed), -1.0), 1.0)


def _lamps(flags: int, path: LanePath, brake: float) -> int:
    """The vehicle's lights with brake and blinkers as one drives."""
    flags &= ~DRIVING_LAMPS
    if brake > 0.05:
        flags |= BRAKE_LAMP
    ahead = path.next_junction()
    turn = path.lanes[0].turn or (ahead[1].turn if ahead and ahead[0] < 30.0 else "")
    return flags | {"right": RIGHT_BLINKER, "left": LEFT_BLINKER}.get(turn, 0)
