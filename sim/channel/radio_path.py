"""The way between two antennas as a vehicle drives: state, path loss, blocking, shadowing.

The dice are correlated over the distance driven: shadowing and the line of sight as their tables
say, the loss by a vehicle in between drawn once per blockage. Where the scene's vehicles and
buildings are known, geometry decides the state and no die.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from sim.channel import obstacles
from sim.channel.correlated import Correlated
from sim.channel.environment import Ends, Environment
from sim.channel.obstacles import Blocker
from sim.channel.propagation import LOS, NLOS, NLOSV

LOCAL_M = 0.3  # draw shadowing anew only after this distance: a parked car's is constant
# Five points and weights of Gauss-Hermite quadrature, for the mean over the blocking loss.
QUADRATURE = (
    (-2.856970, 0.011257),
    (-1.355626, 0.222076),
    (0.0, 0.533333),
    (1.355626, 0.222076),
    (2.856970, 0.011257),
)


@dataclass(frozen=True, slots=True)
class Way:
    """What the way takes from a signal here.

    Attributes:
        state: LOS, NLOSv or NLOS.
        loss_db: Path loss, blocking and shadowing as they fell; fading is not in it.
        chances: (probability, mean, sigma) of the loss over all seeds: a mixture of normals, dB.
    """

    state: str
    loss_db: float
    chances: Sequence[tuple[float, float, float]]

    def probability_over(self, limit_db: float, fading_db: float = 0.0) -> float:
        """That the loss, with a fading of this sigma, is above a limit: over every die cast."""
        return sum(
            share * _tail(limit_db - mean, math.hypot(sigma, fading_db))
            for share, mean, sigma in self.chances
        )


def _tail(above: float, sigma: float) -> float:
    return 0.5 * math.erfc(above / (sigma * math.sqrt(2.0)))


class RadioPath:
    """The way between one vehicle and one mast."""

    def __init__(self, environment: Environment, seed: str, frequency_ghz: float) -> None:
        self._environment = environment
        self._frequency_ghz = frequency_ghz
        self._shadowing = Correlated(f"{seed}/shadowing")
        self._sight = Correlated(f"{seed}/sight")
        self._blocking = random.Random(f"{seed}/blocking")
        self._blocked = 0.0  # the present blocker's draw, in sigmas
        self._blocker = -1
        self._state = ""
        self._last: tuple[float, float] | None = None

    def at(
        self,
        place: tuple[float, float],
        ends: Ends,
        *,
        is_behind: bool | None,
        blocker: Blocker | None,
        knows_traffic: bool,
    ) -> Way:
        """The way from where the vehicle is now.

        Args:
            place: Of the vehicle, metres: how far it came since the last call ages the dice.
            ends: Both antennas.
            is_behind: Whether a building is in between; None where the die decides that as well.
            blocker: The vehicle in between; with unknown traffic, who it would be if there is one.
            knows_traffic: False leaves to the die whether a vehicle is in between.
        """
        self._move(place)
        table = self._environment
        sight = self._sight_here(ends, is_behind, blocker, knows_traffic)
        state = self._state_here(sight, is_behind)
        if state == NLOSV and (self._state != NLOSV or (knows_traffic and self._is_new(blocker))):
            self._blocked = self._blocking.gauss(0.0, 1.0)
        self._blocker = blocker.actor_id if blocker is not None else -1
        self._state = state
        loss = table.loss_db(state, ends, self._frequency_ghz)
        mean, sigma = _blocking_db(ends, blocker)
        if state == NLOSV:
            loss += max(0.0, mean + sigma * self._blocked)
        loss += table.shadowing_db[state] * self._shadowing.value
        return Way(state, loss, self._chances(ends, sight, is_behind, mean, sigma))

    def _move(self, place: tuple[float, float]) -> None:
        driven = math.dist(place, self._last) if self._last is not None else 0.0
        if self._last is None or driven >= LOCAL_M:
            self._last = place
            near = self._state or LOS
            self._shadowing.moved(driven, self._environment.decorrelation_m[near])
            self._sight.moved(driven, self._environment.sight_decorrelation_m)

    def _sight_here(
        self, ends: Ends, is_behind: bool | None, blocker: Blocker | None, knows_traffic: bool
    ) -> float:
        """Probability of sight where no building hides it."""
        if self._environment.hidden == NLOSV:
            if knows_traffic:
                return 0.0 if blocker is not None else 1.0
            return self._environment.sight(ends)
        return self._environment.sight(ends) if is_behind is None else 1.0

    def _state_here(self, sight: float, is_behind: bool | None) -> str:
        if is_behind:
            return NLOS
        return LOS if self._sight.uniform < sight else self._environment.hidden

    def _is_new(self, blocker: Blocker | None) -> bool:
        return blocker is not None and blocker.actor_id != self._blocker

    def _chances(
        self, ends: Ends, sight: float, is_behind: bool | None, mean: float, sigma: float
    ) -> list[tuple[float, float, float]]:
        table = self._environment

        def one(share: float, state: str, extra: float) -> tuple[float, float, float]:
            loss = table.loss_db(state, ends, self._frequency_ghz) + extra
            return share, loss, table.shadowing_db[state]

        if is_behind:
            return [one(1.0, NLOS, 0.0)]
        hidden = 1.0 - sight
        if table.hidden == NLOS:
            return [one(sight, LOS, 0.0), one(hidden, NLOS, 0.0)]
        blocked = [
            one(hidden * weight, NLOSV, max(0.0, mean + sigma * point))
            for point, weight in QUADRATURE
        ]
        return [one(sight, LOS, 0.0), *blocked]


def _blocking_db(ends: Ends, blocker: Blocker | None) -> tuple[float, float]:
    if blocker is None:
        return 0.0, 0.0
    lower, higher = sorted((ends.antenna, ends.mast))
    return obstacles.blocking_db(ends.distance, lower, higher, blocker.top)
