import shlex
from pathlib import Path

import pytest

from scheduler.errors import ConfigError
from sim.channel import synthetic_drive
from sim.channel.base import LinkState, outage_of
from sim.channel.trace import COLUMNS, Trace, TraceWriter
from sim.channel.trace_figures import figures

SHIPPED = Path(__file__).parents[3] / "configs" / "traces" / "urban_drive.csv"


def written(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text)
    return path


def test_row_holds_until_the_next_and_the_trace_begins_anew(tmp_path):
    trace = Trace(written(tmp_path, "t_s,...\n# note\n0,1e6,5,0,2e6,6,0.01\n0.5,0,0,0,0,0,0\n"))
    assert trace.at(0.0) == LinkState(1e6, 5, 0, 2e6, 6, 0.01)
    assert trace.at(0.49).up_bps == 1e6
    assert trace.at(0.5).is_outage
    assert trace.length_s == 1.0
    assert trace.at(1.2).up_bps == 1e6
    assert trace.outage_share() == 0.5


def test_written_rows_replay(tmp_path):
    path = tmp_path / "w.csv"
    state = LinkState(5e6, 2.5, 0.001, 4e6, 3.25, 0.0)
    with TraceWriter(path, "how it was made") as writer:
        writer.write(0.0, state)
        writer.write(0.1, LinkState(0, 0, 0, 0, 0, 0))
    assert path.read_text().splitlines()[:2] == ["# how it was made", ",".join(COLUMNS)]
    trace = Trace(path)
    assert trace.at(0.05) == state
    assert trace.at(0.15).is_outage


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "rows from t_s 0"),
        ("1,1,1,1,1,1,1\n", "rows from t_s 0"),
        ("0,1,1\n", "line 1: expected t_s"),
        ("0,1,1,0,1,1,x\n", "line 1: expected numbers"),
        ("0,1,1,0,1,1,-1\n", "at least 0"),
        ("0,nan,1,0,1,1,0\n", "finite"),
        ("0,1,1,0,1,1,0\n0,1,1,0,1,1,0\n", "line 2: t_s must increase"),
    ],
)
def test_broken_trace_says_where(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        Trace(written(tmp_path, text))


def test_missing_trace_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        Trace(tmp_path / "none.csv")


def test_shipped_trace_has_good_poor_and_lost_stretches():
    trace = Trace(SHIPPED)
    rates = [trace.at(k / 10).up_bps for k in range(int(trace.length_s * 10))]
    assert trace.length_s >= 60
    assert 0.1 < trace.outage_share() < 0.4
    assert sum(rate > 10e6 for rate in rates) > 0.3 * len(rates)
    assert sum(0 < rate < 5e6 for rate in rates) > 0.05 * len(rates)


def test_outage_mode_is_the_trace_s_own_unless_the_config_says_otherwise(tmp_path):
    rows = "0,1e6,5,0,2e6,6,0.01\n"
    assert Trace(written(tmp_path, rows)).outage is None
    held = Trace(written(tmp_path, f"# outage: hold\n{rows}"))
    assert held.outage == "hold"
    assert outage_of(held, None) == "hold"
    assert outage_of(held, "drop") == "drop"
    assert outage_of(Trace(written(tmp_path, rows)), None) == "drop"
    with pytest.raises(ConfigError, match="hold or drop, got 'keep'"):
        Trace(written(tmp_path, f"# outage: keep\n{rows}"))


def test_writer_says_the_outage_mode(tmp_path):
    path = tmp_path / "w.csv"
    with TraceWriter(path, "note", "hold") as writer:
        writer.write(0.0, LinkState(0, 0, 0, 0, 0, 0))
    assert Trace(path).outage == "hold"
    assert Trace(path).comments == ["note", "outage: hold"]


@pytest.mark.parametrize("path", sorted(SHIPPED.parent.glob("*.csv")), ids=lambda path: path.stem)
def test_shipped_trace_is_what_its_command_makes(path, tmp_path):
    shipped = Trace(path)
    command = next(line for line in shipped.comments if line.startswith("python -m "))
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "sim.channel.synthetic_drive"]
    made = tmp_path / "again.csv"
    assert synthetic_drive.main([*words[3:-1], str(made)]) == 0
    assert made.read_bytes() == path.read_bytes()
    assert len(made.read_bytes()) < 100_000


def test_shipped_traces_hold_and_drop_and_black_out():
    traces = [Trace(path) for path in SHIPPED.parent.glob("*.csv")]
    assert len(traces) >= 6
    assert {trace.outage for trace in traces} == {"hold", "drop"}
    assert {t.outage for t in traces if max(figures(t).outages_s, default=0) >= 30} == {
        "hold",
        "drop",
    }
