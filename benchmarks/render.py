"""What a picture costs: CPU milliseconds of the renderer in a town, every variant in one run.

The variants take turns, so that a machine's changing speed meets them alike; read the ratios.
    python benchmarks/render.py [--town NAME] [--rounds 15]
    python benchmarks/render.py --breakdown     where the time of a picture goes
    python benchmarks/render.py --first-frame   the first picture, with and without compiled code
    python benchmarks/render.py --memory        the server with four cameras
"""

import argparse
import random
import time
from collections.abc import Callable

import numpy as np
from render_start import print_first_frame, print_memory
from rich.console import Console
from rich.table import Table

from sim.engine.geometry import Pose
from sim.engine.look import Look
from sim.engine.pictures import Pictures
from sim.engine.render.renderer import CameraView, Picture
from sim.engine.render.stages import Stages
from sim.engine.simulation import Engine, SpawnCollision
from sim.engine.town import build_town
from sim.engine.weather import Weather

CARS, WALKERS = 24, 12
SMALL, LARGE = (640, 384), (800, 600)
HEAD_LAMPS = 0x3  # position and low beam; by day they cost nothing
RAIN = Weather(cloudiness=90.0, precipitation=80.0, precipitation_deposits=80.0, wetness=80.0)
NIGHT = Weather(sun_altitude=-0.5)
FOG = Weather(cloudiness=50.0, fog_density=60.0)
STAGES = {
    "place": "poses of actors to arrays",
    "shadow": "moving casters into the shadow map",
    "clear": "clear the visibility buffer",
    "cull": "boxes against the picture, order",
    "hidden": "coarse depth, to leave out what is hidden",
    "set-up": "transform, pick, edge functions",
    "raster": "fill rows",
    "shade": "colour, ids, depth",
    "finish": "edges and noise",
}


def busy_town(name: str) -> Engine:
    """A town with its own traffic."""
    town = build_town(name)
    engine = Engine(town, seed=1)
    rng = random.Random(1)
    kinds = [name for name in sorted(engine.blueprints) if name.startswith("vehicle.")]
    people = [name for name in sorted(engine.blueprints) if name.startswith("walker.ped")]
    for points, names, count in (
        (town.spawn_points, kinds, CARS),
        (town.walker_spawn_points, people, WALKERS),
    ):
        for point in points[:count]:
            try:
                actor = engine.spawn(rng.choice(names), point)
            except SpawnCollision:
                continue
            if names is kinds:
                engine.set_light_flags(actor.id, HEAD_LAMPS)
    return engine


class Variant:
    """Pictures of one kind, all of the same engine."""

    def __init__(
        self,
        engine: Engine,
        size: tuple[int, int],
        cameras: int,
        *,
        shadows: bool = True,
        threads: int = 1,
        repeat: int = 1,
        weather: Weather | None = None,
        ahead: float = 0.0,
    ) -> None:
        self._engine = engine
        self._size = size
        self._cameras = cameras
        self._repeat = repeat
        self._ahead = ahead  # metres from the roof's middle
        self.pictures = Pictures(engine.town, 1, shadows=shadows, threads=threads, noise_seed=1)
        self.pictures.wear(Look(weather=weather or Weather()))

    def draw(self) -> list[Picture]:
        """This tick's pictures: cameras above the first cars, looking forward."""
        roof = Pose(self._ahead, 0.0, 2.0).matrix()
        engine, taken = self._engine, []
        cars = [a for a in engine.actors.values() if a.blueprint.id.startswith("vehicle.")]
        for _ in range(self._repeat):
            for car in cars[: self._cameras]:
                view = CameraView(*self._size, 90.0, car.pose.matrix() @ roof)
                taken.append(
                    self.pictures.take(
                        view, engine.actors, engine.frame, engine.frame, engine.elapsed_s
                    )
                )
        return taken


def compare(engine: Engine, rounds: int) -> None:
    """A row per variant; the ratio is to the first."""
    variants = {
        "640 x 384, shadows, 1 thread": Variant(engine, SMALL, 1),
        "640 x 384, no shadows": Variant(engine, SMALL, 1, shadows=False),
        "640 x 384, shadows, 2 threads": Variant(engine, SMALL, 1, threads=2),
        "640 x 384, shadows, rain": Variant(engine, SMALL, 1, weather=RAIN),
        "640 x 384, night": Variant(engine, SMALL, 1, weather=NIGHT),
        "640 x 384, shadows, fog": Variant(engine, SMALL, 1, weather=FOG),
        "800 x 600, shadows": Variant(engine, LARGE, 1),
        "800 x 600, no shadows": Variant(engine, LARGE, 1, shadows=False),
        "640 x 384, same view asked twice": Variant(engine, SMALL, 1, repeat=2),
        "640 x 384, four cars' cameras": Variant(engine, SMALL, 4),
        "640 x 384, four cars' cameras, 2 threads": Variant(engine, SMALL, 4, threads=2),
    }
    cpu, wall = measure(engine, {name: one.draw for name, one in variants.items()}, rounds)
    title = f"Renderer, {CARS} cars and {WALKERS} people in {engine.town.name}, median of ticks"
    table = Table(title=title)
    for column in ("variant", "CPU ms", "least", "wall ms", "least", "ratio"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    first = float(np.median(next(iter(cpu.values()))))
    for name, values in cpu.items():
        row = (np.median(values), min(values), np.median(wall[name]), min(wall[name]))
        table.add_row(name, *(f"{x:.1f}" for x in row), f"{row[0] / first:.2f}")
    Console().print(table)


Times = dict[str, list[float]]


def measure(
    engine: Engine, works: dict[str, Callable[[], object]], rounds: int
) -> tuple[Times, Times]:
    """CPU and wall milliseconds of each work, a value per round; all see the same ticks."""
    cpu: Times = {name: [] for name in works}
    wall: Times = {name: [] for name in works}
    for turn in range(rounds + 1):
        engine.tick(0.05)
        for name, work in works.items():
            begin, at = time.process_time(), time.perf_counter()
            work()
            if turn:  # the first turn compiles and draws the standing shadows
                cpu[name].append(1e3 * (time.process_time() - begin))
                wall[name].append(1e3 * (time.perf_counter() - at))
    return cpu, wall


def break_down(engine: Engine, rounds: int) -> None:
    """A row per stage of one picture on one thread."""
    variant = Variant(engine, SMALL, 1)
    stages = Stages(time.thread_time)
    variant.pictures.stages = stages
    found: Times = {name: [] for name in STAGES}
    for turn in range(rounds + 1):
        engine.tick(0.05)
        stages.seconds.clear()
        variant.draw()
        if turn:
            for name in STAGES:
                found[name].append(1e3 * stages.seconds.get(name, 0.0))
    table = Table(title=f"One picture of 640 x 384 in {engine.town.name}, CPU ms, median of ticks")
    for column in ("stage", "what", "CPU ms", "share"):
        table.add_column(column, justify="left" if column in ("stage", "what") else "right")
    middle = {name: float(np.median(values)) for name, values in found.items()}
    total = sum(middle.values())
    for name, value in middle.items():
        table.add_row(name, STAGES[name], f"{value:.2f}", f"{value / total:.0%}")
    table.add_section()
    shading = middle["shade"] + middle["finish"]
    table.add_row("visibility", "all but shade and finish", f"{total - shading:.2f}", "")
    table.add_row("all", f"{1e3 / total:.0f} pictures a second on one core", f"{total:.2f}", "")
    Console().print(table)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--town", default="VdapTown01")
    parser.add_argument("--rounds", type=int, default=15)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--breakdown", action="store_true")
    what.add_argument("--first-frame", action="store_true")
    what.add_argument("--memory", action="store_true")
    args = parser.parse_args()
    if args.first_frame:
        print_first_frame(args.town)
    elif args.memory:
        print_memory(args.town)
    elif args.breakdown:
        break_down(busy_town(args.town), args.rounds)
    else:
        compare(busy_town(args.town), args.rounds)


if __name__ == "__main__":
    main()
