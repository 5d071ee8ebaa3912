"""Rays against what a camera sees: the meshes of level and actors, in two levels of hierarchy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.scene import Instance, Mesh, Scene
from sim.engine.sensing.hierarchy import PAD_M, Hierarchy, build
from sim.engine.sensing.layout import CUTOUT, TWO_SIDED, Meshes, Pictures, Placed
from sim.engine.sensing.tracing import incidence, trace, turned

TRIANGLES_IN_LEAF = 2  # fastest of 1, 2, 3, 4, 6 in a town
KEPT_TRIANGLES = 1_500_000  # of meshes that were once in the scene, about 100 bytes each


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What R rays met.

    Attributes:
        distance: (R,) float32, metres along rays of unit length; valid where `is_hit`.
        is_hit: (R,) bool.
        instance_id: (R,) uint32, as in `Instance`; 0 for ground and for nothing.
        semantic_tag: (R,) uint8, CityObjectLabel; 0 for nothing.
        cosine: (R,) float32, of the angle between ray and surface normal, 0..1.
    """

    distance: NDArray[np.float32]
    is_hit: NDArray[np.bool_]
    instance_id: NDArray[np.uint32]
    semantic_tag: NDArray[np.uint8]
    cosine: NDArray[np.float32]


class RayScene:
    """The meshes of one town's scene, ready for rays; one caller at a time.

    The level is sorted once (some tenths of a second for a town), the actors anew in each tick.

    Args:
        kept_triangles: beyond so many, meshes that have left the scene are forgotten; lowering it
            costs sorting the level again whenever that happens.
    """

    def __init__(self, kept_triangles: int = KEPT_TRIANGLES) -> None:
        self._kept_triangles = kept_triangles
        self._scene: Scene | None = None
        self._level: tuple[Instance, ...] = ()
        self._version = -1
        self._library = _MeshLibrary()
        self._still = _Instances.of((), self._library)
        self._still_tree = _over(self._still)
        self._placed: Placed | None = None
        self._ids = np.zeros(0, np.uint32)
        self._tags = np.zeros(0, np.uint8)

    @property
    def triangles(self) -> int:
        """Triangles of all meshes that are kept, each counted once."""
        return self._library.triangles

    def update(self, scene: Scene, version: int) -> None:
        """Take over the scene; nothing happens while `version` stays the same."""
        if scene is not self._scene or len(scene.static) != len(self._level):
            self._scene, self._version = scene, -1
            self._level = tuple(scene.static)
            self._still = _Instances.of(self._level, self._library)
            self._still_tree = _over(self._still)
        if version == self._version and self._placed is not None:
            return
        self._version = version
        moving = tuple(scene.dynamic.values())
        if self._library.triangles > self._kept_triangles:
            self._library = _MeshLibrary()
            self._still = _Instances.of(self._level, self._library)
            self._kept_triangles = max(self._kept_triangles, 2 * self._library.triangles)
        self._place(_Instances.of(moving, self._library))

    def cast(
        self,
        origin: NDArray[np.float64],
        directions: NDArray[np.float32],
        reach: float,
        *,
        rotation: NDArray[np.float64] | None = None,
        bundle: int = 16,
        with_cosine: bool = False,
    ) -> Hits:
        """Return what rays (R, 3) of unit length from one point meet within `reach` metres.

        All in world axes, but with `rotation` (3, 3) the rays in axes of their own. `bundle` rays
        one after the other look nearly the same way: they share the search for what stands in
        their way.
        """
        assert self._placed is not None and self._scene is not None, "update comes first"
        count = len(directions)
        directions = np.ascontiguousarray(directions, np.float32)
        if rotation is not None:
            directions = turned(directions, rotation.astype(np.float32))
        distance = np.empty(count, np.float32)
        instance, triangle = np.empty(count, np.int32), np.empty(count, np.int32)
        cosine = np.zeros(count, np.float32)
        textures, meshes = self._scene.textures, self._library.meshes()
        holes = Pictures(textures.texels, textures.offset, textures.size)
        origin = np.ascontiguousarray(origin, np.float64)
        trace(
            origin, directions, float(reach), bundle, self._placed, meshes, holes,
            distance, instance, triangle,
        )  # fmt: skip
        if with_cosine:
            inverse = self._placed.mesh_from_world
            incidence(directions, instance, triangle, inverse, meshes.corners, cosine)
        is_hit = instance >= 0
        return Hits(
            distance,
            is_hit,
            np.where(is_hit, self._ids[instance], np.uint32(0)),
            np.where(is_hit, self._tags[instance], np.uint8(0)),
            cosine,
        )

    def _place(self, moving: _Instances) -> None:
        """Join the level's tree and that of the actors under one root."""
        still, tree = self._still, self._still_tree
        other = _over(moving, first=len(still.root))
        offset = len(tree.boxes)
        children = np.where(other.children >= 0, other.children + offset, other.children)
        box = np.empty((1, 12), np.float32)
        box[0, :6], box[0, 6:] = _around(tree), _around(other)
        self._placed = Placed(
            boxes=np.concatenate([tree.boxes, other.boxes, box]),
            children=np.concatenate([tree.children, children, [[0, offset]]]).astype(np.int32),
            start=offset + len(other.boxes),
            root=np.concatenate([still.root, moving.root]),
            mesh_from_world=np.concatenate([still.mesh_from_world, moving.mesh_from_world]),
            bounds=np.concatenate([still.bounds, moving.bounds]),
        )
        # a last row for rays that met nothing, whose number is -1
        self._ids = np.concatenate([still.ids, moving.ids, [0]]).astype(np.uint32)
        self._tags = np.concatenate([still.tags, moving.tags, [0]]).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _Instances:
    """Instances as arrays; `bounds` (I, 6) are low and high corner in world axes."""

    root: NDArray[np.int32]
    mesh_from_world: NDArray[np.float32]
    bounds: NDArray[np.float32]
    ids: NDArray[np.uint32]
    tags: NDArray[np.uint8]

    @classmethod
    def of(cls, instances: Sequence[Instance], library: _MeshLibrary) -> _Instances:
        known = library.add([one.mesh for one in instances])
        pose = np.array([one.world_from_mesh for one in instances]).reshape(-1, 4, 4)
        middle = (known.low + known.high) / 2.0
        half = (known.high - known.low) / 2.0
        centre = np.einsum("nij,nj->ni", pose[:, :3, :3], middle) + pose[:, :3, 3]
        reach = np.einsum("nij,nj->ni", np.abs(pose[:, :3, :3]), half)
        inverse = np.linalg.inv(pose) if len(pose) else pose
        return cls(
            root=known.root,
            mesh_from_world=inverse[:, :3].reshape(-1, 12).astype(np.float32),
            bounds=np.concatenate([centre - reach - PAD_M, centre + reach + PAD_M], 1).astype(
                np.float32
            ),
            ids=np.array([one.instance_id for one in instances], np.uint32),
            tags=np.array([one.semantic_tag for one in instances], np.uint8),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    root: NDArray[np.int32]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class _MeshLibrary:
    """Meshes seen so far, each sorted once into its hierarchy."""

    def __init__(self) -> None:
        self._number: dict[int, int] = {}
        self._kept: list[Mesh] = []  # so that no other mesh gets the same id
        self._root: list[int] = []
        self._low: list[NDArray[np.float32]] = []
        self._high: list[NDArray[np.float32]] = []
        self._parts: list[Meshes] = []
        self._nodes = self._triangles = 0

    @property
    def triangles(self) -> int:
        """Triangles of all meshes."""
        return self._triangles

    def meshes(self) -> Meshes:
        """Return all in one."""
        if len(self._parts) != 1:
            self._parts = [_joined(self._parts)]
        return self._parts[0]

    def add(self, meshes: Iterable[Mesh]) -> _Known:
        """Take in what is new; return for each mesh its first node and its box."""
        numbers = []
        for mesh in meshes:
            number = self._number.get(id(mesh))
            if number is None:
                number = self._number[id(mesh)] = len(self._kept)
                self._take(mesh)
            numbers.append(number)
        return _Known(
            np.array([self._root[n] for n in numbers], np.int32),
            np.array([self._low[n] for n in numbers], np.float64).reshape(-1, 3),
            np.array([self._high[n] for n in numbers], np.float64).reshape(-1, 3),
        )

    def _take(self, mesh: Mesh) -> None:
        points = mesh.vertices[mesh.triangles]
        tree = build(points.min(1), points.max(1), TRIANGLES_IN_LEAF)
        points, order = points[tree.order], tree.order
        is_leaf = tree.children < 0
        children = np.where(
            is_leaf, tree.children - 8 * self._triangles, tree.children + self._nodes
        )
        flags = TWO_SIDED * mesh.is_two_sided[order] + CUTOUT * mesh.is_cutout[order]
        part = Meshes(
            boxes=tree.boxes,
            children=children.astype(np.int32),
            corners=np.concatenate(
                [points[:, 0], points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]], 1
            ).astype(np.float32),
            uv=mesh.uv[mesh.triangles[order]].reshape(-1, 6).astype(np.float32),
            texture=mesh.texture[order].astype(np.int32),
            flags=flags.astype(np.uint8),
        )
        self._kept.append(mesh)
        self._root.append(self._nodes)
        self._low.append(points.min((0, 1)) if len(points) else np.zeros(3, np.float32))
        self._high.append(points.max((0, 1)) if len(points) else np.zeros(3, np.float32))
        self._parts.append(part)
        self._nodes += len(tree.boxes)
        self._triangles += len(points)


def _joined(parts: Sequence[Meshes]) -> Meshes:
    if not parts:
        tree = build(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), 1)
        return Meshes(
            tree.boxes,
            tree.children,
            np.zeros((0, 9), np.float32),
            np.zeros((0, 6), np.float32),
            np.zeros(0, np.int32),
            np.zeros(0, np.uint8),
        )
    return Meshes(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _over(instances: _Instances, first: int = 0) -> Hierarchy:
    """Return the hierarchy over instances; leaves hold numbers, counted from `first`."""
    tree = build(instances.bounds[:, :3], instances.bounds[:, 3:], 1)
    code = -1 - tree.children
    order = np.append(tree.order, 0)
    number = -1 - (8 * (order[np.minimum(np.maximum(code, 0) >> 3, len(order) - 1)] + first) + 1)
    is_leaf = (tree.children < 0) & (code & 7 == 1)
    return tree._replace(children=np.where(is_leaf, number, tree.children).astype(np.int32))


def _around(tree: Hierarchy) -> NDArray[np.float32]:
    root = tree.boxes[0]
    return np.concatenate([np.minimum(root[:3], root[6:9]), np.maximum(root[3:6], root[9:])])
