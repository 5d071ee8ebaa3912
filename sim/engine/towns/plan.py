"""A town plan: its network with every junction connected and every light and sign in its place."""

from __future__ import annotations

from dataclasses import dataclass

from sim.engine.geometry import wrap
from sim.engine.towns.junctions import Arm, Junction
from sim.engine.towns.network import Network
from sim.engine.towns.roads import Road, Signal

LIGHT_TYPE, YIELD_TYPE, STOP_TYPE, LIMIT_TYPE = "1000001", "205", "206", "274"
CROSSING_DISTANCE = 2.7  # m from a junction's edge to the middle of its crossing
CROSSING_WIDTH = 3.0  # m
STOP_DISTANCE = 5.5  # m from a junction's edge to where one stops, 1.3 m before the crossing
BARE_STOP_DISTANCE = 1.5  # m from a junction's edge to where one stops where there is no crossing
SIGN_BESIDE = 0.6  # m from the kerb to a sign
LIMIT_AFTER = 16.0  # m along a road to the sign of its speed limit
SHORTEST_WITH_LIMIT = 70.0  # m
FACING = 2.4  # rad between two arms that have green together


@dataclass(frozen=True, slots=True)
class Plan:
    """What a town is generated from.

    Attributes:
        network: its roads and junctions.
        loop: driving lanes (road, lane) through which the ego's loop leads in turn.
        houses: (x, y, yaw) of single houses away from the streets.
        woods: (x, y, radius) of groups of trees.
        guarded: roads with a guard rail, by side (1 left, -1 right).
        gantries: (road, metres along it) of sign gantries.
    """

    network: Network
    loop: tuple[tuple[int, int], ...]
    houses: tuple[tuple[float, float, float], ...] = ()
    woods: tuple[tuple[float, float, float], ...] = ()
    guarded: tuple[tuple[int, int], ...] = ()
    gantries: tuple[tuple[int, float], ...] = ()


def finished(plan: Plan) -> Plan:
    """The plan with junctions connected, lights, signs and crossings placed."""
    network = plan.network
    for junction in network.junctions:
        if not junction.turns:
            junction.sort_arms()
            junction.connect()
        network.roads |= {road.id: road for road in junction.roads}
        for k, arm in enumerate(junction.arms):
            _furnish(junction, k, arm)
    for road in list(network.roads.values()):
        if road.junction_id < 0:
            _limit_signs(road)
    return plan


def stop_distance(junction: Junction, arm: Arm) -> float:
    """Metres from the junction's edge to where those who arrive on an arm stop."""
    is_crossed = junction.has_crossings and arm.has_crossing
    return STOP_DISTANCE if is_crossed else BARE_STOP_DISTANCE


def signal_id(junction: Junction, k: int) -> str:
    """Id of the light or sign at arm `k` of a junction."""
    return str(junction.id * 10 + k)


def light_groups(junction: Junction) -> dict[int, int]:
    """Group of each arm with a light: arms that face each other have green together."""
    groups: dict[int, int] = {}
    for k, arm in enumerate(junction.arms):
        if arm.control != "light" or not arm.lanes_in():
            continue
        facing = [
            group
            for other, group in groups.items()
            if abs(wrap(junction.arms[other].way.heading - arm.way.heading)) > FACING
        ]
        groups[k] = facing[0] if facing else len(set(groups.values()))
    return groups


def _furnish(junction: Junction, k: int, arm: Arm) -> None:
    """Give an arm its crossing and its light or sign."""
    if junction.has_crossings and arm.has_crossing:
        arm.road.crossings.append(arm.station(CROSSING_DISTANCE))
    lanes = arm.lanes_in()
    kind = {"light": LIGHT_TYPE, "yield": YIELD_TYPE, "stop": STOP_TYPE}.get(arm.control)
    if kind is None or not lanes:
        return
    name = signal_id(junction, k)
    arm.road.signals.append(
        _signal(arm.road, name, kind, arm.station(stop_distance(junction, arm)), lanes)
    )
    if kind == LIGHT_TYPE:
        for turn, road in zip(junction.turns, junction.roads, strict=False):
            if turn.arrives == k:
                road.references.append(name)


def _signal(
    road: Road, name: str, kind: str, s: float, lanes: list[int], value: int = -1
) -> Signal:
    side = 1 if lanes[0] > 0 else -1
    return Signal(name, kind, s, road.kerb(side) + side * SIGN_BESIDE, tuple(lanes), value)


def _limit_signs(road: Road) -> None:
    """A sign of the speed limit where each direction begins, on roads that are long enough."""
    if road.length < SHORTEST_WITH_LIMIT:
        return
    value = round(road.speed_limit * 3.6)
    for side in (1, -1):
        lanes = road.numbers("driving", side)
        if lanes:
            s = LIMIT_AFTER if side < 0 else road.length - LIMIT_AFTER
            name = str(1_000_000 + 10 * road.id + (side > 0))
            road.signals.append(_signal(road, name, LIMIT_TYPE, s, lanes, value))
