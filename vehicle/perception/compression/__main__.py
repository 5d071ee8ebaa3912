"""`vdap compress DATASET MODEL`: a smaller or faster model, kept only if it still sees enough."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vehicle.perception.compression.measure import Comparison
    from vehicle.perception.training.pictures import Pictures

AP_LOSS = 0.01
BOTTLENECK_AP_LOSS = 0.04


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(prog="vdap compress", description=__doc__)
    it.add_argument("dataset", type=Path, help="folder with train/ and val/ from vdap dataset")
    it.add_argument("model", help="a shipped rung, or a .safetensors file of vdap train")
    it.add_argument("--int8", action="store_true", help="whole numbers, by calibration")
    it.add_argument(
        "--prune",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="remove this share of the channels and train on",
    )
    it.add_argument(
        "--distill-from",
        default="",
        metavar="TEACHER",
        help="train on with the answers of this rung or .safetensors beside the labels",
    )
    it.add_argument(
        "--bottleneck",
        action="store_true",
        help="train a split: an encoder for the vehicle, a decoder for the unit",
    )
    it.add_argument("--bits", type=float, default=3.0, help="of a code of the bottleneck, mean")
    it.add_argument("--channels", type=int, default=16, help="of the bottleneck's codes")
    it.add_argument(
        "--max-ap-loss",
        type=float,
        help=f"more is refused ({AP_LOSS}; bottleneck {BOTTLENECK_AP_LOSS})",
    )
    it.add_argument("--max-images", type=int, help="pictures to train on (8000)")
    it.add_argument("--images", type=int, default=1_000_000, help="validation pictures, at most")
    it.add_argument("--rate", type=float, help="greatest learning rate (6e-4; bottleneck 3e-3)")
    it.add_argument("--batch", type=int, default=8)
    it.add_argument("--seed", type=int, default=1)
    it.add_argument("--threads", type=int, default=1, help="of torch")
    it.add_argument(
        "--start-from",
        type=Path,
        help="a bottleneck's .safetensors to begin with, such as of earlier weights",
    )
    it.add_argument("--out", type=Path, default=Path("compressed"))
    return it  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code: 3 where the result was refused."""
    arguments = parser().parse_args(argv)
    from scheduler.errors import VdapError

    try:
        return _compress(arguments)
    except VdapError as error:
        sys.stderr.write(f"vdap compress: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("vdap compress: stopped; the same command goes on from its checkpoint\n")
        return 130


def _compress(arguments: argparse.Namespace) -> int:
    from scheduler.errors import ConfigError, MissingPartError

    try:
        import cv2
        import torch

        from vehicle.perception.compression.command import source_of
        from vehicle.perception.model import load_network
        from vehicle.perception.training.pictures import Pictures
    except ImportError as error:
        raise MissingPartError(
            f"{error.name} is not installed: pip install 'vdap[torch,cpu]'"
        ) from error
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    if arguments.bottleneck and (arguments.int8 or arguments.prune or arguments.distill_from):
        raise ConfigError("--bottleneck stands alone: compress the rung first")
    size = load_network(source_of(arguments.model)).size
    learn, validate = (
        Pictures(arguments.dataset / part, size.input_width, size.input_height)
        for part in ("train", "val")
    )
    return (_split if arguments.bottleneck else _smaller)(arguments, learn, validate)


def _smaller(arguments: argparse.Namespace, learn: Pictures, validate: Pictures) -> int:
    from vehicle.perception.compression.command import RATE, CompressOptions, compress
    from vehicle.perception.training.loop import Progress

    def report(progress: Progress) -> None:
        sys.stdout.write(
            f"{progress.images:>8} pictures  loss {progress.score_loss:.3f} + "
            f"{progress.box_loss:.3f}  AP50 {progress.scores.precision.ap50:.4f}  "
            f"AP {progress.scores.precision.ap:.4f}\n"
        )
        sys.stdout.flush()

    options = CompressOptions(
        prune=arguments.prune,
        teacher=arguments.distill_from,
        int8=arguments.int8,
        max_ap_loss=AP_LOSS if arguments.max_ap_loss is None else arguments.max_ap_loss,
        max_images=arguments.max_images or 8_000,
        evaluation_images=arguments.images,
        seed=arguments.seed,
        batch=arguments.batch,
        rate=arguments.rate or RATE,
    )
    done = compress(arguments.model, learn, validate, arguments.out, options, report, _show)
    sys.stdout.write("wrote " + ", ".join(map(str, done.files)) + "\n")
    return 0


def _split(arguments: argparse.Namespace, learn: Pictures, validate: Pictures) -> int:
    from vehicle.perception.split.command import make_split, show
    from vehicle.perception.split.training import SplitOptions, SplitProgress

    def report(progress: SplitProgress) -> None:
        sys.stdout.write(
            f"{progress.images:>8} pictures  loss {progress.loss:.3f}  "
            f"{progress.bits:.2f} bits a code\n"
        )
        sys.stdout.flush()

    options = SplitOptions(
        max_images=arguments.max_images or 8_000,
        seed=arguments.seed,
        batch=arguments.batch,
        rate=arguments.rate or 3e-3,
        bits=arguments.bits,
    ).with_channels(arguments.channels)
    bound = arguments.max_ap_loss
    files = make_split(
        arguments.model,
        learn,
        validate,
        arguments.out,
        options,
        report,
        BOTTLENECK_AP_LOSS if bound is None else bound,
        arguments.images,
        arguments.start_from,
        measured=lambda rows: sys.stdout.write(show(rows)),
    )
    sys.stdout.write("wrote " + ", ".join(map(str, files)) + "\n")
    return 0


def _show(rows: Sequence[Comparison]) -> None:
    """The table of before and after."""
    sys.stdout.write(
        f"{'input':<9}{'AP before':>10}{'after':>8}{'loss':>9}{'AP50 before':>13}{'after':>8}"
        f"{'ms before':>11}{'after':>8}{'faster':>8}{'kB before':>11}{'after':>8}\n"
    )
    for row in rows:
        before, after = row.before, row.after
        size = f"{row.size[0]}x{row.size[1]}"
        sys.stdout.write(
            f"{size:<9}{before.ap:>10.4f}{after.ap:>8.4f}{row.ap_loss:>+9.4f}"
            f"{before.ap50:>13.4f}{after.ap50:>8.4f}{before.ms:>11.2f}{after.ms:>8.2f}"
            f"{before.ms / after.ms:>7.2f}x{before.size_bytes / 1e3:>11.0f}"
            f"{after.size_bytes / 1e3:>8.0f}\n"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
