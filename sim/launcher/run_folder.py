"""The folder that a drive leaves behind, and the environment that it ran in."""

import hashlib
import json
import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import msgspec

from scheduler import config_file
from scheduler.config import Config

PACKAGES = (
    "vdap", "carla", "mcap", "msgspec", "numba", "numpy", "onnxruntime", "onnxruntime-gpu",
    "opencv-python", "opencv-python-headless", "openvino", "pyzmq", "safetensors", "torch",
)  # fmt: skip


def create(config: Config, root: Path) -> Path:
    """Make `ROOT/<stamp>-<name>/`, write the config there and point `ROOT/latest` at it."""
    stamp = datetime.now(timezone.utc).astimezone().strftime("%Y%m%d-%H%M%S")
    folder = root / f"{stamp}-{config.name}"
    number = 1
    while True:
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            number += 1
            folder = root / f"{stamp}-{config.name}-{number}"
    fill(folder, config)
    _point(root / "latest", folder.name)
    return folder


def fill(folder: Path, config: Config) -> None:
    """Write into an empty folder what a drive begins with."""
    (folder / "logs").mkdir(parents=True)
    (folder / "config.yaml").write_text(config_file.dump(config), encoding="utf-8")
    environment = json.dumps(describe(config), indent=2) + "\n"
    (folder / "environment.json").write_text(environment, encoding="utf-8")


def _point(link: Path, target: str) -> None:
    scratch = link.with_name(f".latest-{os.getpid()}")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(target)
    scratch.replace(link)


def describe(config: Config) -> dict[str, object]:
    """Versions, commit, hashes and seeds: what repeats a drive; no user, host or address."""
    plain = msgspec.structs.replace(
        config,
        ipc_folder=None,
        source_folder=None,
        security=msgspec.structs.replace(config.security, certificates=""),
    )
    digest = hashlib.sha256(config_file.dump(plain).encode()).hexdigest()
    return {
        **describe_machine(),
        "seed": config.seed,
        "asset_seed": config.world.asset_seed if config.world else None,
        "config_sha256": digest,
        "weights_sha256": _weights(config),
    }


def describe_machine() -> dict[str, object]:
    """Versions, commit and processor; no user, host or address."""
    return {
        "versions": {"python": platform.python_version(), **_versions()},
        "commit": _commit(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The commit of a checkout, `+changes` where files differ from it; None without git."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(here, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True, text=True, check=True, timeout=10,
    )  # fmt: skip
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _weights(config: Config) -> dict[str, str]:
    """SHA-256 of each model file that the config names, and of the shipped rungs in use."""
    shipped = Path(__file__).resolve().parents[2] / "vehicle" / "perception" / "weights"
    hashes = {}
    detectors = [detector for vehicle in config.vehicles for detector in vehicle.detectors]
    detectors += [detector for unit in config.roadside_units for detector in unit.detectors]
    for detector in detectors:
        name = detector.weights or detector.id
        is_int8 = detector.options.get("precision") == "int8"
        path = shipped / (f"{name}.int8.onnx" if is_int8 else f"{name}.onnx")
        if Path(name).suffix:
            path = config.path(name)
        if path.is_file():
            hashes[detector.id] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashes
