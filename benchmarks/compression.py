"""One rung as it is, in int8, pruned, and pruned with a teacher: AP, milliseconds and bytes.

    python benchmarks/compression.py DATASET [--rung small] [--teacher large] [--shares 0.25 0.5]
        [--max-images 2000] [--images 300] [--size 640x384]

Everything is made anew, in one run: int8 by calibration, each pruned network trained on with
`--max-images` pictures, once with the labels alone and once with the teacher's answers beside
them. A full fine-tuning shows more pictures; the run says how many this one did. All models are
scored on the same pictures and timed in turns, CPU time on one thread, through ONNX Runtime.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from pathlib import Path

import cv2
import torch
from rich.console import Console
from rich.table import Table

from scheduler.errors import VdapError
from vehicle.perception.compression.command import RATE, WHOLE_SHARE, source_of
from vehicle.perception.compression.distill import taught_by
from vehicle.perception.compression.measure import figures
from vehicle.perception.compression.prune import pruned
from vehicle.perception.compression.quantize import Recipe, quantise
from vehicle.perception.model import SIZES, Network, load_network, load_weights
from vehicle.perception.training.export import export_onnx
from vehicle.perception.training.loop import TrainingOptions, train
from vehicle.perception.training.pictures import Pictures


def tuned(
    network: Network, arguments: argparse.Namespace, learn: Pictures, teacher: str, out: Path
) -> Path:
    """The .onnx of a network that was trained on."""
    rung = next(rung for rung, size in SIZES.items() if size == network.size)
    options = TrainingOptions(
        rung=rung,
        max_images=arguments.max_images,
        batch=8,
        rate=RATE,
        whole_share=WHOLE_SHARE,
        evaluations=1,
    )
    further = taught_by(load_network(source_of(teacher))) if teacher else None
    few = _First(learn)
    again = copy.deepcopy(network)  # a training changes what it is given
    train(options, learn, few, out, lambda _: None, network=again, further=further)
    return out / f"{rung}.onnx"


class _First(Pictures):
    """A few pictures: the training's own last evaluation is of no use here."""

    def __init__(self, pictures: Pictures) -> None:
        self.__dict__.update(pictures.__dict__)

    def __len__(self) -> int:
        return 8


def models(arguments: argparse.Namespace, learn: Pictures, folder: Path) -> dict[str, Path]:
    """Every row's .onnx, by its name."""
    network = load_weights(source_of(arguments.rung))
    found = {"fp32": folder / "fp32.onnx"}
    export_onnx(network, found["fp32"])
    for name, recipe in (("int8", Recipe()), ("int8 per tensor", Recipe(is_per_channel=False))):
        found[name] = folder / f"{name.replace(' ', '_')}.int8.onnx"
        quantise(found["fp32"], learn, found[name], recipe)
    for share in arguments.shares:
        smaller = pruned(network, share)
        for teacher in ("", arguments.teacher):
            name = f"pruned {share:.0%}" + (f", taught by {teacher}" if teacher else "")
            found[name] = tuned(smaller, arguments, learn, teacher, folder / f"{share}{teacher}")
    if arguments.teacher:
        name = f"taught by {arguments.teacher}"
        found[name] = tuned(network, arguments, learn, arguments.teacher, folder / "taught")
        found["trained on"] = tuned(network, arguments, learn, "", folder / "on")
    return found


def main() -> int:
    """Prints the table."""
    it = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    it.add_argument("dataset", type=Path)
    it.add_argument("--rung", default="small", help="or a .safetensors file")
    it.add_argument("--teacher", default="large", help="or a .safetensors file; '' for none")
    it.add_argument("--shares", type=float, nargs="*", default=[0.25, 0.5])
    it.add_argument("--max-images", type=int, default=2000)
    it.add_argument("--images", type=int, default=300)
    it.add_argument("--size", default="640x384")
    arguments = it.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    width, height = (int(side) for side in arguments.size.split("x"))
    table = Table(
        title=f"{arguments.rung} at {width}x{height}: {arguments.max_images} training pictures "
        f"where trained on, scored on {arguments.images}"
    )
    for head in ("model", "AP50", "AP", "AP lost", "ms", "faster", "kB"):
        table.add_column(head, justify="left" if head == "model" else "right")
    try:
        learn = Pictures(arguments.dataset / "train", 640, 384)
        validate = Pictures(arguments.dataset / "val", 640, 384)
        with tempfile.TemporaryDirectory() as folder:
            rows = models(arguments, learn, Path(folder))
            measured = figures(list(rows.values()), validate, arguments.images, (width, height))
    except VdapError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    first = measured[0]
    for name, row in zip(rows, measured, strict=True):
        table.add_row(
            name,
            f"{row.ap50:.4f}",
            f"{row.ap:.4f}",
            f"{first.ap - row.ap:+.4f}",
            f"{row.ms:.2f}",
            f"{first.ms / row.ms:.2f}x",
            f"{row.size_bytes / 1e3:.0f}",
        )
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
