"""Draws a scene as a camera sees it: colour, depth, instance and semantic ids in one pass."""

import zlib
from dataclasses import astuple, dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.exposure import Exposure
from sim.engine.render.kernels.layout import Atlas, Drawn, Placed, Projection, SetUp, Target
from sim.engine.render.mesh_store import MeshStore, join
from sim.engine.render.passes import Rasteriser, RowWorkers
from sim.engine.render.scene import Scene
from sim.engine.render.second_compiler import SECOND_COMPILER
from sim.engine.render.shading import Shading, Shot
from sim.engine.render.shadow import ShadowMaps
from sim.engine.render.stages import Stages
from sim.engine.weather import Weather

NEAR_M = 0.08  # nothing nearer is shown
SHADOW_AHEAD_M = 36.0  # the shadow map is centred this far in front of the camera
SENSOR_NOISE = 3.5  # grey levels; a small sensor by day


@dataclass(frozen=True, slots=True, eq=False)
class CameraView:
    """A pinhole camera in the world.

    Attributes:
        width: pixels.
        height: pixels.
        fov_deg: horizontal field of view, degrees, above 0 and below 180.
        world_from_camera: (4, 4) float64, camera body axes x forward, y left, z up.
        exposure: gain, gamma and lens.
    """

    width: int
    height: int
    fov_deg: float
    world_from_camera: NDArray[np.float64]
    exposure: Exposure = field(default_factory=Exposure)

    def intrinsics(self) -> NDArray[np.float64]:
        """K (3, 3) for optical axes x right, y down, z forward; pixels."""
        focal = self.width / (2.0 * np.tan(np.radians(self.fov_deg) / 2.0))
        return np.array(
            [[focal, 0.0, self.width / 2.0], [0.0, focal, self.height / 2.0], [0.0, 0.0, 1.0]]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What one camera saw; the arrays are shared by all who ask and read-only.

    Attributes:
        bgr: (H, W, 3) uint8.
        depth: (H, W) float32, metres along the camera's x axis; 1000.0 where the sky shows.
        instance: (H, W) uint32, `Instance.instance_id`, 0 for sky and ground.
        semantic: (H, W) uint8, CARLA CityObjectLabel, 11 for the sky.
    """

    bgr: NDArray[np.uint8]
    depth: NDArray[np.float32]
    instance: NDArray[np.uint32]
    semantic: NDArray[np.uint8]


# Optical axes (x right, y down, z forward) from body axes (x forward, y left, z up).
OPTICAL_FROM_BODY = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


class Renderer:
    """Pictures of one scene.

    A view costs about 20 ms at 640 x 384 on one core; a view with the same pose, size and field
    of view within a tick costs nothing. Not thread-safe: one caller at a time.

    Args:
        scene: what to draw; its static part is read here, its dynamic part at every tick.
        shadows: cast shadows of the sun.
        threads: cores to use; the picture is the same whatever their number.
        noise_seed: seeds the sensor noise together with frame and view.
        noise: amplitude of the sensor noise in grey levels, 0 for none.
        stages: is told where the time goes.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        shadows: bool = True,
        threads: int = 1,
        noise_seed: int = 0,
        noise: float = SENSOR_NOISE,
        stages: Stages | None = None,
    ) -> None:
        SECOND_COMPILER.start()
        self._scene = scene
        self._noise_seed = noise_seed
        self._workers = RowWorkers(threads)
        textures = scene.textures
        self._atlas = Atlas(textures.texels, textures.offset, textures.size)
        self._store = MeshStore()
        self._stages = stages or Stages()
        self._raster = Rasteriser(self._workers, self._atlas, self._store, self._stages)
        self._static = self._store.place(scene.static)
        self._dynamic: Placed | None = None
        self._all = self._static
        self._shading = Shading(self._atlas, self._workers, self._stages, noise, scene.static)
        self._casts_shadows = shadows
        self._shadows: ShadowMaps | None = None
        self.set_weather(scene.weather)
        self._frame = 0
        self._pictures: dict[bytes, Picture] = {}
        self._normals: dict[bytes, NDArray[np.float32]] = {}
        self._buffers: dict[tuple[int, int], _Buffers] = {}

    def set_weather(self, weather: Weather) -> None:
        """Light of all pictures from the next tick on."""
        self._shading.set_weather(weather)
        light = self._shading.daylight
        sun = light.sun.astype(np.float64)
        if not (self._casts_shadows and light.has_shadows):
            self._shadows = None
        elif self._shadows is None or not self._shadows.serves(sun):
            self._shadows = ShadowMaps(sun, self._static, self._raster)

    def begin_tick(self, frame: int) -> None:
        """Forget last tick's pictures and poses; the next picture reads the scene anew."""
        self._frame = frame
        self._pictures.clear()
        self._normals.clear()
        self._dynamic = None
        if self._shadows is not None:
            self._shadows.begin_tick()

    def render(self, view: CameraView) -> Picture:
        """The scene from `view`, drawn at most once a tick.

        Raises:
            ValueError: the size or the field of view makes no picture, or the scene is empty.
        """
        pose = np.ascontiguousarray(view.world_from_camera, np.float64)
        key = _key(view)
        if key not in self._pictures:
            self._pictures[key] = self._draw(view, pose, zlib.crc32(key))
        return self._pictures[key]

    def normals(self, view: CameraView) -> NDArray[np.float32]:
        """What the surfaces seen from `view` face: (H, W, 3) unit vectors in world axes.

        Zeros where the sky shows. It costs a visibility pass and is drawn at most once a tick.

        Raises:
            ValueError: as `render`.
        """
        # Here, so that nobody waits for its compilation who asks for no normals.
        from sim.engine.render.kernels.normals import write_normals

        key = _key(view)
        if key not in self._normals:
            pose = np.ascontiguousarray(view.world_from_camera, np.float64)
            self._stages.begin()
            self._place()
            buffers, drawn, triangles = self._see(view, pose)
            out = np.empty((view.height, view.width, 3), np.float32)
            ray = _world_from_pixel(view, pose)
            work = partial(
                write_normals, owner=buffers.owner, triangles=triangles, drawn=drawn,
                geometry=self._store.geometry(), ray_of=ray, out=out,
            )  # fmt: skip
            self._workers.each(view.height, work)
            out.flags.writeable = False
            self._normals[key] = out
            self._stages.mark("normals")
        return self._normals[key]

    def _place(self) -> Placed:
        """This tick's moving things, read once."""
        if self._dynamic is None:
            self._dynamic = self._store.place(self._scene.dynamic.values())
            self._all = join(self._static, self._dynamic)
            self._shading.begin_tick(self._scene.dynamic.values())
            self._stages.mark("place")
        return self._dynamic

    def _draw(self, view: CameraView, pose: NDArray[np.float64], view_hash: int) -> Picture:
        self._stages.begin()
        sunshine = self._sunshine(pose, self._place())  # first: one rasteriser draws both
        self._stages.mark("shadow")
        buffers, drawn, triangles = self._see(view, pose)
        ray = _world_from_pixel(view, pose)
        seed = (self._noise_seed * 1_000_003 + self._frame * 8191 + view_hash) & 0xFFFFFF
        return self._shade(buffers, drawn, triangles, ray, pose, seed, view.exposure, sunshine)

    def _see(self, view: CameraView, pose: NDArray[np.float64]) -> tuple["_Buffers", Drawn, SetUp]:
        """Which triangle each pixel shows, and how near it is."""
        size = (view.height, view.width)
        if size not in self._buffers:
            self._buffers[size] = _Buffers(size)
        buffers = self._buffers[size]
        buffers.nearness.fill(0.0)
        buffers.owner.fill(-1)
        self._stages.mark("clear")
        lens = projection(view, pose)
        return buffers, *self._raster.draw(self._all, lens, buffers.nearness, buffers.owner)

    def _sunshine(
        self, pose: NDArray[np.float64], dynamic: Placed
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """The shadow map before a camera and its (3, 4) `shadow_from_world`."""
        if self._shadows is None:
            return np.zeros((1, 1), np.float32), np.zeros((3, 4))
        ahead = pose[:3, 3] + SHADOW_AHEAD_M * pose[:3, 0]
        return self._shadows.around(ahead, dynamic)

    def _shade(
        self,
        buffers: "_Buffers",
        drawn: Drawn,
        triangles: SetUp,
        ray: NDArray[np.float64],
        pose: NDArray[np.float64],
        seed: int,
        exposure: Exposure,
        sunshine: tuple[NDArray[np.float32], NDArray[np.float64]],
    ) -> Picture:
        size = buffers.owner.shape
        target = Target(
            bgr=buffers.bgr,
            depth=np.empty(size, np.float32),
            instance=np.empty(size, np.uint32),
            semantic=np.empty(size, np.uint8),
            surface=buffers.surface,
        )
        shot = Shot(buffers.owner, buffers.nearness, triangles, drawn, self._store.geometry(),
                    ray, pose[:3, 3], seed, exposure, *sunshine)  # fmt: skip
        bgr = self._shading.shade(shot, target)
        for array in (bgr, target.depth, target.instance, target.semantic):
            array.flags.writeable = False
        return Picture(bgr, target.depth, target.instance, target.semantic)


def _key(view: CameraView) -> bytes:
    """What tells views apart.

    Raises:
        ValueError: the size or the field of view makes no picture.
    """
    if view.width < 1 or view.height < 1 or not 0.0 < view.fov_deg < 180.0:
        raise ValueError(
            "expected a view of at least 1 x 1 pixels and a field of view between 0 and 180 "
            f"degrees, got {view.width} x {view.height} and {view.fov_deg}"
        )
    lens = astuple(view.exposure)
    numbers = np.array([view.width, view.height, view.fov_deg, *lens], np.float64)
    return numbers.tobytes() + np.ascontiguousarray(view.world_from_camera, np.float64).tobytes()


def _world_from_pixel(view: CameraView, pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3) from a pixel (x, y, 1) to a world ray of depth 1."""
    rotation: NDArray[np.float64] = pose[:3, :3] @ OPTICAL_FROM_BODY.T
    return rotation @ np.linalg.inv(view.intrinsics())


def projection(view: CameraView, pose: NDArray[np.float64]) -> Projection:
    """From the world to the pixels of a camera at `pose` (4, 4)."""
    optical_from_world = np.eye(4)
    optical_from_world[:3, :3] = OPTICAL_FROM_BODY @ pose[:3, :3].T
    optical_from_world[:3, 3] = -optical_from_world[:3, :3] @ pose[:3, 3]
    pixel_from_world = np.zeros((4, 4))
    pixel_from_world[:3] = view.intrinsics() @ optical_from_world[:3]
    pixel_from_world[3, 3] = 1.0  # nearness interpolates 1 / W
    eye = np.append(pose[:3, 3], 1.0)
    return Projection(pixel_from_world, eye, view.width, view.height, NEAR_M, 1.0 / NEAR_M, 1, 1.0)


class _Buffers:
    """What is needed while drawing one size of picture."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.nearness = np.empty(size, np.float32)
        self.owner = np.empty(size, np.int32)
        self.surface = np.empty(size, np.int32)
        self.bgr = np.empty((*size, 3), np.uint8)
