"""What each pipeline of the detection services came to: answered by whom, at what cost."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from scheduler.messages import Verdict


def pipelines_of(verdicts: Iterable[Verdict]) -> dict[str, dict[str, object]]:
    """By pipeline, the most used first.

    `verdicts`, of which `onboard`, `offloaded` and `carried`; `sent`: those for which bytes left;
    `kilobytes`: of these on average; `age_ms`: median from the picture to its verdict.
    """
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.pipeline or "unknown", []).append(verdict)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return {name: _figures(group) for name, group in ordered}


def _figures(verdicts: list[Verdict]) -> dict[str, object]:
    answers = Counter(verdict.answer for verdict in verdicts)
    sizes = [verdict.size_bytes for verdict in verdicts if verdict.size_bytes]
    return {
        "verdicts": len(verdicts),
        **{kind: answers.get(kind, 0) for kind in ("onboard", "offloaded", "carried")},
        "sent": len(sizes),
        "kilobytes": round(float(np.mean(sizes)) / 1e3, 2) if sizes else None,
        "age_ms": round(float(np.median([verdict.age_ms for verdict in verdicts])), 2),
    }


def in_words(pipelines: object) -> str:
    """One line for the table at the end of a drive."""
    if not isinstance(pipelines, dict):
        return ""
    parts = []
    for name, row in pipelines.items():
        sent = f", {row['sent']} sent of {row['kilobytes']:.1f} kB" if row["sent"] else ""
        parts.append(f"{name} {row['verdicts']}{sent}")
    return "; ".join(parts)
