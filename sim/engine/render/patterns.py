"""Painters of the small repeating surfaces: asphalt, grass, paint, glass, tyre, sky."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.engine.render import facades
from sim.engine.render.glyphs import glyph_sheet
from sim.engine.render.noise import NoiseBank, blend, grey, rgb

Picture = NDArray[np.float32]  # (n, n, 3 or 4), RGB(A) 0..255
Painter = Callable[[NoiseBank, np.random.Generator], Picture]


def _asphalt(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    stones, patches, cracks = noise(512, 0.3), noise(512, 1.4), noise(512, 1.1)
    tone = rng.uniform(-10, 8)
    picture = blend(stones, rgb(70, 70, 73) + tone, rgb(112, 110, 109) + tone)
    picture *= (0.86 + 0.22 * patches)[..., None]
    picture[np.abs(cracks - 0.5) < 0.004] *= 0.68
    return picture


def _junction(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    return _asphalt(noise, rng) * np.float32(1.04)


def _marking(colour: NDArray[np.float32], noise: NoiseBank) -> Picture:
    wear, grain = noise(256, 0.8), noise(256, 0.3)
    worn = np.clip((0.2 - wear) * 6, 0, 0.6)
    return blend(worn, colour, rgb(96, 95, 94)) * (0.93 + 0.1 * grain)[..., None]


def _marking_white(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    return _marking(rgb(232, 232, 228), noise)


def _marking_yellow(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    return _marking(rgb(226, 178, 48), noise)


def _kerb(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    picture = blend(noise(128, 0.7), rgb(150, 148, 144), rgb(192, 189, 183))
    picture[:3] *= 0.55
    return picture


def _pavement(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    size, tiles = 512, 4
    picture = blend(noise(size, 0.6), rgb(142, 137, 130), rgb(184, 178, 169))
    shade = rng.uniform(0.9, 1.06, (tiles, tiles)).astype(np.float32)
    picture *= np.kron(shade, np.ones((size // tiles,) * 2, np.float32))[..., None]
    joint = np.arange(size) % (size // tiles) < 4
    picture[joint] *= 0.62
    picture[:, joint] *= 0.62
    return picture * (0.9 + 0.16 * noise(size, 1.5))[..., None]


def _grass(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    dry = rng.uniform(0, 22)
    picture = blend(noise(512, 0.45), rgb(42 + dry, 70, 26), rgb(112 + dry, 138, 62))
    return picture * (0.72 + 0.46 * noise(512, 1.5))[..., None]


def _soil(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    return blend(noise(256, 0.8), rgb(88, 74, 58), rgb(140, 122, 98))


def _foliage(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    hue = rng.uniform(-14, 20)
    leaves, clumps = noise(256, 0.5), noise(256, 1.0)
    colour = blend(leaves, rgb(30 + hue, 56, 20), rgb(112 + hue, 148, 58))
    alpha = np.where(0.55 * clumps + 0.45 * leaves > 0.4, 255, 0)
    return np.dstack([colour, alpha]).astype(np.float32)


def _bark(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    streaks = np.repeat(noise(256, 0.8)[:1], 256, axis=0)
    return blend(0.6 * streaks + 0.4 * noise(256, 0.6), rgb(62, 48, 36), rgb(126, 106, 86))


def _paint(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    """Car side, u along the car (0 front), v down: door seams, handles, dust towards the sill."""
    size = 512
    down = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    dust = 0.3 * np.clip((down - 0.6) / 0.4, 0, 1) ** 2 * (0.4 + noise(size, 1.5))
    picture: Picture = np.full((size, size, 3), 238, np.float32) * (1 - dust)[..., None]
    for u in (0.335, 0.53, 0.72):
        picture[int(0.36 * size) : int(0.86 * size), int(u * size) - 1 : int(u * size) + 1] *= 0.4
    picture[int(0.86 * size) : int(0.865 * size), int(0.335 * size) : int(0.72 * size)] *= 0.5
    for u in (0.48, 0.665):
        rows = slice(int(0.47 * size), int(0.487 * size))
        picture[rows, int(u * size) : int((u + 0.038) * size)] *= 0.3
    picture[int(0.62 * size) : int(0.626 * size)] *= 0.86
    return picture


def _glass(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    """Dark glass; the renderer adds the reflected sky."""
    down = np.linspace(0, 1, 128, dtype=np.float32)[:, None]
    return blend(np.clip(0.5 - 0.4 * down + 0.3 * (noise(128, 1.6) - 0.5), 0, 1),
                 rgb(14, 17, 20), rgb(60, 68, 74))  # fmt: skip


def _tyre(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    """A wheel seen from its side: tyre, rim with spokes, hub; uv centre (0.5, 0.5)."""
    size = 256
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5 + 0.5 / size
    radius, angle = np.hypot(x, y) * 2, np.arctan2(y, x)
    picture = np.full((size, size, 3), 30, np.float32) + 8 * noise(size, 0.5)[..., None]
    spokes = int(rng.integers(5, 9))
    rim = radius < 0.68
    picture[rim] = 168
    gap = (np.cos(angle * spokes) > 0.1) & (radius > 0.2) & (radius < 0.6)
    picture[gap] = 34
    picture[(radius > 0.66) & (radius < 0.7)] = 92
    picture[radius < 0.1] = 90
    return picture


def _metal(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    return grey(noise(128, 0.9), 176, 214)


def _plain(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    return grey(noise(128, 1.2), 222, 255)


def _cloth(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    folds = np.clip(0.5 * noise(128, 0.5) + 0.7 * noise(128, 1.4) - 0.1, 0, 1)
    return grey(folds, 150, 255)


def _concrete(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    return blend(0.5 * noise(256, 0.6) + 0.5 * noise(256, 1.5), rgb(150, 146, 140),
                 rgb(204, 200, 192))  # fmt: skip


def _roof(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    return grey(noise(256, 0.8), 92, 132)


def _roof_tiles(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    size = 256
    colour = rgb(*[(150, 78, 58), (112, 92, 84), (96, 100, 108)][int(rng.integers(3))])
    picture = colour * (0.75 + 0.45 * noise(size, 0.7))[..., None]
    rows = np.arange(size) % 16
    picture *= (0.72 + 0.28 * rows / 15)[:, None, None]
    return picture.astype(np.float32)


def _cargo(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    """Side of a box body: ribs and a coloured band, tinted by the instance."""
    size = 256
    picture = grey(noise(size, 1.2), 220, 250)
    picture[:, np.arange(size) % 32 < 2] *= 0.82
    picture[int(0.08 * size) : int(0.1 * size)] *= 0.7
    picture[int(0.9 * size) :] *= 0.6
    return picture


def _grille(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    picture = np.full((64, 64, 3), 18, np.float32)
    picture[np.arange(64) % 16 < 5] = 74
    return picture


def _plate(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    """A number plate: pale field, dark bars that stand for signs, a blue edge."""
    picture = np.full((64, 64, 3), 226, np.float32)
    picture[:, :6] = rgb(40, 62, 150)
    for k in range(7):
        left = 10 + k * 7
        picture[14:50, left : left + int(rng.integers(3, 6))] = 34
    picture[:3] = picture[-3:] = 60
    return picture


def _glyphs(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    return glyph_sheet()


def _cloud(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    """Red: how much cloud; green: its brightness. Read by the sky, not seen as a surface."""
    cover = np.clip((noise(512, 1.6) - 0.42) * 2.4, 0, 1)
    return np.dstack([cover, noise(512, 1.4), noise(512, 1.0)]).astype(np.float32) * 255


def _environment(noise: NoiseBank, rng: np.random.Generator) -> Picture:
    """What paint and glass reflect, in octahedral coordinates: a blurred street and the ground.

    Alpha says how much of the sky shows instead; the weather paints it.
    """
    size = 256
    v, u = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) / size * 2 - 1
    z = 1 - np.abs(u) - np.abs(v)
    x = np.where(z < 0, (1 - np.abs(v)) * np.sign(u), u)
    y = np.where(z < 0, (1 - np.abs(u)) * np.sign(v), v)
    length = np.sqrt(x * x + y * y + z * z)
    up, azimuth = z / length, np.arctan2(y, x)
    skyline = 0.2 + 0.09 * np.sin(azimuth * 5 + rng.uniform(0, 6)) * np.sin(azimuth * 2)
    skyline += 0.07 * np.sign(np.sin(azimuth * 13))
    street = blend(np.clip(up / 0.3, 0, 1), rgb(74, 72, 70), rgb(118, 110, 102))
    ground = blend(np.clip(-up * 2, 0, 1), rgb(96, 94, 92), rgb(52, 52, 54))
    edge = np.where(up < 0, 0.0, np.clip((up - skyline) * 14, 0, 1))
    picture = np.where((up < 0)[..., None], ground, street)
    return np.dstack([picture, 255 * edge]).astype(np.float32)


def _spread(painter: Callable[..., Picture], variant: int) -> Painter:
    return lambda noise, rng: painter(noise, rng, variant)


# name: (metres per repeat, painter); the order is the atlas order.
PATTERNS: Final[dict[str, tuple[float, Painter]]] = {
    "plain": (1.0, _plain),
    "asphalt": (6.0, _asphalt),
    "junction": (6.0, _junction),
    "marking_white": (2.0, _marking_white),
    "marking_yellow": (2.0, _marking_yellow),
    "kerb": (1.0, _kerb),
    "pavement": (2.4, _pavement),
    "grass": (5.0, _grass),
    "soil": (3.0, _soil),
    "foliage": (1.0, _foliage),
    "bark": (1.0, _bark),
    "paint": (1.0, _paint),
    "glass": (1.0, _glass),
    "tyre": (1.0, _tyre),
    "metal": (1.0, _metal),
    "cloth": (1.0, _cloth),
    "concrete": (4.0, _concrete),
    "roof": (4.0, _roof),
    "roof_tiles": (4.0, _roof_tiles),
    "cargo": (1.0, _cargo),
    "grille": (1.0, _grille),
    "plate": (1.0, _plate),
    "cloud": (1.0, _cloud),
    "environment": (1.0, _environment),
    **{
        f"facade_{k}": (facades.FACADE_METRES, _spread(facades.facade, k))
        for k in range(facades.FACADES)
    },
    **{f"shop_{k}": (8.0, _spread(facades.shop, k)) for k in range(facades.SHOPS)},
    "glyphs": (1.0, _glyphs),
}
