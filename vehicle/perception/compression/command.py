"""What `vdap compress` does: prune, teach, quantise, measure, and refuse what lost too much."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scheduler.errors import ConfigError, VdapError
from vehicle.perception.compression.distill import taught_by
from vehicle.perception.compression.measure import Comparison, compared
from vehicle.perception.compression.prune import pruned
from vehicle.perception.compression.quantize import quantise
from vehicle.perception.model import SIZES, Network, load_network, load_weights
from vehicle.perception.rungs import INPUT_SIZES, RUNGS
from vehicle.perception.training.export import export_onnx
from vehicle.perception.training.loop import Report, TrainingOptions, train
from vehicle.perception.training.pictures import Pictures

RATE = 6e-4  # greatest learning rate of fine-tuning: a third of that from scratch
WHOLE_SHARE = 0.3


class RefusedError(VdapError):
    """The compressed model lost more average precision than was allowed; it was not kept."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class CompressOptions:
    """What `vdap compress` was told.

    Attributes:
        prune: Share of the channels to remove; 0 for none.
        teacher: A rung or .safetensors to learn from; empty for none.
        int8: Whether to quantise in the end.
        max_ap_loss: Most AP that the result may lose at any of `sizes`, 0..1.
        max_images: Training pictures shown after pruning or for distillation.
        evaluation_images: Validation pictures that decide, spread evenly.
        seed: Of the fine-tuning.
        batch: Of the fine-tuning.
        rate: Of the fine-tuning, greatest.
        sizes: Input sizes at which the models are compared.
    """

    prune: float = 0.0
    teacher: str = ""
    int8: bool = False
    max_ap_loss: float = 0.01
    max_images: int = 8_000
    evaluation_images: int = 1_000_000
    seed: int = 1
    batch: int = 8
    rate: float = RATE
    sizes: Sequence[tuple[int, int]] = INPUT_SIZES


@dataclass(frozen=True, slots=True)
class Compressed:
    """The files that were written, and what was measured."""

    files: list[Path]
    comparisons: list[Comparison]


def compress(
    model: str,
    learn: Pictures,
    validate: Pictures,
    out: Path,
    options: CompressOptions,
    report: Report,
    measured: Callable[[list[Comparison]], None] = lambda rows: None,
) -> Compressed:
    """Compresses a rung or a .safetensors file and writes what passes into `out`.

    Args:
        model: Name of a shipped rung, or path of a .safetensors file.
        learn: Training pictures, to fine-tune and calibrate with.
        validate: Validation pictures.
        out: Receives NAME.safetensors and NAME.onnx, and NAME.int8.onnx where asked for.
        options: What to do.
        report: Called at each evaluation of a fine-tuning.
        measured: Called with the figures before they are judged.

    Raises:
        RefusedError: The result lost more than `max_ap_loss`; none of its files is left.
        ConfigError: No such model, or nothing to do.
    """
    if not (options.prune or options.teacher or options.int8):
        raise ConfigError("nothing to do: give --int8, --prune or --distill-from")
    source = source_of(model)
    network = load_weights(source)
    teacher = source_of(options.teacher) if options.teacher else None
    working = working_folder(
        out, source, f"prune{options.prune:g}", *([teacher] if teacher else [])
    )
    working.mkdir(parents=True, exist_ok=True)
    before, name = working / "before.onnx", source.stem
    try:
        export_onnx(network, before)
        files = _made(network, name, learn, validate, working, options, report)
        rows = compared(before, files[-1], validate, options.evaluation_images, options.sizes)
        measured(rows)
        judge(rows, options.max_ap_loss)
        kept = [Path(shutil.move(file, out / file.name)) for file in files]
        shutil.rmtree(working)
    finally:
        tidy(working)
    return Compressed(kept, rows)


def source_of(model: str) -> Path:
    """The .safetensors of a rung's name or of a path.

    Raises:
        ConfigError: Neither.
    """
    path = RUNGS[model].safetensors if model in RUNGS else Path(model).expanduser()
    if path.suffix != ".safetensors" or not path.is_file():
        known = ", ".join(RUNGS) or "none shipped"
        raise ConfigError(f"{model!r} is neither a .safetensors file nor a rung ({known})")
    return path


def working_folder(out: Path, source: Path, *others: str | Path) -> Path:
    """Folder of checkpoints and of what is not yet measured, for just these weights and this work.

    A checkpoint of other weights or another pruning would be taken up as if it were of these.
    """
    value = zlib.crc32(source.read_bytes())
    for other in others:
        said = other.read_bytes() if isinstance(other, Path) else other.encode()
        value = zlib.crc32(said, value)
    return out / f"working-{source.stem}-{value:08x}"


def _made(
    network: Network,
    name: str,
    learn: Pictures,
    validate: Pictures,
    working: Path,
    options: CompressOptions,
    report: Report,
) -> list[Path]:
    """Files of the compressed model in `working`; the last is the one to be measured."""
    files: list[Path] = []
    model = working / "before.onnx"
    if options.prune:
        network = pruned(network, options.prune)
    if options.prune or options.teacher:
        rung = next(rung for rung, size in SIZES.items() if size == network.size)
        tuning = TrainingOptions(
            rung=rung,
            max_images=options.max_images,
            seed=options.seed,
            batch=options.batch,
            rate=options.rate,
            whole_share=WHOLE_SHARE,
            evaluations=2,
        )
        further = taught_by(load_network(source_of(options.teacher))) if options.teacher else None
        train(tuning, learn, validate, working, report, network=network, further=further)
        for suffix in (".safetensors", ".onnx"):
            file = working / f"{name}{suffix}"
            (working / f"{rung}{suffix}").replace(file)
            files.append(file)
        model = files[-1]
    if options.int8:
        quantised = working / f"{name}.int8.onnx"
        quantise(model, learn, quantised)
        files.append(quantised)
    return files


def judge(rows: Sequence[Comparison], max_ap_loss: float) -> None:
    """Passes, or says which size lost too much.

    Raises:
        RefusedError: One did.
    """
    worst = max(rows, key=lambda row: row.ap_loss)
    if not worst.ap_loss <= max_ap_loss:  # so that a loss that is not a number is refused too
        width, height = worst.size
        raise RefusedError(
            f"refused: AP fell by {worst.ap_loss:.4f} at {width}x{height}, "
            f"--max-ap-loss allows {max_ap_loss:.4f}; the model was deleted"
        )


def tidy(working: Path) -> None:
    """Leaves nothing in the working folder that could be taken for a result."""
    for file in working.glob("*"):
        if file.suffix in (".onnx", ".safetensors", ".json", ".png"):
            file.unlink()
    if working.is_dir() and not any(working.iterdir()):
        working.rmdir()
