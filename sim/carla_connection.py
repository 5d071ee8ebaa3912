"""Finds a CARLA server: waits for one that is starting, asks for its maps, loads a town.

It imports `carla` for `sim.carla_world`, which is the only user of what it gives.
"""

import logging
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

from scheduler.errors import MissingPartError, WorldError

log = logging.getLogger(__name__)

CALL_S = 20.0  # that a server may take for one call; the first picture may compile or load
RETRY_S = 0.2  # between attempts to connect
_Entered = TypeVar("_Entered")


def client_library() -> Any:
    """The CARLA client.

    Raises:
        MissingPartError: no carla wheel here.
    """
    try:
        import carla
    except ImportError:
        raise MissingPartError(
            "expected the CARLA client: pip install 'vdap[carla]' (wheels exist for Linux and "
            "Windows on x86_64 with Python 3.10 to 3.12); elsewhere use `world.adapter: inprocess`"
        ) from None
    return carla


def maps_of(host: str, port: int, *, patience_s: float) -> list[str]:
    """The maps that a server lists.

    Raises:
        MissingPartError: no carla wheel here.
        WorldError: nobody answered.
    """

    def ask(client: Any) -> list[str]:
        return [str(name) for name in client.get_available_maps()]

    return knock(host, port, ask, patience_s)


def knock(
    host: str,
    port: int,
    enter: Callable[[Any], _Entered],
    patience_s: float,
    should_stop: Callable[[], bool] = lambda: False,
) -> _Entered:
    """What `enter` makes of a connected client, tried until it works or patience ends.

    Raises:
        MissingPartError: no carla wheel here.
        WorldError: nobody answered in time.
    """
    carla = client_library()
    until = time.monotonic() + patience_s
    while not should_stop():
        try:
            # The client itself says nothing for its whole time-out where nobody listens.
            with socket.create_connection((host, port), timeout=1.0):
                pass
            client = carla.Client(host, port, 2)
            client.set_timeout(CALL_S)
            server = client.get_server_version()
            if server != client.get_client_version():
                log.warning("the server is %s, the client is 0.9.16", server)
            return enter(client)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
        if time.monotonic() > until:
            raise WorldError(
                f"expected a CARLA server at {host}:{port}, waited {patience_s:.0f} s "
                f"({reason}): start one with `vdap world`, or CARLA's own"
            )
        time.sleep(RETRY_S)
    raise WorldError(f"stopped while waiting for a CARLA server at {host}:{port}")


def load_town(client: Any, town: str | None, is_reloaded: bool) -> None:
    """Bring a town to life where it is not there yet.

    Args:
        client: of the server.
        town: None for the one that is there.
        is_reloaded: load it anew, which clears what others left in it.

    Raises:
        WorldError: the server does not have the town.
    """
    if town is None or str(client.get_world().get_map().name).endswith(town):
        if is_reloaded:
            client.reload_world()
        return
    names = [str(name) for name in client.get_available_maps()]
    plan = town.partition("-")[0]  # towns of ours may hold a seed, which no list names
    if not any(name.endswith((town, plan)) for name in names):
        known = ", ".join(sorted(name.rpartition("/")[2] for name in names))
        raise WorldError(f"world.town: the server has {known}, not {town!r}")
    client.load_world(town)
