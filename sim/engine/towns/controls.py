"""Places traffic lights and signs, and tells every lane what rules at its end."""

from __future__ import annotations

from sim.engine.geometry import Pose, wrap
from sim.engine.lanes import LaneGraph, LaneId
from sim.engine.signs import Sign, SignKind
from sim.engine.surfaces import KERB_HEIGHT
from sim.engine.town import JunctionArea
from sim.engine.towns.curves import Way
from sim.engine.towns.junctions import Arm, Junction
from sim.engine.towns.network import Network
from sim.engine.towns.plan import (
    LIGHT_TYPE,
    LIMIT_TYPE,
    STOP_TYPE,
    YIELD_TYPE,
    light_groups,
    signal_id,
    stop_distance,
)
from sim.engine.towns.roads import Road, Signal
from sim.engine.traffic_lights import TrafficLight

POLE_BEHIND_EDGE = 0.3  # m from the junction's far edge to a light's pole
POLE_BESIDE_KERB = 2.2  # m from the kerb to a light's pole; long vehicles swing over the kerb
OPPOSITE = 2.4  # rad of turn from an arm to the one that it looks at
STEM_REACH = 60.0  # m within which the far kerb of a junction is looked for
KINDS: dict[str, SignKind] = {STOP_TYPE: "stop", YIELD_TYPE: "yield", LIMIT_TYPE: "speed_limit"}


def place_lights(network: Network, lanes: LaneGraph) -> list[TrafficLight]:
    """A light for every approach that has one; every approach learns where one stops."""
    lights: list[TrafficLight] = []
    for junction in network.junctions:
        groups = light_groups(junction)
        for k, arm in enumerate(junction.arms):
            light_id = len(lights) + 1 if k in groups else None
            ids = [LaneId(arm.road.id, number) for number in arm.lanes_in()]
            for lane_id in ids:
                lane = lanes[lane_id]
                lane.approach, lane.light_id = arm.control, light_id
                if arm.control:
                    lane.stop_s = lane.length - stop_distance(junction, arm)
            if light_id is None:
                continue
            outer = lanes[ids[-1]]
            lights.append(
                TrafficLight(
                    id=light_id,
                    signal_id=signal_id(junction, k),
                    pose=_pole(junction, k),
                    stop_line=outer.pose_at(outer.stop_s),
                    lane_id=outer.id,
                    stop_s=outer.stop_s,
                    junction_id=junction.id,
                    group=groups[k],
                    lane_ids=tuple(ids),
                )
            )
    return lights


def _pole(junction: Junction, k: int) -> Pose:
    """The far right corner as seen from an arm; x looks back at that arm."""
    arm = junction.arms[k]
    facing = [
        other
        for other in junction.arms
        if other.lanes_out() and abs(wrap(other.way.heading - arm.way.heading)) > OPPOSITE
    ]
    if facing:
        foot = facing[0].kerb(-1).beside(-POLE_BESIDE_KERB).ahead(POLE_BEHIND_EDGE)
    else:
        foot = _far_kerb(junction, arm)
    z = junction.relief.height(foot.x, foot.y) + KERB_HEIGHT
    return Pose(foot.x, foot.y, z, arm.way.heading)


def _far_kerb(junction: Junction, arm: Arm) -> Way:
    """Straight across a junction where no road goes on, a step behind the kerb."""
    area = JunctionArea(junction.id, junction.outline())
    way = arm.border(arm.lanes_in()[-1]).back()
    reach = 2.0
    while reach < STEM_REACH:
        at = way.ahead(reach)
        if area.height_at(at.x, at.y) is None:
            break
        reach += 0.5
    return way.ahead(reach + 0.8).beside(-arm.road.form(arm.lanes_in()[-1]).width - 0.4)


def place_signs(network: Network, lanes: LaneGraph) -> list[Sign]:
    """Every sign beside a road."""
    return [
        _sign(road, signal, lanes)
        for road in network.roads.values()
        for signal in road.signals
        if signal.type != LIGHT_TYPE
    ]


def _sign(road: Road, signal: Signal, lanes: LaneGraph) -> Sign:
    side = 1 if signal.lanes[0] > 0 else -1
    foot = road.at(signal.s, signal.t)
    back = foot.back() if side < 0 else foot
    has_kerb = bool(road.numbers("pavement", side))
    z = road.relief.height(foot.x, foot.y) + (KERB_HEIGHT if has_kerb else 0.0)
    lane = lanes[LaneId(road.id, signal.lanes[-1])]
    s = signal.s if side < 0 else road.length - signal.s
    return Sign(
        signal.id,
        KINDS[signal.type],
        max(signal.value, 0),
        Pose(foot.x, foot.y, z, wrap(back.heading)),
        tuple(LaneId(road.id, number) for number in signal.lanes),
        lane.pose_at(min(max(s * lane.length / road.length, 0.0), lane.length)),
    )
