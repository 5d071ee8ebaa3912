"""`vdap trace`: say what is in a link trace, or make one of what was measured on a real drive."""

import argparse
import sys
from pathlib import Path

from scheduler import processes
from scheduler.errors import ConfigError
from sim.channel import mahimahi, rtt_drive
from sim.channel.trace import Trace, write
from sim.channel.trace_figures import in_words, table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vdap trace", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    show = verbs.add_parser("show", help="length, quantiles and outages of traces")
    show.add_argument("file", type=Path, nargs="+")
    bring = verbs.add_parser("import", help="make a trace of another format")
    kinds = bring.add_subparsers(dest="kind", required=True)
    pair = kinds.add_parser("mahimahi", help="a pair of mm-link traces")
    pair.add_argument("up", type=Path)
    pair.add_argument("down", type=Path)
    pair.add_argument("--delay-ms", type=float, default=20.0, help="one way; default 20")
    rtt = kinds.add_parser("rtt", help="a run of round trips, as CICV5G lays them out")
    rtt.add_argument("file", type=Path)
    rtt.add_argument("--rate-mbps", type=float, default=20.0, help="both ways; default 20")
    rtt.add_argument(
        "--outage-ms",
        type=float,
        default=100.0,
        help="a round trip so far above the usual is an outage; default 100",
    )
    for kind in (pair, rtt):
        kind.add_argument("--out", type=Path, required=True)
    return parser


def _imported(flags: argparse.Namespace) -> tuple[Trace, str]:
    """The trace, and the words that made it."""
    if flags.kind == "mahimahi":
        trace = mahimahi.read(flags.up, flags.down, flags.delay_ms)
        made = f"mahimahi {flags.up.name} {flags.down.name} --delay-ms {flags.delay_ms:g}"
    else:
        trace = rtt_drive.read(flags.file, rate_mbps=flags.rate_mbps, outage_ms=flags.outage_ms)
        rules = f"--rate-mbps {flags.rate_mbps:g} --outage-ms {flags.outage_ms:g}"
        made = f"rtt {flags.file.name} {rules}"
    return trace, made


def main(argv: list[str] | None = None) -> int:
    """Show or import."""
    flags = _parser().parse_args(argv)
    if flags.verb == "show":
        shown = [f"{path}\n{table(Trace(path))}\n" for path in flags.file]
        sys.stdout.write("\n".join(shown))
        return 0
    trace, made = _imported(flags)
    try:
        write(flags.out, trace, f"Measured on a real drive; made by\nvdap trace import {made}")
    except OSError as error:
        raise ConfigError(f"--out: cannot write {flags.out}: {error.strerror}") from None
    sys.stdout.write(f"{flags.out}: {in_words(trace)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(processes.entry(main))
