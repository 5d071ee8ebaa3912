"""Keeps every mesh and instance as the flat arrays that the kernels read."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.kernels.layout import FLAG_CUTOUT, FLAG_TEXT, FLAG_TWO_SIDED, Drawn, Geometry
from sim.engine.render.scene import PLATE_SHIFT, Instance, Mesh
from sim.engine.render.textures import TEXTURE_INDEX


@dataclass(slots=True)
class Placed:
    """Instances as arrays, before any camera.

    Attributes:
        mesh: (N,) int64, index in the store.
        world_from_mesh: (N, 4, 4) float64.
        centre: (N, 3) float64, of the bounding sphere, world axes, metres.
        radius: (N,) float64, metres.
        tint: (N, 3) float32.
        instance_id: (N,) uint32.
        semantic_tag: (N,) uint8.
        lamps: (N,) int64.
    """

    mesh: NDArray[np.int64]
    world_from_mesh: NDArray[np.float64]
    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    tint: NDArray[np.float32]
    instance_id: NDArray[np.uint32]
    semantic_tag: NDArray[np.uint8]
    lamps: NDArray[np.int64]


class MeshStore:
    """All meshes seen so far, packed; a new one is appended, which costs milliseconds once."""

    def __init__(self) -> None:
        self._meshes: list[Mesh] = []
        self._index: dict[int, int] = {}
        self._packed = 0
        self._geometry: Geometry | None = None
        self._vertex_range = np.zeros((0, 2), np.int32)
        self._triangle_range = np.zeros((0, 2), np.int32)
        self._centre = np.zeros((0, 3))
        self._radius = np.zeros(0)

    def place(self, instances: Iterable[Instance]) -> Placed:
        """The instances' present poses, tints and lamps."""
        listed = list(instances)
        mesh = np.array([self._index_of(one.mesh) for one in listed], np.int64)
        self._pack()
        count = len(listed)
        world = np.array([one.world_from_mesh for one in listed], np.float64).reshape(count, 4, 4)
        centre = np.einsum("nij,nj->ni", world[:, :3, :3], self._centre[mesh]) + world[:, :3, 3]
        return Placed(
            mesh=mesh,
            world_from_mesh=world,
            centre=centre,
            radius=self._radius[mesh],
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

    def draw_list(
        self, placed: Placed, chosen: NDArray[np.int64], pixel_from_world: NDArray[np.float64]
    ) -> tuple[Drawn, int, int]:
        """The chosen instances for one pass, with the number of points and triangles they need."""
        mesh = placed.mesh[chosen]
        vertex_range, triangle_range = self._vertex_range[mesh], self._triangle_range[mesh]
        ends = np.cumsum(vertex_range[:, 1])
        world = placed.world_from_mesh[chosen]
        drawn = Drawn(
            vertex_range=vertex_range,
            triangle_range=triangle_range,
            first_point=(ends - vertex_range[:, 1]).astype(np.int32),
            instance_id=placed.instance_id[chosen],
            semantic_tag=placed.semantic_tag[chosen],
            lamps=placed.lamps[chosen],
            tint=placed.tint[chosen],
            rotation=np.ascontiguousarray(world[:, :3, :3], np.float32),
            pixel_from_mesh=np.ascontiguousarray(pixel_from_world @ world),
        )
        return drawn, int(ends[-1]) if len(ends) else 0, int(triangle_range[:, 1].sum())

    def _index_of(self, mesh: Mesh) -> int:
        index = self._index.get(id(mesh))
        if index is None:
            index = self._index[id(mesh)] = len(self._meshes)
            self._meshes.append(mesh)  # kept alive, so that its id stays its own
        return index

    def _pack(self) -> None:
        """Append the meshes that came since the last time."""
        fresh = self._meshes[self._packed :]
        if not fresh:
            return
        self._packed = len(self._meshes)
        self._vertex_range = _extend(self._vertex_range, [len(m.vertices) for m in fresh])
        self._triangle_range = _extend(self._triangle_range, [len(m.triangles) for m in fresh])
        middle = [(m.vertices.min(0) + m.vertices.max(0)) / 2 for m in fresh]
        self._centre = np.concatenate([self._centre, np.array(middle, np.float64)])
        spread = [m.vertices - c for m, c in zip(fresh, middle, strict=True)]
        radius = np.array([np.linalg.norm(d, axis=1).max() for d in spread], np.float64)
        self._radius = np.concatenate([self._radius, radius])
        parts = [_flat(m) for m in fresh]
        known = [] if self._geometry is None else [self._geometry]
        self._geometry = Geometry(
            *(np.concatenate(arrays) for arrays in zip(*known, *parts, strict=True))
        )


def _flat(mesh: Mesh) -> Geometry:
    """A mesh as the kernels read it."""
    flags = mesh.is_two_sided * FLAG_TWO_SIDED + mesh.is_cutout * FLAG_CUTOUT
    flags = flags + (mesh.texture == TEXTURE_INDEX["glyphs"]) * FLAG_TEXT
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
    )


def join(first: Placed, second: Placed) -> Placed:
    """Both lists of instances, one after the other."""
    return Placed(
        *(
            np.concatenate([getattr(first, name), getattr(second, name)])
            for name in Placed.__slots__
        )
    )


def _extend(ranges: NDArray[np.int32], counts: list[int]) -> NDArray[np.int32]:
    """(first, count) of so many more rows behind those that are there."""
    first = int(ranges[-1].sum()) if len(ranges) else 0
    ends = first + np.cumsum(counts)
    return np.concatenate([ranges, np.stack([ends - counts, counts], 1).astype(np.int32)])
