"""Ten thousand ticks under the client's Traffic Manager: does the server grow, err, lose anything?

    python benchmarks/soak.py [--ticks 10000] [--cars 50] [--sensors 0.1]

A server and a client in processes of their own. The client drives cars with its synchronous
Traffic Manager, hangs sensors on some, destroys and spawns two cars every ten ticks, changes the
weather, and is followed by another client in a new episode, twice. Meanwhile the server's memory,
threads and open files are read from the system. It ends with `ok`, or with what grew or failed and
exit code 1.
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
DELTA_S = 0.05
EPISODES = 3  # one client each
STUCK_S = 60.0  # the client's synchronous Traffic Manager can wait for itself for ever
MOST_GROWTH = 0.03  # of resident memory
SENSORS = (
    ("sensor.camera.rgb", {"image_size_x": "320", "image_size_y": "192", "sensor_tick": "0.2"}),
    (
        "sensor.camera.semantic_segmentation",
        {"image_size_x": "160", "image_size_y": "96", "sensor_tick": "0.1"},
    ),
    ("sensor.other.collision", {}),
    ("sensor.other.gnss", {}),
)


def main() -> None:
    """Run the client over the server until all ticks are done; print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=10_000)
    parser.add_argument("--cars", type=int, default=50)
    parser.add_argument("--sensors", type=float, default=0.1, help="share of cars with sensors")
    parser.add_argument("--town", default="VdapTown01")
    parser.add_argument("--client-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1)
    flags = parser.parse_args()
    if flags.client_of:
        drive(flags)
        sys.stdout.flush()
        os._exit(0)  # the carla client may abort in interpreter teardown after cameras
    sys.exit(supervise(flags))


# ---- the process that watches


def supervise(flags: argparse.Namespace) -> int:
    """Start both, read the server's size while the client drives; return the exit code."""
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "sim.carla_server", "--port", "0", "--town", flags.town],
            stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
        )  # fmt: skip
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline().split()[1].split(":")[1])
            before = size_of(server.pid)
            samples, stuck = watch(flags, port, server.pid)
            time.sleep(1.0)
            after = size_of(server.pid)
        finally:
            server.terminate()
            code = server.wait(timeout=10)
        log.seek(0)
        return report(flags, before, samples, after, stuck, code, log.read())


def size_of(pid: int) -> dict[str, int]:
    """Return the server's resident KiB, threads and open files."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {
        "KiB": int(fields["VmRSS"].split()[0]),
        "threads": int(fields["Threads"]),
        "files": len(list(Path(f"/proc/{pid}/fd").iterdir())),
    }


def watch(
    flags: argparse.Namespace, port: int, pid: int
) -> tuple[list[tuple[int, dict[str, int], float]], int]:
    """Run clients until the ticks are done; return samples (tick, size, seconds) and stuck ones."""
    done, runs, stuck, samples = 0, 0, 0, []
    share = max(100, -(-flags.ticks // EPISODES))
    started = time.monotonic()
    while done < flags.ticks:
        runs, wanted = runs + 1, min(share, flags.ticks - done)
        client = subprocess.Popen(
            [
                *(sys.executable, __file__, "--client-of", str(port), "--cars", str(flags.cars)),
                *("--ticks", str(wanted), "--seed", str(runs)),
                *("--sensors", str(flags.sensors)),
            ],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_read, args=(client, lines), daemon=True)
        reader.start()
        made = 0
        try:
            while line := lines.get(timeout=STUCK_S):
                made = int(line)
                samples.append((done + made, size_of(pid), time.monotonic() - started))
                if samples[-1][0] % 500 == 0:
                    tick, size, seconds = samples[-1]
                    sys.stdout.write(f"{tick} ticks, {seconds:.0f} s, {size['KiB'] >> 10} MiB\n")
                    sys.stdout.flush()
        except queue.Empty:
            stuck += 1
        client.kill()
        client.wait()
        reader.join()
        if made == 0 or (line == "" and made < wanted):
            break  # it died: its own words are on the screen
        done += made
    return samples, stuck


def _read(client: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert client.stdout is not None
    for line in client.stdout:
        if line.strip().isdigit():
            lines.put(line)
    lines.put("")


def report(
    flags: argparse.Namespace,
    before: dict[str, int],
    samples: list[tuple[int, dict[str, int], float]],
    after: dict[str, int],
    stuck: int,
    code: int,
    log: str,
) -> int:
    """Print what was seen; return 1 if something is not as it should be."""
    table = Table("ticks", "seconds", "MiB", "threads", "files", title=f"{flags.cars} cars")
    rows = [(0, before, 0.0), *samples[:: max(1, len(samples) // 12)], *samples[-1:]]
    rows.append((-1, after, 0.0))
    for tick, size, seconds in rows:
        name = "client gone" if tick < 0 else str(tick)
        table.add_row(
            name, f"{seconds:.0f}", f"{size['KiB'] / 1024:.1f}", str(size["threads"]),
            str(size["files"]),
        )  # fmt: skip
    Console().print(table)
    wrong = []
    ticks = samples[-1][0] if samples else 0
    if ticks < flags.ticks:
        wrong.append(f"{ticks} of {flags.ticks} ticks")
    if code != 0:
        wrong.append(f"the server ended with {code}")
    if "Traceback" in log or " E " in log:
        wrong.append("the server's log has errors:\n" + log[-3000:])
    if after["threads"] > before["threads"] + 1 or after["files"] > before["files"] + 1:
        wrong.append(f"left behind: {before} before, {after} after")
    growth = growth_within_episodes(flags.ticks, samples)
    if growth > MOST_GROWTH:
        wrong.append(f"memory grew by {growth:.1%}")
    sys.stdout.write(
        f"memory within an episode, last third to middle: {growth:+.1%}; clients stuck: {stuck}\n"
    )
    sys.stdout.write("\n".join(wrong) + "\n" if wrong else "ok\n")
    return 1 if wrong else 0


def growth_within_episodes(ticks: int, samples: list[tuple[int, dict[str, int], float]]) -> float:
    """Return the largest growth of memory from an episode's middle third to its last.

    Episodes differ: each draws other cars, whose meshes take more or less room.
    """
    share = max(100, -(-ticks // EPISODES))
    largest = 0.0
    for start in range(0, ticks, share):
        thirds: list[list[int]] = [[], [], []]
        for tick, size, _ in samples:
            if start < tick <= start + share:
                thirds[min(2, 3 * (tick - start) // (share + 1))].append(size["KiB"])
        if thirds[1] and thirds[2]:
            largest = max(largest, float(np.median(thirds[2]) / np.median(thirds[1])) - 1.0)
    return largest


# ---- the process that drives


def drive(flags: argparse.Namespace) -> None:
    """Tick in a new episode, with cars coming and going; print the number of ticks now and then."""
    import carla

    client = carla.Client("127.0.0.1", flags.client_of)
    client.set_timeout(30.0)
    world = client.reload_world() if flags.seed > 1 else client.get_world()
    Episode(carla, client, world, flags).run()


class Episode:
    """One stretch of driving; everything it brought to life is gone at its end."""

    def __init__(self, carla, client, world, flags) -> None:  # type: ignore[no-untyped-def]
        self.carla, self.client, self.world, self.flags = carla, client, world, flags
        self.choose = random.Random(flags.seed)
        self.points = world.get_map().get_spawn_points()
        self.blueprints = world.get_blueprint_library().filter("vehicle.*")
        self.cars: dict[int, list] = {}

    def run(self) -> None:
        """Make the ticks."""
        carla, world = self.carla, self.world
        world.apply_settings(carla.WorldSettings(True, False, DELTA_S))
        manager = self.client.get_trafficmanager(self.flags.client_of + 2000)
        manager.set_synchronous_mode(True)
        manager.set_random_device_seed(self.flags.seed)
        self.manager_port = manager.get_port()
        try:
            for tick in range(self.flags.ticks):
                if tick % 10 == 0:
                    self.change()
                world.tick()
                if (tick + 1) % 50 == 0 or tick + 1 == self.flags.ticks:
                    sys.stdout.write(f"{tick + 1}\n")
                    sys.stdout.flush()
        finally:
            while self.cars:
                self.remove()
            world.tick()
            world.tick()

    def change(self) -> None:
        """Destroy two cars, spawn until there are enough, let the sky do something else."""
        carla, choose = self.carla, self.choose
        for _ in range(min(2, max(0, len(self.cars) - self.flags.cars + 2))):
            self.remove()
        for _ in range(3 * self.flags.cars):
            if len(self.cars) >= self.flags.cars:
                break
            car = self.world.try_spawn_actor(
                choose.choice(self.blueprints), choose.choice(self.points)
            )
            if car is not None:
                car.set_autopilot(True, self.manager_port)
                self.cars[car.id] = [car, *self.sensors(car)]
        if choose.random() < 0.1:
            self.world.set_weather(carla.WeatherParameters(cloudiness=choose.uniform(0, 100)))

    def sensors(self, car) -> list:  # type: ignore[no-untyped-def, type-arg]
        """Give some cars all sensors."""
        if self.choose.random() > self.flags.sensors:
            return []
        library, found = self.world.get_blueprint_library(), []
        for name, attributes in SENSORS:
            blueprint = library.find(name)
            for key, value in attributes.items():
                blueprint.set_attribute(key, value)
            place = self.carla.Transform(self.carla.Location(x=1.0, z=2.2))
            sensor = self.world.spawn_actor(blueprint, place, attach_to=car)
            sensor.listen(lambda data: None)
            found.append(sensor)
        return found

    def remove(self) -> None:
        """Destroy the oldest car with what hangs on it."""
        car, *sensors = self.cars.pop(next(iter(self.cars)))
        for sensor in sensors:
            sensor.stop()
            sensor.destroy()
        car.set_autopilot(False, self.manager_port)
        car.destroy()


if __name__ == "__main__":
    main()
