"""How late this machine is: a timer and two wake-ups of idle processes, beside a benchmark's rows.

    python benchmarks/lateness.py [--seconds 4]

A process sleeps until an instant, sends one byte to another that waits for it, and waits for the
byte to come back. On an idle machine that takes a tenth of a millisecond. What it takes here no
program on this machine can avoid: a frame that is offloaded and answered needs one timer and
eight wake-ups.
"""

import argparse
import bisect
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

PERIOD_NS = 5_000_000


class Lateness:
    """The measuring process, which writes `stamp lateness` lines, ns, to a file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lateness.txt"
        self._process = subprocess.Popen([sys.executable, __file__, "--into", str(self._path)])

    def between(self, begin_ns: int, end_ns: int) -> list[float]:
        """Lateness in ms of what was due in this time (monotonic clock), least first."""
        whole = self._path.read_text().rpartition("\n")[0]
        rows = [tuple(map(int, row.split())) for row in whole.splitlines()]
        first = bisect.bisect_left(rows, (begin_ns, 0))
        return sorted(late / 1e6 for at, late in rows[first:] if at < end_ns)

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait(10)


def measure(path: Path) -> None:
    """Write lines until ended."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        while byte := theirs.recv(1):
            theirs.send(byte)
        os._exit(0)  # the other end is gone
    theirs.close()
    due_ns = time.monotonic_ns()
    with path.open("w", buffering=1, encoding="utf-8") as file:
        while True:
            due_ns = max(due_ns + PERIOD_NS, time.monotonic_ns())
            time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
            ours.send(b"x")
            ours.recv(1)
            file.write(f"{due_ns} {time.monotonic_ns() - due_ns}\n")


def main() -> None:
    """Print the figures of some seconds."""
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.into:
        measure(flags.into)
    with tempfile.TemporaryDirectory() as name:
        lateness = Lateness(Path(name))
        begin_ns = time.monotonic_ns()
        time.sleep(flags.seconds)
        late = lateness.between(begin_ns, time.monotonic_ns())
        lateness.close()
    for share in (0.5, 0.9, 0.99):
        print(f"p{share * 100:.0f} {late[int(share * len(late))]:.2f} ms")


if __name__ == "__main__":
    main()
