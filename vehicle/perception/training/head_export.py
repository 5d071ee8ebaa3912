"""Ships heads: a rung that gives its features too, and its heads, beside the rung's weights.

`python -m vehicle.perception.training.head_export STEM.safetensors HEAD.safetensors ...`
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from scheduler.errors import ConfigError, VdapError
from vehicle.perception.heads.model import STRIDE, DeployedHead, Trunk, load_head, stem_mark
from vehicle.perception.heads.multi import SUFFIX
from vehicle.perception.heads.results import DEEP, SHALLOW, SOURCES
from vehicle.perception.model import load_weights
from vehicle.perception.rungs import INPUT_SIZES, WEIGHTS
from vehicle.perception.training.export import write_module, write_onnx

NAMED: dict[
    str, dict[str, tuple[str, ...]]
] = {  # of each head's outputs: which of their sizes follow from the picture's
    "light_state": {"light_state": ("", "rows", "columns")},
    "drivable": {"drivable": ("surface_rows", "surface_columns")},
    "plates": {"plate_scores": ("cells",), "plate_boxes": ("cells", "")},
}
SCORES = {  # of each head in heads.json
    "light_state": ("light_state accuracy", "lights"),
    "drivable": ("drivable IoU", "line IoU"),
    "plates": ("plates AP50", "plates"),
}
TRUNK = {
    "scores": ("cells", ""),
    "boxes": ("cells", ""),
    DEEP: ("", "", "rows", "columns"),
    SHALLOW: ("", "", "fine_rows", "fine_columns"),
}
SOURCE_STRIDE = {DEEP: STRIDE, SHALLOW: STRIDE // 2}


def export_multi(stem: Path, heads: Sequence[Path], folder: Path) -> Path:
    """Writes a rung with its features as further answers, and a file for each head on them.

    A head of its own file costs nothing where it is not asked: ONNX Runtime computes all of a
    graph, whatever is fetched of it.

    Args:
        stem: A rung's .safetensors.
        heads: .safetensors that were trained on it.
        folder: Receives RUNG.multi.onnx and RUNG.HEAD.onnx.

    Returns:
        Path of the rung's file.

    Raises:
        ConfigError: A head of another stem, whose features would mean nothing to it.
    """
    mark = stem_mark(stem) if stem.is_file() else ""
    trunk = Trunk(load_weights(stem)).eval()
    trained = [load_head(path) for path in heads]
    for path, head in zip(heads, trained, strict=True):
        if head.stem != mark:
            raise ConfigError(
                f"head: {path} was trained on the stem {head.stem}, not on {stem} ({mark}); "
                f"train it again with vdap train --head {head.name} --stem {stem}"
            )
    width, height = INPUT_SIZES[0]
    path = folder / f"{stem.stem}{SUFFIX}"
    write_onnx(trunk, TRUNK, INPUT_SIZES[0], path)
    for head in trained:
        deployed = DeployedHead(head.name, head.head).eval()
        file = folder / f"{stem.stem}.{head.name}.onnx"
        source = SOURCES[head.name]
        stride = SOURCE_STRIDE[source]
        feature = torch.zeros((1, trunk.channels[source], height // stride, width // stride))
        given = {source: TRUNK[source]}
        write_module(deployed, feature, given, NAMED[head.name], file)
    return path


def publish_heads(stem: Path, heads: Sequence[Path], weights: Path = WEIGHTS) -> Path:
    """Puts RUNG.multi.onnx, the files of the heads and their scores beside the rung's weights.

    The scores are those in the heads.json beside each file, where `vdap train --head` wrote one.

    Raises:
        ConfigError: A head of another stem.
    """
    rung = stem.stem
    path = export_multi(stem, heads, weights)
    scores: dict[str, float] = {}
    for each in heads:
        name = load_head(each).name
        shipped = weights / f"{rung}.{name}.safetensors"
        if each.resolve() != shipped.resolve():
            shutil.copyfile(each, shipped)
        said = each.parent / "heads.json"
        found = json.loads(said.read_text(encoding="utf-8")) if said.is_file() else {}
        scores.update({key: found[key] for key in SCORES[name] if key in found})
    table = weights / "heads.json"
    known = json.loads(table.read_text(encoding="utf-8")) if table.is_file() else {}
    known[rung] = scores
    table.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    return path


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    it = argparse.ArgumentParser(prog="head_export", description=__doc__)
    it.add_argument("stem", type=Path, help=".safetensors of the rung, as it is shipped")
    it.add_argument("heads", type=Path, nargs="+", help=".safetensors of heads trained on it")
    it.add_argument("--weights", type=Path, default=WEIGHTS, help="folder that receives them")
    arguments = it.parse_args(argv)
    try:
        path = publish_heads(arguments.stem, arguments.heads, arguments.weights)
    except VdapError as error:
        sys.stderr.write(f"head_export: {error}\n")
        return error.exit_code
    sys.stdout.write(f"wrote {path} ({path.stat().st_size / 1e6:.2f} MB)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
