"""How a training went: its losses and its average precision over the pictures shown, and a plot."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from scheduler.errors import MissingPartError
from vehicle.perception.training.evaluate import Scores


@dataclass(slots=True)
class History:
    """What each evaluation found, and the losses since the one before.

    Attributes:
        evaluations: A row each: pictures shown, mean losses, AP50 and AP in full and in half size.
        score_losses: Of the batches since the last evaluation.
        box_losses: The same.
    """

    evaluations: list[dict[str, float]] = field(default_factory=list)
    score_losses: list[float] = field(default_factory=list)
    box_losses: list[float] = field(default_factory=list)

    def learnt(self, score_loss: float, box_loss: float) -> None:
        """Notes one batch."""
        self.score_losses.append(score_loss)
        self.box_losses.append(box_loss)

    def evaluated(self, images: int, scores: Scores, halved: Scores) -> dict[str, float]:
        """Notes one evaluation and returns its row."""
        row = {
            "images": images,
            "score_loss": _mean(self.score_losses),
            "box_loss": _mean(self.box_losses),
            "ap50": scores.precision.ap50,
            "ap": scores.precision.ap,
            "ap50_halved": halved.precision.ap50,
            "ap_halved": halved.precision.ap,
        }
        self.evaluations.append(row)
        self.score_losses, self.box_losses = [], []
        return row


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def draw(history: History, title: str, path: Path) -> None:
    """Draws losses and average precision over the pictures shown as a PNG.

    Raises:
        MissingPartError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPartError(
            "matplotlib is not installed, so no curves are drawn: pip install 'vdap[plot]'"
        ) from error
    rows = history.evaluations
    images = [row["images"] for row in rows]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses, precision = figure.subplots(1, 2)
    for name, label in (("score_loss", "scores"), ("box_loss", "boxes")):
        losses.plot(images, [row[name] for row in rows], marker="o", label=label)
    for name, label, style in (
        ("ap50", "AP50", "-"),
        ("ap", "AP", "-"),
        ("ap50_halved", "AP50, half size", "--"),
        ("ap_halved", "AP, half size", "--"),
    ):
        precision.plot(images, [row[name] for row in rows], style, marker="o", label=label)
    losses.set_ylabel("loss, mean since the point before")
    precision.set_ylabel("on the validation set")
    precision.set_ylim(0, 1)
    for axes in (losses, precision):
        axes.set_xlabel("pictures shown")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    figure.savefig(str(path), dpi=110)
