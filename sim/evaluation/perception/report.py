"""What `vdap evaluate` shows on the terminal: one table a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from sim.evaluation.perception.drives import Drive
from sim.evaluation.perception.gains import gains
from sim.evaluation.perception.slices import Figures, Result

IN_A_LINE = 6  # detectors of a table that fits 80 columns
TRACK_COLUMNS = {
    "hota": "HOTA", "det_a": "DetA", "ass_a": "AssA", "idf1": "IDF1", "mota": "MOTA",
    "id_swaps": "id swaps", "objects": "objects", "boxes": "boxes",
}  # fmt: skip


def show_results(console: Console, results: Sequence[Result]) -> None:
    """Tables of detectors: a row each, a column for each part of the set."""
    if not results:
        return
    first = results[0]
    _heading(console, f"{first.pictures} pictures, {first.boxes} boxes that count")
    table = _table()
    for name in ("AP50", "AP", "F1", "at", "precision", "recall", "best F1", "at"):
        table.add_column(name, justify="right")
    for own in results:
        table.add_row(
            own.detector, *map(_number, (own.ap50, own.ap, own.f1)), f"{own.score:.2f}",
            *map(_number, (own.precision, own.recall, own.best_f1)), f"{own.best_score:.2f}",
        )  # fmt: skip
    console.print(table)
    _parts(console, "AP50 by class", results, [own.by_class for own in results])
    _parts(console, "AP50 by height", results, [own.by_size for own in results])
    _parts(console, "AP50 by visibility", results, [own.by_visibility for own in results])
    _parts(console, "AP50 by weather", results, [own.by_weather for own in results])
    if len(first.by_town) > 1:
        _parts(console, "AP50 by town", results, [own.by_town for own in results])
    _gains(console, results)
    console.print(
        "Boxes: what a figure rests on. Means leave out classes with fewer than 10 of them.",
        style="dim",
    )


def _parts(
    console: Console,
    title: str,
    results: Sequence[Result],
    parts: Sequence[Mapping[str, Figures]],
) -> None:
    """A row for each part of the set, a column for each detector, so many as a line holds."""
    names = [name for name in parts[0] if parts[0][name].boxes]
    if not names:
        return
    _heading(console, title)
    for first in range(0, len(results), IN_A_LINE):
        table = _table()
        table.add_column("boxes", justify="right")
        for own in results[first : first + IN_A_LINE]:
            table.add_column(own.detector.replace(" ", "\n"), justify="right")
        for name in names:
            cells = [part[name].ap50 for part in parts[first : first + IN_A_LINE]]
            table.add_row(name, str(parts[0][name].boxes), *map(_number, cells))
        console.print(table)


def _gains(console: Console, results: Sequence[Result]) -> None:
    heights, rows = gains(results)
    if not rows:
        return
    _heading(console, "AP50 gained, by height")
    table = _table()
    for name in (*heights, "all"):
        table.add_column(name, justify="right")
    for name, values in rows:
        table.add_row(name, *("-" if value is None else f"{value:+.3f}" for value in values))
    console.print(table)


def show_drives(console: Console, drives: Sequence[Drive]) -> None:
    """Tables of what vehicles believed."""
    for drive in drives:
        console.print(
            f"\n[bold]{drive.vehicle_id}, camera {drive.camera_id}, {drive.service}[/bold]: "
            f"streaming F1 {_number(drive.f1)} (precision {_number(drive.precision)}, recall "
            f"{_number(drive.recall)}) over {drive.instants} instants; it rests on {drive.boxes} "
            f"boxes of {drive.objects} objects{_place(drive)}",
            highlight=False,
        )
        _drive_parts(console, "by class", drive.by_class)
        _drive_parts(console, "by height", drive.by_size)
        _drive_parts(console, "by visibility", drive.by_visibility)
        tracks = {"all": drive.tracks, **drive.tracks_by_class}
        show_tracks(console, "tracks when each picture was taken", tracks)


def _place(drive: Drive) -> str:
    words = [word for word in (drive.town, drive.weather) if word]
    return f" ({', '.join(words)})" if words else ""


def _drive_parts(console: Console, title: str, parts: Mapping[str, Figures]) -> None:
    shown = {name: own for name, own in parts.items() if own.boxes}
    if not shown:
        return
    _heading(console, title)
    table = _table()
    for name in ("F1", "precision", "recall", "boxes"):
        table.add_column(name, justify="right")
    for name, own in shown.items():
        table.add_row(name, *map(_number, (own.f1, own.precision, own.recall)), str(own.boxes))
    console.print(table)


def show_tracks(
    console: Console, title: str, rows: Mapping[str, Mapping[str, float | int]]
) -> None:
    """Scores of tracks, a row each."""
    _heading(console, title)
    table = _table()
    for words in TRACK_COLUMNS.values():
        table.add_column(words, justify="right")
    for name, own in rows.items():
        cells = [own[column] for column in TRACK_COLUMNS]
        table.add_row(name, *(str(c) if isinstance(c, int) else _number(c) for c in cells))
    console.print(table)


def _heading(console: Console, words: str) -> None:
    console.print(f"\n{words}", style="bold", markup=False)


def _table() -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("", justify="left", no_wrap=True)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
