"""How long the first picture takes, and what memory a server with four cameras takes.

    python benchmarks/render_start.py [--town NAME] [--rounds 3]

Each line is a fresh process. "After install" means that no kernel was ever compiled here and no
texture painted; a second process compiles a share of them, if there is a second core.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

CAMERAS, TICKS = 4, 40
FIRST_PICTURE = """
import os, sys
from sim.engine.geometry import Pose
from sim.engine.simulation import Engine
from sim.engine.town import build_town
town = build_town(sys.argv[1])
engine = Engine(town, seed=1)
engine.spawn("vehicle.tesla.model3", town.spawn_points[0])
engine.tick(0.05)
from sim.engine.render.renderer import CameraView
roof = town.spawn_points[0].compose(Pose(z=2.0)).matrix()
engine.picture(CameraView(640, 384, 90.0, roof))
print(sum(os.times()[:4]), flush=True)
"""
FOUR_CAMERAS = """
import os, queue, sys
import carla
client = carla.Client("127.0.0.1", int(sys.argv[1]))
client.set_timeout(60.0)
world = client.get_world()
world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
library = world.get_blueprint_library()
kinds = library.filter("vehicle.*")
cars = [world.try_spawn_actor(kinds[k % len(kinds)], point)
        for k, point in enumerate(world.get_map().get_spawn_points()[:30])]
cars = [car for car in cars if car is not None]
camera = library.find("sensor.camera.rgb")
camera.set_attribute("image_size_x", "640")
camera.set_attribute("image_size_y", "384")
pictures = queue.Queue()
roof = carla.Transform(carla.Location(z=2.5))
sensors = [world.spawn_actor(camera, roof, attach_to=car) for car in cars[:int(sys.argv[2])]]
for sensor in sensors:
    sensor.listen(pictures.put)
for _ in range(int(sys.argv[3])):
    world.tick()
    for _ in range(int(sys.argv[2])):
        pictures.get(timeout=60.0)
print("done", flush=True)
os._exit(0)  # the carla client may abort in interpreter teardown after cameras
"""


def first_frame(town: str, cache: Path) -> tuple[float, float]:
    """Seconds of wall clock, and of CPU with its children's, until a process's first picture."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "XDG_CACHE_HOME": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation holds bytecode
    begin = time.perf_counter()
    child = subprocess.run(
        [sys.executable, "-c", FIRST_PICTURE, town],
        env=environment, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    return time.perf_counter() - begin, float(child.stdout.split()[-1])


def print_first_frame(town: str, rounds: int = 3) -> None:
    """The first picture without compiled code once, then with it."""
    table = Table("first picture", "wall s", "CPU s", title=f"640 x 384 in {town}")
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = first_frame(town, Path(folder))
        table.add_row("after install", f"{wall:.1f}", f"{cpu:.1f}")
        later = np.array([first_frame(town, Path(folder)) for _ in range(rounds)])
    wall, cpu = np.median(later, axis=0)
    table.add_row(f"after that, median of {rounds}", f"{wall:.1f}", f"{cpu:.1f}")
    Console().print(table)


def resident_mib(pid: int, row: str) -> float:
    """A row of Linux's /proc status, `VmRSS` or its peak `VmHWM`, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(row)) / 1024


def print_memory(town: str) -> None:
    """Resident memory of the server while a client takes four cameras' pictures."""
    server = subprocess.Popen(
        [sys.executable, "-m", "sim.carla_server", "--port", "0", "--town", town],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        port = server.stdout.readline().split()[1].split(":")[1]
        before = resident_mib(server.pid, "VmRSS")
        subprocess.run(
            [sys.executable, "-c", FOUR_CAMERAS, port, str(CAMERAS), str(TICKS)],
            capture_output=True, text=True, check=True, timeout=300,
        )  # fmt: skip
        table = Table(
            "server", "MiB", title=f"{CAMERAS} cameras of 640 x 384, {TICKS} ticks, {town}"
        )
        table.add_row("at its start", f"{before:.0f}")
        table.add_row("with cameras", f"{resident_mib(server.pid, 'VmRSS'):.0f}")
        table.add_row("peak", f"{resident_mib(server.pid, 'VmHWM'):.0f}")
        Console().print(table)
    finally:
        server.terminate()
        server.wait(timeout=10)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--town", default="VdapTown01")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print_first_frame(args.town, args.rounds)
    print_memory(args.town)


if __name__ == "__main__":
    main()
