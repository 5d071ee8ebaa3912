"""People: walkers in four phases of a step, and riders of two-wheelers."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.engine.render.mesh_builder import Colour, Material, MeshBuilder, Point
from sim.engine.render.scene import Mesh

PEDESTRIAN_VARIANTS: Final = 8
WALK_PHASES: Final = 4
# Length and width of every pedestrian's box, metres; heights by variant.
PEDESTRIAN_FOOTPRINT: Final = (0.5, 0.55)
PEDESTRIAN_HEIGHT: Final = (1.80, 1.68, 1.74, 1.62, 1.86, 1.30, 1.70, 1.15)

_SKIN: Final[tuple[Colour, ...]] = (
    (0.90, 0.72, 0.60),
    (0.62, 0.44, 0.33),
    (0.42, 0.29, 0.22),
    (0.95, 0.79, 0.68),
    (0.76, 0.57, 0.44),
)
_HAIR: Final[tuple[Colour, ...]] = (
    (0.10, 0.08, 0.07),
    (0.28, 0.18, 0.10),
    (0.60, 0.46, 0.26),
    (0.45, 0.44, 0.43),
)


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody wears."""

    top: Material
    legs: Material
    skin: Material
    hair: Material
    shoes: Material
    has_skirt: bool
    has_hat: bool
    has_bag: bool


def draw_look(variant: int, rng: np.random.Generator) -> Look:
    """Clothes by chance; even variants wear trousers, some odd ones a skirt."""

    def cloth(low: float, high: float) -> Material:
        bright, vivid = rng.uniform(low, high), rng.uniform(0.0, 0.75) ** 1.5
        hue = rng.dirichlet((1.0, 1.0, 1.0)) * 1.8
        red, green, blue = (float(c) for c in bright * (1 - vivid + vivid * np.minimum(hue, 1.1)))
        return Material("cloth", (red, green, blue))

    return Look(
        top=cloth(0.18, 1.0),
        legs=cloth(0.12, 0.6),
        skin=Material("plain", _SKIN[int(rng.integers(len(_SKIN)))]),
        hair=Material("plain", _HAIR[int(rng.integers(len(_HAIR)))]),
        shoes=Material("plain", (0.1, 0.09, 0.09) if rng.random() < 0.7 else (0.85, 0.85, 0.83)),
        has_skirt=variant % 4 == 1,
        has_hat=bool(rng.random() < 0.25),
        has_bag=bool(rng.random() < 0.4),
    )


def pedestrian_mesh(variant: int, seed: int, phase: int) -> Mesh:
    """A standing or walking person, origin on the ground between the feet, facing +x.

    Args:
        variant: 0 to `PEDESTRIAN_VARIANTS` - 1: build and height, `PEDESTRIAN_HEIGHT`.
        seed: clothes and colours; equal for all phases of one person.
        phase: 0 to `WALK_PHASES` - 1: left leg ahead, passing, right leg ahead, passing.
    """
    variant %= PEDESTRIAN_VARIANTS
    rng = np.random.default_rng((seed, variant, 0x9ED))
    look = draw_look(variant, rng)
    stride = (0.42, 0.04, -0.42, -0.04)[phase % WALK_PHASES]
    lift = (0.0, 0.16, 0.0, -0.16)[phase % WALK_PHASES]
    builder = MeshBuilder()
    person = _Person(builder, PEDESTRIAN_HEIGHT[variant] / 1.78, look, rng.uniform(0.92, 1.12))
    person.add_legs(stride, lift)
    person.add_upper_body(stride)
    return builder.build(f"pedestrian {variant} phase {phase % WALK_PHASES}")


class _Person:
    """Limbs in metres of a 1.78 m tall adult, scaled."""

    def __init__(self, builder: MeshBuilder, scale: float, look: Look, girth: float) -> None:
        self._builder, self._scale, self._look, self._girth = builder, scale, look, girth

    def _at(self, point: Point) -> Point:
        s = self._scale
        return (point[0] * s, point[1] * s, point[2] * s)

    def limb(self, a: Point, b: Point, radii: tuple[float, float], look: Material) -> None:
        s = self._scale * self._girth
        self._builder.cylinder(self._at(a), self._at(b), (radii[0] * s, radii[1] * s), look, 8)

    def ball(self, centre: Point, radii: Point, look: Material) -> None:
        self._builder.blob(self._at(centre), self._at(radii), look, (10, 7))

    def add_legs(self, stride: float, lift: float) -> None:
        """Legs that swing from the hips; `lift` bends the knee of the passing leg."""
        look = self._look
        for side, swing in ((1, stride), (-1, -stride)):
            bend = max(0.0, side * lift)
            hip = (0.0, side * 0.1, 0.92)
            knee = (0.42 * np.sin(swing) + bend * 0.9, side * 0.1, 0.92 - 0.43 * np.cos(swing))
            back = min(0.0, swing) * 0.55
            ankle = (knee[0] + 0.42 * np.sin(swing + back) - bend * 1.2, side * 0.1,
                     max(0.09, knee[2] - 0.42 * np.cos(swing + back) + bend * 0.5))  # fmt: skip
            lower = look.skin if look.has_skirt else look.legs
            self.limb(hip, knee, (0.092, 0.068), look.legs)
            self.limb(knee, ankle, (0.064, 0.048), lower)
            foot = (ankle[0] + 0.06, side * 0.1, ankle[2] - 0.04)
            self.ball(foot, (0.14, 0.05, 0.05), look.shoes)
        if look.has_skirt:
            self.limb((0, 0, 0.98), (0, 0, 0.55), (0.15, 0.24), look.legs)

    def add_upper_body(self, stride: float) -> None:
        """Trunk, head, and arms that swing against the legs."""
        look = self._look
        wide = self._girth
        self.ball((0.0, 0.0, 0.97), (0.125 * wide, 0.17 * wide, 0.13), look.legs)
        self.limb((0, 0, 0.95), (0.0, 0, 1.28), (0.135, 0.165), look.top)
        self.ball((0.0, 0.0, 1.3), (0.125 * wide, 0.205 * wide, 0.19), look.top)
        self.limb((0, 0, 1.43), (0.01, 0, 1.56), (0.055, 0.05), look.skin)
        self.ball((0.015, 0.0, 1.645), (0.1, 0.08, 0.125), look.skin)
        self.ball((-0.02, 0.0, 1.675), (0.1, 0.09, 0.11), look.hair)
        if look.has_hat:
            self.ball((0.0, 0.0, 1.715), (0.115, 0.105, 0.08), look.legs)
        for side, swing in ((1, -stride), (-1, stride)):
            shoulder = (0.0, side * 0.21 * wide, 1.41)
            elbow = (0.28 * np.sin(swing), side * (0.21 * wide + 0.05), 1.41 - 0.28 * np.cos(swing))
            ahead = swing + 0.35
            hand = (elbow[0] + 0.26 * np.sin(ahead), elbow[1], elbow[2] - 0.26 * np.cos(ahead))
            self.limb(shoulder, elbow, (0.058, 0.046), look.top)
            self.limb(elbow, hand, (0.044, 0.034), look.top)
            self.ball(hand, (0.045, 0.035, 0.06), look.skin)
        if look.has_bag:
            self.ball((-0.16, 0.0, 1.22), (0.1, 0.16, 0.24), look.shoes)

    def add_rider(self, seat: Point, hands: Point, feet: Point) -> None:
        """Somebody seated; points in this person's own metres, hands and feet for the left side."""
        look = self._look
        sx, _, sz = seat
        chest = (sx + 0.22, 0.0, sz + 0.46)
        self.ball((sx, 0, sz + 0.08), (0.15, 0.17, 0.14), look.legs)
        self.limb((sx, 0, sz + 0.06), chest, (0.15, 0.17), look.top)
        self.ball(chest, (0.15, 0.2, 0.17), look.top)
        head = (chest[0] + 0.1, 0.0, chest[2] + 0.33)
        self.limb(chest, head, (0.06, 0.05), look.skin)
        self.ball(head, (0.1, 0.085, 0.12), look.skin)
        self.ball((head[0] - 0.01, 0, head[2] + 0.04), (0.135, 0.115, 0.125), look.hair)
        for side in (-1, 1):
            shoulder = (chest[0], side * 0.2, chest[2] + 0.06)
            hand = (hands[0], side * hands[1], hands[2])
            elbow = tuple(0.5 * (a + b) for a, b in zip(shoulder, hand, strict=True))
            bent = (elbow[0], side * (abs(elbow[1]) + 0.07), elbow[2] - 0.08)
            self.limb(shoulder, bent, (0.058, 0.046), look.top)
            self.limb(bent, hand, (0.044, 0.034), look.top)
            hip, foot = (sx, side * 0.1, sz + 0.04), (feet[0], side * feet[1], feet[2])
            knee = (
                0.5 * (hip[0] + foot[0]) + 0.24,
                side * 0.16,
                0.55 * hip[2] + 0.45 * foot[2] + 0.06,
            )
            self.limb(hip, knee, (0.09, 0.066), look.legs)
            self.limb(knee, foot, (0.062, 0.048), look.legs)
            self.ball((foot[0] + 0.05, foot[1], foot[2]), (0.13, 0.05, 0.05), look.shoes)


def add_rider(
    builder: MeshBuilder,
    look: Look,
    seat: Point,
    hands: Point,
    feet: Point,
) -> None:
    """A rider on a two-wheeler; hands and feet are given for the left side and mirrored."""
    _Person(builder, 1.0, look, 1.0).add_rider(seat, hands, feet)
