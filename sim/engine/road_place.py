"""Where vehicles are on the roads: lane, height and slope, speed limit, the light they stand at."""

from __future__ import annotations

import math

from sim.engine.actors import Actor
from sim.engine.geometry import wrap
from sim.engine.lanes import Lane
from sim.engine.town import Town
from sim.engine.traffic_lights import TrafficLight

TRIGGER_LENGTH = 12.0  # m before the stop line in which a vehicle's front counts as at the light
ON_LANE = 1.75  # m from a lane's middle within which a vehicle is on it
SURE = 1.0  # m from a lane's middle within which one is on it and on no other
SURE_IN_JUNCTION = 0.6  # m; lanes cross there
SURE_HEADING = 0.5  # rad from the lane's
END = 3.0  # m from a lane's ends, where others may be nearer
SAME_PLACE = 0.02  # m within which one has not moved
FAR_OFF = 8.0  # m from a lane's middle from which one is on open land
PIECES = 4  # of the centre line that are tried from the last known one on


class RoadPlaces:
    """Keeps vehicles' places; a vehicle is looked for near where it was."""

    def __init__(self, town: Town, lights: dict[int, TrafficLight]) -> None:
        self._town = town
        self._lights = lights
        self._pieces: dict[int, tuple[int, float, float, float]] = {}

    def forget(self, actor_id: int) -> None:
        """Drop what is known of an actor that has gone."""
        self._pieces.pop(actor_id, None)

    def look(self, actor: Actor) -> None:
        """Find a vehicle's lane, its speed limit, the ground under it and the light it is at."""
        pose = actor.pose
        x, y, yaw = pose.x, pose.y, pose.yaw
        known = self._pieces.get(actor.id)
        if known is not None:
            _, kx, ky, kyaw = known
            if abs(x - kx) < SAME_PLACE and abs(y - ky) < SAME_PLACE and yaw == kyaw:
                return
            off = abs(actor.lane_offset)
            if off > FAR_OFF and math.hypot(x - kx, y - ky) < 0.5 * (off - ON_LANE):
                # no lane can be under it yet, and to look for the nearest so far away takes long
                actor.ground = self._town.ground_height(x, y)
                return
        if known is None or not self._goes_on(actor, known[0], x, y, yaw):
            lane, s, offset = self._town.lanes.nearest(x, y, yaw, z=pose.z)
            actor.lane, actor.lane_s, actor.lane_offset = lane, s, offset
            actor.speed_limit = lane.speed_limit
            self._stand(actor, self._piece_at(lane, s), x, y, yaw)
        self._find_light(actor)

    def _piece_at(self, lane: Lane, s: float) -> int:
        lengths = lane.lengths
        low, high = 0, len(lengths) - 2
        while low < high:
            middle = (low + high + 1) // 2
            if lengths[middle] <= s:
                low = middle
            else:
                high = middle - 1
        return low

    def _goes_on(self, actor: Actor, piece: int, x: float, y: float, yaw: float) -> bool:
        """It is plain that it is still on its lane, a little farther."""
        lane = actor.lane
        if lane is None:
            return False
        pieces, length = lane.pieces, lane.lengths[-1]
        for i in range(piece - 1 if piece else 0, min(piece + PIECES, len(pieces))):
            x0, y0, ux, uy, span, start, heading = pieces[i]
            dx, dy = x - x0, y - y0
            along = dx * ux + dy * uy
            if not 0.0 <= along <= span:
                continue
            offset = dy * ux - dx * uy
            s = start + along
            sure = SURE_IN_JUNCTION if lane.is_junction else SURE
            if not -sure <= offset <= sure or not END < s < length - END:
                return False
            turned = heading - yaw
            if not -SURE_HEADING <= turned <= SURE_HEADING and abs(wrap(turned)) > SURE_HEADING:
                return False
            actor.lane_s, actor.lane_offset = s, offset
            self._stand(actor, i, x, y, yaw)
            return True
        return False

    def _stand(self, actor: Actor, piece: int, x: float, y: float, yaw: float) -> None:
        """Note the piece it is on, and the ground there."""
        lane = actor.lane
        assert lane is not None
        self._pieces[actor.id] = (piece, x, y, yaw)
        if abs(actor.lane_offset) >= ON_LANE:
            actor.ground, actor.slope = self._town.ground_height(x, y), 0.0
            return
        (x0, y0, z0), (x1, y1, z1) = lane.points[piece], lane.points[piece + 1]
        if z0 == z1:
            actor.ground, actor.slope = z0, 0.0
            return
        flat = math.hypot(x1 - x0, y1 - y0)
        share = min(max((actor.lane_s - lane.lengths[piece]) / flat, 0.0), 1.0)
        actor.ground = z0 + share * (z1 - z0)
        facing = ((x1 - x0) * math.cos(yaw) + (y1 - y0) * math.sin(yaw)) / flat
        actor.slope = math.atan((z1 - z0) / flat) * facing

    def _find_light(self, actor: Actor) -> None:
        lane = actor.lane
        actor.traffic_light = None
        if lane is None or lane.light_id is None or abs(actor.lane_offset) > ON_LANE:
            return
        s = actor.lane_s
        if s + actor.extent[0] >= lane.stop_s - TRIGGER_LENGTH and s <= lane.stop_s:
            actor.traffic_light = self._lights[lane.light_id]
