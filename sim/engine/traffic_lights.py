"""Traffic lights: their states, their times, and the junction that lets one axis go after another."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sim.engine.geometry import Pose
from sim.engine.lanes import LaneId


class LightState(enum.IntEnum):
    """State of a traffic light; numbers as CARLA's, so that a client reads them unchanged."""

    RED = 0
    YELLOW = 1
    GREEN = 2
    OFF = 3


@dataclass(slots=True)
class TrafficLight:
    """One light, which governs one approach of a junction.

    Attributes:
        id: actor id; given by the engine, unique in a town.
        signal_id: id of its OpenDRIVE signal, CARLA's `sign_id`.
        pose: foot of its pole; x points to where the lamps look, at the arriving vehicles.
        stop_line: pose on the governed lane where one stops.
        lane_id: the governed lane.
        stop_s: metres along that lane.
        junction_id: OpenDRIVE junction id.
        group: lights of a junction with the same group are green together.
        state: what it shows.
        elapsed: seconds it has shown that.
        green_time: seconds.
        yellow_time: seconds.
        red_time: seconds for which all are red after this group's yellow.
        is_frozen: it keeps its state.
    """

    id: int
    signal_id: str
    pose: Pose
    stop_line: Pose
    lane_id: LaneId
    stop_s: float
    junction_id: int
    group: int
    state: LightState = LightState.RED
    elapsed: float = 0.0
    green_time: float = 10.0
    yellow_time: float = 3.0
    red_time: float = 2.0
    is_frozen: bool = False
