"""The pictures of `vdap evaluate`: AP50 against object height, and precision against recall."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import MissingPartError
from sim.evaluation.perception.slices import HEIGHT_EDGES, Result
from sim.evaluation.picture import FAINT, INK, PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#2f6fde", "#f2a33a", "#12a594", "#d6409f", "#8e4ec6", "#5b5bd6", "#8d6e63", "#0091ff")
STYLES = ("-", "--", ":", "-.")
CENTRES = tuple((low * high) ** 0.5 for low, high in itertools.pairwise(HEIGHT_EDGES))


def draw(folder: Path, results: Sequence[Result]) -> list[Path]:
    """Write `ap_by_height.png` and `precision_recall.png`.

    Raises:
        MissingPartError: matplotlib is not installed.
    """
    if not results:
        return []
    looks = _looks(results)
    figure, axes = _figure()
    for own in results:
        colour, style = looks[own.detector]
        values = [part.ap50 for part in own.by_height.values()]
        known = [(x, y) for x, y in zip(CENTRES, values, strict=True) if y is not None]
        if known:
            axes.plot(*zip(*known, strict=True), style, color=colour, label=own.detector,
                      marker="o", markersize=3, linewidth=1.6)  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks(HEIGHT_EDGES, [f"{edge:.0f}" for edge in HEIGHT_EDGES])
    axes.minorticks_off()
    axes.set_xlabel("height of the object, pixels of the picture")
    axes.set_ylabel("AP50, mean over classes")
    by_height = _save(figure, axes, folder / "ap_by_height.png")
    figure, axes = _figure()
    for own in results:
        colour, style = looks[own.detector]
        if own.curve:
            axes.plot(*zip(*own.curve, strict=True), style, color=colour, label=own.detector,
                      linewidth=1.6)  # fmt: skip
        if own.recall is not None and own.precision is not None:
            axes.plot([own.recall], [own.precision], "o", color=colour, markersize=4)
    axes.set_xlim(0, 1)
    axes.set_xlabel("recall (the dot: at the score in use)")
    axes.set_ylabel("precision")
    return [by_height, _save(figure, axes, folder / "precision_recall.png")]


def _looks(results: Sequence[Result]) -> dict[str, tuple[str, str]]:
    """A colour for each rung and a line style for each size, or a colour for each detector."""
    rungs = list(dict.fromkeys(own.rung or own.detector for own in results))
    seen: dict[str, int] = {}
    looks = {}
    for own in results:
        name = own.rung or own.detector
        looks[own.detector] = (
            COLOURS[rungs.index(name) % len(COLOURS)],
            STYLES[seen.get(name, 0) % len(STYLES)],
        )
        seen[name] = seen.get(name, 0) + 1
    return looks


def _figure() -> tuple[Figure, Axes]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPartError("the curves need matplotlib: pip install 'vdap[plot]'") from None
    figure = Figure(figsize=(6.4, 4.0), facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _save(figure: Figure, axes: Axes, path: Path) -> Path:
    axes.set_ylim(0, 1)
    axes.tick_params(colors=INK, labelsize=9, length=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(color=FAINT, alpha=0.25, linewidth=0.7)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:  # else nothing could be drawn: too few boxes
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    return path
