"""Link traces as CSV: replayed in place of a radio model, and written by every run.

Columns `t_s,up_bps,up_delay_ms,up_loss,dn_bps,dn_delay_ms,dn_loss`: a row holds from its `t_s`
(seconds, increasing, from 0) to the next; lines that begin with # are comments, and a comment
`# outage: hold` or `# outage: drop` says what becomes of packets while the rate is 0. A trace that
is shorter than the drive begins anew.
"""

import bisect
import csv
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from scheduler.errors import ConfigError
from scheduler.messages import Metres3, Site
from sim.channel.base import LinkState, Mover
from sim.channel.capacity import NS_PER_S, Capacity, Row

COLUMNS = ("t_s", "up_bps", "up_delay_ms", "up_loss", "dn_bps", "dn_delay_ms", "dn_loss")
OUTAGE = "outage:"
ONLY_ROW_S = 0.1  # length of the last row where there is no row before it


class Trace:
    """A replayed link; a `Channel` that looks at nothing but the time.

    Attributes:
        length_s: From the first row to the end of the last.
        outage: What becomes of packets in an outage; None where the file does not say.
        comments: Its comment lines, without the #.
    """

    def __init__(self, path: Path) -> None:
        """Reads a trace.

        Raises:
            ConfigError: no such file, or a line that is not a row of a trace.
        """
        lines = _lines(path)
        self.comments = [line.lstrip("#").strip() for line in lines if line.startswith("#")]
        self.outage = _outage(path, self.comments)
        self._set(*_rows(path, lines))

    @classmethod
    def of(
        cls,
        times_s: Sequence[float],
        states: Sequence[LinkState],
        outage: Literal["hold", "drop"] | None = None,
    ) -> "Trace":
        """A trace that is in no file; times as in the first column of one.

        Raises:
            ConfigError: no row, or times that do not increase from 0.
        """
        if not times_s or times_s[0] != 0.0 or len(times_s) != len(states):
            raise ConfigError("trace: expected a row for each time, from 0 on")
        if any(after <= before for before, after in itertools.pairwise(times_s)):
            raise ConfigError("trace: times must increase")
        made = cls.__new__(cls)
        made.comments, made.outage = [], outage
        made._set(list(times_s), list(states))
        return made

    def _set(self, times: list[float], states: list[LinkState]) -> None:
        step = times[-1] - times[-2] if len(times) > 1 else ONLY_ROW_S
        self._times, self._states = times, states
        self.length_s = times[-1] + step
        self._capacities: tuple[Capacity, Capacity] | None = None

    @property
    def rows(self) -> list[tuple[float, LinkState]]:
        """(start in seconds, state) in order."""
        return list(zip(self._times, self._states, strict=True))

    def at(self, t_s: float) -> LinkState:
        """What holds at `t_s` seconds after the start."""
        index = bisect.bisect_right(self._times, t_s % self.length_s) - 1
        return self._states[max(0, index)]

    def row(self, t_s: float, vehicle: Mover, unit: Metres3, site: Site) -> LinkState:
        """As `at`; `Channel.row`."""
        return self.at(t_s)

    def directions(self) -> tuple[list[Row], list[Row]]:
        """The rows up and down, for `sim.channel.link_model`; a looping link repeats them."""
        starts_ns = [round(t_s * NS_PER_S) for t_s in self._times]
        pairs = list(zip(starts_ns, self._states, strict=True))
        return [state.row_up(at) for at, state in pairs], [state.row_dn(at) for at, state in pairs]

    def capacities(self, breaks_ns: int) -> tuple[Capacity, Capacity]:
        """Up and down as looping links have them, made once for all links; see `Capacity`."""
        if self._capacities is None or self._capacities[0].breaks_ns != breaks_ns:
            up, dn = (Capacity(rows, loops=True, breaks_ns=breaks_ns) for rows in self.directions())
            self._capacities = up, dn
        return self._capacities

    def outage_share(self) -> float:
        """Share of the trace's time without a link."""
        ends = [*self._times[1:], self.length_s]
        spans = zip(self._times, ends, self._states, strict=True)
        return sum(end - start for start, end, state in spans if state.is_outage) / self.length_s


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"link.trace: expected a CSV at {path}: {reason}") from None


def _outage(path: Path, comments: list[str]) -> Literal["hold", "drop"] | None:
    found: Literal["hold", "drop"] | None = None
    for comment in comments:
        if not comment.startswith(OUTAGE):
            continue
        mode = comment.removeprefix(OUTAGE).strip()
        if mode not in ("hold", "drop"):
            raise ConfigError(f"link.trace: {path}: expected outage: hold or drop, got {mode!r}")
        found = "hold" if mode == "hold" else "drop"
    return found


def _rows(path: Path, lines: list[str]) -> tuple[list[float], list[LinkState]]:
    times: list[float] = []
    states: list[LinkState] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(("#", COLUMNS[0])):
            continue
        where = f"link.trace: {path} line {number}"
        try:
            values = [float(value) for value in line.split(",")]
        except ValueError:
            raise ConfigError(f"{where}: expected numbers, got {line[:60]!r}") from None
        if len(values) != len(COLUMNS):
            raise ConfigError(f"{where}: expected {','.join(COLUMNS)}, got {len(values)} values")
        if not all(math.isfinite(value) and value >= 0.0 for value in values):
            raise ConfigError(f"{where}: expected finite numbers of at least 0")
        if times and values[0] <= times[-1]:
            raise ConfigError(f"{where}: t_s must increase")
        times.append(values[0])
        up_bps, up_delay_ms, up_loss, dn_bps, dn_delay_ms, dn_loss = values[1:]
        states.append(LinkState(up_bps, up_delay_ms, up_loss, dn_bps, dn_delay_ms, dn_loss))
    if not times or times[0] > 0.0:
        raise ConfigError(f"link.trace: {path}: expected rows from t_s 0 on")
    return times, states


class TraceWriter:
    """Writes a trace row by row; a run that is killed leaves all but its last second."""

    def __init__(
        self, path: Path, comment: str = "", outage: Literal["hold", "drop"] | None = None
    ) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        lines = comment.splitlines()
        if outage is not None:
            lines.append(f"{OUTAGE} {outage}")
        self._file.write("".join(f"# {line}\n" for line in lines))
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def write(self, t_s: float, state: LinkState) -> None:
        """Append one row."""
        self._rows.writerow(
            (
                f"{t_s:.3f}",
                f"{state.up_bps:.0f}",
                f"{state.up_delay_ms:.2f}",
                f"{state.up_loss:.6f}",
                f"{state.dn_bps:.0f}",
                f"{state.dn_delay_ms:.2f}",
                f"{state.dn_loss:.6f}",
            )
        )

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._file.flush()

    def close(self) -> None:
        """Write the rest."""
        self._file.close()

    def __enter__(self) -> "TraceWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def write(path: Path, trace: Trace, comment: str) -> None:
    """Write a whole trace."""
    with TraceWriter(path, comment, trace.outage) as writer:
        for t_s, state in trace.rows:
            writer.write(t_s, state)
