"""`vdap train DATASET`: trains one rung of the detector family and prints its AP50."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(prog="vdap train", description=__doc__)
    it.add_argument("dataset", type=Path, help="folder with train/ and val/ from vdap dataset")
    it.add_argument("--rung", choices=("nano", "small", "medium", "large"), default="small")
    it.add_argument("--max-images", type=int, default=100_000, help="training pictures shown")
    it.add_argument("--seed", type=int, default=1)
    it.add_argument("--batch", type=int, default=16)
    it.add_argument("--rate", type=float, default=2e-3, help="greatest learning rate")
    it.add_argument(
        "--whole-share", type=float, default=0.2, help="of the pictures, the last, shown whole"
    )
    it.add_argument("--evaluations", type=int, default=8, help="times AP50 is printed")
    it.add_argument("--threads", type=int, default=1, help="of torch")
    it.add_argument(
        "--start-from", type=Path, help=".safetensors of the same rung to begin with: fine-tuning"
    )
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

        from vehicle.perception.training.loop import Progress, TrainingOptions, train
    except ImportError as error:
        raise MissingPartError(
            f"{error.name} is not installed: pip install 'vdap[torch]'"
        ) from error
    from vehicle.perception.model import SIZES
    from vehicle.perception.training.pictures import Pictures

    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    size = SIZES[arguments.rung]
    learn = Pictures(arguments.dataset / "train", size.input_width, size.input_height)
    validate = Pictures(arguments.dataset / "val", size.input_width, size.input_height)

    def report(progress: Progress) -> None:
        scores = progress.scores
        sys.stdout.write(
            f"{progress.images:>8} pictures  rate {progress.rate:.5f}  "
            f"loss {progress.score_loss:.3f} + {progress.box_loss:.3f}  "
            f"AP50 {scores.precision.ap50:.4f}  AP {scores.precision.ap:.4f}  "
            f"F1 {scores.f1:.4f} at score {scores.threshold:.2f}\n"
        )
        sys.stdout.flush()

    options = TrainingOptions(
        rung=arguments.rung,
        max_images=arguments.max_images,
        seed=arguments.seed,
        batch=arguments.batch,
        rate=arguments.rate,
        whole_share=arguments.whole_share,
        evaluations=arguments.evaluations,
    )
    sys.stdout.write(
        f"rung {options.rung}: {len(learn)} training pictures, {len(validate)} for validation, "
        f"{options.max_images} to be shown, seed {options.seed}\n"
    )
    sys.stdout.flush()
    scores = train(options, learn, validate, arguments.out, report, start=arguments.start_from)
    for name, value in scores.by_class().items():
        sys.stdout.write(f"  {name:<14} AP50 {value:.3f}\n")
    sys.stdout.write(f"wrote {arguments.out / options.rung}.safetensors and .onnx\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
