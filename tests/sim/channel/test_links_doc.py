"""docs/scheduling/links.md has every option of every channel with its default."""

import re
from pathlib import Path

import msgspec
import pytest

from sim.channel import lte_cloud, nr_uma, registry
from sim.channel.cells import CellRadio
from sim.channel.radio_80211p import Radio

PAGE = (Path(__file__).parents[3] / "docs" / "scheduling" / "links.md").read_text()
DEFAULT, NR_UMA, LTE = 1, 2, 3  # columns


def table(after):
    """option -> its cells, of the first table after a phrase."""
    lines = PAGE[PAGE.index(after) :].splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("| option"))
    found = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[cells[0].strip("`")] = cells
    return found


def printed(value):
    return str(list(value)) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(
    ("after", "struct"), [("Of `urban_80211p` and", Radio), ("Of every cellular", CellRadio)]
)
def test_table_is_the_struct(after, struct):
    rows = {name: cells[DEFAULT] for name, cells in table(after).items()}
    assert rows == {field.name: printed(field.default) for field in msgspec.structs.fields(struct)}


@pytest.mark.parametrize(("column", "struct"), [(NR_UMA, nr_uma.Radio), (LTE, lte_cloud.Radio)])
def test_columns_are_what_macro_networks_change(column, struct):
    ours = {field.name: field.default for field in msgspec.structs.fields(struct)}
    for name, cells in table("Of every cellular").items():
        assert (cells[column] or cells[DEFAULT]) == printed(ours[name]), name


def test_every_channel_and_trace_is_on_the_page():
    for model in registry.BUILT_IN:
        assert f"| `{model}` |" in PAGE
    traces = Path(__file__).parents[3] / "configs" / "traces"
    named = set(re.findall(r"^\| `(\w+\.csv)` \|", PAGE, re.MULTILINE))
    assert named == {path.name for path in traces.glob("*.csv")}
