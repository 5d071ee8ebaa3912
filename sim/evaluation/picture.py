"""The one picture of a drive: who answered, how good the links were, how old the answers were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import MissingPartError
from scheduler.messages import LinkRow, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sim.evaluation.summary import VehicleResult

INK, FAINT, PAPER = "#22282f", "#9aa5b1", "#ffffff"
ANSWERS = {"offloaded": "#2f6fde", "onboard": "#f2a33a", "carried": "#c9d0d8"}
UNITS = ("#2f6fde", "#12a594", "#8e4ec6", "#d6409f", "#5b5bd6", "#0091ff")
MOST_VEHICLES = 3  # side by side
BIN_S = 1.0


def draw(
    folder: Path,
    title: str,
    results: Sequence[VehicleResult],
    rows: Sequence[tuple[int, LinkRow]],
    deadlines_ms: dict[str, float],
) -> list[Path]:
    """Write `drive.png` and `drive.pdf`.

    Args:
        rows: The channel's rows with the time of the vehicle's clock.

    Returns:
        The files written; none when there is no verdict to show.

    Raises:
        MissingPartError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPartError("the picture needs matplotlib: pip install 'vdap[plot]'") from None
    shown = [result for result in results if result.verdicts][:MOST_VEHICLES]
    if not shown:
        return []
    figure = Figure(figsize=(1.5 + 9.0 * len(shown) ** 0.8, 7.6), facecolor=PAPER)
    FigureCanvasAgg(figure)
    grid = figure.subplots(
        3, len(shown), sharex="col", squeeze=False, gridspec_kw={"height_ratios": (1.0, 1.1, 1.2)}
    )
    for column, result in enumerate(shown):
        placed, link, age = (grid[row, column] for row in range(3))
        origin_ns = result.verdicts[0].stamp_ns
        mine = [(t_ns, row) for t_ns, row in rows if row.vehicle_id == result.vehicle_id]
        _placements(placed, result.verdicts, origin_ns)
        _rates(link, mine, origin_ns)
        _ages(age, result.verdicts, origin_ns, deadlines_ms[result.vehicle_id])
        end_s = (result.verdicts[-1].stamp_ns - origin_ns) / 1e9
        age.set_xlim(0, max(end_s, 1.0))
        age.set_xlabel("seconds of the drive")
        placed.set_title(result.vehicle_id, loc="left", color=INK, fontweight="bold", pad=26)
        for axes in (placed, link, age):
            _plain(axes)
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=11)
    figure.tight_layout(rect=(0, 0, 1, 0.985), h_pad=1.6)
    paths = [folder / "drive.png", folder / "drive.pdf"]
    figure.savefig(paths[0], dpi=130)
    figure.savefig(paths[1], metadata={"CreationDate": None})
    return paths


def _plain(axes: Axes) -> None:
    axes.tick_params(colors=INK, labelsize=9, length=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.grid(axis="y", color=FAINT, alpha=0.25, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.yaxis.label.set_color(INK)


def _legend(axes: Axes, columns: int) -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, frameon=False, fontsize=8.5,
        handlelength=1.2, columnspacing=1.4, borderaxespad=0.2, labelcolor=INK,
    )  # fmt: skip


def _placements(axes: Axes, verdicts: Sequence[Verdict], origin_ns: int) -> None:
    """Stacked share of each kind of answer, per second."""
    seconds = np.array([(v.stamp_ns - origin_ns) / 1e9 for v in verdicts])
    edges = np.arange(0.0, seconds.max() + BIN_S, BIN_S)
    edges = np.append(edges, edges[-1] + BIN_S)
    total = np.maximum(np.histogram(seconds, edges)[0], 1)
    base = np.zeros(len(total))
    for answer, colour in ANSWERS.items():
        mine = seconds[[v.answer == answer for v in verdicts]]
        share = np.histogram(mine, edges)[0] / total
        label = f"{answer} {len(mine) / len(verdicts):.0%}"
        axes.bar(edges[:-1], share, BIN_S, base, align="edge", color=colour, label=label, lw=0)
        base += share
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.set_ylabel("answers")
    _legend(axes, 3)


def _rates(axes: Axes, rows: Sequence[tuple[int, LinkRow]], origin_ns: int) -> None:
    """Uplink goodput of each unit; grey where none is in reach."""
    axes.set_ylabel("uplink, Mbit/s")
    units = sorted({row.unit_id for _, row in rows})
    if not units:
        axes.text(0.5, 0.5, "no link in this drive", transform=axes.transAxes, ha="center",
                  va="center", color=FAINT)  # fmt: skip
        axes.set_yticks([])
        return
    curves = {unit: _curve(rows, unit, origin_ns) for unit in units}
    _shade_outage(axes, list(curves.values()))
    for unit, colour in zip(units, UNITS * len(units), strict=False):
        seconds, rate = curves[unit]
        axes.fill_between(seconds, rate, color=colour, alpha=0.15, lw=0, step="post")
        axes.step(seconds, rate, where="post", color=colour, lw=1.5, label=unit)
    axes.set_ylim(bottom=0)
    _legend(axes, len(units) + 1)


def _curve(
    rows: Sequence[tuple[int, LinkRow]], unit: str, origin_ns: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mine = [(t_ns, row.up_bps) for t_ns, row in rows if row.unit_id == unit]
    seconds = np.array([(t_ns - origin_ns) / 1e9 for t_ns, _ in mine])
    return seconds, np.array([bps for _, bps in mine]) / 1e6


def _shade_outage(
    axes: Axes, curves: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> None:
    seconds = max((curve[0] for curve in curves), key=len)
    best = np.zeros(len(seconds))
    for times, rate in curves:
        index = np.clip(np.searchsorted(times, seconds, side="right") - 1, 0, len(rate) - 1)
        best = np.maximum(best, rate[index])
    if (best <= 0).any():
        axes.fill_between(
            seconds, 0, 1, where=best <= 0, transform=axes.get_xaxis_transform(), step="post",
            color=FAINT, alpha=0.28, lw=0, label="no unit in reach",
        )  # fmt: skip


def _ages(axes: Axes, verdicts: Sequence[Verdict], origin_ns: int, deadline_ms: float) -> None:
    """Age of the model's last look when each verdict was given; the deadline as a line."""
    for answer, colour in ANSWERS.items():
        mine = [v for v in verdicts if v.answer == answer]
        axes.scatter(
            [(v.stamp_ns - origin_ns) / 1e9 for v in mine], [v.answer_age_ms for v in mine],
            s=9, color=colour if answer != "carried" else FAINT, alpha=0.75, lw=0, label=answer,
        )  # fmt: skip
    late = [v for v in verdicts if v.is_late]
    if late:
        axes.scatter(
            [(v.stamp_ns - origin_ns) / 1e9 for v in late], [v.answer_age_ms for v in late],
            s=26, facecolors="none", edgecolors="#d33a2c", lw=1.0, label=f"late ({len(late)})",
        )  # fmt: skip
    axes.axhline(deadline_ms, color=INK, lw=0.9, ls=(0, (4, 3)), label="deadline")
    top = float(np.percentile([v.answer_age_ms for v in verdicts], 99)) * 1.15
    axes.set_ylim(0, max(top, 1.3 * deadline_ms))
    axes.set_ylabel("age of the answer, ms")
    _legend(axes, 5)
