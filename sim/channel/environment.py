"""The places that a radio is used in: path loss, shadowing and sight of each, with sources."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from scheduler.messages import Metres3
from sim.channel import propagation
from sim.channel.propagation import LOS, NLOS, NLOSV


class Ends(NamedTuple):
    """Both antennas of a link, as path loss formulas ask for them; metres.

    Attributes:
        distance: Between them.
        ground: The same without heights.
        along: Part of `ground` along the vehicle's way.
        across: Part of `ground` across it.
        antenna: Height of the vehicle's.
        mast: Of the other.
    """

    distance: float
    ground: float
    along: float
    across: float
    antenna: float
    mast: float


def ends_of(vehicle: Metres3, velocity: tuple[float, float], unit: Metres3) -> Ends:
    """The ends of a link; a vehicle that stands counts as one that heads east."""
    dx, dy = unit[0] - vehicle[0], unit[1] - vehicle[1]
    speed = math.hypot(*velocity)
    east, north = (velocity[0] / speed, velocity[1] / speed) if speed > 0.0 else (1.0, 0.0)
    return Ends(
        distance=math.dist(vehicle, unit),
        ground=math.hypot(dx, dy),
        along=abs(dx * east + dy * north),
        across=abs(dy * east - dx * north),
        antenna=vehicle[2],
        mast=unit[2],
    )


@dataclass(frozen=True, slots=True)
class Environment:
    """One place.

    Attributes:
        loss_db: Path loss by state, ends and GHz, without blocking vehicles and shadowing.
        sight: Probability that nothing is in between where no building is known to be.
        hidden: The state of a link that this die leaves without sight.
        shadowing_db: Sigma by state.
        decorrelation_m: In which shadowing forgets itself to 1/e, by state.
        sight_decorrelation_m: The same of the line of sight.
    """

    loss_db: Callable[[str, Ends, float], float]
    sight: Callable[[Ends], float]
    hidden: str
    shadowing_db: Mapping[str, float]
    decorrelation_m: Mapping[str, float]
    sight_decorrelation_m: float


def _urban(state: str, ends: Ends, ghz: float) -> float:
    return propagation.urban_db(state, ends.distance, ghz)


def _highway(state: str, ends: Ends, ghz: float) -> float:
    return propagation.highway_db(state, ends.distance, ghz)


def _b1(state: str, ends: Ends, ghz: float) -> float:
    if state == NLOS and ends.across > propagation.SAME_STREET_M < ends.along:
        return propagation.b1_corner_db(ends.along, ends.across, ghz, ends.mast, ends.antenna)
    return propagation.b1_clear_db(ends.distance, ghz, ends.mast, ends.antenna)


def _umi(state: str, ends: Ends, ghz: float) -> float:
    return propagation.umi_db(state, ends.ground, ghz, ends.mast, ends.antenna)


def _uma(state: str, ends: Ends, ghz: float) -> float:
    return propagation.uma_db(state, ends.ground, ghz, ends.mast, ends.antenna)


ROAD_SHADOWING_DB = {LOS: 3.0, NLOSV: 3.0, NLOS: 4.0}  # TR 37.885 table 6.2.1-1
URBAN = Environment(
    loss_db=_urban,
    sight=lambda ends: propagation.urban_sight(ends.distance),
    hidden=NLOSV,
    shadowing_db=ROAD_SHADOWING_DB,
    decorrelation_m={LOS: 10.0, NLOSV: 13.0, NLOS: 13.0},  # of its fast-fading table 6.2.3-1
    sight_decorrelation_m=50.0,  # TR 38.901 table 7.6.3.1-2, UMi and UMa
)
HIGHWAY = Environment(
    loss_db=_highway,
    sight=lambda ends: propagation.highway_sight(ends.distance),
    hidden=NLOSV,
    shadowing_db=ROAD_SHADOWING_DB,
    decorrelation_m={LOS: 25.0, NLOSV: 25.0, NLOS: 25.0},  # TR 36.885 table A.1.4-1, freeway
    sight_decorrelation_m=50.0,
)
WINNER_B1 = Environment(
    loss_db=_b1,
    sight=lambda ends: propagation.urban_sight(ends.distance),
    hidden=NLOSV,
    shadowing_db=ROAD_SHADOWING_DB,  # TR 36.885 has the same 3 and 4 dB
    decorrelation_m={LOS: 10.0, NLOSV: 10.0, NLOS: 10.0},  # TR 36.885 table A.1.4-1, urban
    sight_decorrelation_m=50.0,
)
UMI = Environment(
    loss_db=_umi,
    sight=lambda ends: propagation.umi_sight(ends.ground),
    hidden=NLOS,
    shadowing_db={LOS: 4.0, NLOS: 7.82},  # TR 38.901 table 7.4.1-1
    decorrelation_m={LOS: 10.0, NLOS: 13.0},  # TR 38.901 table 7.5-6
    sight_decorrelation_m=50.0,
)
UMA = Environment(
    loss_db=_uma,
    sight=lambda ends: propagation.uma_sight(ends.ground),
    hidden=NLOS,
    shadowing_db={LOS: 4.0, NLOS: 6.0},
    decorrelation_m={LOS: 37.0, NLOS: 50.0},
    sight_decorrelation_m=50.0,
)
