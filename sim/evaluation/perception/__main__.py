"""`vdap evaluate PATH`: scores detectors on a data set or a video, or what a drive believed.

PATH is a data set in COCO form, a run folder, or a video (or folder of frames) with labels beside
it. Tables go to the terminal; `evaluation.json`, curves, and the largest mistakes as pictures go to
the output folder. Answers are kept there too, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scheduler.errors import ConfigError
from scheduler.processes import entry

PRECISIONS = ("fp32", "int8")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(
        prog="vdap evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    it.add_argument("path", type=Path, help="data set, run folder, or video")
    it.add_argument(
        "--detector",
        nargs="+",
        default=[],
        metavar="SPEC",
        help="[KIND=]RUNG-OR-FILE[@WIDTHxHEIGHT][/PRECISION], such as large@320x192/int8 or "
        "yolox=yolox_nano.onnx",
    )
    it.add_argument("--rungs", nargs="+", default=[], metavar="RUNG", help="shipped ones, or all")
    it.add_argument(
        "--sizes", nargs="+", default=[], metavar="WxH", help="default: 640x384 320x192"
    )
    it.add_argument("--precision", nargs="+", default=["fp32"], choices=PRECISIONS)
    it.add_argument(
        "--limit",
        type=int,
        help="look at so many pictures, spread over the set (of a video: the first)",
    )
    it.add_argument("--labels", type=Path, help="of a video: COCO JSON or MOTChallenge's gt.txt")
    it.add_argument("--fps", type=float, help="of a video or a sequence; default: what it says")
    it.add_argument(
        "--class-map", nargs="+", default=[], metavar="THEIRS=OURS", help="class names of the set"
    )
    it.add_argument("--out", type=Path, help="default: evaluations/NAME")
    return it


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    flags = parser().parse_args(argv)
    if not flags.path.exists():
        raise ConfigError(f"no file or folder {flags.path}")
    if flags.limit is not None and flags.limit < 1:
        raise ConfigError(f"--limit {flags.limit}: expected 1 or more pictures")
    own = dict(_pair(text) for text in flags.class_map)
    from sim.evaluation.perception import candidates, evaluation

    sizes = [candidates.parse_size(text) for text in flags.sizes]
    chosen = [candidates.parse(text) for text in flags.detector]
    names = flags.rungs
    if not names and not chosen and not evaluation.is_run(flags.path):
        names = ["all"]
    chosen += candidates.rungs(names, sizes, flags.precision)
    plan = evaluation.Plan(
        path=flags.path,
        out=flags.out or Path("evaluations") / flags.path.resolve().stem,
        candidates=chosen,
        limit=flags.limit,
        labels=flags.labels,
        fps=flags.fps,
        class_map=own,
    )
    try:
        return evaluation.evaluate(plan)
    except KeyboardInterrupt:
        sys.stderr.write("vdap evaluate: stopped; the same command goes on\n")
        return 130


def _pair(text: str) -> tuple[str, str]:
    theirs, is_pair, ours = text.partition("=")
    if not is_pair:
        raise ConfigError(f"--class-map {text!r}: expected THEIRS=OURS, such as person=pedestrian")
    return theirs, ours


if __name__ == "__main__":
    sys.exit(entry(main))
