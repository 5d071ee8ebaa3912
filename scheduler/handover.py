"""Which links are open now: the next unit's before the present one's coverage ends (sans-IO).

A link needs six round trips of handshake and three answers to be trusted again (reference
network.md 3.5), so the next one is opened while its unit is still `PRECONNECT_S` away, and the one
that it replaces is closed when the new one answers and nothing is in flight on the old. With no
more links than `max_links` all stay open, always.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from scheduler.link import LinkState

HORIZON_S = 10.0  # of coverage ahead that counts; longer looks past the next corner
PRECONNECT_S = 3.0  # before coverage begins: six round trips and some tries of 0.3 s
SWITCH_NS = 300_000_000  # the better link must have been better for so long
LEAST_OPEN_NS = 2_000_000_000  # before a link may be replaced
GONE_NS = 500_000_000  # a link that was up may be silent for so long: a fade, a reconnection
TRY_NS = 2_000_000_000  # a link that has not answered by then gives way to others
RETRY_M = 30.0  # moved since then, a link that did not answer is worth another try
MOST_BACKOFF = 4  # doublings of the pause after a try that nobody answered: 48 s
FAR, SILENT = -2.0, -1.0  # values of links that are not wanted
KEEP_S = 1.0  # of coverage that a link not open yet must bring more than one that is
FIRST_RANGE_M = 250.0  # of a unit that nobody gave a range: 802.11p in a street
LEAST_RANGE_M, MOST_RANGE_M = 40.0, 5_000.0
SHRINK = 0.2  # of the range towards the distance at which a link was lost
BAD_SOON = 0.2  # probability of an outage within `PRECONNECT_S` that ends a link's coverage
DECIDE_NS = 100_000_000  # between decisions


class Connected(Protocol):
    """What is looked at of an open link; `Uplink` is one."""

    @property
    def is_busy(self) -> bool:
        """Whether something is in flight on it, or is being encoded for it."""
        ...

    def state(self, now_ns: int) -> LinkState:
        """Of the link."""
        ...

    def bad_within(self, seconds: float, now_ns: int) -> float:
        """Probability of an outage in the seconds ahead, 0 where nothing is known of the place."""
        ...


@dataclass(slots=True)
class Candidate:
    """A link that may be open.

    Attributes:
        place: x, y of the unit's antenna, world, metres; None while nobody has told it.
        range_m: Of its radio, as configured or as learned so far.
        is_everywhere: A distant cloud: it has no coverage to leave.
        is_learning: Nobody gave its range: hearing it far away widens it, losing it narrows it.
        since_ns: When it was opened or closed by a decision.
        up_ns: When it was last seen up.
        better_since_ns: Since when it has been better than an open one; None = it is not.
        failures: Tries in a row that nobody answered though it should be covered.
        failed_at: Where the vehicle was when the last of these ended.
        is_open: Its sockets are.
        is_leaving: It takes nothing new, and closes when nothing is in flight on it.
    """

    link_id: str
    place: tuple[float, float] | None = None
    range_m: float = FIRST_RANGE_M
    is_everywhere: bool = False
    is_learning: bool = True
    since_ns: int = 0
    up_ns: int = -(1 << 62)
    better_since_ns: int | None = None
    failures: int = 0
    failed_at: "Motion | None" = None
    is_open: bool = False
    is_leaving: bool = False

    @property
    def is_held(self) -> bool:
        """Open, and meant to stay."""
        return self.is_open and not self.is_leaving


@dataclass(frozen=True, slots=True)
class Decision:
    """Links to open, links that take nothing new, and links to close."""

    opened: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


NOTHING = Decision()


@dataclass(frozen=True, slots=True)
class Motion:
    """Where the vehicle is and how it moves: metres and m/s in the world."""

    x: float
    y: float
    vx: float
    vy: float

    def coverage_s(self, place: tuple[float, float], range_m: float) -> tuple[float, float]:
        """When, straight on from now, the disc around a place is entered and left, in seconds.

        Both are `inf` where it is never entered; a negative entry is in the past.
        """
        dx, dy = place[0] - self.x, place[1] - self.y
        speed2 = self.vx * self.vx + self.vy * self.vy
        inside = range_m * range_m - dx * dx - dy * dy
        if speed2 < 0.01:  # under 0.1 m/s: standing
            return (-math.inf, math.inf) if inside >= 0.0 else (math.inf, math.inf)
        along = (dx * self.vx + dy * self.vy) / speed2  # seconds to the nearest point
        under_root = along * along + inside / speed2
        if under_root < 0.0:
            return math.inf, math.inf
        half = math.sqrt(under_root)
        if along + half < 0.0:  # it lies behind
            return math.inf, math.inf
        return along - half, along + half

    def distance(self, place: tuple[float, float]) -> float:
        """Metres to a place."""
        return math.hypot(place[0] - self.x, place[1] - self.y)


class Handover:
    """Decides which of many links are open.

    Args:
        candidates: Links in order of declaration, which breaks ties.
        max_links: Open at once; one more while a link is being replaced. Raising it costs pings,
            handshakes in vain and, at units, sessions; it saves the wait for a handshake.
    """

    def __init__(self, candidates: Iterable[Candidate], max_links: int = 3) -> None:
        self.candidates = {candidate.link_id: candidate for candidate in candidates}
        self.max_links = max_links
        self._all = tuple(self.candidates.values())
        self._motion: Motion | None = None
        self._next_ns = 0

    @property
    def is_choosing(self) -> bool:
        """Whether there are more links than may be open."""
        return len(self.candidates) > self.max_links

    def on_place(self, link_id: str, x: float, y: float) -> None:
        """A map or a beacon says where the unit at the end of this link stands."""
        self.candidates[link_id].place = (x, y)

    def on_pose(self, x: float, y: float, heading: float, speed: float) -> None:
        """Where the vehicle is: metres, radians counter-clockwise from east, m/s."""
        self._motion = Motion(x, y, speed * math.cos(heading), speed * math.sin(heading))

    def on_heard(self, link_id: str) -> None:
        """Something came over a link: its range is at least this distance."""
        candidate = self.candidates[link_id]
        if candidate.is_learning and candidate.place is not None and self._motion is not None:
            distance = self._motion.distance(candidate.place)
            candidate.range_m = min(MOST_RANGE_M, max(candidate.range_m, distance))

    def on_lost(self, link_id: str) -> None:
        """A link stalled, or gave no sign of life to a handshake."""
        candidate = self.candidates[link_id]
        if candidate.is_learning and candidate.place is not None and self._motion is not None:
            distance = self._motion.distance(candidate.place)
            if distance < candidate.range_m:
                shrunk = candidate.range_m + SHRINK * (distance - candidate.range_m)
                candidate.range_m = max(LEAST_RANGE_M, shrunk)

    def first(self, now_ns: int) -> tuple[str, ...]:
        """The links to begin with, before anything is known of places."""
        chosen = sorted(self._all, key=lambda c: not c.is_everywhere)
        opened = chosen[: self.max_links]
        for candidate in opened:
            self._open(candidate, now_ns)
        return tuple(candidate.link_id for candidate in opened)

    def next_ns(self) -> int | None:
        """When `decide` is due; None where there is nothing to choose."""
        return self._next_ns if self.is_choosing else None

    def decide(self, links: Mapping[str, Connected], now_ns: int) -> Decision:
        """What changes now; see `Decision`."""
        if not self.is_choosing or now_ns < self._next_ns:
            return NOTHING
        self._next_ns = now_ns + DECIDE_NS
        closed = tuple(
            candidate.link_id
            for candidate in self._all
            if candidate.is_leaving and not links[candidate.link_id].is_busy
        )
        for link_id in closed:
            self._close(self.candidates[link_id], now_ns)
        for candidate in self._all:
            if links[candidate.link_id].state(now_ns) == "up":
                candidate.failures, candidate.up_ns = 0, now_ns
        values = {c.link_id: self.value(c, links[c.link_id], now_ns) for c in self._all}
        opened = self._choose(values, now_ns)
        return Decision(opened, self._release(links, values, now_ns), closed)

    # --- choosing ----------------------------------------------------------------------------

    def value(self, candidate: Candidate, link: Connected, now_ns: int) -> float:
        """Seconds of coverage within the horizon, the nearer unit first; negative = not wanted."""
        is_up = link.state(now_ns) == "up"
        waited_ns = now_ns - candidate.since_ns
        is_gone = now_ns - candidate.up_ns > GONE_NS
        is_silent = candidate.is_open and is_gone and waited_ns > TRY_NS
        if not candidate.is_open and self._is_pausing(candidate, waited_ns):
            return SILENT
        if candidate.is_everywhere:
            return 0.0 if is_silent else 2.0 * HORIZON_S
        if candidate.place is None or self._motion is None:
            return self._value_of_unknown(candidate, is_up, is_silent, now_ns)
        enters_s, leaves_s = self._motion.coverage_s(candidate.place, candidate.range_m)
        if is_up:  # heard from here: covered, whatever the disc says
            enters_s, leaves_s = min(enters_s, 0.0), max(leaves_s, 1.0)
            if link.bad_within(PRECONNECT_S, now_ns) > BAD_SOON:
                leaves_s = min(leaves_s, PRECONNECT_S / 2.0)
        if enters_s > PRECONNECT_S * (2.0 if candidate.is_open else 1.0):
            return FAR
        if is_silent and enters_s * 1e9 < -TRY_NS:  # it has been covered for long enough
            return 0.0
        nearness = 1.0 / (1.0 + self._motion.distance(candidate.place) / 100.0)
        return max(0.0, min(leaves_s, HORIZON_S) - max(enters_s, 0.0)) + nearness

    def _is_pausing(self, candidate: Candidate, waited_ns: int) -> bool:
        """After a try in vain: longer each time, or until the vehicle is elsewhere."""
        if waited_ns >= TRY_NS << min(candidate.failures, MOST_BACKOFF) or not candidate.failures:
            return False
        was, now = candidate.failed_at, self._motion
        return was is None or now is None or now.distance((was.x, was.y)) < RETRY_M

    @staticmethod
    def _value_of_unknown(candidate: Candidate, is_up: bool, is_silent: bool, now_ns: int) -> float:
        """Without places the links are tried in turn, and those that answer are kept."""
        if is_up:
            return HORIZON_S
        if candidate.is_open:
            return SILENT if is_silent else KEEP_S
        waited_s = (now_ns - candidate.since_ns) / 1e9
        return KEEP_S / 2.0 + min(waited_s, HORIZON_S) / (4.0 * HORIZON_S)

    def _choose(self, values: Mapping[str, float], now_ns: int) -> tuple[str, ...]:
        opened: list[str] = []
        others = [c for c in self._all if not c.is_open]
        for candidate in sorted(others, key=lambda c: -round(values[c.link_id], 6)):
            value = values[candidate.link_id]
            free = self.max_links - sum(c.is_held for c in self._all)
            if value < 0.0:
                candidate.better_since_ns = None
            elif free > 0:
                self._open(candidate, now_ns)
                opened.append(candidate.link_id)
            elif not self._is_better(value, values, now_ns):
                candidate.better_since_ns = None
            elif candidate.better_since_ns is None:
                candidate.better_since_ns = now_ns
            elif now_ns - candidate.better_since_ns >= SWITCH_NS and not self._is_replacing:
                self._open(candidate, now_ns)
                opened.append(candidate.link_id)
        return tuple(opened)

    @property
    def _is_replacing(self) -> bool:
        held = sum(c.is_held for c in self._all)
        return held > self.max_links or any(c.is_leaving for c in self._all)

    def _is_better(self, value: float, values: Mapping[str, float], now_ns: int) -> bool:
        """Whether a link is clearly better than one that is open long enough to be replaced."""
        return any(
            values[c.link_id] + KEEP_S < value
            for c in self._all
            if c.is_held and now_ns - c.since_ns >= LEAST_OPEN_NS
        )

    def _release(
        self, links: Mapping[str, Connected], values: Mapping[str, float], now_ns: int
    ) -> tuple[str, ...]:
        """Which links take nothing new from now on: those that are far, and what was replaced."""
        held = [c for c in self._all if c.is_held]
        leaving = [
            c for c in held
            if values[c.link_id] < 0.0 and now_ns - c.since_ns >= LEAST_OPEN_NS
        ]  # fmt: skip
        if not leaving and len(held) > self.max_links:
            leaving = self._replaced(held, links, values, now_ns)
        for candidate in leaving:
            candidate.is_leaving = True
            is_up = links[candidate.link_id].state(now_ns) == "up"
            if not is_up and FAR < values[candidate.link_id] <= 0.0:
                candidate.failures += 1
                candidate.failed_at = self._motion
        return tuple(candidate.link_id for candidate in leaving)

    def _replaced(
        self,
        held: list[Candidate],
        links: Mapping[str, Connected],
        values: Mapping[str, float],
        now_ns: int,
    ) -> list[Candidate]:
        """With one link too many: the worst, once the newest answers; the newest, if it does not.

        A link that is down is let go of at once: that costs nothing.
        """
        newest = max(held, key=lambda c: c.since_ns)
        old = [c for c in held if c is not newest and now_ns - c.since_ns >= LEAST_OPEN_NS]
        down = [c for c in old if values[c.link_id] <= 0.0]
        if down or (old and links[newest.link_id].state(now_ns) == "up"):
            return [min(down or old, key=lambda c: round(values[c.link_id], 6))]
        return [newest] if values[newest.link_id] <= 0.0 else []

    def _open(self, candidate: Candidate, now_ns: int) -> None:
        candidate.since_ns, candidate.better_since_ns = now_ns, None
        candidate.is_open, candidate.is_leaving = True, False

    def _close(self, candidate: Candidate, now_ns: int) -> None:
        candidate.since_ns, candidate.better_since_ns = now_ns, None
        candidate.is_open = candidate.is_leaving = False
