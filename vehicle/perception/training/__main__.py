"""`vdap train DATASET`: trains one rung of the detector family and prints its AP50."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

RUNGS = ("nano", "small", "medium", "large", "yolox-nano")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(prog="vdap train", description=__doc__)
    it.add_argument("dataset", type=Path, help="folder with train/ and val/ from vdap dataset")
    it.add_argument(
        "--rung", choices=RUNGS, default="small", help=f"{RUNGS[-1]}: for comparison alone"
    )
    it.add_argument("--max-images", type=int, help="training pictures shown (100000; heads 12000)")
    it.add_argument("--seed", type=int, default=1)
    it.add_argument("--batch", type=int, help="pictures in a step (16; heads 8)")
    it.add_argument("--rate", type=float, help="greatest learning rate (0.002; heads 0.004)")
    it.add_argument(
        "--whole-share", type=float, default=0.2, help="of the pictures, the last, shown whole"
    )
    it.add_argument("--evaluations", type=int, help="times scores are printed (8; heads 4)")
    it.add_argument("--threads", type=int, default=1, help="of torch")
    it.add_argument(
        "--start-from", type=Path, help=".safetensors of the same rung to begin with: fine-tuning"
    )
    it.add_argument(
        "--head", nargs="+", default=[], metavar="NAME",
        help="train light_state, drivable or plates on --stem, not a rung",
    )  # fmt: skip
    it.add_argument("--stem", type=Path, help=".safetensors of the rung that heads stand on")
    it.add_argument("--out", type=Path, default=Path("training"), help="a started run goes on")
    return it


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    arguments = parser().parse_args(argv)
    from scheduler.errors import VdapError

    try:
        return _train(arguments)
    except VdapError as error:
        sys.stderr.write(f"vdap train: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("vdap train: stopped; the same command goes on from the last evaluation\n")
        return 130


def _train(arguments: argparse.Namespace) -> int:
    from scheduler.errors import MissingPartError

    try:
        import cv2
        import torch

        from vehicle.perception.training.head_command import train_command
        from vehicle.perception.training.loop import TrainingOptions, train
    except ImportError as error:
        raise MissingPartError(
            f"{error.name} is not installed: pip install 'vdap[torch]'"
        ) from error
    if arguments.head:
        return train_command(arguments)
    from vehicle.perception.model import network_of
    from vehicle.perception.training.held_out import shared
    from vehicle.perception.training.pictures import Pictures
    from vehicle.perception.training.report import Reporter

    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    size = network_of(arguments.rung).size
    learn = Pictures(arguments.dataset / "train", size.input_width, size.input_height)
    validate = Pictures(arguments.dataset / "val", size.input_width, size.input_height)
    if warning := shared(arguments.dataset / "train", arguments.dataset / "val"):
        sys.stderr.write(f"vdap train: {warning}\n")

    options = TrainingOptions(
        rung=arguments.rung,
        max_images=arguments.max_images or 100_000,
        seed=arguments.seed,
        batch=arguments.batch or 16,
        rate=arguments.rate or 2e-3,
        whole_share=arguments.whole_share,
        evaluations=arguments.evaluations or 8,
    )
    with Reporter(options, arguments.out) as reporter:
        reporter.begin(len(learn), len(validate))
        train(
            options,
            learn,
            validate,
            arguments.out,
            reporter,
            start=arguments.start_from,
            step=reporter.step,
        )
        reporter.end(validate)
    return 0


if __name__ == "__main__":
    sys.exit(main())
