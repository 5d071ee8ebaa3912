from pathlib import Path

import pytest

from scheduler.errors import ConfigError
from sim.channel.base import LinkState
from sim.channel.trace import COLUMNS, Trace, TraceWriter

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


def test_shipped_trace_is_what_its_command_makes(tmp_path):
    from sim.channel import synthetic_drive

    made = tmp_path / "again.csv"
    assert synthetic_drive.main(["--out", str(made)]) == 0
    again, shipped = Trace(made), Trace(SHIPPED)
    assert again.length_s == shipped.length_s
    times = [k / 10 + 0.05 for k in range(int(shipped.length_s * 10))]
    same = [again.at(t).up_bps == pytest.approx(shipped.at(t).up_bps, rel=1e-3) for t in times]
    # Another machine's libm may tip a row that lies within 1e-12 of a threshold.
    assert sum(same) >= 0.995 * len(same)
