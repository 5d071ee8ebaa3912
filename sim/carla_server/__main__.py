"""The `vdap world` command: the embedded world behind CARLA's protocol."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import logging
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

from scheduler.errors import ConfigError, MissingPartError
from scheduler.processes import Stop, entry, set_up_logging

if TYPE_CHECKING:
    from sim.engine.simulation import Engine
    from sim.engine.town import Town

logger = logging.getLogger(__name__)

VERSIONS = ("0.9.16", "0.9.15")  # newest first; `protocol.PROTOCOLS` holds their tables
STOP_POLL_S = 0.05  # how soon a signal is seen
SWITCH_INTERVAL_S = 0.0005  # a call waits so long at most for a thread that draws; Python's is 5 ms


class Flags(argparse.Namespace):
    """The command line."""

    host: str
    port: int
    streaming_port: int
    town: str | None
    seed: int
    asset_seed: int
    instance_ids: Literal["actor", "engine"]
    shadows: bool
    threads: int
    lazy_rendering: bool
    has_pictures: bool
    carla_version: str
    release_dead_sync: bool
    has_stand_ins: bool
    list_towns: bool
    verbose: bool


def parse(argv: list[str] | None = None) -> Flags:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="vdap world", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=int, default=2000, help="RPC port; 0 takes a free one")
    parser.add_argument("--streaming-port", type=int, default=0, help="0 takes the next one")
    parser.add_argument(
        "--town",
        help="its name, with a seed of buildings and trees if wanted: VdapTown01-17; "
        "default: VdapTown01 with --seed",
    )
    parser.add_argument("--list-towns", action="store_true", help="print their names and end")
    parser.add_argument("--seed", type=int, default=1, help="of traffic")
    parser.add_argument("--asset-seed", type=int, default=1, help="of what everything looks like")
    parser.add_argument(
        "--instance-ids",
        choices=("actor", "engine"),
        default="actor",
        help="ids in instance segmentation: actors' as 0.9.16 writes, or engine objects'",
    )
    parser.add_argument("--no-shadows", dest="shadows", action="store_false", help="a third faster")
    parser.add_argument("--threads", type=int, default=1, help="that draw one picture")
    parser.add_argument(
        "--lazy-rendering",
        action="store_true",
        help="prepare the renderer at the first picture: a client may time out then",
    )
    parser.add_argument(
        "--no-rendering",
        dest="has_pictures",
        action="store_false",
        help="cameras send nothing, whatever a client's settings say; needs no numba",
    )
    parser.add_argument(
        "--carla-version", choices=VERSIONS, default=VERSIONS[0], help="whose client is served"
    )
    parser.add_argument(
        "--release-dead-sync",
        action="store_true",
        help="run by itself again when the client that asked for synchronous mode has gone; "
        "CARLA waits for ever",
    )
    parser.add_argument(
        "--stand-ins",
        dest="has_stand_ins",
        action="store_true",
        help="load the most alike of the towns here where a client names one of CARLA's (Town03)",
    )
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser.parse_args(argv, namespace=Flags())


def main() -> int:
    """Serve until SIGINT or SIGTERM; exit code 1 if the world broke down."""
    flags = parse()
    set_up_logging(flags.verbose)
    if flags.list_towns:
        return _list_towns()
    stop, started = Stop(), time.monotonic()
    if flags.has_pictures and not flags.lazy_rendering and not importlib.util.find_spec("numba"):
        raise MissingPartError(
            "pictures need numba: pip install 'vdap[engine]' (or --no-rendering for a world "
            "without cameras)"
        )
    from sim.carla_server.server import CarlaServer, Sockets

    _check_town(flags)
    sockets = Sockets(flags.host, flags.port, flags.streaming_port)
    # In a thread, because the first start compiles for many seconds and a signal must end that too.
    building = ThreadPoolExecutor(1).submit(_first_engine, flags)
    while not building.done():
        if stop:
            return 0
        time.sleep(STOP_POLL_S)
    engine = building.result()
    server = CarlaServer(
        sockets,
        engine,
        make_engine=functools.partial(_engine, flags),
        version=flags.carla_version,
        instance_ids=flags.instance_ids,
        has_pictures=flags.has_pictures,
        releases_synchronous=flags.release_dead_sync,
        has_stand_ins=flags.has_stand_ins,
    )
    server.start()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    town = engine.town.name.rsplit("/", 1)[-1]
    took_s = time.monotonic() - started
    sys.stdout.write(
        f"ready {flags.host}:{server.port} ({town}, CARLA {flags.carla_version}, {took_s:.1f} s)\n"
    )
    sys.stdout.flush()
    if not flags.lazy_rendering and importlib.util.find_spec("numba"):
        from sim.carla_server.sensors.kinds import prepare_all

        threading.Thread(target=prepare_all, name="prepare", daemon=True).start()
    while not stop and not server.has_failed:
        time.sleep(STOP_POLL_S)
    server.close()
    return 1 if server.has_failed else 0


def _list_towns() -> int:
    from sim.engine.town_names import TOWNS

    for name, what in TOWNS.items():
        sys.stdout.write(f"{name}  {what}\n")
    return 0


def _check_town(flags: Flags) -> None:
    from sim.engine.town_names import UnknownTown, parse_town, seeded_name

    flags.town = flags.town or seeded_name(flags.seed)
    try:
        parse_town(flags.town)
    except UnknownTown as error:
        raise ConfigError(f"--town: {error}") from error


def _first_engine(flags: Flags) -> Engine:
    from sim.engine.town import build_town

    assert flags.town is not None  # checked before
    return _engine(flags, build_town(flags.town))


def _engine(flags: Flags, town: Town) -> Engine:
    """Return an engine of a town, its renderer prepared unless nobody wants pictures yet."""
    from sim.engine.simulation import Engine

    engine = Engine(
        town,
        seed=flags.seed,
        asset_seed=flags.asset_seed,
        shadows=flags.shadows,
        threads=max(1, flags.threads),
    )
    if flags.has_pictures and not flags.lazy_rendering:
        from sim.engine.geometry import Pose
        from sim.engine.render.renderer import CameraView

        logger.info("preparing the renderer (the first start on a machine compiles it)")
        engine.picture(CameraView(64, 48, 90.0, Pose(z=2.0).matrix()))
    return engine


if __name__ == "__main__":
    code = entry(main)
    sys.stdout.flush()
    # A daemon thread inside a compiled kernel must not hold up the end, and its sockets are closed.
    os._exit(code)
