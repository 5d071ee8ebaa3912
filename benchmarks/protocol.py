"""How fast the real carla client drives our server: ticks, vehicles, cameras, all in one run.

    python benchmarks/protocol.py [--host H --port P] [--seconds 3]

Without a port it starts a server of its own. Figures are wall-clock rates of client and server
together, so compare lines of one run, not runs of two machines.
"""

import argparse
import os
import queue
import subprocess
import sys
import time

import carla
import numpy as np
from rich.console import Console
from rich.table import Table

TIMEOUT_S = 30.0
DELTA_S = 0.05


def main() -> None:
    """Start a server unless one is named, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    parser.add_argument("--seconds", type=float, default=3.0, help="per line")
    flags = parser.parse_args()
    server = None
    if flags.port is None:
        server = subprocess.Popen(
            [sys.executable, "-m", "sim.carla_server", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        flags.port = int(server.stdout.readline().split()[1].split(":")[1])
    try:
        measure(flags)
    finally:
        if server is not None:
            server.terminate()
            server.wait(timeout=5)
    sys.stdout.flush()
    os._exit(0)  # the carla client may abort in interpreter teardown after cameras


def measure(flags: argparse.Namespace) -> None:
    """Run every case against the server at `flags.host:flags.port`."""
    client = carla.Client(flags.host, flags.port)
    client.set_timeout(TIMEOUT_S)
    world = client.get_world()
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=DELTA_S))
    library = world.get_blueprint_library()
    points = world.get_map().get_spawn_points()
    table = Table("case", "per second", "ms each", title="real client, one server process")

    def line(name: str, step) -> None:  # type: ignore[no-untyped-def]
        for _ in range(3):
            step()
        count, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < flags.seconds:
            step()
            count += 1
        table.add_row(name, f"{count / elapsed:,.0f}", f"{1000 * elapsed / count:.2f}")

    line("RPC round trip", client.get_server_version)
    line("tick, lights and spectator only", world.tick)
    cars = []
    for wanted in (1, 20):
        for point in points:
            if len(cars) == wanted:
                break
            car = world.try_spawn_actor(library.find("vehicle.tesla.model3"), point)
            if car is not None:
                cars.append(car)
        line(f"tick, {wanted} vehicles", world.tick)

    def camera(kind: str, width: int, height: int) -> tuple[carla.Actor, queue.Queue]:
        blueprint = library.find(f"sensor.camera.{kind}")
        blueprint.set_attribute("image_size_x", str(width))
        blueprint.set_attribute("image_size_y", str(height))
        place = carla.Transform(carla.Location(x=1.5, z=1.7))
        sensor = world.spawn_actor(blueprint, place, attach_to=cars[0])
        images: queue.Queue = queue.Queue()
        sensor.listen(images.put)
        return sensor, images

    for name, kinds, width, height in (
        ("rgb 640x384", ("rgb",), 640, 384),
        ("rgb 800x600", ("rgb",), 800, 600),
        ("rgb + instance 640x384, one pose", ("rgb", "instance_segmentation"), 640, 384),
    ):
        cameras = [camera(kind, width, height) for kind in kinds]

        def step(cameras: list = cameras) -> None:
            frame = world.tick()
            for _, images in cameras:
                while (image := images.get(timeout=TIMEOUT_S)).frame < frame:
                    pass
                np.frombuffer(image.raw_data, np.uint8).copy()

        line(f"tick, 20 vehicles, {name}", step)
        for sensor, _ in cameras:
            sensor.stop()
            sensor.destroy()
    client.apply_batch_sync([carla.command.DestroyActor(car) for car in cars], True)
    world.apply_settings(carla.WorldSettings(synchronous_mode=False))
    Console().print(table)


if __name__ == "__main__":
    main()
