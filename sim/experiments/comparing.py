"""What a study found: a row per policy, and its first policy held against each of the others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import msgspec

from sim.experiments import statistics
from sim.experiments.config import HOME, Study
from sim.experiments.measures import BINS, LOST, Measures
from sim.experiments.running import Ceiling, Results
from sim.experiments.statistics import Interval, Paired

ORACLES = ("greedy clairvoyant", "DP oracle", "relaxed bound")
TIE = 1e-9  # of utility: a drive that differs by less is no worse
FIGURES = (
    "utility", "expected", "f1", "in_time", "misses", "onboard", "carried", "late", "megabytes",
    "joules", "switches", "age_p50_ms", "age_p99_ms",
)  # fmt: skip

Conditions = tuple[str, str, int, float]


class Setting(NamedTuple):
    """What a table is of."""

    deadline_ms: float
    drive: str
    link: str

    def __str__(self) -> str:
        return ", ".join(part for part in (f"{self.deadline_ms:g} ms", *self[1:]) if part)


class Summary(msgspec.Struct, frozen=True):
    """One policy over all drives of a setting: the means of `Measures`, and how it stands.

    Attributes:
        setting: Deadline, drive and link; the link is empty where all are taken together.
        share: Of the DP oracle's gain over keeping all on board; None without an oracle.
        worst_decile: Utility that nine drives in ten exceed.
        worse_than_local: Share of drives below keeping all on board.
        regret: To the DP oracle, a frame.
        lost: To the relaxed bound, a frame, by what became of it (`measures.LOST`).
    """

    setting: Setting
    policy: str
    drives: int
    figures: dict[str, float]
    share: Interval | None
    worst_decile: float
    worse_than_local: float
    regret: float
    lost: tuple[float, ...] = ()

    @property
    def line(self) -> str:
        """Where the gain is lost, in words; empty without an oracle."""
        if not self.lost or math.isnan(self.lost[0]):
            return ""
        parts = ", ".join(f"{part:.3f} {name}" for part, name in zip(self.lost, LOST, strict=True))
        total = math.fsum(self.lost)
        return f"{self.setting}: {self.policy} loses {total:.3f} to the bound: {parts}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first policy against another, drive by drive.

    Attributes:
        figure: `utility` or `f1`.
        difference: Mean of the paired differences.
        test: Wilcoxon's.
        adjusted: Its p after Holm's correction over all baselines of the setting.
    """

    setting: Setting
    figure: str
    policy: str
    other: str
    difference: Interval
    test: Paired
    adjusted: float

    @property
    def line(self) -> str:
        """One line of verdict."""
        low, high, p = self.difference.low, self.difference.high, self.adjusted
        if p >= 0.01:
            verb = "is not told apart from"
        else:
            verb = "beats" if self.difference.value > 0.0 else "loses to"
        return (
            f"{self.setting}: {self.policy} {verb} {self.other}: {self.figure} "
            f"{self.difference.value:+.3f} [{low:.3f}, {high:.3f}], p {p:.1g}, "
            f"{self.test.wins} of {self.test.pairs} drives"
        )


class Calibration(msgspec.Struct, frozen=True):
    """One tenth of the predicted chance to be in time, of a policy's sent frames."""

    policy: str
    low: float
    high: float
    frames: int
    predicted: float
    in_time: float


def summaries(study: Study, results: Results) -> list[Summary]:
    """All policies, by deadline and drive, the oracles behind them."""
    ceilings = {each.conditions: each for each in results.ceilings}
    found: list[Summary] = []
    for setting, rows in _settings(study, results.measures):
        local = {m.conditions: m.utility for m in rows if m.policy == local_title(study)}
        for title in [contender.title for contender in study.policies]:
            own = [m for m in rows if m.policy == title]
            found.append(_summary(study, setting, title, own, local, ceilings))
        known = [
            ceilings[key] for key in dict.fromkeys(m.conditions for m in rows) if key in ceilings
        ]
        found += [_oracle(study, setting, name, known, local) for name in ORACLES if known]
    return found


def local_title(study: Study) -> str:
    """The policy that keeps all on board, by its title; empty where the study has none."""
    return next((each.title for each in study.policies if each.name == HOME), "")


def _settings(study: Study, rows: Iterable[Measures]) -> list[tuple[Setting, list[Measures]]]:
    groups: dict[Setting, list[Measures]] = {}
    for row in rows:
        link = row.link if study.by_link else ""
        groups.setdefault(Setting(row.deadline_ms, row.drive, link), []).append(row)
    return list(groups.items())


def _summary(
    study: Study,
    setting: Setting,
    title: str,
    rows: Sequence[Measures],
    local: Mapping[Conditions, float],
    ceilings: Mapping[Conditions, Ceiling],
) -> Summary:
    utilities = {m.conditions: m.utility for m in rows}
    best = {key: each.dp for key, each in ceilings.items()}
    return Summary(
        setting=setting,
        policy=title,
        drives=len(rows),
        figures={name: _mean([getattr(m, name) for m in rows]) for name in FIGURES},
        lost=tuple(_mean([m.regret[part] for m in rows]) for part in range(len(LOST))),
        **_standing(study, title, utilities, local, best),
    )


def _oracle(
    study: Study,
    setting: Setting,
    name: str,
    ceilings: Sequence[Ceiling],
    local: Mapping[Conditions, float],
) -> Summary:
    field = {"greedy clairvoyant": "greedy", "DP oracle": "dp", "relaxed bound": "bound"}[name]
    utilities = {each.conditions: float(getattr(each, field)) for each in ceilings}
    best = {each.conditions: each.dp for each in ceilings}
    return Summary(
        setting=setting,
        policy=name,
        drives=len(ceilings),
        figures={"utility": _mean(list(utilities.values()))},
        **_standing(study, name, utilities, local, best),
    )


class _Standing(TypedDict):
    share: Interval | None
    worst_decile: float
    worse_than_local: float
    regret: float


def _standing(
    study: Study,
    title: str,
    utilities: Mapping[Conditions, float],
    local: Mapping[Conditions, float],
    best: Mapping[Conditions, float],
) -> _Standing:
    keys = [key for key in utilities if key in local and key in best]
    gains = [(utilities[key] - local[key], best[key] - local[key]) for key in keys]
    paired = [key for key in utilities if key in local]
    worse = [utilities[key] < local[key] - TIE for key in paired]
    return {
        "share": statistics.bootstrap(
            gains, statistics.ratio_of, seed=f"{study.name}/{title}/share"
        )
        if gains
        else None,
        "worst_decile": statistics.percentile(list(utilities.values()), 0.1),
        "worse_than_local": sum(worse) / len(worse) if worse else math.nan,
        "regret": _mean([best[key] - utilities[key] for key in utilities if key in best]),
    }


def comparisons(study: Study, results: Results) -> list[Comparison]:
    """The first policy against each of the others, on utility and, with a drive, on F1."""
    first = study.policies[0].title
    others = [contender.title for contender in study.policies[1:]]
    found: list[Comparison] = []
    for setting, rows in _settings(study, results.measures):
        figures = ["utility"] + (["f1"] if rows[0].drive else [])
        for figure in figures:
            pairs = {other: _paired(rows, first, other, figure) for other in others}
            tests = {
                other: statistics.wilcoxon([before - after for before, after in both])
                for other, both in pairs.items()
            }
            adjusted = statistics.holm({other: test.p for other, test in tests.items()})
            found += [
                Comparison(
                    setting, figure, first, other,
                    statistics.bootstrap(
                        [(before - after,) for before, after in pairs[other]],
                        statistics.mean_of, seed=f"{study.name}/{other}/{figure}",
                    ),
                    tests[other], adjusted[other],
                )
                for other in others
            ]  # fmt: skip
    return found


def _paired(
    rows: Sequence[Measures], first: str, other: str, figure: str
) -> list[tuple[float, float]]:
    values = {(m.conditions, m.policy): float(getattr(m, figure)) for m in rows}
    keys = [m.conditions for m in rows if m.policy == first]
    return [(values[key, first], values[key, other]) for key in keys]


def calibration(study: Study, results: Results) -> list[Calibration]:
    """How well each policy's predicted chances held, by tenth."""
    found = []
    for contender in study.policies:
        bins = [m.bins for m in results.measures if m.policy == contender.title]
        for tenth in range(BINS):
            frames = sum(each[tenth][0] for each in bins)
            if not frames:
                continue
            predicted = math.fsum(each[tenth][1] for each in bins) / frames
            in_time = sum(each[tenth][2] for each in bins) / frames
            found.append(
                Calibration(
                    contender.title, tenth / BINS, (tenth + 1) / BINS, frames, predicted, in_time
                )
            )
    return found


def calibration_errors(rows: Sequence[Calibration]) -> dict[str, float]:
    """Expected calibration error by policy: mean of |predicted - in time|, weighed by frames."""
    found = {}
    for policy, group in itertools.groupby(rows, key=lambda row: row.policy):
        own = list(group)
        total = sum(row.frames for row in own)
        found[policy] = (
            math.fsum(row.frames * abs(row.predicted - row.in_time) for row in own) / total
        )
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
