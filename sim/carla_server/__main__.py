"""The `vdap world` command: the embedded world behind CARLA 0.9.16's protocol."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

from scheduler.errors import MissingPartError
from scheduler.processes import Stop, entry, set_up_logging

if TYPE_CHECKING:
    from sim.engine.simulation import Engine

logger = logging.getLogger(__name__)

STOP_POLL_S = 0.05  # how soon a signal is seen


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
    verbose: bool


def parse(argv: list[str] | None = None) -> Flags:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="vdap world", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=int, default=2000, help="RPC port; 0 takes a free one")
    parser.add_argument("--streaming-port", type=int, default=0, help="0 takes the next one")
    parser.add_argument("--town", help="its name; default: VdapTown01 with --seed")
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
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser.parse_args(argv, namespace=Flags())


def main() -> int:
    """Serve until SIGINT or SIGTERM; exit code 1 if the world broke down."""
    flags = parse()
    set_up_logging(flags.verbose)
    stop = Stop()
    if not flags.lazy_rendering and importlib.util.find_spec("numba") is None:
        raise MissingPartError(
            "pictures need numba: pip install 'vdap[engine]' (or --lazy-rendering for a world "
            "without cameras)"
        )
    from sim.carla_server.server import CarlaServer, Sockets

    sockets = Sockets(flags.host, flags.port, flags.streaming_port)
    # In a thread, because the first start compiles for many seconds and a signal must end that too.
    building = ThreadPoolExecutor(1).submit(_engine, flags)
    while not building.done():
        if stop:
            return 0
        time.sleep(STOP_POLL_S)
    server = CarlaServer(sockets, building.result(), instance_ids=flags.instance_ids)
    server.start()
    sys.stdout.write(f"ready {flags.host}:{server.port}\n")
    sys.stdout.flush()
    while not stop and not server.has_failed:
        time.sleep(STOP_POLL_S)
    server.close()
    return 1 if server.has_failed else 0


def _engine(flags: Flags) -> Engine:
    from sim.engine.simulation import Engine
    from sim.engine.town import build_town
    from sim.engine.town_names import seeded_name

    engine = Engine(
        build_town(flags.town or seeded_name(flags.seed)),
        seed=flags.seed,
        asset_seed=flags.asset_seed,
        shadows=flags.shadows,
        threads=max(1, flags.threads),
    )
    if not flags.lazy_rendering:
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
