"""Sums a run folder up: `summary.json`, CSV files, picture, and the table on the terminal."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scheduler.errors import VdapError
from sim.evaluation import picture, summary, tables
from sim.evaluation.pipelines import in_words
from sim.evaluation.records import RunFolder
from sim.evaluation.summary import Json


def sum_up(path: Path, console: Console, *, is_quick: bool = False, must_show: bool = True) -> Json:
    """Write all that is derived from a run folder's records, and show it.

    Args:
        is_quick: Leave out what takes seconds: each rung alone, and the picture.
        must_show: Also show a drive in which no frame came.

    Returns:
        The content of `summary.json`.
    """
    folder = RunFolder(path)
    notes = []
    try:
        results = summary.judge(folder, with_alone=not is_quick)
    except VdapError as error:  # a detector that only the unit's machine has
        results = summary.judge(folder, with_alone=False)
        notes.append(f"the rungs alone were not scored: {error}")
    made = summary.summarise(folder, results)
    made["notes"] = [*_lines(made["notes"]), *notes]
    (path / "summary.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    verdicts = [verdict for result in results for verdict in result.verdicts]
    tables.write_verdicts(path / "verdicts.csv", verdicts)
    tables.write_links(path / "links.csv", (row for _, row in folder.link_rows()))
    if not (must_show or made["captured"]):
        return made
    show(console, made)
    console.print(f"\nsummary  {path / 'summary.json'}", markup=False, soft_wrap=True)
    if is_quick:
        said = f"not drawn; `vdap summary {path}` draws it"
    else:
        said = _draw(folder, made, results)
    console.print(f"picture  {said}", markup=False, soft_wrap=True)
    return made


def _draw(folder: RunFolder, made: Json, results: list[summary.VehicleResult]) -> str:
    """Where the picture is, or why there is none."""
    deadlines = {vehicle.id: vehicle.deadline_ms for vehicle in folder.config.vehicles}
    try:
        drawn = picture.draw(folder.path, _title(made), results, folder.link_rows(), deadlines)
    except VdapError as error:
        return f"not drawn: {error}"
    return str(drawn[0]) if drawn else "nothing to draw"


def _lines(notes: object) -> list[str]:
    return [str(note) for note in notes] if isinstance(notes, list) else []


def _title(made: Json) -> str:
    parts = [str(made["name"])]
    if isinstance(made["f1_current"], float):
        parts.append(f"streaming F1 {made['f1_current']:.2f}")
    if isinstance(made["outage_share"], float):
        parts.append(f"no unit in reach {made['outage_share']:.0%} of the time")
    if isinstance(made["fps"], float):
        parts.append(f"{made['fps']:.1f} fps")
    return "   ".join(parts)


def show(console: Console, made: Json) -> None:
    """The summary as a table, a column per vehicle."""
    vehicles = made["vehicles"]
    assert isinstance(vehicles, dict)
    table = Table(title=f"{made['name']}: what it came to", title_justify="left", box=None,
                  title_style="bold", pad_edge=False)  # fmt: skip
    table.add_column("", style="dim")
    for name in vehicles:
        table.add_column(name, justify="left")
    rows = [_column(own) for own in vehicles.values()]
    labels = [label for label in (rows[0] if rows else {}) if any(row[label] for row in rows)]
    for label in labels:
        table.add_row(label, *(row.get(label, "") for row in rows))
    if made["real_time_factor"] is not None:
        table.add_row("real-time factor", _number(made["real_time_factor"], 2))
    console.print()
    console.print(table if rows else f"{made['name']}: the vehicles ran elsewhere")
    links = made["links"]
    if isinstance(links, dict):
        for name, figures in links.items():
            line = f"link {name}: out {figures['outage_share']:.1%} of the time"
            expected = figures.get("expected_outage_share")
            if isinstance(expected, float):
                line += f" (the model expects {expected:.1%})"
            console.print(
                f"{line}, {figures['mean_up_mbps']:.1f} Mbit/s up on average", soft_wrap=True
            )
    for note in _lines(made["notes"]):
        console.print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)


def _column(own: Json) -> dict[str, str]:
    """The figures of one vehicle, in the order in which they are shown."""
    compute, placements, offload = own["compute"], own["placements"], own["offload"]
    age, answer_age, alone = own["age_ms"], own["answer_age_ms"], own["f1_alone"]
    assert isinstance(compute, dict) and isinstance(placements, dict) and isinstance(offload, dict)
    assert isinstance(age, dict) and isinstance(answer_age, dict) and isinstance(alone, dict)
    total = max(1, sum(placements.values()))
    f1 = f"{_number(own['f1_current'], 3)} streaming, of {own['f1_objects']} objects"
    f1 += "".join(f"; {name} alone {_number(value, 3)}" for name, value in alone.items())
    has_world = own["collisions"] is not None
    collisions = f"{_number(own['collisions'], 0)}, least time to collision "
    collisions += f"{_number(own['min_ttc_s'], 1)} s, hard brakes {_number(own['hard_brakes'], 0)}"
    return {
        "policy": f"{own['policy']}, deadline {own['deadline_ms']:g} ms",
        "compute profile": f"1/{compute['slowdown']:g} of this machine, {compute['threads']} "
        f"thread(s), {compute['watts']:g} W",
        "models": "; ".join(f"{name}: {words}" for name, words in _texts(own["models"]).items()),
        "frames": f"{own['captured']} captured at {_number(own['fps'], 1)} fps, "
        f"{own['missed_upstream']} missed upstream",
        "verdicts": f"{own['verdicts']}, {own['late']} late",
        "answered": ", ".join(f"{k} {v} ({v / total:.0%})" for k, v in placements.items()),
        "placed": in_words(own["pipelines"]),
        "offload": ", ".join(f"{v} {k}" for k, v in offload.items()),
        "age p50 / p99": f"{_number(age['p50'], 0)} / {_number(age['p99'], 0)} ms "
        f"(model's last look {_number(answer_age['p50'], 0)} / {_number(answer_age['p99'], 0)} ms)",
        "F1": f1 if own["f1_current"] is not None else ("nothing to find" if has_world else ""),
        "no unit in reach": _share(own["outage_share"]),
        "collisions": collisions if has_world else "",
    }  # fmt: skip


def _texts(value: object) -> dict[str, str]:
    return value if isinstance(value, dict) else {}


def _number(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, (int, float)) else "-"


def _share(value: object) -> str:
    return f"{value:.1%} of the time" if isinstance(value, float) else ""
