"""What a data set holds: counts by class, height, weather and town, as a table and as a README."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.errors import SourceError

if TYPE_CHECKING:
    from rich.table import Table

HEIGHTS = (25.0, 50.0, 100.0)  # pixels; bounds of the buckets, the first is the least that counts
BUCKETS = ("< 25", "25-50", "50-100", "> 100")
LEAST_VISIBLE = 0.3  # below, no score counts a box


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of one set.

    Attributes:
        pictures: In all.
        by_class: Boxes of each class by height, in the order of `BUCKETS`.
        scored: Of each class, boxes that scores count: at least 25 px high and 0.3 visible.
        groups: Pictures by weather, by town, by camera.
        states: Traffic lights by what they show.
    """

    pictures: int
    by_class: dict[str, tuple[int, ...]]
    scored: dict[str, int]
    groups: dict[str, dict[str, int]]
    states: dict[str, int]

    @property
    def boxes(self) -> int:
        """In all."""
        return sum(sum(row) for row in self.by_class.values())


def stats_of(table: Mapping[str, Any]) -> Stats:
    """Counts what a COCO table holds; another's table may lack visibility, weather and town."""
    names = {row["id"]: str(row["name"]) for row in table["categories"]}
    counts = {name: [0] * len(BUCKETS) for name in names.values()}
    scored: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for box in table["annotations"]:
        name, height = names[box["category_id"]], box["bbox"][3]
        counts[name][sum(height >= bound for bound in HEIGHTS)] += 1
        scored[name] += height >= HEIGHTS[0] and box.get("visibility", 1.0) >= LEAST_VISIBLE
        if "state" in box:
            states[box["state"]] += 1
    groups = {}
    for key in ("weather", "town", "camera"):
        found = Counter(str(image[key]) for image in table["images"] if key in image)
        groups[key] = dict(sorted(found.items()))
    return Stats(
        len(table["images"]),
        {name: tuple(row) for name, row in counts.items()},
        dict(scored),
        groups,
        dict(sorted(states.items())),
    )


def read(folder: Path) -> dict[str, Any]:
    """The annotations of a set.

    Raises:
        SourceError: The folder holds none.
    """
    path = folder / "annotations.json"
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        missing = {"images", "annotations", "categories"} - set(table)
    except (OSError, ValueError) as error:
        raise SourceError(f"expected the annotations of a data set at {path}: {error}") from None
    if missing:
        raise SourceError(f"{path} is no COCO table: it lacks {', '.join(sorted(missing))}")
    return dict(table)


def rich_table(stats: Stats) -> Table:
    """For the terminal."""
    from rich.table import Table

    heads, rows, caption = _cells(stats)
    table = Table(title=f"{stats.pictures} pictures, {stats.boxes} boxes", caption=caption)
    for index, head in enumerate(heads):
        table.add_column(head, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _cells(stats: Stats) -> tuple[list[str], list[list[str]], str]:
    heads = ["class", *(f"{bucket} px" for bucket in BUCKETS), "all", "scored"]
    rows = [
        [name, *map(str, row), str(sum(row)), str(stats.scored.get(name, 0))]
        for name, row in stats.by_class.items()
    ]
    lines = [
        f"pictures by {key}: " + ", ".join(f"{name} {count}" for name, count in found.items())
        for key, found in stats.groups.items()
        if found
    ]
    if stats.states:
        shown = ", ".join(f"{name} {count}" for name, count in stats.states.items())
        lines.append(f"traffic lights that show: {shown}")
    return heads, rows, "\n".join(lines)


def readme(stats: Stats, command: str, split: str, info: Mapping[str, Any]) -> str:
    """The set's README.md."""
    heads, rows, caption = _cells(stats)
    return f"""# Data set: {stats.pictures} pictures, {stats.boxes} boxes

Recorded by vdap {info.get("vdap", "")} with `{command}` ({split}; world: {info.get("world", "")}).

- `annotations.json`: COCO. A box also has `visibility` (share of the object that is not hidden),
  `distance_m`, `actor_id` (the same object over pictures of one segment) and, of a traffic light
  whose lamps can be seen, `state`. A picture also has `town`, `weather`, `asset_seed`, `vehicle`,
  `camera` and `sim_ns` (simulated time within its segment). `plates`: number plates with their
  corners (`quad`) and whether they can be read.
- `images/`: JPEG, quality {info.get("quality", "")}. `masks/`: of every second pixel either way,
  CARLA's semantic tag (CityObjectLabel), PNG.
- `plan.json`, `segments/`: what the command needs to go on where it stopped.

Scores count boxes that are at least 25 px high and {LEAST_VISIBLE} visible ("scored").

{_markdown(heads, rows)}

{caption}
"""


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    line: Callable[[Sequence[str]], str] = lambda cells: f"| {' | '.join(cells)} |"  # noqa: E731
    return "\n".join([line(heads), line(["---", *["---:"] * (len(heads) - 1)]), *map(line, rows)])
