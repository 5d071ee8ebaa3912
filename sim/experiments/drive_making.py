"""Makes the drives that studies replay: our own town in this process, seen by every detector.

`python -m sim.experiments.drive_making` writes `configs/drives/*.npz` anew, for example after the
shipped weights have changed. Nothing runs in real time, so the drives are the same on any machine
within the renderer's tolerance.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import shutil
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from scheduler.config import Camera, Config, Vehicle
from scheduler.errors import ConfigError
from scheduler.messages import Pose
from scheduler.processes import entry
from sim.bridge.cameras import mount_of
from sim.bridge.drive import Drive
from sim.engine.geometry import Pose as Pose3
from sim.evaluation.detect.drives import DriveFrame
from sim.evaluation.detect.making import store, table_of
from sim.evaluation.detect.measure import Bench, Wish
from sim.experiments.drives import FOLDER
from sim.experiments.motion_making import CornerTracer
from sim.ground_truth import GroundTruth, TruthBox
from sim.inprocess_world import InprocessWorld
from sim.lockstep.pictures import LUMA
from sim.world import CameraMount
from vehicle.perception.content import thumb

WISH = Wish(
    rungs=("small.int8", "medium"),
    sizes=((640, 384), (320, 192)),
    qualities=("raw", "80", "60", "40"),
    score_threshold=0.25,
)


STANDS_AT_M = 0.2  # dropped from there: above pavement and road
GREY_STEP = 4  # of the stored thumbs' values: under a third of the least step that counts


class Stander(NamedTuple):
    """Somebody who stands: a vehicle or pedestrian, where (m) and looking where (rad)."""

    blueprint: str
    x: float
    y: float
    yaw: float = 0.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is driven.

    Attributes:
        rate_hz: Of camera and world.
        from_s: Simulated time at which the recording begins.
        speed: m/s that the ego's own driver aims for.
        standing: Who stands there besides the traffic.
    """

    name: str
    spawn_index: int
    from_s: float
    duration_s: float
    rate_hz: float = 15.0
    town: str = "VdapTown01"
    vehicles: int = 40
    pedestrians: int = 20
    seed: int = 1
    speed: float = 9.0
    standing: tuple[Stander, ...] = ()


CROSSING = (  # about the crossing at x 92 to 127, y 0, as seen from x 90 behind a motorcycle
    Stander("vehicle.audi.tt", 101.0, 2.6, math.pi),
    Stander("vehicle.mercedes.sprinter", 108.25, 13.0, -math.pi / 2),
    Stander("vehicle.mercedes.sprinter", 111.75, -13.0, math.pi / 2),
    Stander("vehicle.tesla.model3", 108.25, 20.0, -math.pi / 2),
    Stander("vehicle.bh.crossbike", 103.0, -4.0),
    Stander("walker.pedestrian.0001", 98.5, -5.6, 1.6),
    Stander("walker.pedestrian.0005", 101.0, -6.6, 2.4),
    Stander("walker.pedestrian.0008", 107.0, -7.5, 1.6),
    Stander("walker.pedestrian.0010", 98.2, 5.6, -1.6),
    Stander("walker.pedestrian.0003", 101.5, 6.2, -1.0),
    Stander("walker.pedestrian.0012", 105.5, 7.0, 0.4),
)

RECIPES = (
    Recipe("town", 54, from_s=2.0, duration_s=30.0),
    Recipe(
        "red_light", 10, from_s=22.5, duration_s=14.0, vehicles=20, pedestrians=3, standing=CROSSING
    ),
)


@dataclass(slots=True)
class TownDrive:
    """A `Drive` that happens while it is read.

    Attributes:
        luma: The small grey picture of each frame that was drawn so far.
        tracer: Has seen the same frames.
    """

    recipe: Recipe
    kind: str = "world"
    name: str = ""
    count: int = 0
    files: list[Path] = field(default_factory=list)
    vehicles: list[str] = field(default_factory=lambda: ["ego"])
    cameras: list[str] = field(default_factory=lambda: ["front"])
    luma: list[NDArray[np.uint8]] = field(default_factory=list)
    tracer: CornerTracer = field(default_factory=CornerTracer)

    def __post_init__(self) -> None:
        """Names it by its recipe and what decides its pictures."""
        decides = {name: value for name, value in asdict(self.recipe).items() if value}
        told = hashlib.sha256(msgspec.json.encode(decides)).hexdigest()[:8]
        self.name = f"{self.recipe.name}-{told}"
        self.count = round(self.recipe.duration_s * self.recipe.rate_hz)

    def frames(self, start: int = 0) -> Iterator[DriveFrame]:
        """Drives, and gives the frames from the `start`-th on."""
        recipe, delta_s = self.recipe, 1.0 / self.recipe.rate_hz
        world = InprocessWorld(town=recipe.town, seed=recipe.seed, fixed_delta_s=delta_s)
        vehicle = Vehicle(spawn_index=recipe.spawn_index, speed=recipe.speed)
        drive = Drive(world, [vehicle], delta_s, obeys_feedback=False)
        world.traffic(recipe.vehicles, recipe.pedestrians, recipe.seed)
        for who in recipe.standing:
            place = (
                world.place_walker if who.blueprint.startswith("walker") else world.place_vehicle
            )
            place(who.blueprint, Pose3(who.x, who.y, STANDS_AT_M, who.yaw))
        ego = drive.egos[vehicle.id].ego
        mount = mount_of(Config(), Camera(), delta_s)
        camera = world.attach_camera(ego, mount)
        truth = GroundTruth(mount.intrinsics, ego.actor_id)
        self.luma.clear()
        self.tracer = CornerTracer()
        before = round(recipe.from_s * recipe.rate_hz)
        for number in range(before + self.count):
            seen = world.tick()
            drive.on_tick(seen, seen.sim_ns)
            if number < before:
                continue
            picture = world.picture(camera)
            assert picture is not None  # it makes one in every tick
            boxes = truth.boxes(picture, seen.bodies)
            self.luma.append(thumb(picture.bgr) // GREY_STEP * GREY_STEP)
            self.tracer.add(picture.bgr, [box.xyxy for box in boxes])
            if number - before >= start:
                pose = drive.pose(vehicle.id, seen, 0)
                yield _frame(picture.bgr, mount, pose, tuple(boxes))
        world.close()


def _frame(
    bgr: NDArray[np.uint8], mount: CameraMount, pose: Pose, boxes: tuple[TruthBox, ...]
) -> DriveFrame:
    k, at = mount.intrinsics, mount.camera_from_vehicle
    return DriveFrame(
        pose.vehicle_id,
        "front",
        pose.tick,
        pose.sim_ns,
        pose.sim_ns,
        bgr,
        (k.fx, k.fy, k.cx, k.cy),
        (at.x, at.y, at.z, at.roll, at.pitch, at.yaw),
        (*pose.position, *pose.rotation),
        pose.speed,
        pose.yaw_rate,
        boxes,
    )


def make(recipe: Recipe, folder: Path) -> Path:
    """Drives a recipe and writes its file; a file that holds just this is left alone."""
    cv2.setNumThreads(1)
    drive = TownDrive(recipe)
    out = folder / f"{recipe.name}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out.with_name(out.name + ".parts"), ignore_errors=True)  # of a stopped run

    def tell(done: int) -> None:
        if done % 50 == 0:
            sys.stderr.write(f"{recipe.name}: {done} of {drive.count} frames\n")

    stored = store(drive, WISH, Bench(WISH), out, drive.count, tell)
    if drive.luma:
        _append(out, {LUMA: np.stack(drive.luma), **drive.tracer.arrays()})
    from rich.console import Console

    Console(highlight=False).print(table_of(stored))
    return out


def _append(path: Path, more: dict[str, Any]) -> None:
    with np.load(path, allow_pickle=False) as file:
        held = {name: file[name] for name in file.files}
    part = path.with_name(path.name + ".new.npz")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_LZMA) as file:
        for name, array in {**held, **more}.items():
            with file.open(f"{name}.npy", "w") as entry_file:
                np.lib.format.write_array(entry_file, np.asarray(array), allow_pickle=False)
    part.replace(path)


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="sim.experiments.drive_making", description=__doc__)
    names = [recipe.name for recipe in RECIPES]
    parser.add_argument("names", nargs="*", help=f"default: all of {', '.join(names)}")
    parser.add_argument("--out", type=Path, default=FOLDER)
    flags = parser.parse_args(argv)
    if unknown := set(flags.names) - set(names):
        raise ConfigError(f"drives: expected {', '.join(names)}, got {', '.join(unknown)}")
    for recipe in RECIPES:
        if not flags.names or recipe.name in flags.names:
            path = make(recipe, flags.out)
            sys.stdout.write(f"{path}: {path.stat().st_size / 1e6:.2f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(entry(main))
