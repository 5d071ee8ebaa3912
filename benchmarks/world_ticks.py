"""How many ticks a second the world makes without cameras, and what its own share of them is.

    python benchmarks/world_ticks.py [--seconds 4] [--cars 1,20,50,100] [--town VdapTown01]
                                     [--canned]

Every line is a server and a client process of its own: the client's Traffic Manager drives all
cars in synchronous mode (its known hang is waited out and the line tried again), then the client
alone drives one car round in a circle while the others stand. "engine" is one tick of the engine
alone in this process, its cars under its own traffic's drivers (which take half of it). Ticks/s
are wall-clock figures of two processes that share the machine: compare lines of one run. "no world"
(with --canned) is what the same client reaches by hand with a server that only repeats what it has
said. What a tick takes with the Traffic Manager beyond the server's CPU time is the client's and
the system's.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from canned_world import RECORDED
from rich.console import Console
from rich.table import Table

DELTA_S = 0.05
ATTEMPTS = 3
HANG_S = 60.0  # a line that has not ended by then has met the client's hang
WORLD = ("-m", "sim.carla_server", "--lazy-rendering")
CANNED = (str(Path(__file__).with_name("canned_world.py")),)
TICK_CLOCK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure every number of cars, or, as the client process, one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="per figure")
    parser.add_argument("--cars", default="1,20,50,100")
    parser.add_argument("--town", default="", help="as `vdap world --town` takes it")
    parser.add_argument("--canned", action="store_true", help="measure without a world, too")
    parser.add_argument("--client", default="", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.client:
        drive(flags)
        return
    title = "ticks of 0.05 s, no camera, client and server share the machine"
    table = Table(title=title)
    for name in ("cars", "TM ticks/s", "server CPU ms", "by hand ticks/s", "server CPU ms",
                 "engine CPU ms", "no world, by hand"):  # fmt: skip
        table.add_column(name, justify="right")
    for cars in (int(part) for part in flags.cars.split(",")):
        managed, plain = line(flags, cars, "tm"), line(flags, cars, "hand")
        table.add_row(
            str(managed["cars"]),
            f"{managed['rate']:,.0f}",
            f"{managed['server_ms']:.2f}",
            f"{plain['rate']:,.0f}",
            f"{plain['server_ms']:.2f}",
            f"{engine_cpu_ms(cars, flags):.2f}",
            f"{line(flags, cars, 'hand', CANNED)['rate']:,.0f}" if flags.canned else "",
        )
    Console().print(table)


def line(
    flags: argparse.Namespace, cars: int, way: str, command: tuple[str, ...] = WORLD
) -> dict[str, float]:
    """One figure, by a client process; again where the Traffic Manager has hung."""
    for _ in range(ATTEMPTS):
        server, port = start_server(command, flags.town)
        here = [sys.executable, str(Path(__file__)), "--seconds", str(flags.seconds)]
        task = f"{port} {server.pid} {cars} {way}"
        try:
            done = subprocess.run(
                [*here, "--client", task],
                capture_output=True,
                text=True,
                timeout=HANG_S + 3 * flags.seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            continue
        finally:
            server.terminate()
            server.wait(timeout=10)
        lines = [text for text in done.stdout.splitlines() if text.startswith("{")]
        if lines:
            return dict(json.loads(lines[-1]))
        sys.stderr.write(done.stdout + done.stderr)
    raise SystemExit(f"{cars} cars, {way}: no client came to its end in {ATTEMPTS} attempts")


def start_server(command: tuple[str, ...], town: str) -> "tuple[subprocess.Popen[str], int]":
    """A world without a renderer, and its port."""
    words = [sys.executable, *command, "--port", "0", *(("--town", town) if town else ())]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, int(server.stdout.readline().split()[1].split(":")[1])


def drive(flags: argparse.Namespace) -> None:
    """The client: spawn, settle, then count ticks; one JSON line."""
    import carla

    port, pid, wanted, way = flags.client.split()
    client = carla.Client("127.0.0.1", int(port))
    client.set_timeout(20.0)
    world = client.get_world()
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=DELTA_S))
    library = world.get_blueprint_library()
    points = world.get_map().get_spawn_points()
    step = max(1, len(points) // int(wanted))
    cars = []
    for point in [*points[::step], *(p for i, p in enumerate(points) if i % step)]:
        if len(cars) < int(wanted):
            car = world.try_spawn_actor(library.find("vehicle.tesla.model3"), point)
            cars += [car] if car is not None else []
    world.tick()
    if way == "tm":
        manager = client.get_trafficmanager(int(port) + 1000)
        manager.set_synchronous_mode(True)
        manager.set_random_device_seed(7)
        for car in cars:
            car.set_autopilot(True, manager.get_port())
    else:
        field = carla.Transform(carla.Location(y=400.0))  # open ground
        cars[0].set_transform(field)
        cars[0].apply_control(carla.VehicleControl(throttle=0.2, steer=0.3))
    for _ in range(RECORDED + 5):
        world.tick()
    count, start, before = 0, time.perf_counter(), process_cpu(int(pid))
    while (elapsed := time.perf_counter() - start) < flags.seconds:
        world.tick()
        count += 1
    cpu = process_cpu(int(pid)) - before
    result = {"cars": len(cars), "rate": count / elapsed, "server_ms": 1000.0 * cpu / count}
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the client may wait for its own threads in interpreter teardown


def process_cpu(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK_CLOCK


def engine_cpu_ms(cars: int, flags: argparse.Namespace) -> float:
    """CPU milliseconds of one tick of the engine alone, its cars under its own traffic."""
    from sim.engine.simulation import Engine
    from sim.engine.town import build_town

    engine = Engine(build_town(flags.town) if flags.town else build_town())
    points = engine.town.spawn_points
    for point in points[:: max(1, len(points) // cars)][:cars]:
        engine.follow_lanes(engine.spawn("vehicle.tesla.model3", point).id)
    for _ in range(100):
        engine.tick(DELTA_S)
    ticks = 200
    start = time.process_time()
    for _ in range(ticks):
        engine.tick(DELTA_S)
    return 1000.0 * (time.process_time() - start) / ticks


if __name__ == "__main__":
    main()
