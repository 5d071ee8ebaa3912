"""People: walkers in the phases of a stride, and what they wear, from a seed."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sim.engine.render.assets.clothes import Look, draw_look, dress
from sim.engine.render.assets.skeleton import Array, Figure, swing
from sim.engine.render.scene import Mesh

PEDESTRIAN_VARIANTS: Final = 8
WALK_PHASES: Final = 12  # of a stride: a picture each 12 cm
STANDING: Final = WALK_PHASES  # place of the standing figure behind the phases
STRIDE_M: Final = 1.42  # two steps of somebody of 1.78 m
CHILD_M: Final = 1.5  # smaller people have a child's head
PEDESTRIAN_HEIGHT: Final = (1.80, 1.68, 1.74, 1.62, 1.86, 1.30, 1.70, 1.15)  # m, by variant


@dataclass(frozen=True, slots=True)
class Build:
    """How somebody is made.

    Attributes:
        height: metres, standing.
        is_female: hips, shoulders, hair and clothes.
        girth: 1 for a middling one.
        head: size of the head against an adult's of the same height.
    """

    height: float
    is_female: bool
    girth: float
    head: float


class Pedestrian:
    """One person: `WALK_PHASES` phases of a stride and `STANDING`, each posed when first asked for.

    The origin lies on the ground under the pelvis, x is ahead. What the top half wears takes the
    instance's tint.

    Args:
        variant: taken modulo `PEDESTRIAN_VARIANTS` for a height; odd ones are women.
        seed: build, clothes and colours.
        height: metres, where it is not the variant's.
        is_female: where it is not the variant's.
    """

    def __init__(
        self, variant: int, seed: int, height: float | None = None, is_female: bool | None = None
    ) -> None:
        rng = np.random.default_rng((seed, variant, 0x9ED))
        height = height or PEDESTRIAN_HEIGHT[variant % PEDESTRIAN_VARIANTS]
        female = variant % 2 == 1 if is_female is None else is_female
        head = 1.0 + 0.38 * max(0.0, CHILD_M + 0.1 - height)
        build = Build(height, female, float(rng.uniform(0.9, 1.16)), head)
        self._name = f"person {variant}"
        self._look = draw_look(female, height < CHILD_M, rng)
        self._fine, self._coarse = (make_figure(build, self._look, k) for k in (1, 0))
        self._scale = 1.0
        tall = float(self._posed(STANDING).vertices[:, 2].max())
        self._scale = height / tall
        self._meshes: dict[int, Mesh] = {}

    def mesh(self, phase: int) -> Mesh:
        """The figure in a phase, with its coarse form; the same object each time."""
        if phase not in self._meshes:
            self._meshes[phase] = self._posed(phase)
        return self._meshes[phase]

    def _posed(self, phase: int) -> Mesh:
        turns = standing(self._look) if phase == STANDING else stride(phase, self._look)
        name = f"{self._name} phase {phase}"
        near, far = (figure.pose(turns, name) for figure in (self._fine, self._coarse))
        return _scaled(near, far, self._scale)


def pedestrian_meshes(variant: int, seed: int, height: float | None = None) -> list[Mesh]:
    """All phases of a `Pedestrian`, the standing one last."""
    person = Pedestrian(variant, seed, height)
    return [person.mesh(phase) for phase in range(WALK_PHASES + 1)]


def pedestrian_mesh(variant: int, seed: int, phase: int, height: float | None = None) -> Mesh:
    """One phase of a `Pedestrian`."""
    return Pedestrian(variant, seed, height).mesh(phase % (WALK_PHASES + 1))


def _scaled(mesh: Mesh, coarse: Mesh, scale: float) -> Mesh:
    small = replace(coarse, vertices=(coarse.vertices * np.float32(scale)))
    return replace(mesh, vertices=(mesh.vertices * np.float32(scale)), coarse=small)


def make_figure(build: Build, look: Look, detail: int) -> Figure:
    """A dressed body on a skeleton, in the measures of `STATURE`; detail 0 is for far away."""
    figure = Figure()
    dress(figure, look, build.girth, build.is_female, build.head, detail)
    return figure


def standing(look: Look) -> dict[str, Array]:
    """Weight on one leg, arms hanging, one a little bent."""
    return {
        "thigh l": swing(0.03, 0.05), "thigh r": swing(0.07, -0.06),
        "shin l": swing(0.0, 0.02), "shin r": swing(-0.08, -0.02),
        "foot l": swing(0.0), "foot r": swing(0.0, 0.0),
        "arm l": swing(-0.05, 0.07), "forearm l": swing(0.22, 0.03),
        "arm r": swing(0.02, -0.08), "forearm r": swing(0.42 if look.has_bag else 0.2, -0.02),
        "head": swing(-0.03),
    }  # fmt: skip


def stride(phase: int, look: Look) -> dict[str, Array]:
    """Turns of the bones in a phase: at 0 the left heel strikes, halfway the right one.

    Angles follow the curves of Winter, Biomechanics (4th ed., fig. 4.6), rounded.
    """
    turns: dict[str, Array] = {}
    angle = 2 * np.pi * phase / WALK_PHASES
    reach = 0.7 if look.has_skirt else 1.0
    for side, at, sign in (("l", angle, 1.0), ("r", angle + np.pi, -1.0)):
        hip = reach * (0.1 + 0.4 * np.cos(at))
        knee = 0.1 + 0.95 * max(0.0, -np.sin(at + 0.42)) ** 1.6
        push = max(0.0, -np.sin(at + 1.0)) ** 2  # the heel leaves the ground before the toes
        lift = max(0.0, np.cos(at)) ** 3
        turns[f"thigh {side}"] = swing(hip, sign * 0.015)
        turns[f"shin {side}"] = swing(hip - knee, sign * 0.005)
        turns[f"foot {side}"] = swing(0.3 * lift - 0.85 * push)
        back = -np.cos(at)  # arms go against the legs
        turns[f"arm {side}"] = swing(0.36 * back + 0.02, sign * 0.09)
        turns[f"forearm {side}"] = swing(0.4 * back + 0.28, sign * 0.0)
    sway = 0.07 * np.cos(angle)
    turn = np.array([[np.cos(sway), -np.sin(sway), 0], [np.sin(sway), np.cos(sway), 0], [0, 0, 1]])
    turns["chest"] = turn @ swing(-0.05)
    turns["head"] = swing(-0.02)
    return turns
