"""Draws what a study found, as PNG and PDF (matplotlib)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scheduler.errors import MissingPartError
from sim.experiments.comparing import ORACLES, Calibration, Summary
from sim.experiments.config import Study
from sim.experiments.report import Findings
from sim.experiments.tables import settings

OWN, OTHER, LINE = "#1f6f8b", "#b8c4c9", "#444444"
STYLES = {"DP oracle": "-", "greedy clairvoyant": "--", "relaxed bound": ":"}


def draw(study: Study, findings: Findings, out: Path) -> None:
    """`utility` and `calibration`, each as .png and .pdf.

    Raises:
        MissingPartError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingPartError(
            "expected matplotlib for the plots: pip install 'vdap[plot]', or give --no-plots"
        ) from None
    mpl.use("Agg")
    groups = settings(findings.summaries)
    figure, axes = _axes(len(groups))
    for axis, (title, group) in zip(axes, groups, strict=True):
        _utility(axis, title, group, study.policies[0].title)
    _save(figure, out / "utility")
    if findings.calibration:
        figure, axes = _axes(1)
        _calibration(axes[0], findings.calibration)
        _save(figure, out / "calibration")


def _axes(count: int) -> tuple[Any, list[Any]]:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, count, figsize=(5.5 * count, 3.6), squeeze=False)
    return figure, list(axes[0])


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot as plt

    figure.tight_layout()
    # No date: the same study leaves the same file.
    figure.savefig(path.with_suffix(".png"), dpi=150, metadata={"Software": None})
    figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None})
    plt.close(figure)


def _utility(axis: Any, title: str, group: Sequence[Summary], own: str) -> None:
    policies = [each for each in group if each.policy not in ORACLES]
    policies.sort(key=lambda each: each.figures["utility"])
    values = [each.figures["utility"] for each in policies]
    colours = [OWN if each.policy == own else OTHER for each in policies]
    axis.barh([each.policy for each in policies], values, color=colours)
    for number, each in enumerate(policies):
        share = "" if each.share is None else f"  ({each.share.value:.2f} of the gain)"
        text, colour = f"{values[number]:.3f}{share} ", "white" if each.policy == own else "black"
        axis.text(values[number], number, text, va="center", ha="right", fontsize=8, color=colour)
    for each in group:
        if each.policy in STYLES:
            style = STYLES[each.policy]
            axis.axvline(each.figures["utility"], color=LINE, ls=style, lw=1, label=each.policy)
    if len(policies) < len(group):
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.18), "ncol": 3}
        axis.legend(fontsize=7, frameon=False, **below)
    axis.set_xlim(0.0, 1.05 * max(each.figures["utility"] for each in group))
    axis.set_xlabel("utility (expected F1 of a frame's answer)")
    axis.set_title(title, fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)


def _calibration(axis: Any, rows: Sequence[Calibration]) -> None:
    axis.plot([0, 1], [0, 1], color=LINE, lw=1, ls=":")
    for policy, group in itertools.groupby(rows, key=lambda row: row.policy):
        own = list(group)
        if max(row.predicted for row in own) <= 0.0:
            continue  # a policy that predicts nothing
        predicted, real = [row.predicted for row in own], [row.in_time for row in own]
        axis.plot(predicted, real, marker="o", ms=3, lw=1, label=policy)
    axis.set_xlabel("predicted chance to be in time")
    axis.set_ylabel("share in time")
    axis.legend(fontsize=7)
    axis.spines[["top", "right"]].set_visible(False)
