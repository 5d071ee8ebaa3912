"""Ports are a wish: free ones where these are taken, unless the config fixes them."""

import errno
import socket
from collections.abc import Sequence

import msgspec

from scheduler import processes
from scheduler.config import Bind, Config
from scheduler.errors import ConfigError, PortInUseError

PORT_STEP = 100  # between the bases tried where the wished one is taken
PORT_TRIES = 50


def assign(
    config: Config, wanted: Sequence[tuple[processes.Process, str]], is_whole: bool
) -> tuple[Config, dict[tuple[str, str], tuple[int, ...]], list[str]]:
    """Give each TCP listener its wished port, or a free one where nobody else counts on it.

    Args:
        wanted: The processes to start here, with their instance ids.
        is_whole: Everything runs here; else other machines count on the wished ports.

    Returns:
        The config with the ports written down, the ports of each instance, lines for the user.

    Raises:
        PortInUseError: a fixed port is taken.
    """
    taken: set[int] = set()
    ports: dict[tuple[str, str], tuple[int, ...]] = {}
    notes = []
    for process, instance_id in wanted:
        blocks = _blocks(config, process, instance_id)
        if not blocks:
            continue
        host, is_fixed = _listens(config, process, instance_id)
        wish = blocks[0]
        offset = _free_offset(host, blocks, taken, 1 if is_fixed or not is_whole else PORT_TRIES)
        if offset is None:
            why = "the config fixes it" if is_fixed else "the other machine counts on it"
            raise PortInUseError(
                f"expected {host}:{wish} to be free for {process.name} {instance_id}".rstrip()
                + f" ({why}), but another process listens there: stop it, or give another "
                "`bind.port`"
            )
        if offset:
            notes.append(f"port {wish} is taken: {process.name} {instance_id} has {wish + offset}")
        found = tuple(port + offset for port in blocks)
        taken.update(found)
        ports[process.name, instance_id] = found
        config = _with_port(config, process.name, instance_id, wish + offset)
    return config, ports, notes


def _blocks(config: Config, process: processes.Process, instance_id: str) -> list[int]:
    """The TCP ports that this instance wishes for."""
    bind = bind_of(config, process.name, instance_id)
    if process.name == "world":
        sockets: tuple[str, ...] = process.sockets
    elif bind.host is not None:
        sockets = process.sockets
    elif process.is_offload:
        sockets = tuple(name for name in process.sockets if name != "telemetry")
    else:
        return []
    if process.name != "link":
        return [processes.port_of(config, process.name, instance_id, name) for name in sockets]
    return [
        processes.port_of(config, "link", f"{vehicle}.{unit}", name)
        for vehicle, unit in processes.pairs(config)
        for name in sockets
    ]


def bind_of(config: Config, process: str, instance_id: str) -> Bind:
    """Where the config lets one instance listen."""
    if process == "world" and config.world is not None:
        return config.world.bind
    if process == "bridge":
        return config.bridge.bind
    if process == "rsu":
        return config.unit(instance_id).bind
    if process == "vehicle":
        return config.vehicle(instance_id).bind
    if process == "link" and config.link is not None:
        return config.link.bind
    return Bind()


def _listens(config: Config, process: processes.Process, instance_id: str) -> tuple[str, bool]:
    """Host, and whether the config fixes the port (the world's 2000 is CARLA's own wish)."""
    bind = bind_of(config, process.name, instance_id)
    is_wish = bind.port is None or (process.name == "world" and bind.port == process.base_port)
    return bind.host or "127.0.0.1", not is_wish


def _free_offset(host: str, ports: Sequence[int], taken: set[int], tries: int) -> int | None:
    for step in range(tries):
        offset = step * PORT_STEP
        block = [port + offset for port in ports]
        if not taken.intersection(block) and all(is_free(host, port) for port in block):
            return offset
    return None


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens at this address now.

    Raises:
        ConfigError: this machine has no such address.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (socket.gaierror, OverflowError) as error:
        raise ConfigError(
            f"bind: expected an address of this machine, got {host!r}: {error}"
        ) from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError(
                f"bind: expected an address of this machine, got {host!r}: {error.strerror}"
            ) from None
        return False
    return True


def _with_port(config: Config, process: str, instance_id: str, port: int) -> Config:
    """The config with the port of one instance written down."""
    bind = bind_of(config, process, instance_id)
    bind = msgspec.structs.replace(bind, port=port)
    replace = msgspec.structs.replace
    if process == "world" and config.world is not None:
        return replace(config, world=replace(config.world, bind=bind))
    if process == "bridge":
        return replace(config, bridge=replace(config.bridge, bind=bind))
    if process == "link" and config.link is not None:
        return replace(config, link=replace(config.link, bind=bind))
    if process == "rsu":
        units = [replace(u, bind=bind) if u.id == instance_id else u for u in config.roadside_units]
        return replace(config, roadside_units=units)
    vehicles = [replace(v, bind=bind) if v.id == instance_id else v for v in config.vehicles]
    return replace(config, vehicles=vehicles)
