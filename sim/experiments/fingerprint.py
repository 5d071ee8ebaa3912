"""What decides a cell's result, as a hash: a kept result is only believed where nothing changed."""

import hashlib
import importlib
from functools import lru_cache
from pathlib import Path

import msgspec

from scheduler.errors import ConfigError
from sim.experiments.config import Study

ROOT = Path(__file__).resolve().parents[2]
_OWN = tuple(
    f"sim/experiments/{name}.py" for name in ("building", "config", "encodings", "roads", "worth")
)
DRIVEN = (
    "scheduler", "roadside_unit", "vehicle/services", "vehicle/perception", "sim/channel",
    "sim/evaluation", "sim/lockstep", *_OWN, "sim/experiments/measures.py",
)  # fmt: skip
# No policy changes what could have been got.
KNOWN_BEFORE = (
    "scheduler/latency.py", "scheduler/pictures.py", "sim/channel", "sim/lockstep/scenario.py",
    "sim/lockstep/sizes.py", "sim/lockstep/stages.py", "sim/lockstep/wire_bytes.py", *_OWN,
    *(f"sim/experiments/{name}.py" for name in ("chances", "oracle", "oracle_kernels")),
)  # fmt: skip
WEIGHTS = "vehicle/perception/weights/rungs.json"  # accuracies and times


@lru_cache(maxsize=2)
def of_code(places: tuple[str, ...] = DRIVEN) -> str:
    """Of source files, by default all that a virtual drive runs, and of the rungs' figures."""
    told = hashlib.sha256()
    for place in (*places, WEIGHTS):
        path = ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if file.is_file():
                told.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return told.hexdigest()


def of_study(study: Study) -> str:
    """Of what all cells of a study share.

    Another policy, link, seed, deadline or drive leaves it as it is, so that the rest is kept.
    """
    shared = msgspec.structs.replace(
        study, name="x", about="", goals=[], policies=[], links=[], seeds=1, deadlines_ms=[100.0],
        oracle=False, drives=["x"] if study.drives else [],
    )  # fmt: skip
    return of_values(shared)


def of_values(*values: object) -> str:
    """Of anything that has a JSON."""
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()[:32]


@lru_cache(maxsize=16)
def of_file(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def of_policy(name: str) -> str:
    """Of the file that a `module:Class` lies in; empty for shipped and installed ones.

    Raises:
        ConfigError: there is no such module.
    """
    if ":" not in name:
        return ""
    try:
        module = importlib.import_module(name.partition(":")[0])
    except ImportError as error:
        raise ConfigError(f"policy {name!r}: {error}") from None
    return of_file(Path(module.__file__)) if module.__file__ else ""
