"""Keeps every mesh and instance as the flat arrays that the kernels read."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.far_forms import far_form
from sim.engine.render.kernels.layout import (
    FLAG_CUTOUT,
    FLAG_TEXT,
    FLAG_TWO_SIDED,
    Geometry,
    MeshTable,
    Placed,
)
from sim.engine.render.scene import PLATE_SHIFT, Instance, Mesh
from sim.engine.render.textures import TEXTURE_INDEX

Array = NDArray[Any]
# A mesh's coarse form will do where its box spans fewer pixels than this times the root of its
# triangles, about one triangle in two pixels; raising it saves time and shows the change.
COARSE_SPAN = 1.2
BY_VERTEX = ("vertices", "normals", "uv", "colour")
SPARE = 1.5  # how much longer arrays become than needed now, so that few meshes move them


class MeshStore:
    """All meshes seen so far, packed; a new one is appended."""

    def __init__(self) -> None:
        self._meshes: list[Mesh] = []
        self._index: dict[int, int] = {}
        self._coarse: dict[int, int] = {}
        self._packed = 0
        self._vertices = self._triangles = 0
        self._space: list[Array] = []
        self._geometry: Geometry | None = None
        self._table = _empty_table()
        self._sphere = np.zeros((0, 4))

    def place(self, instances: Iterable[Instance]) -> Placed:
        """The instances' present poses, tints and lamps."""
        listed = list(instances)
        mesh = np.array([self._index_of(one.mesh) for one in listed], np.int32)
        self._pack()
        count = len(listed)
        world = np.array([one.world_from_mesh for one in listed], np.float64).reshape(count, 4, 4)
        sphere = self._sphere[mesh]
        sphere[:, :3] = np.einsum("nij,nj->ni", world[:, :3, :3], sphere[:, :3]) + world[:, :3, 3]
        return Placed(
            mesh=mesh,
            columns=np.ascontiguousarray(world.transpose(0, 2, 1)),
            sphere=sphere,
            tint=np.array([one.tint for one in listed], np.float32).reshape(count, 3),
            instance_id=np.array([one.instance_id for one in listed], np.uint32),
            semantic_tag=np.array([one.semantic_tag for one in listed], np.uint8),
            lamps=np.array([one.lamps | one.plate << PLATE_SHIFT for one in listed], np.int64),
        )

    def geometry(self) -> Geometry:
        """The packed meshes.

        Raises:
            ValueError: no mesh was ever placed.
        """
        if self._geometry is None:
            raise ValueError("expected a scene with at least one instance, got an empty one")
        return self._geometry

    def table(self) -> MeshTable:
        """What culling needs of every mesh."""
        return self._table

    def _index_of(self, mesh: Mesh) -> int:
        index = self._index.get(id(mesh))
        if index is None:
            index = self._index[id(mesh)] = len(self._meshes)
            self._meshes.append(mesh)  # kept alive, so that its id stays its own
            coarse = mesh.coarse or far_form(mesh)
            if coarse is not None:
                self._coarse[index] = self._index_of(coarse)
        return index

    def _pack(self) -> None:
        """Append the meshes that came since the last time."""
        fresh = self._meshes[self._packed :]
        if not fresh:
            return
        numbers = range(self._packed, len(self._meshes))
        self._packed = len(self._meshes)
        for mesh in fresh:
            self._append(_flat(mesh))
        self._sphere = np.concatenate([self._sphere, [_sphere(m) for m in fresh]])
        known = self._table
        span = COARSE_SPAN * np.sqrt([len(m.triangles) for m in fresh])
        self._table = MeshTable(
            vertex_range=_extend(known.vertex_range, [len(m.vertices) for m in fresh]),
            triangle_range=_extend(known.triangle_range, [len(m.triangles) for m in fresh]),
            box=np.concatenate([known.box, [_box(m) for m in fresh]]),
            is_opaque=np.concatenate(
                [known.is_opaque, np.array([not m.is_cutout.any() for m in fresh], np.uint8)]
            ),
            coarser=np.concatenate(
                [known.coarser, [self._coarse.get(k, -1) for k in numbers]]
            ).astype(np.int32),
            coarser_below=np.concatenate([known.coarser_below, span.astype(np.float32)]),
        )

    def _append(self, part: Geometry) -> None:
        vertices = self._vertices + len(part.vertices)
        triangles = self._triangles + len(part.triangles)
        fresh = _arrays(part)
        ends = _lengths(vertices, triangles)
        starts = _lengths(self._vertices, self._triangles)
        self._space = self._space or fresh
        for k, (new, start, end) in enumerate(zip(fresh, starts, ends, strict=True)):
            array = self._space[k]
            if end > len(array):
                self._space[k] = np.empty((int(end * SPARE), *array.shape[1:]), array.dtype)
                self._space[k][:start] = array[:start]
            self._space[k][start:end] = new
        self._geometry = Geometry(*(a[:end] for a, end in zip(self._space, ends, strict=True)))
        self._vertices, self._triangles = vertices, triangles


def _arrays(value: tuple[Any, ...]) -> list[Array]:
    """A named tuple of arrays as a list of them."""
    return list(value)


def take(placed: Placed, chosen: NDArray[np.bool_]) -> Placed:
    """Some of the instances."""
    return Placed(*(array[chosen] for array in _arrays(placed)))


def join(first: Placed, second: Placed) -> Placed:
    """Both lists of instances, one after the other."""
    pairs = zip(_arrays(first), _arrays(second), strict=True)
    return Placed(*(np.concatenate(pair) for pair in pairs))


def _lengths(vertices: int, triangles: int) -> list[int]:
    """The length of each array of a `Geometry` with so many vertices and triangles."""
    return [vertices if name in BY_VERTEX else triangles for name in Geometry._fields]


def _flat(mesh: Mesh) -> Geometry:
    """A mesh as the kernels read it."""
    flags = mesh.is_two_sided * FLAG_TWO_SIDED + mesh.is_cutout * FLAG_CUTOUT
    flags = flags + (mesh.texture == TEXTURE_INDEX["glyphs"]) * FLAG_TEXT
    corner = mesh.vertices[mesh.triangles].astype(np.float64)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    plane = np.column_stack([normal, -np.einsum("ti,ti->t", normal, corner[:, 0])])
    plane[mesh.is_two_sided] = 0.0
    return Geometry(
        vertices=mesh.vertices,
        normals=mesh.normals,
        uv=mesh.uv,
        colour=mesh.colour,
        triangles=mesh.triangles,
        texture=np.maximum(mesh.texture, 0).astype(np.int32),  # -1 is the first texture, plain
        flags=flags.astype(np.uint8),
        specular=mesh.specular,
        emissive=mesh.emissive,
        lamp=mesh.lamp,
        plane=plane.astype(np.float32),
    )


def _box(mesh: Mesh) -> NDArray[np.float64]:
    """Centre and half extents (6,), mesh axes."""
    low, high = mesh.vertices.min(0).astype(np.float64), mesh.vertices.max(0).astype(np.float64)
    return np.concatenate([(low + high) / 2, (high - low) / 2])


def _sphere(mesh: Mesh) -> NDArray[np.float64]:
    """Centre and radius (4,), mesh axes."""
    centre = _box(mesh)[:3]
    return np.append(centre, np.linalg.norm(mesh.vertices - centre, axis=1).max())


def _extend(ranges: NDArray[np.int32], counts: list[int]) -> NDArray[np.int32]:
    """(first, count) of so many more rows behind those that are there."""
    first = int(ranges[-1].sum()) if len(ranges) else 0
    ends = first + np.cumsum(counts)
    return np.concatenate([ranges, np.stack([ends - counts, counts], 1).astype(np.int32)])


def _empty_table() -> MeshTable:
    return MeshTable(
        vertex_range=np.zeros((0, 2), np.int32),
        triangle_range=np.zeros((0, 2), np.int32),
        box=np.zeros((0, 6)),
        is_opaque=np.zeros(0, np.uint8),
        coarser=np.zeros(0, np.int32),
        coarser_below=np.zeros(0, np.float32),
    )
