"""What can be seen of an engine: now, or as it was in one frame while it goes on."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.engine.actors import Actor
from sim.engine.look import Look
from sim.engine.pictures import Pictures

if TYPE_CHECKING:
    from sim.engine.render.renderer import CameraView, Picture
    from sim.engine.render.scene import Scene
    from sim.engine.sensing.ray_scene import RayScene


class Sight:
    """The part of `Engine` that is seen.

    Pictures and rays of an engine and of its stills come from one renderer: one caller at a time.
    """

    frame: int
    elapsed_s: float
    actors: dict[int, Actor]
    _pictures: Pictures
    _version: int
    _look: Look = Look()

    def picture(self, view: CameraView) -> Picture:
        """What a camera sees; the same view in the same tick is drawn once."""
        self._pictures.wear(self._look)
        return self._pictures.take(view, self.actors, self.frame, self._version, self.elapsed_s)

    def normals(self, view: CameraView) -> NDArray[np.float32]:
        """What the surfaces seen by a camera face: (H, W, 3) unit vectors in world axes."""
        self._pictures.wear(self._look)
        return self._pictures.normals(view, self.actors, self.frame, self._version, self.elapsed_s)

    def rays(self) -> RayScene:
        """What rays meet; the same object at each call."""
        self._pictures.wear(self._look)
        return self._pictures.rays(self.actors, self._version, self.elapsed_s)

    def scene(self) -> Scene:
        """What pictures are made of, as it is now; the same object at each call."""
        self._pictures.wear(self._look)
        return self._pictures.scene(self.actors, self._version, self.elapsed_s)

    def still(self) -> Still:
        """This frame, to be looked at while the engine goes on."""
        return Still(self)


class Still(Sight):
    """One frame: its actors do not move any more."""

    def __init__(self, engine: Sight) -> None:
        self.frame = engine.frame
        self.elapsed_s = engine.elapsed_s
        self.actors = {number: _still(actor) for number, actor in engine.actors.items()}
        self._pictures = engine._pictures
        self._version = engine._version
        self._look = engine._look


def _still(actor: Actor) -> Actor:
    seen = copy.copy(actor)
    if actor.light is not None:
        seen.light = copy.copy(actor.light)
    return seen
