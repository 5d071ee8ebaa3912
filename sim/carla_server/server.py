"""A running CARLA server: its sockets, its world, and the loop of asynchronous mode."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import sim.carla_server.handlers  # noqa: F401 - fills the registry
from scheduler.errors import PortInUseError
from sim.carla_server.connections import RpcServer
from sim.carla_server.handlers.registry import HANDLERS, UNLOCKED
from sim.carla_server.images import InstanceIds
from sim.carla_server.maps import EngineMaker, Maps
from sim.carla_server.protocol import NEWEST, PROTOCOLS
from sim.carla_server.rpc import Handler, RpcDispatcher
from sim.carla_server.streaming import StreamServer
from sim.carla_server.world import DEFAULT_DELTA_S, ServedWorld
from sim.engine.simulation import Engine

logger = logging.getLogger(__name__)

Listener = TypeVar("Listener", RpcServer, StreamServer)

LONGEST_DELTA_S = 0.1  # asynchronous mode, variable step: a slow machine runs slower, not coarser
SHORTEST_PAUSE_S = 0.002  # between free-running ticks, so that calls get their turn at the lock


class Sockets:
    """The two listeners, bound before the world is built so that a taken port is told at once."""

    def __init__(self, host: str, port: int, streaming_port: int = 0) -> None:
        """Listen; a `streaming_port` of 0 is the next after `port`, or any free one.

        Raises:
            PortInUseError: another process listens there.
        """
        self.rpc = _bound(RpcServer, host, port)
        try:
            self.streams = _bound(StreamServer, host, streaming_port or self.rpc.port + 1)
        except PortInUseError:
            if streaming_port:
                self.rpc.close()
                raise
            self.streams = StreamServer(host, 0)  # clients are told the port in every token

    def close(self) -> None:
        """Close both, and every connection."""
        self.rpc.close()
        self.streams.close()


class CarlaServer:
    """Serves one engine until closed."""

    def __init__(
        self,
        sockets: Sockets,
        engine: Engine,
        *,
        make_engine: EngineMaker = Engine,
        version: str = NEWEST,
        instance_ids: InstanceIds = "actor",
        has_pictures: bool = True,
        releases_synchronous: bool = False,
        has_stand_ins: bool = False,
    ) -> None:
        """Take the sockets; `make_engine` makes the engines of the maps that clients load."""
        self._sockets = sockets
        self.world = ServedWorld(
            engine,
            PROTOCOLS[version],
            sockets.streams,
            Maps(make_engine, has_stand_ins=has_stand_ins),
            instance_ids=instance_ids,
            has_pictures=has_pictures,
            releases_synchronous=releases_synchronous,
        )
        sockets.streams.is_alive = self.world.has_stream
        self._is_closed = threading.Event()
        self.has_failed = False
        self._loop = threading.Thread(target=self._loop_main, name="free-run", daemon=True)

    @property
    def port(self) -> int:
        """Where clients connect."""
        return self._sockets.rpc.port

    def start(self) -> None:
        """Answer clients, and tick by itself until one asks for synchronous mode."""
        self._loop.start()
        handlers = {name: self._bind(name) for name in HANDLERS}
        self._sockets.rpc.start(
            RpcDispatcher(self.world.protocol, handlers), self.world.forget_client
        )

    def close(self) -> None:
        """Stop ticking and close all sockets."""
        self._is_closed.set()
        self.world.settings_changed.set()
        self._sockets.close()
        self.world.presenter.close()

    def _bind(self, name: str) -> Handler:
        function, world = HANDLERS[name], self.world

        def unlocked(arguments: tuple[object, ...]) -> object:
            return function(world, *arguments)

        def locked(arguments: tuple[object, ...]) -> object:
            with world.lock:
                return function(world, *arguments)

        return functools.wraps(function)(unlocked if name in UNLOCKED else locked)

    def _loop_main(self) -> None:
        try:
            self._run_free()
        except Exception:
            # The edge of a thread: a world that no longer moves must not look alive.
            logger.exception("the world's own ticks have failed")
            self.has_failed = True

    def _run_free(self) -> None:
        """Tick at wall-clock pace while the mode is asynchronous."""
        world = self.world
        last = time.monotonic()
        while not self._is_closed.is_set():
            if world.settings.synchronous_mode:
                world.settings_changed.wait()
                world.settings_changed.clear()
                last = time.monotonic()
                continue
            started = time.monotonic()
            if started < world.quiet_until_s:
                self._is_closed.wait(world.quiet_until_s - started)
                last = time.monotonic()
                continue
            fixed = world.fixed_delta_s
            delta_s = fixed or min(max(started - last, 0.001), LONGEST_DELTA_S)
            world.tick(delta_s, is_synchronous=False)
            last = started
            due = started + (fixed or DEFAULT_DELTA_S)
            self._is_closed.wait(max(SHORTEST_PAUSE_S, due - time.monotonic()))


def _bound(listen: Callable[[str, int], Listener], host: str, port: int) -> Listener:
    try:
        return listen(host, port)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
        raise PortInUseError(
            f"cannot listen at {host}:{port} ({reason}); stop what listens there, or choose "
            "another address with --host and --port"
        ) from error
