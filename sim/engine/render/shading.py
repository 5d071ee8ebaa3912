"""From the visibility buffer to the finished picture: light, lamps, air, lens and sensor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.engine.render import facades
from sim.engine.render.daylight import Daylight, daylight
from sim.engine.render.exposure import Exposure, through_lens
from sim.engine.render.kernels.dome import paint_dome
from sim.engine.render.kernels.finish import finish
from sim.engine.render.kernels.lamplight import add_glows
from sim.engine.render.kernels.layout import (
    DOME_SIZE,
    GAIN,
    LOOK_COLUMNS,
    LOOK_MARKS,
    MIRROR_SIZE,
    RAIN,
    SKY_LIGHT,
    WET,
    WIND,
    Atlas,
    Drawn,
    Geometry,
    Lens,
    Light,
    Looks,
    Night,
    Scratch,
    SetUp,
    Target,
)
from sim.engine.render.kernels.looks import find_seen, write_looks
from sim.engine.render.kernels.pieces import GRAIN_SIZE, PIECE, PLACES, STRIDE, WHOLE_PLACES
from sim.engine.render.kernels.rain import draw_streaks, lay_wetness
from sim.engine.render.kernels.shade import shade
from sim.engine.render.lamps import Lamps
from sim.engine.render.passes import RowWorkers
from sim.engine.render.scene import Instance
from sim.engine.render.second_compiler import SECOND_COMPILER
from sim.engine.render.stages import Stages
from sim.engine.render.textures import TEXTURE_INDEX
from sim.engine.weather import Weather

MOST_DROPS = 1100  # in a picture of 640 x 384 pixels in the heaviest rain


class Shot(NamedTuple):
    """One picture's visibility and where it was taken from.

    Attributes:
        owner: (H, W) int32, row of `triangles` that each pixel shows, -1 for the sky.
        nearness: (H, W) float32, 1 / depth.
        triangles: set up for this picture.
        drawn: the instances they belong to.
        geometry: the meshes.
        ray: (3, 3) float64, a pixel (x, y, 1) to a world ray of depth 1.
        eye: (3,) float64, metres.
        seed: of dither and noise.
        exposure: of the camera.
        shadow: (S, S) float32 shadow map, (1, 1) for none.
        shadow_from_world: (3, 4) float64, column, row and nearness of the shadow map.
    """

    owner: NDArray[np.int32]
    nearness: NDArray[np.float32]
    triangles: SetUp
    drawn: Drawn
    geometry: Geometry
    ray: NDArray[np.float64]
    eye: NDArray[np.float64]
    seed: int
    exposure: Exposure
    shadow: NDArray[np.float32]
    shadow_from_world: NDArray[np.float64]


class Shading:
    """Shades pictures of one scene under one weather at a time.

    Args:
        atlas: textures.
        workers: threads to share the rows.
        stages: told what took how long.
        noise: amplitude of the sensor noise in grey levels by day, 0 for none.
        static: what stands still, street lamps among it.
    """

    def __init__(
        self,
        atlas: Atlas,
        workers: RowWorkers,
        stages: Stages,
        noise: float,
        static: Iterable[Instance],
    ) -> None:
        self._atlas = atlas
        self._workers = workers
        self._stages = stages
        self._specks = np.zeros(0, np.int8)
        self._noise = float(noise)  # an int would compile its kernel a second time
        grain = np.random.default_rng(0x64A1).integers(0, 1 << 23, GRAIN_SIZE, np.int32)
        self._grain = np.concatenate([grain, grain[:PIECE]])
        self._sky = np.zeros(DOME_SIZE * DOME_SIZE, np.uint32)
        self._mirror = np.zeros(MIRROR_SIZE * MIRROR_SIZE, np.uint32)
        self._looks = empty_looks(0)
        self._lamps = Lamps(static)
        self._windows = _windows(len(atlas.size))
        self.daylight: Daylight
        self.set_weather(Weather())

    def set_weather(self, weather: Weather) -> None:
        """Light from now on; costs a few milliseconds."""
        self.daylight = daylight(weather)
        cloud, street = TEXTURE_INDEX["cloud"], TEXTURE_INDEX["environment"]
        level = int(self._atlas.size[street]) // MIRROR_SIZE // 2
        paint_dome(
            self._atlas.texels,
            int(self._atlas.offset[cloud, 0]),
            int(self._atlas.size[cloud]),
            int(self._atlas.offset[street, level]),
            self.daylight.sky,
            self.daylight.sun,
            self._sky,
            self._mirror,
        )

    def begin_tick(self, dynamic: Iterable[Instance]) -> None:
        """Read which lamps of moving things burn."""
        shows = self.daylight.is_night or self.daylight.glow > 0
        self._lamps.update(dynamic if shows else (), self.daylight.is_night)

    def shade(self, shot: Shot, target: Target) -> NDArray[np.uint8]:
        """Write `target` and return the picture, (H, W, 3) uint8 BGR."""
        count = len(shot.triangles.source)
        if len(self._looks.row) < count:
            self._looks = empty_looks(count)
        looks = self._looks
        matrix = shot.shadow_from_world
        map_of = np.empty((3, 4), np.float32)
        map_of[:, :3] = matrix[:, :3] @ shot.ray
        map_of[:, 3] = matrix[:, :3] @ shot.eye + matrix[:, 3]
        lens = Lens(
            np.ascontiguousarray(shot.ray, np.float32),
            shot.eye.astype(np.float32),
            map_of,
            shot.seed,
        )
        pixel_of = np.linalg.inv(shot.ray).astype(np.float64)
        air = self.daylight.air.copy()
        air[GAIN] *= shot.exposure.gain
        night = None
        if self.daylight.is_night:
            night = Night(self._lamps.lights(shot.eye, pixel_of, shot.owner.shape), self._windows)
        light = Light(
            sun=self.daylight.sun,
            towards=np.ascontiguousarray(matrix[:, :3], np.float32),
            numbers=air,
            shadow=shot.shadow.reshape(-1),
            shadow_side=len(shot.shadow),
            sky=self._sky,
            mirror=self._mirror,
        )
        self._workers.each(
            find_seen(shot.owner, looks.row, looks.source),
            lambda rows: write_looks(
                rows, shot.triangles, shot.drawn, shot.geometry, self._atlas.size, light.numbers,
                light.sun, light.towards, lens.map_of, looks,
            ),
        )  # fmt: skip
        SECOND_COMPILER.wait()
        height = shot.owner.shape[0]
        self._workers.each(
            height,
            lambda rows: shade(
                rows, shot.owner, shot.nearness, looks, shot.drawn, self._atlas, light, night, lens,
                self._grain, new_scratch(), target,
            ),
        )  # fmt: skip
        glows = self._lamps.glows(shot.eye, pixel_of, self.daylight.glow)
        if len(glows):
            add_glows(glows, target.depth, target.bgr)
        if air[WET] > 0:
            self._rain(target, light, lens, pixel_of)
        self._stages.mark("shade")
        bgr = self._finish(target, shot.seed)
        if not shot.exposure.is_plain:
            bgr = through_lens(bgr, shot.exposure)
        self._stages.mark("finish")
        return bgr

    def _rain(
        self, target: Target, light: Light, lens: Lens, pixel_of: NDArray[np.float64]
    ) -> None:
        """Wet ground and falling drops over a shaded picture."""
        to_pixel = np.ascontiguousarray(pixel_of, np.float32)
        puddles = TEXTURE_INDEX["cloud"]
        self._workers.each(
            len(target.depth),
            lambda rows: lay_wetness(
                rows, target.depth, target.semantic, self._atlas, puddles, light, lens, to_pixel,
                target.bgr,
            ),
        )  # fmt: skip
        drops = int(MOST_DROPS * float(light.numbers[RAIN]) ** 0.7)
        if drops:
            day = float(light.numbers[SKY_LIGHT + 1]) * float(light.numbers[GAIN])
            slant = 0.05 + 0.4 * float(light.numbers[WIND])
            grey = min(60.0 + 330.0 * day, 235.0)
            draw_streaks(drops, slant, grey, lens.seed, target.depth, target.bgr)

    def _finish(self, target: Target, seed: int) -> NDArray[np.uint8]:
        height, width = target.surface.shape
        if len(self._specks) < 3 * (GRAIN_SIZE + width):
            self._specks = _specks(GRAIN_SIZE + width)
        noise = self._noise * (0.6 + 0.4 * float(self.daylight.air[GAIN]))
        bgr = np.empty_like(target.bgr)
        source, out = target.bgr.reshape(height, -1), bgr.reshape(height, -1)
        self._workers.each(
            height,
            lambda rows: finish(rows, source, target.surface, self._specks, noise, seed, out),
        )
        return bgr


def empty_looks(rows: int) -> Looks:
    """Room for so many triangles."""
    return Looks(
        planes=np.zeros((rows, LOOK_COLUMNS), np.float32),
        marks=np.zeros((rows, LOOK_MARKS), np.int32),
        source=np.zeros(rows, np.int32),
        row=np.zeros(rows, np.int32),
    )


def new_scratch() -> Scratch:
    """Memory for one thread that shades."""
    piece = np.zeros(PLACES * STRIDE, np.float32)
    return Scratch(
        piece=piece,
        bits=piece.view(np.int32),
        whole=np.zeros(WHOLE_PLACES * STRIDE, np.int32),
        own=np.zeros(3 * STRIDE, np.float32),
        runs=np.zeros((PIECE + 1, 2), np.int32),
    )


def _specks(count: int) -> NDArray[np.int8]:
    """Triangular noise of -127..127 for so many pixels, each value thrice."""
    rng = np.random.default_rng(0x5EC5)
    grain = rng.integers(0, 128, count) - rng.integers(0, 128, count)
    return np.repeat(grain.astype(np.int8), 3)


def _windows(textures: int) -> NDArray[np.float32]:
    """Of each texture the windows across and up a repeat, and the share with light on."""
    table = np.zeros((textures, 3), np.float32)
    for name, numbers in facades.WINDOWS.items():
        table[TEXTURE_INDEX[name]] = numbers
    return table
