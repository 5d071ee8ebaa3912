"""Opens the world that a config asks for: which adapter, where, and how long to wait for it."""

import importlib.util
import logging
import time
from collections.abc import Callable

from scheduler.config import Config
from scheduler.config import World as WorldConfig
from scheduler.errors import ConfigError
from sim.engine.town_names import UnknownTown, parse_town, seeded_name
from sim.world import World

log = logging.getLogger(__name__)

CONNECT_S = 30.0  # a real server loads its map for that long


def has_carla() -> bool:
    """Whether the CARLA client's wheel is installed."""
    return importlib.util.find_spec("carla") is not None


def open_world(
    config: Config,
    world: WorldConfig,
    *,
    connect_s: float = CONNECT_S,
    should_stop: Callable[[], bool] = lambda: False,
) -> World:
    """The world of a config, taken over and ready to be ticked.

    Args:
        config: of the drive.
        world: its `world` section.
        connect_s: how long to wait for a server that is still starting.
        should_stop: true when waiting is of no use any more.

    Raises:
        ConfigError: a town or address that cannot be.
        MissingPartError: the adapter needs a wheel that is not installed.
        WorldError: no server answered.
    """
    adapter = world.adapter
    if adapter == "auto":
        adapter = "carla" if world.address is not None or has_carla() else "inprocess"
        log.info("world.adapter auto: %s", adapter)
    if adapter == "carla":
        from sim.carla_world import CarlaWorld

        host, port = server_address(world)
        return CarlaWorld.connect(
            host,
            port,
            fixed_delta_s=world.fixed_delta_s,
            town=world.town,
            seed=config.seed,
            patience_s=connect_s,
            should_stop=should_stop,
        )
    from sim.inprocess_world import InprocessWorld

    started = time.monotonic()
    opened = InprocessWorld(
        town=town_of(world.town, config.seed),
        asset_seed=world.asset_seed,
        seed=config.seed,
        fixed_delta_s=world.fixed_delta_s,
        shadows=world.shadows,
    )
    log.info("built %s in %.1f s", opened.town, time.monotonic() - started)
    return opened


def server_address(world: WorldConfig) -> tuple[str, int]:
    """Host and port of the CARLA server: the one named, or our own.

    Raises:
        ConfigError: not HOST:PORT.
    """
    if world.address is None:
        return world.bind.connect or world.bind.host or "127.0.0.1", world.bind.port or 2000
    host, _, port = world.address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ConfigError(f"world.address: expected HOST:PORT, got {world.address!r}")
    return host, int(port)


def town_of(town: str | None, seed: int) -> str:
    """The embedded town that a config means; without one the small town with the drive's seed.

    Raises:
        ConfigError: the embedded world has no such town.
    """
    if town is None:
        return seeded_name(seed)
    try:
        return str(parse_town(town))
    except UnknownTown as error:
        raise ConfigError(
            f"world.town: {error}; other towns need a CARLA server (`world.address`)"
        ) from None
