"""What is in a trace, in a few figures: how long, how fast, how often without a link."""

from collections.abc import Iterable
from dataclasses import dataclass

from sim.channel.trace import Trace

QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one trace; quantiles are over time.

    Attributes:
        length_s: Of the whole.
        outage: What becomes of packets in one: hold, drop, or as the config says.
        outages_s: Length of each, in order; one that runs over the end goes on at the beginning.
        up_mbps: p5, quartiles and p95.
        dn_mbps: As up_mbps.
        up_delay_ms: As up_mbps, outside of outages.
        dn_delay_ms: As up_delay_ms.
        most_loss: Highest share of packets lost, outside of outages.
    """

    length_s: float
    outage: str
    outages_s: tuple[float, ...]
    up_mbps: tuple[float, ...]
    dn_mbps: tuple[float, ...]
    up_delay_ms: tuple[float, ...]
    dn_delay_ms: tuple[float, ...]
    most_loss: float

    @property
    def outage_share(self) -> float:
        """Of the time."""
        return sum(self.outages_s) / self.length_s


def figures(trace: Trace) -> Figures:
    """The figures of a trace."""
    rows = trace.rows
    ends = [*(start for start, _ in rows[1:]), trace.length_s]
    spans = [(end - start, state) for (start, state), end in zip(rows, ends, strict=True)]
    up = [(length, state) for length, state in spans if not state.is_outage]
    return Figures(
        length_s=trace.length_s,
        outage=trace.outage or "as the config says",
        outages_s=_outages(spans_out=[(length, state.is_outage) for length, state in spans]),
        up_mbps=quantiles((length, state.up_bps / 1e6) for length, state in spans),
        dn_mbps=quantiles((length, state.dn_bps / 1e6) for length, state in spans),
        up_delay_ms=quantiles((length, state.up_delay_ms) for length, state in up),
        dn_delay_ms=quantiles((length, state.dn_delay_ms) for length, state in up),
        most_loss=max((max(s.up_loss, s.dn_loss) for _, s in up), default=0.0),
    )


def _outages(spans_out: list[tuple[float, bool]]) -> tuple[float, ...]:
    found: list[float] = []
    was_out = False
    for length, is_out in spans_out:
        if is_out and was_out:
            found[-1] += length
        elif is_out:
            found.append(length)
        was_out = is_out
    if len(found) > 1 and was_out and spans_out[0][1]:
        found[-1] += found.pop(0)
    return tuple(round(length, 3) for length in found)


def quantiles(
    weighted: Iterable[tuple[float, float]], shares: tuple[float, ...] = (0.05, *QUARTILES, 0.95)
) -> tuple[float, ...]:
    """The values below which these shares of the weight lie; of nothing, zeros."""
    ordered = sorted(weighted, key=lambda pair: pair[1])
    total = sum(weight for weight, _ in ordered)
    found = []
    for share in shares:
        seen, at = 0.0, 0
        while at < len(ordered) - 1 and seen + ordered[at][0] < share * total:
            seen += ordered[at][0]
            at += 1
        found.append(ordered[at][1] if ordered else 0.0)
    return tuple(found)


def in_words(trace: Trace) -> str:
    """One line."""
    of = figures(trace)
    rates = ", ".join(f"{value:.1f}" for value in of.up_mbps[1:4])
    return (
        f"{of.length_s:.0f} s, outage {of.outage_share:.0%} ({of.outage}), "
        f"quartiles {rates} Mbit/s up"
    )


def table(trace: Trace) -> str:
    """All figures, one a line."""
    of = figures(trace)

    def line(name: str, values: tuple[float, ...], unit: str) -> str:
        return f"{name:<14}" + "".join(f"{value:8.2f}" for value in values) + f"  {unit}"

    longest = max(of.outages_s, default=0.0)
    middle = quantiles((1.0, length) for length in of.outages_s)[2]
    return "\n".join(
        (
            *(f"# {comment}" for comment in trace.comments),
            f"length        {of.length_s:8.1f}  s in {len(trace.rows)} rows",
            f"outages       {len(of.outages_s):8d}  {of.outage_share:.1%} of the time, "
            f"median {middle:.1f} s, longest {longest:.1f} s; packets: {of.outage}",
            f"{'':<14}" + "".join(f"{name:>8}" for name in ("p5", "p25", "p50", "p75", "p95")),
            line("up", of.up_mbps, "Mbit/s"),
            line("down", of.dn_mbps, "Mbit/s"),
            line("delay up", of.up_delay_ms, "ms, while there is a link"),
            line("delay down", of.dn_delay_ms, "ms"),
            f"loss          {of.most_loss:8.4f}  of packets at worst",
        )
    )
