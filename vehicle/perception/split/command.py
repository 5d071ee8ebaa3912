"""What `vdap compress --bottleneck` does: train, export, measure, refuse or write with a card."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from vehicle.perception.compression.command import (
    RefusedError,
    source_of,
    tidy,
    working_folder,
)
from vehicle.perception.compression.quantize import chosen_pictures
from vehicle.perception.model import load_weights
from vehicle.perception.split.bottleneck import Bottleneck, load_bottleneck, save_bottleneck
from vehicle.perception.split.export import export_halves
from vehicle.perception.split.measure import measured_split
from vehicle.perception.split.table import TABLE, Size, SplitCell, enter
from vehicle.perception.split.training import SplitOptions, SplitProgress, train_bottleneck
from vehicle.perception.training.export import export_onnx
from vehicle.perception.training.pictures import Pictures

COUNTED_PICTURES = 200  # on which the words of the codes are counted

Cells = Mapping[Size, SplitCell]


def make_split(
    model: str,
    learn: Pictures,
    validate: Pictures,
    out: Path,
    options: SplitOptions,
    report: Callable[[SplitProgress], None],
    max_ap_loss: float,
    evaluation_images: int = 1_000_000,
    start: Path | None = None,
    measured: Callable[[Cells], object] = lambda cells: None,
) -> list[Path]:
    """Trains a bottleneck for a rung and writes both halves, its weights and its card into `out`.

    Args:
        model: A shipped rung or a .safetensors file.
        learn: Training pictures.
        validate: Validation pictures.
        out: Receives NAME.encoder.onnx, .decoder.onnx, .bottleneck.safetensors, .split.md and the
            row in splits.json.
        options: Of the training.
        report: Called while it trains.
        max_ap_loss: Most AP that the bottleneck may cost at any input size, 0..1.
        evaluation_images: Validation pictures that decide, at most.
        start: .safetensors of a bottleneck of the same shape to begin with.
        measured: Called with the figures before they are judged.

    Raises:
        RefusedError: It costs more; nothing is written.
        ConfigError: No such model, or a start that does not fit.
    """
    source = source_of(model)
    network = load_weights(source)
    begin = None if start is None else load_bottleneck(start, network)
    working = working_folder(out, source, "bottleneck")
    bottleneck = train_bottleneck(network, options, learn, working, report, begin)
    name = source.stem
    files = [working / f"{name}.{half}.onnx" for half in ("encoder", "decoder")]
    files.append(working / f"{name}.bottleneck.safetensors")
    try:
        full = working / f"{name}.onnx"
        export_onnx(network, full)
        save_bottleneck(bottleneck, name, files[2])
        shipped: Bottleneck = load_bottleneck(files[2], network)  # rounded as the others will be
        seen = chosen_pictures(learn, COUNTED_PICTURES, options.seed)
        export_halves(network, shipped, seen, files[0], files[1])
        cells = measured_split(files[0], files[1], full, validate, evaluation_images)
        measured(cells)
        _judge(cells, max_ap_loss)
        kept = [Path(shutil.move(file, out / file.name)) for file in files]
        enter(out / TABLE, name, cells)
        count = min(evaluation_images, len(validate))
        card = out / f"{name}.split.md"
        card.write_text(_card(name, cells, options, learn, count, start), encoding="utf-8")
        shutil.rmtree(working)
    finally:
        tidy(working)
    return [*kept, card]


def _judge(cells: Cells, max_ap_loss: float) -> None:
    (width, height), worst = max(cells.items(), key=lambda item: item[1].ap_loss)
    if not worst.ap_loss <= max_ap_loss:
        raise RefusedError(
            f"refused: the bottleneck costs {worst.ap_loss:.4f} AP at {width}x{height}, "
            f"--max-ap-loss allows {max_ap_loss:.4f}; the halves were deleted"
        )


def show(cells: Cells) -> str:
    """The table of figures, in Markdown."""
    lines = [
        "| input | bytes mean | p95 | AP50 | AP | in one piece AP50 | AP | AP loss | encoder ms "
        "| decoder ms | in one piece ms |",
        "| --- " * 11 + "|",
    ]
    lines += [
        f"| {width}x{height} | {c.bytes_mean:.0f} | {c.bytes_p95:.0f} | {c.ap50:.4f} | {c.ap:.4f} "
        f"| {c.full_ap50:.4f} | {c.full_ap:.4f} | {c.ap_loss:+.4f} | {c.encoder_ms:.2f} "
        f"| {c.decoder_ms:.2f} | {c.full_ms:.2f} |"
        for (width, height), c in cells.items()
    ]
    return "\n".join(lines) + "\n"


def _card(
    name: str, cells: Cells, options: SplitOptions, learn: Pictures, count: int, start: Path | None
) -> str:
    shape = options.shape
    begun = "" if start is None else ", beginning with a bottleneck of earlier weights"
    return f"""# {name}, split by a learned bottleneck

`{name}.encoder.onnx` runs on the vehicle (stem and stages to stride 8, then {shape.channels} codes
of {shape.levels} levels at stride 16), `{name}.decoder.onnx` on a roadside unit. Only the layers
between them were trained, on {options.max_images} of {len(learn)} pictures (seed {options.seed}),
to make the frozen rung answer as before{begun}; no label was read. The halves hold the weights of
`{name}` as they were then and answer for each other alone.

Measured on {count} validation pictures, of towns and looks that were not trained on; times are CPU
milliseconds on one thread of one machine.

{show(cells)}
Licence: Apache-2.0, as the code. Limits: those of the rung; codes of unfamiliar pictures take more
bytes, at most one for each code.
"""
