"""A human skeleton: lofted parts hang on two bones each and follow them from pose to pose.

Measures are those of a standing adult of 1.78 m after the segment lengths of Winter, Biomechanics
and Motor Control of Human Movement (4th ed., table 4.1), feet on z = 0, looking along +x.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.scene import Mesh

Array = NDArray[np.float64]
STATURE: Final = 1.78  # m
# Joint at which a bone turns, left side; the right one is mirrored.
_JOINT: Final[dict[str, tuple[float, float, float]]] = {
    "pelvis": (0.0, 0.0, 0.95),
    "chest": (-0.01, 0.0, 1.08),
    "head": (0.0, 0.0, 1.49),
    "arm": (-0.015, 0.185, 1.41),
    "forearm": (-0.02, 0.215, 1.12),
    "hand": (0.0, 0.225, 0.86),
    "thigh": (0.0, 0.09, 0.92),
    "shin": (0.005, 0.092, 0.49),
    "foot": (-0.015, 0.094, 0.08),
}
_PARENT: Final = {
    "chest": "pelvis", "head": "chest", "arm": "chest", "forearm": "arm", "hand": "forearm",
    "thigh": "pelvis", "shin": "thigh", "foot": "shin",
}  # fmt: skip
_SINGLE: Final = ("pelvis", "chest", "head")
BONES: Final = (*_SINGLE, *(f"{bone} {side}" for side in "lr" for bone in _JOINT
                            if bone not in _SINGLE))  # fmt: skip
_NUMBER: Final = {bone: k for k, bone in enumerate(BONES)}


def joint(bone: str) -> Array:
    """(3,) metres where a bone of `BONES` turns in the standing pose."""
    name, _, side = bone.partition(" ")
    x, y, z = _JOINT[name]
    return np.array([x, -y if side == "r" else y, z])


def swing(angle: float, aside: float = 0.0) -> Array:
    """(3, 3): what hangs down swings forward by `angle`, then towards +y by `aside`, radians."""
    c, s = np.cos(angle), np.sin(angle)
    d, t = np.cos(aside), np.sin(aside)
    forward = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    aside_turn: Array = np.array([[1, 0, 0], [0, d, -t], [0, t, d]])
    turn: Array = aside_turn @ forward
    return turn


def align(start: ArrayLike, end: ArrayLike) -> Array:
    """(3, 3): the least rotation from one direction to another (Rodrigues)."""
    a = np.asarray(start, np.float64) / np.linalg.norm(start)
    b = np.asarray(end, np.float64) / np.linalg.norm(end)
    v, c = np.cross(a, b), float(a @ b)
    k = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    rotation: Array = np.eye(3) + k + k @ k / max(1.0 + c, 1e-9)
    return rotation


def bend(root: Array, target: Array, lengths: tuple[float, float], pole: ArrayLike) -> Array:
    """(3,) where the middle joint of a limb lies that reaches from root to target, towards pole."""
    upper, lower = lengths
    reach = target - root
    far = min(float(np.linalg.norm(reach)), (upper + lower) * 0.999)
    along = reach / np.linalg.norm(reach)
    share = (upper**2 - lower**2 + far**2) / (2 * far)
    out = np.asarray(pole, np.float64) - along * float(along @ np.asarray(pole))
    out /= np.linalg.norm(out)
    middle: Array = root + along * share + out * np.sqrt(max(upper**2 - share**2, 0.0))
    return middle


class Figure:
    """Parts on a skeleton; `pose` gives the mesh of a posture."""

    def __init__(self) -> None:
        self._builder = MeshBuilder()
        self._bones: list[NDArray[np.int64]] = []
        self._shares: list[Array] = []
        self._mesh: Mesh | None = None
        self._hung: tuple[NDArray[np.int64], Array] | None = None

    def loft(
        self,
        rings: Sequence[tuple[float, float, float, float, float]],
        look: Material,
        bones: tuple[str, str],
        joint_z: float,
        *,
        sides: int = 10,
        soft: float = 0.05,
        squareness: float = 2.3,
        arc: tuple[float, float] = (-np.pi, np.pi),
    ) -> None:
        """A tube of level rings, each (x, y, z, half depth, half width), from the top down.

        Args:
            rings: in metres of the standing pose.
            look: of all of it.
            bones: upper and lower bone that it follows.
            joint_z: where it changes from the first to the second.
            sides: corners of a ring.
            soft: metres above and below the joint in which it bends.
            squareness: exponent of the ring's superellipse, 2 an ellipse.
            arc: angles that a ring spans, 0 ahead, counter-clockwise from above.
        """
        table = np.array(rings, np.float64)
        angle = np.linspace(arc[0], arc[1], sides + 1)
        c, s = np.cos(angle), np.sin(angle)
        power = 2.0 / squareness
        ring_x, ring_y = np.sign(c) * np.abs(c) ** power, np.sign(s) * np.abs(s) ** power
        points = np.empty((len(table), sides + 1, 3))
        points[..., 0] = table[:, 0, None] + table[:, 3, None] * ring_x
        points[..., 1] = table[:, 1, None] + table[:, 4, None] * ring_y
        points[..., 2] = table[:, 2, None]
        turn = np.linspace(0, 2, sides + 1)
        uv = np.stack(np.broadcast_arrays(turn[None], -2.0 * table[:, 2, None]), -1)
        self.sheet(points, uv, look, bones, joint_z, soft, table[:, :3])

    def sheet(
        self,
        points: Array,
        uv: Array,
        look: Material,
        bones: tuple[str, str],
        joint_z: float,
        soft: float,
        middle: Array,
    ) -> None:
        """Any smooth surface (S, K, 3) round the points `middle` (S, 3), hung on two bones."""
        self._builder.grid(points, uv, look, outward_from=middle)
        share = np.clip((joint_z + soft - points[..., 2].reshape(-1)) / (2 * soft), 0, 1)
        share = share * share * (3 - 2 * share)
        pair = np.array([_NUMBER[bone] for bone in bones])
        self._bones.append(np.broadcast_to(pair, (len(share), 2)))
        self._shares.append(share)

    def ball(
        self,
        centre: tuple[float, float, float],
        radii: tuple[float, float, float],
        look: Material,
        bone: str,
        segments: tuple[int, int] = (8, 5),
    ) -> None:
        """An ellipsoid on one bone."""
        self._builder.blob(centre, radii, look, segments)
        self._hang((segments[0] + 1) * (segments[1] + 1), bone)

    def box(
        self,
        centre: tuple[float, float, float],
        size: tuple[float, float, float],
        look: Material,
        bone: str,
    ) -> None:
        """A box on one bone."""
        self._builder.box(centre, size, look)
        self._hang(24, bone)

    def _hang(self, count: int, bone: str) -> None:
        self._bones.append(np.full((count, 2), _NUMBER[bone]))
        self._shares.append(np.zeros(count))

    def pose(
        self,
        turns: Mapping[str, Array],
        name: str,
        pelvis: tuple[float, float, float] | None = None,
    ) -> Mesh:
        """The mesh with bones turned.

        Args:
            turns: (3, 3) world turn of each bone; one left out turns with its parent.
            name: of the mesh.
            pelvis: where the pelvis lies, metres; None stands the lowest point on z = 0.
        """
        if self._mesh is None or self._hung is None:
            self._mesh = self._builder.build(name)
            self._hung = (np.concatenate(self._bones), np.concatenate(self._shares))
        rotation, offset = posture(turns, pelvis)
        bones, share = self._hung
        points = self._mesh.vertices.astype(np.float64)
        normals = self._mesh.normals.astype(np.float64)
        parts, directions = [], []
        for k in range(2):
            turn = rotation[bones[:, k]]
            parts.append(np.einsum("nij,nj->ni", turn, points) + offset[bones[:, k]])
            directions.append(np.einsum("nij,nj->ni", turn, normals))
        second = share[:, None]
        posed = parts[0] * (1 - second) + parts[1] * second
        if pelvis is None:
            posed[:, 2] -= posed[:, 2].min()
        facing = directions[0] * (1 - second) + directions[1] * second
        facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-9)
        return replace(
            self._mesh,
            name=name,
            vertices=posed.astype(np.float32),
            normals=facing.astype(np.float32),
        )


def posture(
    turns: Mapping[str, Array], pelvis: tuple[float, float, float] | None = None
) -> tuple[Array, Array]:
    """World turn (B, 3, 3) and shift (B, 3) of each bone: where a point p goes, R p + t."""
    rotation, place = np.empty((len(BONES), 3, 3)), np.empty((len(BONES), 3))
    for k, bone in enumerate(BONES):
        name, _, side = bone.partition(" ")
        if name == "pelvis":
            rotation[k] = turns.get(bone, np.eye(3))
            place[k] = joint(bone) if pelvis is None else pelvis
            continue
        above = _PARENT[name]
        parent = above if above in _SINGLE else f"{above} {side}"
        p = _NUMBER[parent]
        rotation[k] = turns.get(bone, rotation[p])
        place[k] = place[p] + rotation[p] @ (joint(bone) - joint(parent))
    joints = np.array([joint(bone) for bone in BONES])
    return rotation, place - np.einsum("nij,nj->ni", rotation, joints)
