"""What cameras see: the level's scene, built at the first picture, and the actors in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.engine.actors import Actor
from sim.engine.town import Town

if TYPE_CHECKING:
    from sim.engine.render.renderer import CameraView, Picture


class Pictures:
    """Takes pictures of a town and its actors; imports the renderer with the first one."""

    def __init__(self, town: Town, asset_seed: int, *, shadows: bool, threads: int) -> None:
        self._town = town
        self._asset_seed = asset_seed
        self._shadows = shadows
        self._threads = threads

    def take(self, view: CameraView, actors: dict[int, Actor], frame: int) -> Picture:
        """The picture of a view in this frame."""
        raise NotImplementedError
