"""The register of Traffic Managers: they run inside clients and only find each other here."""

from __future__ import annotations

import threading

from sim.carla_server.handlers.registry import rpc
from sim.carla_server.world import ServedWorld, TrafficManager


@rpc
def is_traffic_manager_running(world: ServedWorld, port: int) -> bool:
    """Return whether a client has registered one at this port."""
    return port in world.traffic_managers


@rpc
def get_traffic_manager_running(world: ServedWorld, port: int) -> tuple[str, int]:
    """Return (host, port) of a registered one, ("", 0) if none."""
    manager = world.traffic_managers.get(port)
    return ("", 0) if manager is None else (manager.host, port)


@rpc
def add_traffic_manager_running(world: ServedWorld, address: tuple[str, int]) -> bool:
    """Register one; False if its port is taken."""
    host, port = address
    if port in world.traffic_managers:
        return False
    world.traffic_managers[port] = TrafficManager(host, threading.get_ident())
    return True


@rpc
def destroy_traffic_manager(world: ServedWorld, port: int) -> None:
    """Strike one off."""
    world.traffic_managers.pop(port, None)
