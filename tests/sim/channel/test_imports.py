"""Traces of real drives: mahimahi's format, and round trips in the layout of CICV5G."""

import random
import statistics

import pytest

from scheduler.errors import ConfigError
from sim.channel import mahimahi, rtt_drive, trace_command
from sim.channel.link_model import LinkModel
from sim.channel.trace import Trace

HEADER = (
    "pub_time(ms) sub_time(ms) delay(ms) utmX(m) utmY(m) heading(rad) velocity(m/s) "
    "cellid(db) sinr(db) rsrp(db)"
)
PERIOD_MS = 55
MS = 1_000_000


def saved(tmp_path, text, name="drive.txt"):
    path = tmp_path / name
    path.write_text(text)
    return path


def run_of(rtts, separator=" "):
    start = 1_721_808_579_908
    lines = [HEADER.replace(" ", separator)]
    for index, rtt in enumerate(rtts):
        sent = start + PERIOD_MS * index
        row = (sent, sent + rtt, rtt, 329647.3 + index, 3463418.4, 2.19, 13.9, "5C4225714", 10, -60)
        lines.append(separator.join(str(value) for value in row) + separator)
    return "\n".join(lines) + "\n"


def stuck(rtts, at, end):
    """Round trips of a link that holds everything sent in samples at..end until the end."""
    return [
        (end - index) * PERIOD_MS + rtt if at <= index < end else rtt
        for index, rtt in enumerate(rtts)
    ]


def test_packets_per_tenth_of_a_second_are_the_rate(tmp_path):
    up = saved(tmp_path, "0\n50\n100\n150\n", "up")  # three in the first 100 ms
    dn = saved(tmp_path, "".join(f"{ms}\n" for ms in range(1, 101)), "dn")  # one each ms
    trace = mahimahi.read(up, dn, delay_ms=7.0)
    assert trace.outage == "hold"
    packet = 1500 * 8 * (1448 / 1500) * 10
    assert trace.at(0.0).up_bps == pytest.approx(3 * packet)
    assert trace.at(0.1).up_bps == pytest.approx(3 * packet)  # 150, and 0 and 50 of the next turn
    assert trace.at(0.0).dn_bps == trace.at(0.1).dn_bps == pytest.approx(100 * packet)
    assert trace.at(0.0).up_delay_ms == 7.0


def test_shorter_trace_repeats_to_the_length_of_the_longer(tmp_path):
    up = saved(tmp_path, "100\n", "up")
    dn = saved(tmp_path, "1000\n", "dn")
    trace = mahimahi.read(up, dn)
    assert trace.length_s == pytest.approx(1.0)
    assert all(trace.at(t / 10 + 0.05).up_bps > 0 for t in range(10))
    assert [trace.at(t / 10 + 0.05).dn_bps > 0 for t in range(10)] == [False] * 9 + [True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "one time in milliseconds"),
        ("1\nx\n", "line 2: expected milliseconds"),
        ("5\n4\n", "line 2: times must not decrease"),
        ("0\n", "one time"),
    ],
)
def test_broken_mahimahi_file_says_where(tmp_path, text, said):
    path = saved(tmp_path, text)
    with pytest.raises(ConfigError, match=said):
        mahimahi.read(path, path)
    with pytest.raises(ConfigError, match="No such file"):
        mahimahi.read(tmp_path / "none", path)


@pytest.mark.parametrize("separator", [" ", ","])
def test_samples_hold_position_and_radio(tmp_path, separator):
    found = rtt_drive.samples(saved(tmp_path, run_of([18, 22], separator)))
    assert found[1] == rtt_drive.Sample(0.055, 22, 329648.3, 3463418.4, 2.19, 13.9, 10, -60)


def test_replayed_drive_gives_its_round_trips(tmp_path):
    """Packets sent when the drive's were, over a link of the trace, take as long as they did."""
    choose = random.Random(3)
    rtts = stuck([choose.randint(17, 24) for _ in range(300)], 100, 105)
    rtts = stuck(rtts, 200, 240)  # 2.2 s
    drive = saved(tmp_path, run_of(rtts))
    trace = rtt_drive.read(drive, rate_mbps=1000.0)
    link = LinkModel.of(trace, limit_bytes=10**6, outage=trace.outage, seed="s", loops=False)
    errors = []
    for sample in rtt_drive.samples(drive):
        sent_ns = round(sample.t_s * 1e9)
        there_ns = link.up.packet(64, sent_ns)
        back_ns = link.dn.packet(64, there_ns)
        errors.append((back_ns - sent_ns) / MS - sample.rtt_ms)
    assert statistics.median(abs(error) for error in errors) <= 2.0
    assert max(abs(error) for error in errors) <= 14.0  # of 2.2 s
    outages = [(t, s.is_outage) for t, s in trace.rows]
    assert sum(is_out for _, is_out in outages) > 0
    assert trace.at(100 * 0.055 + 0.1).is_outage
    assert not trace.at(105 * 0.055 + 0.02).is_outage


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("time rtt\n1 2\n", r"expected a header with pub_time"),
        (HEADER + "\n", "a line a round trip"),
        (HEADER + "\n1000 1010 fast\n", "line 2: expected numbers"),
        (HEADER + "\n1000 990 -10\n", "at least 0 ms"),
        (HEADER + "\n1000\n", "line 2"),
    ],
)
def test_broken_drive_says_where(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        rtt_drive.read(saved(tmp_path, text))


def test_command_imports_and_shows(tmp_path, capsys):
    drive = saved(tmp_path, run_of(stuck([20] * 100, 50, 60)))
    out = tmp_path / "t.csv"
    assert trace_command.main(["import", "rtt", str(drive), "--out", str(out)]) == 0
    assert "outage" in capsys.readouterr().out
    trace = Trace(out)
    assert trace.outage == "hold"
    assert trace.comments[1] == "vdap trace import rtt drive.txt --rate-mbps 20 --outage-ms 100"
    assert trace_command.main(["show", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "1  " in next(line for line in shown.splitlines() if line.startswith("outages"))
    assert "longest 0.5 s" in shown or "longest 0.6 s" in shown
    pair = saved(tmp_path, "".join(f"{ms}\n" for ms in range(1, 1001)))
    words = ["import", "mahimahi", str(pair), str(pair), "--delay-ms", "5", "--out", str(out)]
    assert trace_command.main(words) == 0
    assert Trace(out).at(0.5).up_bps == pytest.approx(11.584e6)
    with pytest.raises(ConfigError, match="cannot write"):
        trace_command.main([*words[:-1], str(tmp_path / "none" / "t.csv")])
