"""Where the number plates of the embedded world are, read off the meshes that it draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.engine.actors import Actor
from sim.engine.geometry import Pose
from sim.engine.render.assets.vehicle_parts import plate_corners
from sim.engine.render.scene import Instance, Mesh
from sim.engine.simulation import Engine
from sim.projection import rigid_inverse
from sim.world import Quad


class Plates:
    """Number plates of an engine's vehicles, found once per look."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._in_mesh: dict[int, tuple[Quad, ...]] = {}  # by id of a mesh, which the scene keeps
        self._of_actor: dict[int, tuple[Quad, ...]] = {}
        self._level: dict[int, Instance] = {
            one.instance_id: one for one in engine.scene().static if one.instance_id
        }

    def of_actor(self, actor: Actor) -> tuple[Quad, ...]:
        """Those of a vehicle or walker in the axes of its bounding box."""
        if actor.id not in self._of_actor:
            shown = self._engine.scene().dynamic.get(actor.id)
            found = () if shown is None else self._corners(shown.mesh)
            box_from_mesh = rigid_inverse(Pose(*actor.box_offset).matrix())
            self._of_actor[actor.id] = _moved(found, box_from_mesh)
        return self._of_actor[actor.id]

    def of_level(self, instance_id: int, box: Pose) -> tuple[Quad, ...]:
        """Those of a parked vehicle in the axes of its bounding box, whose middle is at `box`."""
        shown = self._level.get(instance_id)
        if shown is None:
            return ()
        box_from_mesh = rigid_inverse(box.matrix()) @ shown.world_from_mesh
        return _moved(self._corners(shown.mesh), box_from_mesh)

    def _corners(self, mesh: Mesh) -> tuple[Quad, ...]:
        if id(mesh) not in self._in_mesh:
            self._in_mesh[id(mesh)] = plate_corners(mesh)
        return self._in_mesh[id(mesh)]


def _moved(quads: tuple[Quad, ...], transform: NDArray[np.float64]) -> tuple[Quad, ...]:
    moved: list[Quad] = []
    for quad in quads:
        points = np.asarray(quad) @ transform[:3, :3].T + transform[:3, 3]
        a, b, c, d = ((float(x), float(y), float(z)) for x, y, z in points)
        moved.append((a, b, c, d))
    return tuple(moved)
