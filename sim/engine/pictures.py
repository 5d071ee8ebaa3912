"""What cameras see: the level's scene, built at the first picture, and the actors in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.engine.actors import Actor
from sim.engine.look import Look
from sim.engine.render.stages import Stages
from sim.engine.town import Town

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.engine.actor_instances import ActorInstances
    from sim.engine.render.renderer import CameraView, Picture, Renderer
    from sim.engine.render.scene import Scene
    from sim.engine.sensing.ray_scene import RayScene


class Pictures:
    """Takes pictures of a town and its actors; imports the renderer with the first one."""

    def __init__(
        self, town: Town, asset_seed: int, *, shadows: bool, threads: int, noise_seed: int
    ) -> None:
        self._town = town
        self._asset_seed = asset_seed
        self._shadows = shadows
        self._threads = threads
        self._noise_seed = noise_seed
        self.stages = Stages()  # where a benchmark looks; read when the first picture is taken
        self._scene: Scene | None = None
        self._renderer: Renderer | None = None
        self._instances: ActorInstances | None = None
        self._rays: RayScene | None = None
        self._look = Look()
        self._placed = -1
        self._shown = -1

    def wear(self, look: Look) -> None:
        """Let the level look so from now on; other things in it cost some tenths of a second."""
        if look is self._look:
            return
        before, self._look = self._look, look
        if not look.has_same_level(before):
            self._scene = self._renderer = self._instances = None
            self._placed = self._shown = -1
        elif look.weather != before.weather and self._scene is not None:
            self._scene.weather = look.weather
            if self._renderer is not None:
                self._renderer.set_weather(look.weather)
                self._shown = -1

    def scene(self, actors: dict[int, Actor], version: int, elapsed_s: float) -> Scene:
        """The level and the actors as meshes; `version` changes whenever anything may have moved.

        It needs no renderer.
        """
        if self._scene is None or self._instances is None:
            from sim.engine.actor_instances import ActorInstances
            from sim.engine.level_scene import level_scene

            self._scene = level_scene(self._town, self._asset_seed)
            self._scene.weather = self._look.weather
            self._scene.static = self._look.of_level(self._scene.static)
            self._instances = ActorInstances(self._asset_seed)
        if version != self._placed:
            self._instances.update(self._scene.dynamic, actors, elapsed_s)
            self._placed = version
        return self._scene

    def rays(self, actors: dict[int, Actor], version: int, elapsed_s: float) -> RayScene:
        """The same scene, ready for rays."""
        scene = self.scene(actors, version, elapsed_s)
        if self._rays is None:
            from sim.engine.sensing.ray_scene import RayScene

            self._rays = RayScene()
        self._rays.update(scene, version)
        return self._rays

    def take(
        self,
        view: CameraView,
        actors: dict[int, Actor],
        frame: int,
        version: int,
        elapsed_s: float,
    ) -> Picture:
        """What `view` sees of the actors."""
        return self._shown_renderer(actors, frame, version, elapsed_s).render(view)

    def normals(
        self,
        view: CameraView,
        actors: dict[int, Actor],
        frame: int,
        version: int,
        elapsed_s: float,
    ) -> NDArray[np.float32]:
        """What the surfaces seen from `view` face, see `Renderer.normals`."""
        return self._shown_renderer(actors, frame, version, elapsed_s).normals(view)

    def _shown_renderer(
        self, actors: dict[int, Actor], frame: int, version: int, elapsed_s: float
    ) -> Renderer:
        """The renderer, showing the actors as they are."""
        if self._renderer is None:
            from sim.engine.render.second_compiler import SECOND_COMPILER

            SECOND_COMPILER.start()
        scene = self.scene(actors, version, elapsed_s)
        if self._renderer is None:
            from sim.engine.render.renderer import Renderer

            self._renderer = Renderer(
                scene,
                shadows=self._shadows,
                threads=self._threads,
                noise_seed=self._noise_seed,
                stages=self.stages,
            )
        if version != self._shown:
            self._renderer.begin_tick(frame)
            self._shown = version
        return self._renderer
