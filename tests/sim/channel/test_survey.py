from sim.channel import survey
from sim.channel.base import LinkState


def share_out(what, seeds):
    (row,) = [one for one in survey.surveys() if one.what == what]
    seen: list[LinkState] = [
        state for seed in range(seeds) for state in survey.rows(row, seed, 0.3)
    ]
    return sum(state.is_outage for state in seen) / len(seen)


def test_checked_rows_are_the_published_ones():
    assert share_out("motorway, one unit", 3) < 0.01
    assert 0.6 < share_out("unit round a corner", 2) < 0.7


def test_table_has_a_line_a_row(capsys):
    assert survey.main(["--seeds", "1", "--step-s", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(survey.surveys())
    assert all("%" in line for line in lines[2:])
