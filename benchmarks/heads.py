"""What further heads cost on one stem, by their number, against a network for each task.

    python benchmarks/heads.py [--rung medium | --model FILE.multi.onnx] [--size 640x384]

All rows are measured in turns in one run, so that a busy moment hits all alike; the ratio to
detection alone travels between machines, milliseconds do not. A row is a whole `detect_heads`:
fitting the frame, the model, boxes, and packing the results for the wire.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import cv2
from rich.console import Console
from rich.table import Table

from scheduler.errors import ConfigError, VdapError
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.heads import MultiDetector, load_multi
from vehicle.perception.heads.multi import SUFFIX
from vehicle.perception.profiling.timing import Way, against_each_other
from vehicle.perception.rungs import WEIGHTS

PICTURE = Path(__file__).parents[1] / "tests" / "vehicle" / "perception" / "street.jpg"
BOUND = 1.4  # of detection and all heads to detection alone


def table(multi: MultiDetector, seconds: float) -> tuple[Table, float]:
    """The rows, and the ratio of all heads to none."""
    frame = cv2.imread(str(PICTURE))
    if frame is None:
        raise ConfigError(f"benchmark: no picture {PICTURE}")
    frame = cv2.resize(frame, (multi.width, multi.height), interpolation=cv2.INTER_AREA)
    asked = [
        names
        for count in range(len(multi.heads) + 1)
        for names in itertools.combinations(multi.heads, count)
    ]

    def way(names: tuple[str, ...]) -> Way:
        return Way(lambda: multi.detect_heads(frame, names))

    times = against_each_other({" + ".join(n) or "none": way(n) for n in asked}, seconds)
    alone = times["none"].ms
    shown = Table("heads besides detection", "ms", "to detection", "networks of their own")
    for names in asked:
        ms = times[" + ".join(names) or "none"].ms
        own = (1 + len(names)) * alone
        label = " + ".join(names) or "none"
        shown.add_row(label, f"{ms:.2f}", f"{ms / alone:.2f}", f"{own:.2f} ({own / ms:.1f}x)")
    return shown, times[" + ".join(multi.heads)].ms / alone


def main() -> int:
    """Prints the table; returns 1 where all heads cost more than the bound allows."""
    shipped = sorted(path.name.removesuffix(SUFFIX) for path in WEIGHTS.glob(f"*{SUFFIX}"))
    it = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    it.add_argument("--rung", choices=shipped, default=shipped[0] if shipped else None)
    it.add_argument("--model", type=Path, help="another .multi.onnx")
    it.add_argument("--size", default="640x384", help="of the input")
    it.add_argument("--seconds", type=float, default=2.0, help="of each row")
    arguments = it.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    weights = str(arguments.model or arguments.rung or "")
    try:
        spec = DetectorSpec("measured", weights=weights, input_size=(width, height))
        multi = load_multi(spec)
        shown, ratio = table(multi, arguments.seconds)
    except VdapError as error:
        sys.stderr.write(f"benchmark: {error}\n")
        return error.exit_code
    shown.title = f"{Path(weights).name} at {width}x{height}, one thread, CPU time"
    Console().print(shown)
    verdict = "kept" if ratio <= BOUND else "BROKEN"
    print(f"detection and {len(multi.heads)} heads: {ratio:.2f}x detection; {BOUND}x is {verdict}")
    return 0 if ratio <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
