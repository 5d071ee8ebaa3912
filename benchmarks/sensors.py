"""What a message of each sensor costs: CPU milliseconds on a car in traffic, all in one run.

The sensors take turns, each after a tick of its own, so that a machine's changing speed meets
them alike and none uses another's picture; read the ratios.
    python benchmarks/sensors.py [--rounds 15] [--town VdapTown01]
"""

import argparse
import random
import time
from types import SimpleNamespace

import numpy as np
from rich.console import Console
from rich.table import Table

from sim.carla_server.protocol import PROTOCOLS
from sim.carla_server.sensors import Sensor, check_sensor
from sim.engine.actors import Actor
from sim.engine.geometry import Pose
from sim.engine.simulation import Engine, SpawnCollision
from sim.engine.town import build_town

CARS, WALKERS, DELTA_S = 24, 12, 0.05
EYE = Pose(x=0.6, z=2.0)
SIZE = {"image_size_x": "640", "image_size_y": "384"}
FULL_TURN = {
    "channels": "64", "range": "100", "points_per_second": "1300000", "rotation_frequency": "20",
}  # fmt: skip
ALL_BACK = {
    "dropoff_general_rate": "0",
    "dropoff_intensity_limit": "0",
    "dropoff_zero_intensity": "0",
}
VARIANTS: dict[str, tuple[str, dict[str, str]]] = {
    "rgb, 640 x 384": ("camera.rgb", SIZE),
    "depth": ("camera.depth", SIZE),
    "semantic segmentation": ("camera.semantic_segmentation", SIZE),
    "instance segmentation": ("camera.instance_segmentation", SIZE),
    "normals": ("camera.normals", SIZE),
    "optical flow": ("camera.optical_flow", SIZE),
    "events (dvs)": ("camera.dvs", SIZE),
    "lidar, 64 x 1016, 100 m": ("lidar.ray_cast", {**FULL_TURN, **ALL_BACK}),
    "the same, 45 % lost anyway": ("lidar.ray_cast", FULL_TURN),
    "the same, semantic": ("lidar.ray_cast_semantic", FULL_TURN),
    "lidar as the blueprint is": ("lidar.ray_cast", {}),
    "radar, 75 rays": ("other.radar", {}),
    "gnss": ("other.gnss", {}),
    "imu": ("other.imu", {}),
    "obstacle, 30 m": ("other.obstacle", {"distance": "30"}),
}


def busy_engine(town_name: str) -> tuple[Engine, Actor]:
    """A town with its own traffic, and the car that carries the sensors."""
    town = build_town(town_name)
    engine = Engine(town, seed=1)
    rng = random.Random(1)
    kinds = [name for name in sorted(engine.blueprints) if name.startswith("vehicle.")]
    people = [name for name in sorted(engine.blueprints) if name.startswith("walker.")]
    cars = []
    for points, names, count in (
        (town.spawn_points, kinds, CARS),
        (town.walker_spawn_points, people, WALKERS),
    ):
        for point in points[:count]:
            try:
                cars.append(engine.spawn(rng.choice(names), point))
            except SpawnCollision:
                continue
    return engine, cars[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--town", default="VdapTown01")
    arguments = parser.parse_args()
    engine, car = busy_engine(arguments.town)
    protocol = PROTOCOLS["0.9.16"]
    world = SimpleNamespace(
        engine=engine, protocol=protocol, delta_s=DELTA_S, gravity=9.81, instance_ids="actor",
        settings=SimpleNamespace(no_rendering_mode=False), definition_uid=lambda name: 0,
    )  # fmt: skip
    sensors: dict[str, Sensor] = {}
    for number, (title, (name, attributes)) in enumerate(VARIANTS.items(), start=2):
        blueprint = engine.blueprints[f"sensor.{name}"]
        check_sensor(blueprint, attributes)
        actor = engine.spawn(blueprint.id, EYE, attributes, car.id)
        sensors[title] = Sensor(actor, number, protocol)
    cost: dict[str, list[float]] = {title: [] for title in sensors}
    size = dict.fromkeys(sensors, 0)
    for turn in range(arguments.rounds + 2):
        for title, sensor in sensors.items():
            engine.tick(DELTA_S)
            for one in sensors.values():
                one.follow(DELTA_S)
            begin = time.process_time()
            messages = list(sensor.messages(world))
            if turn > 1:  # the first turns compile and have no picture before them
                cost[title].append(1e3 * (time.process_time() - begin))
                size[title] = sum(memoryview(part).nbytes for one in messages for part in one)
    report(arguments.town, cost, size)


def report(town: str, cost: dict[str, list[float]], size: dict[str, int]) -> None:
    """A row per sensor; the ratio is to the first."""
    table = Table(title=f"Sensors, {CARS} cars and {WALKERS} people in {town}, median of messages")
    for column in ("sensor", "CPU ms", "least", "kB", "ratio"):
        table.add_column(column, justify="left" if column == "sensor" else "right")
    first = float(np.median(next(iter(cost.values()))))
    for title, values in cost.items():
        middle = float(np.median(values))
        row = (f"{middle:.2f}", f"{min(values):.2f}", f"{size[title] / 1e3:.1f}")
        table.add_row(title, *row, f"{middle / first:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
