"""Ships heads: one .onnx of a rung with all its heads, and their weights beside the rung's.

`python -m vehicle.perception.training.head_export STEM.safetensors HEAD.safetensors ...`
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from scheduler.errors import ConfigError, VdapError
from vehicle.perception.heads.model import DeployedHeads, Stem, load_head, stem_mark
from vehicle.perception.heads.multi import SUFFIX
from vehicle.perception.model import load_weights
from vehicle.perception.rungs import INPUT_SIZES, WEIGHTS
from vehicle.perception.training.export import write_onnx

DIMENSIONS = {  # of each output: which of its sizes follow from the picture's
    "scores": ("cells", ""),
    "boxes": ("cells", ""),
    "light_state": ("", "rows", "columns"),
    "drivable": ("surface_rows", "surface_columns"),
    "plate_scores": ("fine_cells",),
    "plate_boxes": ("fine_cells", ""),
}


def export_multi(stem: Path, heads: Sequence[Path], path: Path) -> None:
    """Writes `path`: one picture to the answers of detection and of each head.

    Args:
        stem: A rung's .safetensors.
        heads: .safetensors that were trained on it.
        path: Of the .onnx file.

    Raises:
        ConfigError: A head of another stem, whose features would mean nothing to it.
    """
    mark = stem_mark(stem) if stem.is_file() else ""
    network = load_weights(stem)
    trained = {}
    for each in heads:
        head = load_head(each)
        if head.stem != mark:
            raise ConfigError(
                f"head: {each} was trained on the stem {head.stem}, not on {stem} ({mark}); "
                f"train it again with vdap train --head {head.name} --stem {stem}"
            )
        trained[head.name] = head.head
    deployed = DeployedHeads(Stem(network), trained).eval()
    dimensions = {name: DIMENSIONS[name] for name in deployed.outputs}
    write_onnx(deployed, dimensions, INPUT_SIZES[0], path)


def publish_heads(stem: Path, heads: Sequence[Path], weights: Path = WEIGHTS) -> Path:
    """Puts RUNG.multi.onnx, RUNG.HEAD.safetensors and the heads' scores beside the rung's weights.

    The scores are those in the heads.json beside each file, where `vdap train --head` wrote one.

    Raises:
        ConfigError: A head of another stem.
    """
    rung = stem.stem
    path = weights / f"{rung}{SUFFIX}"
    export_multi(stem, heads, path)
    scores: dict[str, float] = {}
    for each in heads:
        shutil.copyfile(each, weights / f"{rung}.{load_head(each).name}.safetensors")
        said = each.parent / "heads.json"
        if said.is_file():
            scores.update(json.loads(said.read_text(encoding="utf-8")))
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
