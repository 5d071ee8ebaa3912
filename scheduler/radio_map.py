"""What a vehicle has learned of one link by place: where it breaks, and what it carries (sans-IO).

Position predicts a break before it happens where nothing else does, if breaks are spatial at all
(reference network.md 3.7). So the map keeps its own score: each fate is predicted before it is
learned, and below `LEAST_AUC` nobody listens to the map.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from scheduler.errors import ConfigError

CELL_M = 10.0  # edge; larger learns sooner and blurs corners
OCTANTS = 8  # of the heading
FORGET = 0.995  # per sample in a cell; smaller follows new buildings sooner
PRIOR_BAD, PRIOR_WEIGHT = 0.05, 0.5  # of a place where nobody has been
MOST_CELLS = 20_000  # of one link; the one not visited for longest goes first
LEAST_AUC = 0.65  # of predicted onsets; the rural set of the reference, useless, had 0.55
LEAST_ONSETS = 10  # breaks that began while the link was fine, before a score is one
LEAST_FATES = 100
SCORE_BINS = 32
SCORE_MEMORY = 20_000.0  # fates, a quarter of an hour; then all counts are halved
RATE_GAIN = 0.85  # of the squared log error without a map: below it the rates are listened to
RATE_RATE = 0.01  # of the running errors
VERSION = 1
MOST_BYTES = 64 * 2**20  # of a file

_BLUR = ((-1, -1, 1.0), (-1, 0, 2.0), (-1, 1, 1.0), (0, -1, 2.0), (0, 0, 4.0), (0, 1, 2.0),
         (1, -1, 1.0), (1, 0, 2.0), (1, 1, 1.0))  # fmt: skip

Key = tuple[int, int, int]


class Pose(NamedTuple):
    """Where the vehicle is in the world: metres, radians, m/s."""

    x: float
    y: float
    heading: float
    speed: float

    def ahead(self, seconds: float) -> "Pose":
        """Where it will be at this heading and speed."""
        way = self.speed * seconds
        return self._replace(
            x=self.x + way * math.cos(self.heading), y=self.y + way * math.sin(self.heading)
        )

    @property
    def key(self) -> Key:
        """The cell of the map."""
        octant = round(self.heading / (2.0 * math.pi) * OCTANTS) % OCTANTS
        return math.floor(self.x / CELL_M), math.floor(self.y / CELL_M), octant


class Outlook(NamedTuple):
    """What the map says of a place.

    Attributes:
        p_bad: Probability that what is sent here gets lost or stuck.
        log_rate: Mean of ln(bits a second); 0 where none was measured.
        rate_weight: Samples behind it.
    """

    p_bad: float
    log_rate: float
    rate_weight: float


class _Cell(msgspec.Struct, array_like=True):
    fates: float = 0.0
    bad: float = 0.0
    rates: float = 0.0
    log_rate: float = 0.0

    def add_fate(self, is_bad: bool) -> None:
        self.fates = self.fates * FORGET + 1.0
        self.bad = self.bad * FORGET + is_bad

    def add_rate(self, log_rate: float) -> None:
        self.rates = self.rates * FORGET + 1.0
        self.log_rate += (log_rate - self.log_rate) / self.rates


class Onsets(msgspec.Struct, array_like=True):
    """Score of predicted breaks: area under the ROC curve, from two histograms."""

    fine: list[float] = msgspec.field(default_factory=lambda: [0.0] * SCORE_BINS)
    bad: list[float] = msgspec.field(default_factory=lambda: [0.0] * SCORE_BINS)

    def add(self, p_bad: float, is_bad: bool) -> None:
        """One prediction, made while the link was fine, and what came of it."""
        place = min(SCORE_BINS - 1, int(math.sqrt(p_bad) * SCORE_BINS))
        (self.bad if is_bad else self.fine)[place] += 1.0
        if sum(self.fine) > SCORE_MEMORY:
            self.fine = [count / 2.0 for count in self.fine]
            self.bad = [count / 2.0 for count in self.bad]

    @property
    def auc(self) -> float:
        """Probability that a break was thought likelier than a fine one; 0.5 while unknown."""
        fine, bad = sum(self.fine), sum(self.bad)
        if bad < LEAST_ONSETS or fine + bad < LEAST_FATES:
            return 0.5
        below = area = 0.0
        for fine_here, bad_here in zip(self.fine, self.bad, strict=True):
            area += bad_here * (below + 0.5 * fine_here)
            below += fine_here
        return area / (fine * bad)


class RateErrors(msgspec.Struct, array_like=True):
    """Squared log error of predicted rates with the map and with one mean for the whole link."""

    count: int = 0
    mean: float = 0.0
    with_map: float = 1.0
    without: float = 1.0

    def add(self, predicted: float, log_rate: float) -> None:
        """One rate, and what the map had said of the place."""
        self.count += 1
        if self.count == 1:
            self.mean = log_rate
        gain = max(RATE_RATE, 1.0 / self.count)
        self.with_map += gain * ((log_rate - predicted) ** 2 - self.with_map)
        self.without += gain * ((log_rate - self.mean) ** 2 - self.without)
        self.mean += gain * (log_rate - self.mean)

    @property
    def is_better(self) -> bool:
        """Whether place tells more of the rate than the link's mean does."""
        return self.count >= LEAST_FATES and self.with_map < RATE_GAIN * self.without


class RadioMap:
    """One link's map."""

    def __init__(self) -> None:
        self.onsets = Onsets()
        self.rate_errors = RateErrors()
        self._cells: dict[Key, _Cell] = {}
        self._blurred: dict[Key, Outlook] = {}

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def is_trusted(self) -> bool:
        """Whether its breaks were predicted well enough to act on them."""
        return self.onsets.auc >= LEAST_AUC

    def at(self, pose: Pose) -> Outlook:
        """What is known of this place and its neighbours, in this heading."""
        key = pose.key
        outlook = self._blurred.get(key)
        if outlook is None:
            outlook = self._blurred[key] = self._blur(key)
        return outlook

    def within(self, pose: Pose, seconds: float) -> float:
        """The largest probability of a break on the way ahead."""
        steps = max(1, math.ceil(seconds / 0.25))
        return max(
            self.at(pose.ahead(seconds * step / steps)).p_bad for step in range(1, steps + 1)
        )

    def learn_fate(self, pose: Pose, is_bad: bool, was_fine: bool) -> None:
        """What became of something sent at this place.

        Args:
            pose: Where it was sent.
            is_bad: It was lost, or stuck beyond what the rate explains.
            was_fine: What was sent before it was not: then it tests the map's foresight.
        """
        if was_fine:
            self.onsets.add(self.at(pose).p_bad, is_bad)
        self._visit(pose).add_fate(is_bad)

    def learn_rate(self, pose: Pose, log_rate: float) -> None:
        """ln(bits a second) that the link carried at this place."""
        known = self.at(pose)
        if known.rate_weight > 0.0:
            self.rate_errors.add(known.log_rate, log_rate)
        self._visit(pose).add_rate(log_rate)

    def _visit(self, pose: Pose) -> _Cell:
        """The cell of this place, moved to the end of the order in which cells are dropped."""
        key = pose.key
        cell = self._cells.pop(key, None) or _Cell()
        self._cells[key] = cell
        if len(self._cells) > MOST_CELLS:
            del self._cells[next(iter(self._cells))]
            self._blurred.clear()
        x, y, octant = key
        for dx, dy, _ in _BLUR:
            self._blurred.pop((x + dx, y + dy, octant), None)
        return cell

    def _blur(self, key: Key) -> Outlook:
        x, y, octant = key
        fates, bad = PRIOR_WEIGHT, PRIOR_WEIGHT * PRIOR_BAD
        rates = log_rate = 0.0
        for dx, dy, weight in _BLUR:
            cell = self._cells.get((x + dx, y + dy, octant))
            if cell is None:
                continue
            fates += weight * cell.fates
            bad += weight * cell.bad
            rates += weight * cell.rates
            log_rate += weight * cell.rates * cell.log_rate
        return Outlook(bad / fates, log_rate / rates if rates else 0.0, rates)


class _StoredMap(msgspec.Struct, array_like=True):
    onsets: Onsets
    rate_errors: RateErrors
    keys: list[Key]
    cells: list[_Cell]


class _File(msgspec.Struct):
    version: int
    cell_m: float
    links: dict[str, _StoredMap]


class RadioMaps:
    """The maps of a vehicle's links, by the link's id; made when first asked for."""

    def __init__(self) -> None:
        self._maps: dict[str, RadioMap] = {}

    def __iter__(self) -> Iterator[tuple[str, RadioMap]]:
        return iter(self._maps.items())

    def of(self, link_id: str) -> RadioMap:
        """The map of one link."""
        return self._maps.setdefault(link_id, RadioMap())

    def to_bytes(self) -> bytes:
        """MessagePack of all maps, scores included."""
        links = {
            name: _StoredMap(m.onsets, m.rate_errors, list(m._cells), list(m._cells.values()))
            for name, m in self._maps.items()
        }
        return msgspec.msgpack.encode(_File(VERSION, CELL_M, links))

    @classmethod
    def from_bytes(cls, data: bytes, source: str = "radio map") -> "RadioMaps":
        """The maps that `to_bytes` wrote.

        Raises:
            ConfigError: not such a file, or of another version or cell size.
        """
        if len(data) > MOST_BYTES:
            raise ConfigError(f"{source}: expected at most {MOST_BYTES} bytes, got {len(data)}")
        try:
            file = msgspec.msgpack.decode(data, type=_File)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigError(f"{source}: expected a radio map, got {error}") from None
        if (file.version, file.cell_m) != (VERSION, CELL_M):
            raise ConfigError(
                f"{source}: expected version {VERSION} with cells of {CELL_M:g} m, got version "
                f"{file.version} with {file.cell_m:g} m; delete it, and it is learned anew"
            )
        maps = cls()
        for name, stored in file.links.items():
            maps._maps[name] = _restored(stored, source)
        return maps


def _restored(stored: _StoredMap, source: str) -> RadioMap:
    cells = zip(stored.keys, stored.cells, strict=False)
    is_whole = (
        len(stored.keys) == len(stored.cells) <= MOST_CELLS
        and len(stored.onsets.fine) == len(stored.onsets.bad) == SCORE_BINS
        and all(math.isfinite(v) for c in stored.cells for v in (c.fates, c.bad, c.log_rate))
        and all(0.0 <= c.bad <= c.fates and c.rates >= 0.0 for c in stored.cells)
    )
    if not is_whole:
        raise ConfigError(f"{source}: expected whole and finite cells; delete it")
    radio_map = RadioMap()
    radio_map.onsets, radio_map.rate_errors = stored.onsets, stored.rate_errors
    radio_map._cells = dict(cells)
    return radio_map
