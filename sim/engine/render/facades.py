"""Painters of house fronts and shop fronts, a wall colour, window grid and bond each."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.noise import NoiseBank, blend, rgb

FACADES: Final = 8
SHOPS: Final = 3
FACADE_METRES: Final = 12.8  # metres per repeat both ways: four floors of 3.2 m

# wall colour, windows across, share of the bay that is glass (across, up), bond
_STYLES: Final[tuple[tuple[tuple[int, int, int], int, float, float, str], ...]] = (
    ((196, 178, 150), 4, 0.46, 0.52, "render"),
    ((158, 98, 76), 4, 0.42, 0.56, "brick"),
    ((208, 204, 194), 5, 0.44, 0.56, "render"),
    ((118, 128, 138), 4, 0.88, 0.70, "panel"),
    ((214, 196, 156), 5, 0.42, 0.60, "render"),
    ((132, 84, 70), 5, 0.40, 0.58, "brick"),
    ((150, 160, 152), 3, 0.62, 0.50, "panel"),
    ((222, 216, 206), 3, 0.34, 0.60, "render"),
)


# Of textures whose alpha says where light may shine out: windows across and up a repeat, and the
# share of them that has light on at night. An opaque texture's alpha hides nothing.
WINDOWS: Final[dict[str, tuple[int, int, float]]] = {
    **{f"facade_{k}": (style[1], 4, 0.34) for k, style in enumerate(_STYLES)},
    **{f"shop_{k}": (2, 1, 0.6) for k in range(SHOPS)},
}


def facade(noise: NoiseBank, rng: np.random.Generator, variant: int) -> NDArray[np.float32]:
    """Four floors of wall with windows, (512, 512, 4); alpha is 0 where light may shine out."""
    size, floors = 512, 4
    colour, across, wide, tall, bond = _STYLES[variant]
    wall = rgb(*colour) * np.float32(rng.uniform(0.88, 1.08))
    wall = np.clip(wall + rng.uniform(-10, 10, 3).astype(np.float32), 30, 240)
    picture: NDArray[np.float32] = wall * (0.86 + 0.2 * noise(size, 1.0))[..., None]
    if bond == "brick":
        _lay_bricks(picture)
    panes = np.zeros((size, size), np.float32)
    if bond == "panel":
        picture[np.arange(size) % (size // floors) < 3] *= 0.7
        picture[:, np.arange(size) % (size // across) < 3] *= 0.75
    bay, floor = size / across, size // floors
    for level in range(floors):
        for column in range(across):
            left = int((column + 0.5 - wide / 2) * bay)
            right = int((column + 0.5 + wide / 2) * bay)
            top = int(level * floor + floor * (0.9 - tall) * 0.75)
            bottom = top + int(floor * tall)
            _window(picture, (top, bottom, left, right), wall, rng)
            panes[top + 7 : bottom - 3, left + 3 : right - 3] = 1.0
        if bond == "render":
            picture[level * floor : level * floor + 3] *= 0.84
    return np.dstack([picture, 255 - 255 * panes])


def shop(noise: NoiseBank, rng: np.random.Generator, variant: int) -> NDArray[np.float32]:
    """A ground floor, 8 m by 4 m per repeat: two shops, doors, signs; alpha as in `facade`."""
    size = 512
    panes = np.zeros((size, size), np.float32)
    stone = rgb(*[(112, 104, 98), (150, 142, 132), (86, 84, 86)][variant])
    picture = stone * (0.85 + 0.25 * noise(size, 0.9))[..., None].astype(np.float32)
    for k in range(2):
        left, right = int((k + 0.07) * size / 2), int((k + 0.93) * size / 2)
        top, bottom = int(0.3 * size), int(0.93 * size)
        glass = blend(noise(size, 1.3), rgb(38, 44, 50), rgb(118, 128, 136))
        picture[top:bottom, left:right] = glass[top:bottom, left:right]
        warm = blend(noise(size, 1.0), rgb(60, 50, 44), rgb(196, 168, 128))
        picture[int(0.55 * size) : bottom - 30, left + 20 : right - 20] = (
            0.5 * picture[int(0.55 * size) : bottom - 30, left + 20 : right - 20]
            + 0.5 * warm[int(0.55 * size) : bottom - 30, left + 20 : right - 20]
        )
        panes[top + 4 : bottom - 4, left + 5 : right - 5] = 0.8
        panes[int(0.1 * size) : int(0.25 * size), left:right] = 0.3
        for x in range(left, right, (right - left) // 3):
            picture[top:bottom, x : x + 5] = stone * 0.55
            panes[top:bottom, x : x + 5] = 0.0
        door = left + int((right - left) * rng.uniform(0.05, 0.7))
        picture[top + 20 : int(0.99 * size), door : door + 62] = rgb(
            *(rng.uniform(40, 90) + rng.uniform(-25, 25, 3))
        )
        panes[top + 20 : int(0.99 * size), door : door + 62] = 0.0
        picture[top + 40 : bottom - 30, door + 10 : door + 52] = rgb(64, 74, 82)
        tone = rng.uniform(50, 190)
        sign = rgb(*(tone + rng.uniform(-45, 45, 3)))
        picture[int(0.1 * size) : int(0.25 * size), left:right] = sign
        ink = 245.0 if sign.mean() < 130 else 30.0
        x = left + 20
        while x < right - 30:
            wide = int(rng.integers(7, 18))
            picture[int(0.135 * size) : int(0.215 * size), x : x + wide] = ink
            x += wide + 7
    return np.dstack([picture, 255 - 255 * panes]).astype(np.float32)


def _window(
    picture: NDArray[np.float32],
    area: tuple[int, int, int, int],
    wall: NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    top, bottom, left, right = area
    picture[top - 4 : bottom + 4, left - 4 : right + 4] = wall * 0.66
    fade = np.linspace(1.3, 0.65, bottom - top, dtype=np.float32)[:, None, None]
    glass = rgb(66, 82, 98) * fade * np.float32(rng.uniform(0.65, 1.3))
    picture[top:bottom, left:right] = glass
    if rng.random() < 0.4:
        blind = top + int((bottom - top) * rng.uniform(0.15, 0.7))
        picture[top:blind, left:right] = rgb(206, 200, 190) * np.float32(rng.uniform(0.7, 1))
    middle = (left + right) // 2
    picture[top:bottom, middle - 2 : middle + 2] = 205
    picture[top : top + 3, left:right] = picture[bottom - 3 : bottom, left:right] = 205
    picture[top:bottom, left : left + 3] = picture[top:bottom, right - 3 : right] = 205
    picture[top : top + 7, left:right] *= 0.55
    picture[bottom + 2 : bottom + 7, left - 7 : right + 7] = np.minimum(wall * 1.16, 250)


def _lay_bricks(picture: NDArray[np.float32]) -> None:
    size = len(picture)
    rows = np.arange(size) // 4
    picture[np.arange(size) % 4 < 1] *= 0.86
    columns = np.arange(size)[None, :] + (rows[:, None] % 2) * 5
    picture[columns % 10 < 1] *= 0.88
