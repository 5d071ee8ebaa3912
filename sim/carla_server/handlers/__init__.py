"""What each RPC does, one module per subject; importing this fills `registry.HANDLERS`."""

from sim.carla_server.handlers import (
    accepted,
    actors,
    batch,
    components,
    episode,
    forces,
    level,
    queries,
    traffic_lights,
    traffic_managers,
    vehicles,
)

__all__ = [
    "accepted",
    "actors",
    "batch",
    "components",
    "episode",
    "forces",
    "level",
    "queries",
    "traffic_lights",
    "traffic_managers",
    "vehicles",
]
