"""Opens the world of a segment: the embedded one, or a CARLA server that runs somewhere."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection

from scheduler.config import World as WorldConfig
from scheduler.errors import VdapError, WorldError
from sim.dataset.plan import Segment
from sim.dataset.recording import DELTA_S
from sim.world import World
from sim.worlds import server_address

CONNECT_S = 30.0  # a real server may be loading a map
ANSWER_S = 60.0  # the same, for the list of its maps
OpenSegment = Callable[[Segment, int], World]


def open_embedded(segment: Segment, attempt: int) -> World:
    """The engine in this process."""
    from sim.inprocess_world import InprocessWorld

    return InprocessWorld(
        town=segment.town,
        asset_seed=segment.asset_seed,
        seed=segment.traffic_seed,
        fixed_delta_s=DELTA_S,
        with_plates=True,
    )


def open_server(address: str, segment: Segment, attempt: int) -> World:
    """A running server with the segment's town.

    Args:
        address: HOST:PORT.
        segment: Whose town.
        attempt: From the second on the level is loaded anew, which clears what a client that was
            ended left behind.

    Raises:
        WorldError: Nobody answers, or the server lacks the town.
    """
    from sim.carla_world import CarlaWorld

    host, port = server_address(WorldConfig(address=address))
    return CarlaWorld.connect(
        host,
        port,
        fixed_delta_s=DELTA_S,
        town=segment.town,
        seed=segment.traffic_seed,
        patience_s=CONNECT_S,
        is_reloaded=attempt > 1,
    )


def server_towns(address: str) -> list[str]:
    """The maps that a server has.

    In a process of its own, because the client may abort the end of a process that imported it.

    Raises:
        WorldError: Nobody answers.
    """
    fresh = multiprocessing.get_context("spawn")
    ours, theirs = fresh.Pipe()
    process = fresh.Process(target=_ask_towns, args=(address, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        answer = ours.recv() if ours.poll(ANSWER_S) else None
    except EOFError:
        answer = None
    finally:
        process.kill()
        process.join()
    if isinstance(answer, VdapError):
        raise answer
    if answer is None:
        raise WorldError(f"expected a CARLA server at {address}, it did not say which maps it has")
    return list(answer)


def _ask_towns(address: str, pipe: Connection) -> None:
    try:
        from sim.carla_connection import maps_of

        pipe.send(maps_of(*server_address(WorldConfig(address=address)), patience_s=CONNECT_S))
    except VdapError as error:
        pipe.send(error)
