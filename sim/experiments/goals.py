"""Whether a study reached the figures that it is held to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from scheduler.errors import ConfigError
from sim.experiments.comparing import Summary, local_title
from sim.experiments.config import Goal, Study
from sim.experiments.measures import Measures
from sim.experiments.running import Results

STANDING = ("share", "worse_than_local", "worst_decile")  # of a summary, not of a drive


class Verdict(msgspec.Struct, frozen=True):
    """One goal: what came, and whether that is enough."""

    goal: Goal
    value: float
    is_met: bool

    @property
    def word(self) -> str:
        """What became of it; a setting that was left out tells nothing."""
        if math.isnan(self.value):
            return "not run"
        return "met" if self.is_met else "MISSED"

    @property
    def line(self) -> str:
        """For people."""
        goal = self.goal
        bound = f">= {goal.least:g}" if goal.least is not None else f"<= {goal.most:g}"
        where = [f"{goal.deadline_ms:g} ms" if goal.deadline_ms else "", goal.drive, goal.link]
        what = goal.figure if goal.by == "value" else f"{goal.by} of {goal.figure}"
        against = " against " + ", ".join(goal.against.values()) if goal.against else ""
        setting = ", ".join(part for part in where if part)
        return (
            f"{self.word}: {what}{against} {bound}: {self.value:.4g}"
            f"{f' ({setting})' if setting else ''}"
        )


def verdicts(study: Study, results: Results, summaries: Sequence[Summary]) -> list[Verdict]:
    """Of each goal.

    Raises:
        ConfigError: a goal names a figure that no study has.
    """
    return [_verdict(study, goal, results.measures, summaries) for goal in study.goals]


def _verdict(
    study: Study, goal: Goal, measures: Sequence[Measures], summaries: Sequence[Summary]
) -> Verdict:
    title = goal.policy or study.policies[0].title
    if goal.figure in STANDING:
        values = [_standing(each, goal.figure) for each in summaries if _is_of(goal, each, title)]
    else:
        values = _of_drives(study, goal, measures, title)
    values = [value for value in values if not math.isnan(value)]
    if not values:
        return Verdict(goal, math.nan, is_met=False)
    if goal.over == "worst":
        value = min(values) if goal.least is not None else max(values)
    else:
        value = math.fsum(values) / len(values)
    is_met = value >= goal.least if goal.least is not None else value <= (goal.most or 0.0)
    return Verdict(goal, value, is_met)


def _standing(summary: Summary, figure: str) -> float:
    if figure == "share":
        return summary.share.value if summary.share is not None else math.nan
    return float(getattr(summary, figure))


def _is_of(goal: Goal, each: Summary, title: str) -> bool:
    setting = each.setting
    is_deadline = goal.deadline_ms in (None, setting.deadline_ms)
    is_place = goal.drive in ("", setting.drive) and goal.link in ("", setting.link)
    return each.policy == title and is_deadline and is_place


def _of_drives(study: Study, goal: Goal, measures: Sequence[Measures], title: str) -> list[float]:
    known = (*Measures.__struct_fields__, *STANDING)
    if goal.figure not in known:
        raise ConfigError(
            f"{study.name}: goals: expected one of {', '.join(known)}, got {goal.figure!r}"
        )
    own = _chosen(goal, measures, title, goal.link)
    if goal.by == "value":
        return [float(getattr(each, goal.figure)) for each in own]
    other_title = goal.against.get("policy", title)
    if other_title == "local":
        other_title = local_title(study)
    other_link = goal.against.get("link", goal.link)
    others = {
        _place(each, goal): float(getattr(each, goal.figure))
        for each in _chosen(goal, measures, other_title, other_link)
    }
    pairs = [(float(getattr(each, goal.figure)), others.get(_place(each, goal))) for each in own]
    return [
        value - other if goal.by == "difference" else value / other
        for value, other in pairs
        if other is not None and (other or goal.by == "difference")
    ]


def _chosen(goal: Goal, measures: Sequence[Measures], title: str, link: str) -> list[Measures]:
    return [
        each
        for each in measures
        if each.policy == title
        and link in ("", each.link)
        and goal.deadline_ms in (None, each.deadline_ms)
        and goal.drive in ("", each.drive)
    ]


def _place(each: Measures, goal: Goal) -> tuple[object, ...]:
    """What is compared: the same drive, and the same link unless links are compared."""
    link = "" if "link" in goal.against else each.link
    return (link, each.drive, each.seed, each.deadline_ms)
