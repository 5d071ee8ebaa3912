"""What people wear, and the lofted body that wears it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sim.engine.render.assets.skeleton import Figure, joint
from sim.engine.render.mesh_builder import WHITE, Colour, Material

_SKIN: Final[tuple[Colour, ...]] = (
    (0.80, 0.58, 0.46), (0.50, 0.32, 0.22), (0.30, 0.18, 0.12), (0.86, 0.66, 0.54),
    (0.62, 0.42, 0.30),
)  # fmt: skip
_HAIR: Final[tuple[Colour, ...]] = (
    (0.035, 0.028, 0.025), (0.10, 0.06, 0.035), (0.20, 0.13, 0.07), (0.42, 0.31, 0.17),
    (0.36, 0.35, 0.34),
)  # fmt: skip
# Linear rgb of trousers and skirts, commoner ones twice.
_LEGS: Final[tuple[Colour, ...]] = (
    (0.06, 0.09, 0.18), (0.06, 0.09, 0.18), (0.10, 0.14, 0.25), (0.025, 0.025, 0.03),
    (0.025, 0.025, 0.03), (0.13, 0.13, 0.14), (0.30, 0.25, 0.18), (0.16, 0.12, 0.09),
    (0.08, 0.10, 0.07),
)  # fmt: skip
_SHOES: Final[tuple[Colour, ...]] = (
    (0.03, 0.028, 0.028), (0.03, 0.028, 0.028), (0.12, 0.07, 0.04), (0.75, 0.75, 0.73),
)  # fmt: skip
# Linear rgb of what the upper half wears: the tints of `Instance`.
TOPS: Final[tuple[Colour, ...]] = (
    (0.03, 0.03, 0.035), (0.04, 0.05, 0.10), (0.10, 0.10, 0.11), (0.28, 0.28, 0.29),
    (0.72, 0.72, 0.70), (0.62, 0.58, 0.50), (0.42, 0.04, 0.04), (0.05, 0.12, 0.34),
    (0.05, 0.16, 0.09), (0.50, 0.30, 0.06), (0.34, 0.12, 0.20), (0.16, 0.30, 0.42),
    (0.20, 0.15, 0.10), (0.58, 0.46, 0.10),
)  # fmt: skip
_EYES: Final = Material("plain", (0.03, 0.025, 0.02))
_VISOR: Final = Material("plain", (0.02, 0.022, 0.025), specular=0.9)

Ring = tuple[float, float, float, float, float]  # x, y, z, half depth, half width
_Place = Callable[[float, float, float, float], Ring]  # x, z, half depth, half width


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody wears.

    Attributes:
        top: shirt or jacket, tinted by the instance.
        legs: trousers or skirt.
        skin: of face, hands and bare limbs.
        hair: or helmet.
        shoes: of both feet.
        has_skirt: instead of trousers.
        has_sleeves: long ones.
        has_coat: reaching over the hips.
        has_long_hair: to the shoulders.
        has_cap: on the head.
        has_helmet: instead of hair, of a rider.
        has_visor: the helmet covers the face.
        has_bag: on the back, or over a shoulder.
    """

    top: Material
    legs: Material
    skin: Material
    hair: Material
    shoes: Material
    has_skirt: bool = False
    has_sleeves: bool = True
    has_coat: bool = False
    has_long_hair: bool = False
    has_cap: bool = False
    has_helmet: bool = False
    has_visor: bool = False
    has_bag: bool = False


def draw_look(is_female: bool, is_child: bool, rng: np.random.Generator) -> Look:
    """Clothes by chance."""

    def pick(colours: tuple[Colour, ...], texture: str) -> Material:
        shade = float(rng.uniform(0.8, 1.2))
        red, green, blue = (c * shade for c in colours[int(rng.integers(len(colours)))])
        return Material(texture, (red, green, blue))

    return Look(
        top=Material("cloth", WHITE, tint=1.0),
        legs=pick(_LEGS, "cloth"),
        skin=pick(_SKIN, "plain"),
        hair=replace(pick(_HAIR[:4] if is_child else _HAIR, "cloth"), is_two_sided=True),
        shoes=pick(_SHOES, "plain"),
        has_skirt=bool(is_female and rng.random() < 0.3),
        has_sleeves=bool(rng.random() < 0.6),
        has_coat=bool(not is_child and rng.random() < 0.3),
        has_long_hair=bool(is_female and rng.random() < 0.7),
        has_cap=bool(rng.random() < 0.15),
        has_bag=bool(rng.random() < (0.5 if is_child else 0.3)),
    )


def dress(
    figure: Figure, look: Look, girth: float, is_female: bool, head: float, detail: int
) -> None:
    """Put a dressed body on a skeleton.

    Args:
        figure: gets the parts.
        look: what it wears.
        girth: 1 for a middling one.
        is_female: narrower shoulders and waist, wider hips.
        head: size of the head, 1 an adult's.
        detail: 1 near, 0 for far away.
    """
    body = _Tailor(figure, look, girth, is_female, detail)
    body.add_trunk()
    for side in (1, -1):
        body.add_leg(side)
        body.add_arm(side)
    body.add_head(head)
    if look.has_bag and detail:
        body.add_bag()


class _Tailor:
    def __init__(
        self, figure: Figure, look: Look, girth: float, is_female: bool, detail: int
    ) -> None:
        self._figure, self._look, self._detail = figure, look, detail
        self._girth, self._is_female = girth, is_female

    def _thin(self, rings: list[Ring]) -> list[Ring]:
        """All rings near, every other one far away, the ends always."""
        if self._detail:
            return rings
        return [*rings[:-1:2], rings[-1]]

    def _sides(self, near: int) -> int:
        return near if self._detail else max(5, near // 2)

    def add_trunk(self) -> None:
        """Shirt or coat, and what the hips wear."""
        look, girth = self._look, self._girth
        bulk = 0.012 if look.has_coat else 0.0
        shoulder, waist, bust, hips = (0.9, 0.86, 0.02, 1.06) if self._is_female else (1, 1, 0, 1)
        belly = 0.05 * max(0.0, girth - 1.0)
        top: list[Ring] = [
            (0.0, 0, 1.5, 0.058, 0.06),
            (-0.005, 0, 1.462, 0.072, 0.1 * shoulder),
            (-0.01, 0, 1.435, 0.09, 0.158 * shoulder),
            (-0.008, 0, 1.39, 0.105 + bulk, 0.192 * shoulder + bulk),
            (bust * 0.6, 0, 1.31, 0.118 + bulk + bust * 0.6, 0.187 * shoulder + bulk),
            (bust * 0.4, 0, 1.22, 0.112 + bulk + bust * 0.3, 0.168 * (0.5 + 0.5 * waist) + bulk),
            (belly, 0, 1.11, 0.1 * girth + bulk + belly, 0.152 * waist * girth + bulk),
            (belly, 0, 1.02, 0.108 * girth + bulk + belly, 0.16 * hips * girth + bulk),
            (0.0, 0, 0.95, 0.118 * girth + bulk, 0.172 * hips * girth + bulk),
        ]
        if look.has_coat:
            top.append((0.0, 0, 0.76, 0.15 * girth, 0.19 * hips * girth))
        self._figure.loft(
            self._thin(top), look.top, ("chest", "pelvis"), 1.08, sides=self._sides(12), soft=0.1
        )
        hip: list[Ring] = [
            (0.0, 0, 1.0, 0.1 * girth, 0.15 * hips * girth),
            (-0.005, 0, 0.92, 0.116 * girth, 0.167 * hips * girth),
            (-0.008, 0, 0.86, 0.112 * girth, 0.168 * hips * girth),
            (0.0, 0, 0.8, 0.06, 0.12),
        ]
        if look.has_skirt:
            hip[-1:] = [(0.0, 0, 0.72, 0.17, 0.2), (0.0, 0, 0.54, 0.21, 0.22)]
        self._figure.loft(
            self._thin(hip), look.legs, ("pelvis", "pelvis"), 0.9, sides=self._sides(12)
        )

    def add_leg(self, side: int) -> None:
        """Trouser leg or bare leg, and the shoe."""
        look, tag = self._look, "l" if side > 0 else "r"
        wide = 0.5 + 0.5 * self._girth
        y = side * 0.09
        loose = 0.0 if look.has_skirt else 0.008
        leg: list[Ring] = [
            (0.0, y, 0.93, 0.09 * wide, 0.08 * wide),
            (0.002, y, 0.76, 0.088 * wide, 0.081 * wide),
            (0.005, y, 0.53, 0.058 + loose, 0.055 + loose),
            (0.004, y, 0.46, 0.055 + loose, 0.053 + loose),
            (-0.012, y, 0.35, 0.058 + loose, 0.052 + loose),
            (-0.012, y, 0.2, 0.042 + 1.5 * loose, 0.038 + 1.5 * loose),
            (-0.012, y, 0.08, 0.04 + 2 * loose, 0.037 + 1.8 * loose),
        ]
        skin = look.skin if look.has_skirt else look.legs
        if look.has_skirt:  # what the skirt hides would show through in a stride
            leg[:2] = [(0.004, y, 0.6, 0.066, 0.062)]
        self._figure.loft(
            self._thin(leg), skin, (f"thigh {tag}", f"shin {tag}"), 0.49, sides=self._sides(10)
        )
        self._add_shoe(y, tag)

    def _add_shoe(self, y: float, tag: str) -> None:
        x = np.array([-0.083, -0.07, -0.02, 0.05, 0.12, 0.168, 0.184])
        half = np.array([0.002, 0.034, 0.038, 0.043, 0.048, 0.036, 0.002])
        top = np.array([0.04, 0.09, 0.115, 0.078, 0.058, 0.046, 0.015])
        if not self._detail:
            x, half, top = (a[[0, 1, 3, 5, 6]] for a in (x, half, top))
        corner = np.array([(-1, 0), (-1, 0.35), (-0.75, 0.8), (0, 1), (0.75, 0.8), (1, 0.35),
                           (1, 0), (-1, 0)])  # fmt: skip
        points = np.empty((len(x), len(corner), 3))
        points[..., 0] = x[:, None]
        points[..., 1] = y + half[:, None] * corner[:, 0]
        points[..., 2] = top[:, None] * corner[:, 1]
        middle = np.column_stack([x, np.full(len(x), y), top / 2])
        uv = np.zeros((*points.shape[:2], 2))
        foot = f"foot {tag}"
        self._figure.sheet(points, uv, self._look.shoes, (foot, foot), 0.0, 1.0, middle)

    def add_arm(self, side: int) -> None:
        """Sleeve, bare forearm, hand."""
        look, tag = self._look, "l" if side > 0 else "r"
        narrow = 0.9 if self._is_female else 1.0
        wide = 0.6 + 0.4 * self._girth
        loose = 0.012 if look.has_coat else 0.004

        def at(x: float, y: float, z: float, depth: float, width: float) -> Ring:
            return (x, side * y * narrow, z, depth * wide + loose, width * wide + loose)

        upper = [at(-0.012, 0.15, 1.44, 0.022, 0.02), at(-0.012, 0.18, 1.408, 0.05, 0.042),
                 at(-0.015, 0.198, 1.36, 0.054, 0.047),
                 at(-0.018, 0.21, 1.21, 0.046, 0.041)]  # fmt: skip
        lower = [at(-0.02, 0.215, 1.12, 0.042, 0.038), at(-0.016, 0.218, 1.05, 0.04, 0.035),
                 at(-0.004, 0.222, 0.9, 0.029, 0.026),
                 at(0.0, 0.224, 0.865, 0.026, 0.022)]  # fmt: skip
        bones = (f"arm {tag}", f"forearm {tag}")
        if look.has_sleeves:
            parts = [(upper + lower, look.top)]
        else:
            parts = [(upper, look.top), (upper[-1:] + lower, look.skin)]
        for rings, skin in parts:
            self._figure.loft(self._thin(rings), skin, bones, 1.12, sides=self._sides(8))
        y = side * 0.224 * narrow
        hand: list[Ring] = [(0.0, y, 0.875, 0.024, 0.018), (0.004, y, 0.82, 0.042, 0.019),
                            (0.008, y, 0.765, 0.04, 0.018),
                            (0.012, y, 0.7, 0.018, 0.01)]  # fmt: skip
        self._figure.loft(
            self._thin(hand), look.skin, (f"hand {tag}", f"hand {tag}"), 0.8, sides=self._sides(5)
        )

    def add_head(self, size: float) -> None:
        """Neck, head with a face, hair, cap or helmet."""
        look, base = self._look, joint("head")

        def at(x: float, z: float, depth: float, width: float) -> Ring:
            return (x * size, 0.0, base[2] + (z - base[2]) * size, depth * size, width * size)

        neck = [
            at(0.004, 1.58, 0.056, 0.054),
            at(0.0, 1.51, 0.058, 0.058),
            at(0.0, 1.45, 0.064, 0.085),
        ]
        self._figure.loft(neck, look.skin, ("head", "chest"), 1.5, sides=self._sides(8))
        head = [at(0.0, 1.782, 0.002, 0.002), at(0.0, 1.772, 0.05, 0.042),
                at(0.0, 1.735, 0.086, 0.068),
                at(0.004, 1.69, 0.1, 0.077), at(0.008, 1.645, 0.099, 0.076),
                at(0.014, 1.605, 0.093, 0.07), at(0.022, 1.57, 0.08, 0.058),
                at(0.034, 1.548, 0.056, 0.043), at(0.038, 1.54, 0.02, 0.02)]  # fmt: skip
        bones = ("head", "head")
        self._figure.loft(self._thin(head), look.skin, bones, 0.0, sides=self._sides(10))
        self._add_hair(at)
        if not self._detail or look.has_helmet:
            return
        z = base[2] + (1.645 - base[2]) * size
        for side in (-1, 1):
            self._figure.box((0.095 * size, side * 0.033 * size, z),
                             (0.01, 0.02 * size, 0.012 * size), _EYES, "head")  # fmt: skip
            self._figure.ball((0.005 * size, side * 0.078 * size, z - 0.012 * size),
                              (0.022 * size, 0.012 * size, 0.03 * size), look.skin, "head",
                              (4, 3))  # fmt: skip
        self._figure.ball((0.112 * size, 0, z - 0.03 * size),
                          (0.016 * size, 0.014 * size, 0.024 * size), look.skin, "head",
                          (5, 3))  # fmt: skip

    def _add_hair(self, at: _Place) -> None:
        """A shell over crown and back of the head."""
        look = self._look
        bones, sides = ("head", "head"), self._sides(10)
        if look.has_helmet:
            shell = [at(0.0, 1.81, 0.004, 0.004), at(0.0, 1.8, 0.06, 0.055),
                     at(-0.002, 1.755, 0.115, 0.1), at(-0.004, 1.69, 0.13, 0.112),
                     at(-0.006, 1.66, 0.128, 0.11)]  # fmt: skip
            if look.has_visor:
                shell[4:] = [at(0.004, 1.63, 0.135, 0.112), at(0.02, 1.56, 0.125, 0.098),
                             at(0.03, 1.525, 0.1, 0.08)]  # fmt: skip
                visor = [at(0.006, 1.71, 0.132, 0.114), at(0.012, 1.665, 0.138, 0.118),
                         at(0.012, 1.62, 0.138, 0.116)]  # fmt: skip
                arc = (-0.33 * np.pi, 0.33 * np.pi)
                self._figure.loft(visor, _VISOR, bones, 0.0, sides=self._sides(8), arc=arc)
            self._figure.loft(self._thin(shell), look.hair, bones, 0.0, sides=sides)
            return
        crown = [at(-0.004, 1.802, 0.003, 0.003), at(-0.006, 1.789, 0.066, 0.058),
                 at(-0.01, 1.75, 0.1, 0.083), at(-0.012, 1.708, 0.108, 0.091)]  # fmt: skip
        cover = Material("cloth", look.legs.colour) if look.has_cap else look.hair
        self._figure.loft(self._thin(crown), cover, bones, 0.0, sides=sides)
        if look.has_cap and self._detail:
            _, _, z, _, _ = at(0.0, 1.712, 0.0, 0.0)
            self._figure.box((0.12, 0.0, z), (0.12, 0.13, 0.014), cover, "head")
        if look.has_long_hair:
            back = [at(-0.016, 1.715, 0.1, 0.086), at(-0.022, 1.62, 0.096, 0.09),
                    at(-0.034, 1.5, 0.086, 0.094), at(-0.05, 1.4, 0.06, 0.085)]  # fmt: skip
            arc = (0.36 * np.pi, 1.64 * np.pi)
        else:
            back = [at(-0.014, 1.715, 0.1, 0.085), at(-0.016, 1.66, 0.098, 0.084),
                    at(-0.012, 1.6, 0.088, 0.074), at(-0.004, 1.555, 0.066, 0.056)]  # fmt: skip
            arc = (0.52 * np.pi, 1.48 * np.pi)
        self._figure.loft(self._thin(back), look.hair, bones, 0.0, sides=self._sides(8), arc=arc)

    def add_bag(self) -> None:
        """A rucksack with its straps."""
        colour = Material("cloth", self._look.shoes.colour)
        self._figure.ball((-0.19, 0, 1.24), (0.1, 0.15, 0.22), colour, "chest", (7, 5))
        for side in (-1, 1):
            self._figure.box((0.075, side * 0.1, 1.34), (0.1, 0.035, 0.2), colour, "chest")


def helmet(colour: Colour) -> Material:
    """The shell of a helmet."""
    return Material("plain", colour, specular=0.5)
