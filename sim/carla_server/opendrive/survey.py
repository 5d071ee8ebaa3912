"""What a survey of an OpenDRIVE file finds: plain records that cross from process to process."""

from __future__ import annotations

import msgspec

LaneKey = tuple[int, int, int]  # road, lane section, lane


class LaneRecord(msgspec.Struct, frozen=True, array_like=True):
    """One lane of one lane section; the engine's axes, metres and m/s.

    Attributes:
        key: road, lane section and lane, numbers of the file.
        kind: OpenDRIVE's lane type.
        junction: the junction it lies in, or -1.
        is_forward: one travels along the road's reference line on it.
        speed_limit: m/s.
        points: (N, 4) float64 as bytes: x, y, z and width, in the direction of travel.
        successors: lanes that may follow.
        marks: (type, colour) of the lane's line on the left and on the right as one travels.
    """

    key: LaneKey
    kind: str
    junction: int
    is_forward: bool
    speed_limit: float
    points: bytes
    successors: list[LaneKey]
    marks: tuple[tuple[str, str], tuple[str, str]]


class SignalRecord(msgspec.Struct, frozen=True, array_like=True):
    """One signal as it stands at one road.

    Attributes:
        id: of the signal; one that several roads refer to comes several times.
        type: OpenDRIVE signal type, 1000001 for a traffic light.
        subtype: its subtype.
        name: as written.
        is_dynamic: it changes its state.
        value: number on it, nan if none.
        unit: of the value.
        road: where it holds.
        s: metres along that road.
        orientation: as written, "+", "-" or "none" for both.
        lanes: from and to of the lanes for which it holds. Where the file names none, the parser
            (so CARLA's server and client) takes "+" for the lanes left of the reference line and
            "-" for those right of it, the other way round than OpenDRIVE.
        pose: x, y, z and yaw of the thing itself, metres and radians; x looks at those it is for.
        controller: id of the controller that it is named by, or "".
        is_reference: the signal stands at another road.
    """

    id: str
    type: str
    subtype: str
    name: str
    is_dynamic: bool
    value: float
    unit: str
    road: int
    s: float
    orientation: str
    lanes: list[tuple[int, int]]
    pose: tuple[float, float, float, float]
    controller: str
    is_reference: bool


class Survey(msgspec.Struct, frozen=True, array_like=True):
    """Everything in a file that a town is made of.

    Attributes:
        opendrive: the file's text, restated where the parser would not have read it.
        lanes: all lanes with a width.
        signals: lights and signs.
        crosswalks: outlines (x, y, z), metres.
    """

    opendrive: str
    lanes: list[LaneRecord]
    signals: list[SignalRecord]
    crosswalks: list[list[tuple[float, float, float]]]
