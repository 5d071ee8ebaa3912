"""Tables, comparisons and the plot of the closed-loop study."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scheduler.errors import MissingPartError
from sim.experiments import statistics
from sim.experiments.closed_loop_case import Result

FAR_TTC_S = 6.0  # that counts for a drive in which nothing ever came near, and at most
HEADS = (
    "link", "policy", "collisions", "share [95 %]", "impact m/s", "least TTC s", "hard brakes",
    "offloaded", "last look ms",
)  # fmt: skip
COLOURS = ("#1f6f8b", "#c78b3b", "#8a5a83", "#5b8c5a", "#b8c4c9", "#444444")


@dataclass(frozen=True, slots=True)
class Group:
    """All drives of one policy over one link."""

    link: str
    policy: str
    results: tuple[Result, ...]

    @property
    def collisions(self) -> int:
        """Drives that ended in one."""
        return sum(result.collided for result in self.results)

    def share(self) -> statistics.Interval:
        """Of drives that ended in a collision."""
        rows = [(float(result.collided),) for result in self.results]
        return statistics.bootstrap(
            rows, statistics.mean_of, seed=f"{self.link}/{self.policy}", times=1000
        )

    def cells(self) -> tuple[str, ...]:
        """The row of the table, in the order of `HEADS`."""
        count = len(self.results)
        impacts = [result.impact_mps for result in self.results if result.collided]
        frames = max(1, sum(result.frames for result in self.results))
        offloaded = sum(result.offloaded for result in self.results) / frames
        share = self.share()
        return (
            self.link,
            self.policy,
            f"{self.collisions} of {count}",
            f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]",
            f"{sum(impacts) / len(impacts):.1f}" if impacts else "-",
            f"{_median([ttc(result) for result in self.results]):.2f}",
            f"{sum(result.hard_brakes for result in self.results) / count:.2f}",
            f"{offloaded:.0%}",
            f"{_median([result.look_p50_ms for result in self.results]):.0f}",
        )


def ttc(result: Result) -> float:
    """Least time to collision, seconds; bounded, and far where nothing was near."""
    return FAR_TTC_S if result.min_ttc_s is None else min(FAR_TTC_S, result.min_ttc_s)


def groups(results: Sequence[Result]) -> list[Group]:
    """By link and policy, in the order of their first drive."""
    keys = dict.fromkeys((result.link, result.policy) for result in results)
    return [
        Group(link, policy, tuple(r for r in results if (r.link, r.policy) == (link, policy)))
        for link, policy in sorted(keys, key=lambda key: [k[0] for k in keys].index(key[0]))
    ]


def comparisons(results: Sequence[Result], links: Sequence[str], names: Sequence[str]) -> list[str]:
    """A line for each link and each other policy: the first policy against it, drive by drive.

    Collisions by the exact sign test of drives that only one of them ended with (McNemar), least
    time to collision by Wilcoxon's signed ranks; p after Holm over all lines.
    """
    by_key = {(r.scenario, r.link, r.policy, r.seed): r for r in results}
    found: list[tuple[str, str, str]] = []
    p_values: dict[str, float] = {}
    for link in links:
        for other in names[1:]:
            pairs = [
                (result, by_key[scenario, link, other, seed])
                for (scenario, at, policy, seed), result in by_key.items()
                if at == link and policy == names[0]
            ]
            better = sum(b.collided and not a.collided for a, b in pairs)
            worse = sum(a.collided and not b.collided for a, b in pairs)
            gains = [ttc(a) - ttc(b) for a, b in pairs]
            gain = statistics.bootstrap(
                [(g,) for g in gains], statistics.mean_of, seed=f"{link}/{other}", times=1000
            )
            key = f"{link}/{other}"
            p_values[f"{key}/collisions"] = sign_test(better, worse)
            p_values[f"{key}/ttc"] = statistics.wilcoxon(gains).p
            a_hit, b_hit = sum(a.collided for a, _ in pairs), sum(b.collided for _, b in pairs)
            text = f"{link}: {names[0]} against {other}: {a_hit} collisions against {b_hit}"
            found.append((key, text, f"least time to collision {gain.value:+.2f} s "
                          f"[{gain.low:+.2f}, {gain.high:+.2f}]"))  # fmt: skip
    adjusted = statistics.holm(p_values)
    return [
        f"{text} (p {adjusted[f'{key}/collisions']:.2g}), {gain} (p {adjusted[f'{key}/ttc']:.2g})"
        for key, text, gain in found
    ]


def sign_test(better: int, worse: int) -> float:
    """Two-sided exact p that either way is equally likely."""
    total = better + worse
    tail: float = sum(math.comb(total, k) for k in range(min(better, worse) + 1)) / 2**total
    return min(1.0, 2.0 * tail)


def say(console: Console, title: str, found: Sequence[Group], lines: Sequence[str]) -> None:
    """The table and one line per comparison."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for head in HEADS:
        table.add_column(head, justify="left" if head in HEADS[:2] else "right", no_wrap=True)
    for group in found:
        table.add_row(*group.cells())
    console.print(table)
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def write(
    out: Path, results: Sequence[Result], found: Sequence[Group], lines: Sequence[str]
) -> None:
    """`drives.csv` (a row per drive), `scenarios.csv` (collisions by scenario), `table.md`."""
    rows = [asdict(result) for result in results]
    with (out / "drives.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    scenarios = list(dict.fromkeys(result.scenario for result in results))
    with (out / "scenarios.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("link", "policy", *scenarios))
        for group in found:
            hits = [sum(r.collided for r in group.results if r.scenario == s) for s in scenarios]
            table.writerow((group.link, group.policy, *hits))
    text = [f"| {' | '.join(HEADS)} |", f"|{' --- |' * len(HEADS)}"]
    text += [f"| {' | '.join(group.cells())} |" for group in found]
    text += ["", *(f"- {line}" for line in lines)]
    (out / "table.md").write_text("\n".join(text) + "\n", encoding="utf-8")


def plot(out: Path, found: Sequence[Group], links: Sequence[str], names: Sequence[str]) -> None:
    """`closed_loop.png` and `.pdf`: collisions and least time to collision by link and policy.

    Raises:
        MissingPartError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingPartError(
            "expected matplotlib for the plot: pip install 'vdap[plot]', or give --no-plots"
        ) from None
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
    by_key = {(group.link, group.policy): group for group in found}
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        own = [by_key[link, name] for link in links]
        places = [at + (number - (len(names) - 1) / 2) * width for at in range(len(links))]
        colour = COLOURS[number % len(COLOURS)]
        _bars(left, places, own, width, colour, name)
        values = [[ttc(result) for result in group.results] for group in own]
        drawn = right.boxplot(
            values,
            positions=places,
            widths=0.8 * width,
            patch_artist=True,
            showfliers=False,
            manage_ticks=False,
            medianprops={"color": "black"},
        )
        for box in drawn["boxes"]:
            box.set_facecolor(colour)
    for axis, label in ((left, "share of drives with a collision"),
                        (right, "least time to collision (s)")):  # fmt: skip
        axis.set_xticks(range(len(links)), links)
        axis.set_xlabel("link")
        axis.set_ylabel(label)
        axis.spines[["top", "right"]].set_visible(False)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, ncols=len(names), loc="upper center", frameon=False)
    figure.tight_layout(rect=(0.0, 0.0, 1.0, 0.94))
    figure.savefig(out / "closed_loop.png", dpi=150, metadata={"Software": None})
    figure.savefig(out / "closed_loop.pdf", metadata={"CreationDate": None})
    plt.close(figure)


def _bars(
    axis: Any, places: Sequence[float], own: Sequence[Group], width: float, colour: str, name: str
) -> None:
    shares = [group.share() for group in own]
    low = [share.value - share.low for share in shares]
    high = [share.high - share.value for share in shares]
    values = [share.value for share in shares]
    axis.bar(places, values, width, yerr=[low, high], color=colour, label=name, capsize=2)


def _median(values: Sequence[float]) -> float:
    return statistics.percentile(values, 0.5)
