"""How much the way takes from a radio signal: path loss, probability of sight, noise.

3GPP TR 37.885 (vehicle to vehicle and roadside), TR 38.901 (cells) and WINNER+ B1 (the older
studies of 802.11p). Distances in metres, frequencies in GHz, losses and noise in dB. Shadowing
and blocking come on top: `sim.channel.environment`, `sim.channel.obstacles`.
"""

import math

LOS, NLOSV, NLOS = "LOS", "NLOSv", "NLOS"  # clear; a vehicle in between; a building in between
NEAREST_M = 1.0  # the formulas of TR 37.885 end here
NEAREST_CELL_M = 10.0  # on the ground; those of TR 38.901
NEAREST_B1_M = 3.0
LIGHT_MPS = 3.0e8  # as TR 38.901 table 7.4.1-1 note 1 has it
THERMAL_DBM_HZ = -174.0
CAR_LOSS_DB, METALLISED_LOSS_DB, CAR_SIGMA_DB = 9.0, 20.0, 5.0  # TR 38.901 7.4.3.2
B1_GROUND_M = 0.5  # of traffic, over which WINNER+ counts antenna heights
SAME_STREET_M = 10.0  # off the street's middle: WINNER+ B1's round a corner begins here


def urban_db(state: str, distance: float, frequency_ghz: float) -> float:
    """TR 37.885 table 6.2.1-1, urban; NLOS is round a corner, NLOSv's blocking not included."""
    d = math.log10(max(distance, NEAREST_M))
    f = math.log10(frequency_ghz)
    if state == NLOS:
        return 36.85 + 30.0 * d + 18.9 * f
    return 38.77 + 16.7 * d + 18.2 * f


def highway_db(state: str, distance: float, frequency_ghz: float) -> float:
    """TR 37.885 table 6.2.1-1, highway; round a corner, which it does not have, as in a town."""
    if state == NLOS:
        return urban_db(NLOS, distance, frequency_ghz)
    d = math.log10(max(distance, NEAREST_M))
    return 32.4 + 20.0 * d + 20.0 * math.log10(frequency_ghz)


def urban_sight(distance: float) -> float:
    """TR 37.885 table 6.2-1: probability that no vehicle stands between two in one street."""
    return min(1.0, 1.05 * math.exp(-0.0114 * distance))


def highway_sight(distance: float) -> float:
    """TR 37.885 table 6.2-1, highway."""
    if distance <= 475.0:
        return min(1.0, 2.1013e-6 * distance**2 - 0.002 * distance + 1.0193)
    return max(0.0, 0.54 - 0.001 * (distance - 475.0))


def breakpoint_m(frequency_ghz: float, mast: float, antenna: float) -> float:
    """Where a cell's path loss begins to fall with the fourth power (d'_BP, environment 1 m).

    Args:
        frequency_ghz: Of the carrier.
        mast: Height of the base station's antenna, above 1 m.
        antenna: Of the vehicle's, above 1 m.
    """
    return 4.0 * (mast - 1.0) * (antenna - 1.0) * frequency_ghz * 1e9 / LIGHT_MPS


def umi_db(
    state: str, ground_m: float, frequency_ghz: float, mast: float = 10.0, antenna: float = 1.5
) -> float:
    """TR 38.901 table 7.4.1-1, UMi street canyon; arguments as of `uma_db`."""
    near = max(ground_m, NEAREST_CELL_M)
    rise = mast - antenna
    d = math.log10(math.hypot(near, rise))
    f = math.log10(frequency_ghz)
    turn = breakpoint_m(frequency_ghz, mast, antenna)
    clear = 32.4 + 21.0 * d + 20.0 * f
    if near > turn:
        clear = 32.4 + 40.0 * d + 20.0 * f - 9.5 * math.log10(turn**2 + rise**2)
    if state == LOS:
        return clear
    return max(clear, 35.3 * d + 22.4 + 21.3 * f - 0.3 * (antenna - 1.5))


def uma_db(
    state: str, ground_m: float, frequency_ghz: float, mast: float = 25.0, antenna: float = 1.5
) -> float:
    """TR 38.901 table 7.4.1-1, UMa.

    Args:
        state: LOS; anything else is NLOS.
        ground_m: Distance without heights.
        frequency_ghz: Of the carrier, 0.5 to 100.
        mast: Height of the base station's antenna.
        antenna: Of the vehicle's, 1.5 to 13 m (below that the environment is 1 m high).
    """
    near = max(ground_m, NEAREST_CELL_M)
    rise = mast - antenna
    d = math.log10(math.hypot(near, rise))
    f = math.log10(frequency_ghz)
    turn = breakpoint_m(frequency_ghz, mast, antenna)
    clear = 28.0 + 22.0 * d + 20.0 * f
    if near > turn:
        clear = 28.0 + 40.0 * d + 20.0 * f - 9.0 * math.log10(turn**2 + rise**2)
    if state == LOS:
        return clear
    return max(clear, 13.54 + 39.08 * d + 20.0 * f - 0.6 * (antenna - 1.5))


def umi_sight(ground_m: float) -> float:
    """TR 38.901 table 7.4.2-1, UMi."""
    return _cell_sight(ground_m, 36.0)


def uma_sight(ground_m: float) -> float:
    """TR 38.901 table 7.4.2-1, UMa with an antenna of at most 13 m."""
    return _cell_sight(ground_m, 63.0)


def _cell_sight(ground_m: float, scale_m: float) -> float:
    if ground_m <= 18.0:
        return 1.0
    near = 18.0 / ground_m
    return near + math.exp(-ground_m / scale_m) * (1.0 - near)


def b1_clear_db(distance: float, frequency_ghz: float, mast: float, antenna: float) -> float:
    """WINNER+ B1 (D5.3 table 4-1) in sight; heights count over `B1_GROUND_M` of traffic."""
    d = max(distance, NEAREST_B1_M)
    high, low = (max(height - B1_GROUND_M, 0.1) for height in (mast, antenna))
    f = math.log10(frequency_ghz)
    if d < 4.0 * high * low * frequency_ghz * 1e9 / LIGHT_MPS:
        return 22.7 * math.log10(d) + 27.0 + 20.0 * f
    heights = 17.3 * math.log10(high) + 17.3 * math.log10(low)
    return 40.0 * math.log10(d) + 7.56 - heights + 2.7 * f


def b1_corner_db(
    along: float, across: float, frequency_ghz: float, mast: float, antenna: float
) -> float:
    """WINNER+ B1 round a corner, as ITU-R M.2135-1 table A1-2 prints it (UMi Manhattan).

    Args:
        along: Metres to the corner on one street.
        across: Metres from it on the other.
        frequency_ghz: Of the carrier.
        mast: Height of one antenna.
        antenna: Of the other.
    """

    def one_way(first: float, second: float) -> float:
        n = max(2.8 - 0.0024 * first, 1.84)
        clear = b1_clear_db(first, frequency_ghz, mast, antenna)
        turned = 10.0 * n * math.log10(second) + 3.0 * math.log10(frequency_ghz)
        return clear + 17.9 - 12.5 * n + turned

    a, b = max(along, SAME_STREET_M), max(across, SAME_STREET_M)
    return min(one_way(a, b), one_way(b, a))


def noise_dbm(bandwidth_hz: float, noise_figure_db: float) -> float:
    """Thermal noise and what the receiver adds."""
    return THERMAL_DBM_HZ + 10.0 * math.log10(bandwidth_hz) + noise_figure_db
