"""Meshes of what stands along the roads, each look made once for a town."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sim.engine.blocks import Furniture
from sim.engine.render.assets.props import prop_mesh
from sim.engine.render.assets.roadside import (
    bush_mesh,
    column_mesh,
    fence_mesh,
    guard_rail_mesh,
    hedge_mesh,
)
from sim.engine.render.assets.street import bench_mesh, bin_mesh, street_lamp_mesh
from sim.engine.render.assets.street_signs import gantry_mesh, gantry_post_mesh, sign_mesh
from sim.engine.render.assets.vegetation import tree_mesh
from sim.engine.render.assets.vehicles import vehicle_mesh
from sim.engine.render.scene import Mesh
from sim.engine.vehicle_catalogue import vehicle_blueprints

# How many looks a kind has in a town; more cost time at the start.
LOOKS = {"tree": 10, "bin": 3, "hedge": 3, "fence": 3, "bush": 3, "planter": 2, "column": 3}
SHELTER, PLANTER, MAILBOX = (1.5, 4.2, 2.55), (0.6, 0.6, 1.1), (0.5, 0.55, 1.25)  # m
PAINTS = (
    (0.75, 0.76, 0.77), (0.12, 0.12, 0.13), (0.4, 0.41, 0.43), (0.07, 0.13, 0.32),
    (0.45, 0.05, 0.06), (0.85, 0.85, 0.84), (0.2, 0.27, 0.22),
)  # fmt: skip
WHITE = (1.0, 1.0, 1.0)


class FurnitureMeshes:
    """Makes and keeps the meshes of one town."""

    def __init__(self, asset_seed: int) -> None:
        self._asset_seed = asset_seed
        self._made: dict[tuple[str, str, int], Mesh] = {}
        self._blueprints = {one.id: one for one in vehicle_blueprints()}

    def of(self, one: Furniture) -> Mesh:
        """The mesh of a thing."""
        variant = one.seed % LOOKS.get(one.kind, 1)
        if one.kind == "gantry":
            variant = one.seed
        key = (one.kind, one.variant, variant)
        if key not in self._made:
            self._made[key] = self._make(one, variant + 100 * self._asset_seed)
        return self._made[key]

    def tint(self, one: Furniture) -> tuple[float, float, float]:
        """The paint of a parked car; white for what has its own colours."""
        if one.kind != "parked_car":
            return WHITE
        return PAINTS[(one.seed + self._asset_seed) % len(PAINTS)]

    def _make(self, one: Furniture, look: int) -> Mesh:
        makers: dict[str, Callable[[], Mesh]] = {
            "tree": partial(tree_mesh, look),
            "bush": partial(bush_mesh, look),
            "hedge": partial(hedge_mesh, look),
            "fence": partial(fence_mesh, look),
            "bin": partial(bin_mesh, look),
            "bench": bench_mesh,
            "street_lamp": street_lamp_mesh,
            "guard_rail": guard_rail_mesh,
            "column": partial(column_mesh, look),
            "bus_stop": partial(prop_mesh, "shelter", look, SHELTER),
            "planter": partial(prop_mesh, "plant_pot", look, PLANTER),
            "mailbox": partial(prop_mesh, "mailbox", look, MAILBOX),
            "sign": partial(sign_mesh, one.variant),
            "gantry_post": gantry_post_mesh,
        }
        if one.kind == "gantry":
            return gantry_mesh(float(one.variant), look)
        if one.kind == "parked_car":
            blueprint = self._blueprints[one.variant]
            return vehicle_mesh(blueprint.mesh, look, blueprint.mesh_size, one.variant)
        return makers[one.kind]()
