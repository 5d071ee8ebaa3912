"""Houses with gardens and barns: plastered or timbered walls, windows, porches, chimneys."""

from typing import Final

import numpy as np

from sim.engine.render.mesh_builder import Colour, Material, MeshBuilder
from sim.engine.render.scene import Mesh

_PLASTERS: Final[tuple[Colour, ...]] = (
    (1.02, 0.98, 0.9), (0.98, 0.92, 0.8), (0.86, 0.9, 0.92), (1.0, 0.86, 0.74), (0.92, 0.93, 0.86),
)  # fmt: skip
_TILES: Final[tuple[Colour, ...]] = ((1.0, 0.9, 0.85), (0.72, 0.7, 0.72), (1.1, 0.8, 0.7))
_FRAME: Final = Material("plain", (0.93, 0.92, 0.9))
_GLASS: Final = Material("glass", (0.5, 0.56, 0.62), specular=0.55)
STOREY_M: Final = 2.9


def house_mesh(
    length: float, width: float, height: float, style: int, seed: int, *, is_barn: bool
) -> Mesh:
    """A house or barn over the rectangle length x width, its front to -y and +y.

    Args:
        length: metres along x.
        width: metres along y.
        height: metres to the eaves.
        style: which plaster and tiles.
        seed: windows, door, porch, chimney.
        is_barn: timber walls and a gate.
    """
    rng = np.random.default_rng((seed, style, 0x40B5))
    builder = MeshBuilder()
    tone = float(rng.uniform(0.9, 1.04))
    red, green, blue = _PLASTERS[style % len(_PLASTERS)]
    plaster = Material("concrete", (red * tone * 1.12, green * tone * 1.12, blue * tone * 1.12))
    timber = Material("bark", (1.3, 0.9, 0.7) if style % 2 else (1.0, 0.95, 0.9))
    wall = timber if is_barn else plaster
    tiles = Material("roof_tiles", _TILES[seed % len(_TILES)], is_two_sided=True)
    builder.box((0, 0, height / 2), (length, width, height), wall, (3, 3), "+x-x+y-y")
    add_pitched_roof(builder, (length, width, height), tiles, wall)
    base = Material("concrete", (0.5, 0.49, 0.47))
    builder.box((0, 0, 0.0), (length + 0.08, width + 0.08, 0.9), base, (3, 3), "+x-x+y-y")
    if is_barn:
        _gate(builder, length, width, height)
        return builder.build("barn")
    storeys = max(1, round(height / STOREY_M))
    for storey in range(storeys):
        z = 0.45 + height * (storey + 0.52) / storeys
        _windows(builder, (length, width), z, rng, has_door=storey == 0)
    chimney = Material("roof_tiles", (0.8, 0.62, 0.55))
    x = float(rng.uniform(-0.3, 0.3)) * length
    top = 0.36 * width * 0.76 + 0.9
    builder.box((x, 0.12 * width, height + top / 2), (0.7, 0.6, top), chimney, (1, 1))
    return builder.build("house")


def _windows(
    builder: MeshBuilder,
    plan: tuple[float, float],
    z: float,
    rng: np.random.Generator,
    *,
    has_door: bool,
) -> None:
    """Framed panes on all four walls of a storey, and a door with a step on both fronts."""
    length, width = plan
    count = max(2, int(length // 3.2))
    shutter = Material("plain", tuple(float(c) for c in rng.uniform(0.1, 0.5, 3)))  # type: ignore[arg-type]
    has_shutters = rng.random() < 0.5
    for side in (-1, 1):
        y = side * width / 2
        door = int(rng.integers(count)) if has_door else -1
        for k in range(count):
            x = -length / 2 + (k + 0.5) * length / count
            if k == door:
                builder.box((x, y, 1.15), (1.3, 0.14, 2.3), _FRAME)
                builder.box((x, y + side * 0.05, 1.1), (1.0, 0.14, 2.1), shutter)
                builder.box((x, y + side * 0.5, 0.1), (1.6, 0.9, 0.2), Material("concrete"))
                continue
            _window(builder, (x, y, z), (1.15, 1.25), (0, side))
            if has_shutters:
                for way in (-1, 1):
                    at = (x + way * 0.86, y + side * 0.03, z)
                    builder.box(at, (0.5, 0.06, 1.25), shutter)
    for side in (-1, 1):
        for y in (-width / 4, width / 4):
            _window(builder, (side * length / 2, y, z), (1.0, 1.15), (side, 0))


def _window(
    builder: MeshBuilder,
    at: tuple[float, float, float],
    size: tuple[float, float],
    way: tuple[int, int],
) -> None:
    """A pane with its frame and sill on the wall that looks along `way`."""
    x, y, z = at
    wide, tall = size
    dx, dy = way

    def slab(out: float, deep: float, across: float, up: float, dz: float, look: Material) -> None:
        centre = (x + dx * out, y + dy * out, z + dz)
        box = (deep if dx else across, deep if dy else across, up)
        faces = {(1, 0): "+x+y-y+z-z", (-1, 0): "-x+y-y+z-z", (0, 1): "+y+x-x+z-z",
                 (0, -1): "-y+x-x+z-z"}[way]  # fmt: skip
        builder.box(centre, box, look, None, faces)

    slab(0.0, 0.1, wide, tall, 0.0, _FRAME)
    for part in (-1, 1):
        shift = part * wide / 4
        px, py = (0.0, shift) if dx else (shift, 0.0)
        centre = (x + dx * 0.01 + px, y + dy * 0.01 + py, z)
        pane = wide / 2 - 0.12
        box = (0.12 if dx else pane, 0.12 if dy else pane, tall - 0.18)
        face = ("+x" if dx > 0 else "-x") if dx else ("+y" if dy > 0 else "-y")
        builder.box(centre, box, _GLASS, None, face)
    slab(0.08, 0.2, wide + 0.2, 0.07, -tall / 2 - 0.04, _FRAME)


def _gate(builder: MeshBuilder, length: float, width: float, height: float) -> None:
    gate = Material("bark", (0.75, 0.5, 0.4))
    tall = min(3.8, height - 0.6)
    for side in (-1, 1):
        builder.box((0, side * width / 2, tall / 2), (4.0, 0.14, tall), gate, (1, 2))
        builder.box((0, side * width / 2, tall / 2), (0.08, 0.2, tall), _FRAME)
        builder.box((0, side * width / 2, tall), (4.2, 0.2, 0.14), _FRAME)
    for side in (-1, 1):
        for y in (-width / 4, width / 4):
            _window(builder, (side * length / 2, y, height * 0.7), (0.9, 0.7), (side, 0))


def add_pitched_roof(
    builder: MeshBuilder,
    size: tuple[float, float, float],
    tiles: Material,
    gable: Material | None = None,
) -> None:
    """A ridge along the longer side, gables closed; `size` is length, width and height of eaves."""
    length, width, height = size
    is_along_x = length >= width
    long, wide = (length, width) if is_along_x else (width, length)
    rise, over = 0.36 * wide, 0.45
    eave = height - over * rise / (wide / 2)

    def at(along: float, across: float, z: float) -> tuple[float, float, float]:
        return (along, across, z) if is_along_x else (-across, along, z)

    end = long / 2 + over
    slope = float(np.hypot(wide / 2 + over, rise + height - eave))
    for side in (-1, 1):
        rim = side * (wide / 2 + over)
        corners = [at(side * end, rim, eave), at(-side * end, rim, eave),
                   at(-side * end, 0, height + rise), at(side * end, 0, height + rise)]  # fmt: skip
        builder.quad(corners, tiles, (2 * end / 4, slope / 4))
    gable = gable or Material("concrete", (0.86, 0.83, 0.78))
    for side in (-1, 1):
        a = at(side * long / 2, -wide / 2, height)
        b = at(side * long / 2, wide / 2, height)
        c = at(side * long / 2, 0, height + rise)
        normal = np.array(at(side, 0, 0))
        builder.add([a, b, c], normal, [(0, 0), (wide / 4, 0), (wide / 8, 1)], [(0, 1, 2)], gable)
