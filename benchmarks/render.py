"""What a picture costs: CPU milliseconds of the renderer in the town, every variant in one run.

The variants take turns, so that a machine's changing speed meets them alike; read the ratios.
    python benchmarks/render.py [--rounds 15]
"""

import argparse
import random
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from sim.engine.geometry import Pose
from sim.engine.render.renderer import CameraView
from sim.engine.simulation import Engine, SpawnCollision
from sim.engine.town import build_town

CARS, WALKERS = 24, 12


def busy_town(*, shadows: bool, threads: int) -> Engine:
    """The town with its own traffic, the same for every variant."""
    town = build_town()
    engine = Engine(town, seed=1, shadows=shadows, threads=threads)
    rng = random.Random(1)
    kinds = [name for name in sorted(engine.blueprints) if name.startswith("vehicle.")]
    people = [name for name in sorted(engine.blueprints) if name.startswith("walker.")]
    for points, names, count in (
        (town.spawn_points, kinds, CARS),
        (town.walker_spawn_points, people, WALKERS),
    ):
        for point in points[:count]:
            try:
                engine.spawn(rng.choice(names), point)
            except SpawnCollision:
                continue
    return engine


def views_of(engine: Engine, width: int, height: int, count: int) -> list[CameraView]:
    """Cameras above the first cars, looking forward."""
    roof = Pose(0.0, 0.0, 2.0).matrix()
    actors = [a for a in engine.actors.values() if a.blueprint.id.startswith("vehicle.")]
    return [CameraView(width, height, 90.0, actor.pose.matrix() @ roof) for actor in actors[:count]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    plain = busy_town(shadows=True, threads=1)
    bare = busy_town(shadows=False, threads=1)
    pair = busy_town(shadows=True, threads=2)
    small, large = (640, 384), (800, 600)

    def drawing(engine: Engine, size: tuple[int, int], cameras: int, repeat: int = 1) -> Work:
        views = views_of(engine, *size, cameras)

        def draw() -> None:
            for view in views * repeat:
                engine.picture(view)

        return engine, draw

    variants: dict[str, Work] = {
        "640 x 384, shadows, 1 thread": drawing(plain, small, 1),
        "640 x 384, no shadows": drawing(bare, small, 1),
        "640 x 384, shadows, 2 threads": drawing(pair, small, 1),
        "800 x 600, shadows": drawing(plain, large, 1),
        "800 x 600, no shadows": drawing(bare, large, 1),
        "640 x 384, same view asked twice": drawing(plain, small, 1, 2),
        "640 x 384, four cars' cameras": drawing(plain, small, 4),
    }
    cpu: dict[str, list[float]] = {name: [] for name in variants}
    wall: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, (engine, draw) in variants.items():
            engine.tick(0.02)
            begin, at = time.process_time(), time.perf_counter()
            draw()
            if turn:  # the first turn compiles and draws the standing shadows
                cpu[name].append(1e3 * (time.process_time() - begin))
                wall[name].append(1e3 * (time.perf_counter() - at))
    report(cpu, wall)


Work = tuple[Engine, Callable[[], None]]


def report(cpu: dict[str, list[float]], wall: dict[str, list[float]]) -> None:
    """A row per variant; the ratio is to the first."""
    table = Table(title=f"Renderer, {CARS} cars and {WALKERS} people in town, median of ticks")
    for column in ("variant", "CPU ms", "least", "wall ms", "ratio"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    first = float(np.median(next(iter(cpu.values()))))
    for name, values in cpu.items():
        middle = float(np.median(values))
        table.add_row(
            name,
            f"{middle:.1f}",
            f"{min(values):.1f}",
            f"{np.median(wall[name]):.1f}",
            f"{middle / first:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
