"""Vehicles by kind: which builder makes them, and what they look like in one piece."""

from dataclasses import replace
from typing import Final

import numpy as np

from sim.engine.render.assets.buses import bus
from sim.engine.render.assets.cars import car
from sim.engine.render.assets.cycles import bicycle, motorcycle
from sim.engine.render.assets.heavy_vehicles import truck
from sim.engine.render.assets.vehicle_parts import Extent, VehicleAsset
from sim.engine.render.mesh_builder import merge_meshes
from sim.engine.render.mesh_coarse import coarse_mesh
from sim.engine.render.scene import Mesh

# Length, width without mirrors, height; metres.
VEHICLE_EXTENT: Final[dict[str, Extent]] = {
    "car_sedan": (4.70, 1.84, 1.45),
    "car_hatch": (4.05, 1.77, 1.50),
    "car_suv": (4.65, 1.92, 1.72),
    "car_van": (5.20, 2.00, 2.10),
    "car_pickup": (5.40, 1.96, 1.82),
    "truck": (8.40, 2.50, 3.50),
    "bus": (11.60, 2.54, 3.30),
    "motorcycle": (2.20, 0.80, 1.80),
    "bicycle": (1.80, 0.68, 1.90),
}
COARSE_CELL: Final = {"truck": 0.3, "bus": 0.3, "motorcycle": 0.12, "bicycle": 0.1}  # m
CAR_CELL: Final = 0.21  # m
MOTORCYCLES: Final = {"harley-davidson.low_rider": "cruiser", "vespa.zx125": "scooter"}
BICYCLES: Final = {"gazelle.omafiets": "city"}


def vehicle_asset(
    kind: str, seed: int, extent: Extent | None = None, model: str = ""
) -> VehicleAsset:
    """A vehicle with its moving parts, its origin on the ground under the middle of its box.

    The paint takes the instance's tint. Lamps follow CARLA's VehicleLightState bits in
    `Instance.lamps`: position, low beam, brake, indicators, reverse.

    Args:
        kind: a key of `VEHICLE_EXTENT`.
        seed: varies proportions and details; the extent holds for every seed.
        extent: (length, width, height), metres, where it is not the kind's own.
        model: CARLA's id without "vehicle.", for what a kind alone does not tell.

    Raises:
        KeyError: unknown kind.
    """
    extent = extent or VEHICLE_EXTENT[kind]
    rng = np.random.default_rng((seed, sorted(VEHICLE_EXTENT).index(kind)))
    if kind == "truck":
        made = truck(extent, model, rng)
    elif kind == "bus":
        made = bus(extent, rng)
    elif kind == "motorcycle":
        made = motorcycle(extent, MOTORCYCLES.get(model, "sport"), rng)
    elif kind == "bicycle":
        made = bicycle(extent, BICYCLES.get(model, "sport"), rng)
    else:
        made = car(kind, extent, model, rng)
    far = coarse_mesh(made.body, COARSE_CELL.get(kind, CAR_CELL))
    return replace(made, body=replace(made.body, coarse=far))


def vehicle_mesh(kind: str, seed: int, extent: Extent | None = None, model: str = "") -> Mesh:
    """The whole of `vehicle_asset` standing still, as one mesh."""
    asset = vehicle_asset(kind, seed, extent, model)
    wheels = [
        replace(wheel.mesh, vertices=wheel.mesh.vertices + np.array(wheel.at, np.float32))
        for wheel in asset.wheels
    ]
    whole = merge_meshes(kind, [asset.body, *wheels, *asset.rider[:1]])
    return replace(whole, spots=asset.body.spots)
