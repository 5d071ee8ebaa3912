"""Riders of two-wheelers: seated by inverse kinematics between saddle, bars and pedals."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sim.engine.render.assets.clothes import Look, dress
from sim.engine.render.assets.skeleton import (
    BONES,
    Array,
    Figure,
    align,
    bend,
    joint,
    posture,
    swing,
)
from sim.engine.render.mesh_builder import Point
from sim.engine.render.scene import Mesh

PEDAL_PHASES: Final = 8  # of a turn
_OVER_SADDLE = 0.11  # m from the saddle to the pelvis
_SOLE = 0.075  # m from the sole to the ankle


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a rider sits, holds and stands, in the machine's axes, metres.

    Attributes:
        saddle: middle of its top.
        hands: the left grip; the right is mirrored.
        feet: the left foot's sole; on pedals, the middle of the crank with the pedal's y.
        crank: length of the crank, 0 where the feet rest.
        lean: radians that the back leans forward.
        top: height of the rider's highest point.
    """

    saddle: Point
    hands: Point
    feet: Point
    crank: float
    lean: float
    top: float


def rider_meshes(seat: Seat, look: Look, girth: float, is_female: bool) -> tuple[Mesh, ...]:
    """The rider in each phase of the pedals (one where feet rest), with its coarse form.

    Somebody is made as tall as `Seat.top` wants.
    """
    figures = []
    for detail in (1, 0):
        figure = Figure()
        dress(figure, look, girth, is_female, 1.0, detail)
        figures.append(figure)
    scale = 0.95
    for _ in range(3):  # the joints depend on the size; it settles at once
        top = _sit(figures[1], seat, scale, 0.0).vertices[:, 2].max()
        scale *= (seat.top - seat.saddle[2]) / (float(top) - seat.saddle[2])
    phases = PEDAL_PHASES if seat.crank else 1
    meshes = []
    for phase in range(phases):
        near, far = (_sit(figure, seat, scale, phase / phases) for figure in figures)
        meshes.append(replace(near, coarse=far))
    return tuple(meshes)


def _sit(figure: Figure, seat: Seat, scale: float, turn: float) -> Mesh:
    """The figure, `scale` times an adult, with the left pedal `turn` of a turn past the top."""
    pelvis = np.array(seat.saddle) / scale + (0.0, 0.0, _OVER_SADDLE)
    back = swing(-0.35 * seat.lean)
    turns: dict[str, Array] = {
        "pelvis": back, "chest": swing(-seat.lean), "head": swing(-0.25 * seat.lean),
    }  # fmt: skip
    place = (float(pelvis[0]), float(pelvis[1]), float(pelvis[2]))
    for side, sign in (("l", 1.0), ("r", -1.0)):
        rotation, shift = posture(turns, place)
        hand = np.array(seat.hands) * (1, sign, 1) / scale
        _reach(turns, rotation, shift, ("arm", "forearm", "hand"), side, hand,
               (-0.4, 0.7 * sign, -0.6))  # fmt: skip
        turns[f"hand {side}"] = turns[f"forearm {side}"]
        angle = 2 * np.pi * (turn + (0.0 if sign > 0 else 0.5))
        pedal = np.array([np.sin(angle), 0.0, np.cos(angle)]) * seat.crank
        foot = (np.array(seat.feet) * (1, sign, 1) + pedal) / scale + (-0.05, 0.0, _SOLE)
        _reach(turns, rotation, shift, ("thigh", "shin", "foot"), side, foot,
               (1.0, 0.12 * sign, 0.25))  # fmt: skip
        turns[f"foot {side}"] = swing(-0.12 if seat.crank else 0.1)
    mesh = figure.pose(turns, "rider", place)
    return replace(mesh, vertices=mesh.vertices * np.float32(scale))


def _reach(
    turns: dict[str, Array],
    rotation: Array,
    shift: Array,
    bones: tuple[str, str, str],
    side: str,
    target: Array,
    pole: Point,
) -> None:
    """Turn the two bones of a limb so that the third's joint comes to the target."""
    upper, lower, end = (joint(f"{bone} {side}") for bone in bones)
    number = BONES.index(f"{bones[0]} {side}")
    root = rotation[number] @ upper + shift[number]
    lengths = (float(np.linalg.norm(lower - upper)), float(np.linalg.norm(end - lower)))
    middle = bend(root, target, lengths, pole)
    turns[f"{bones[0]} {side}"] = align(lower - upper, middle - root)
    turns[f"{bones[1]} {side}"] = align(end - lower, target - middle)
