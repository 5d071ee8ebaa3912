"""Puts a mesh together from boxes, cylinders, blobs and lofted grids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from sim.engine.render.scene import Mesh
from sim.engine.render.textures import TEXTURE_INDEX

Array = NDArray[Any]
Colour = tuple[float, float, float]
Point = tuple[float, float, float]
WHITE: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Material:
    """How a part looks.

    Attributes:
        texture: name in the atlas.
        colour: multiplies the texture.
        tint: 1 where the instance's paint colour multiplies too.
        specular: 0 matt to 1 polished.
        emissive: brightness while lamp `lamp` glows.
        lamp: see `sim.engine.render.scene.LAMP_STATE`.
        is_cutout: the texture's alpha makes holes.
        is_two_sided: drawn from behind too.
    """

    texture: str = "plain"
    colour: Colour = WHITE
    tint: float = 0.0
    specular: float = 0.0
    emissive: float = 0.0
    lamp: int = 0
    is_cutout: bool = False
    is_two_sided: bool = False


_FACES = ("-x", "+x", "-y", "+y", "-z", "+z")
# Of each face of a box: its corners in half sizes, its normal, the sides that its uv run along.
_CORNERS = np.array(
    [
        [(sign, -1, -1), (sign, 1, -1), (sign, 1, 1), (sign, -1, 1)] if axis == 0
        else [(-1, sign, -1), (1, sign, -1), (1, sign, 1), (-1, sign, 1)] if axis == 1
        else [(-1, -1, sign), (1, -1, sign), (1, 1, sign), (-1, 1, sign)]
        for axis in range(3)
        for sign in (-1, 1)
    ],
    np.float32,
)  # fmt: skip
_NORMALS = np.array([np.eye(3)[axis] * sign for axis in range(3) for sign in (-1, 1)], np.float32)
_SIDES = np.array([(1, 2), (1, 2), (0, 2), (0, 2), (0, 1), (0, 1)])
_FACE_UV = np.array([(0, 1), (1, 1), (1, 0), (0, 0)])
_FACE_TRIANGLES = np.broadcast_to(np.array([(0, 1, 2), (0, 2, 3)]), (6, 2, 3))


class MeshBuilder:
    """Collects parts in mesh axes; `build` gives the finished mesh."""

    def __init__(self) -> None:
        self._vertices: list[NDArray[np.float32]] = []
        self._normals: list[NDArray[np.float32]] = []
        self._uv: list[NDArray[np.float32]] = []
        self._triangles: list[NDArray[np.int32]] = []
        self._materials: list[Material] = []
        self._count = 0

    def add(
        self,
        vertices: ArrayLike,
        normals: ArrayLike,
        uv: ArrayLike,
        triangles: ArrayLike,
        material: Material,
    ) -> None:
        """Add raw triangles; their winding is turned to agree with the normals.

        Args:
            vertices: (V, 3) metres.
            normals: (V, 3) or (3,), need not be unit length.
            uv: (V, 2).
            triangles: (T, 3) indices into vertices.
            material: the look of all of them.
        """
        points = np.asarray(vertices, np.float32)
        direction = np.empty(points.shape, np.float32)
        direction[:] = normals
        index = np.asarray(triangles, np.int32).reshape(-1, 3)
        self._vertices.append(points)
        self._normals.append(direction)
        self._uv.append(np.asarray(uv, np.float32))
        self._triangles.append(index + np.int32(self._count))
        self._materials.append(material)
        self._count += len(points)

    def quad(
        self, corners: Sequence[Point], material: Material, uv_size: tuple[float, float] = (1, 1)
    ) -> None:
        """A flat quad; corners counter-clockwise seen from its visible side."""
        points = np.array(corners, np.float32)
        normal = _cross(points[1:2] - points[:1], points[3:] - points[:1])
        u, v = uv_size
        self.add(points, normal, [(0, v), (u, v), (u, 0), (0, 0)], [(0, 1, 2), (0, 2, 3)], material)

    def box(
        self,
        centre: Point,
        size: Point,
        material: Material,
        metres_per_repeat: tuple[float, float] | None = None,
        faces: str = "+x-x+y-y+z-z",
    ) -> None:
        """An axis-aligned box; `metres_per_repeat` scales uv, None stretches one repeat a face."""
        chosen = [k for k, name in enumerate(_FACES) if name in faces]
        half = np.array(size, np.float32) / 2
        corners = np.array(centre, np.float32) + _CORNERS[chosen] * half
        uv = np.broadcast_to(_FACE_UV, (len(chosen), 4, 2))
        if metres_per_repeat is not None:
            extents = np.array(size)[_SIDES[chosen]]
            uv = uv * (extents / np.array(metres_per_repeat))[:, None]
        triangles = _FACE_TRIANGLES[chosen] + 4 * np.arange(len(chosen))[:, None, None]
        normals = np.repeat(_NORMALS[chosen], 4, axis=0)
        self.add(corners.reshape(-1, 3), normals, uv.reshape(-1, 2), triangles, material)

    def cylinder(
        self,
        start: Point,
        end: Point,
        radii: tuple[float, float],
        material: Material,
        sides: int = 10,
        cap: Material | None = None,
        has_caps: bool = True,
        repeats: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """A cylinder or cone from `start` to `end`, capped flat unless `has_caps` is false."""
        begin, finish = np.array(start, np.float64), np.array(end, np.float64)
        axis = (finish - begin) / np.linalg.norm(finish - begin)
        helper = np.array([0.0, 0.0, 1.0]) if abs(axis[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
        first = np.cross(helper, axis)
        first /= np.linalg.norm(first)
        second = np.cross(axis, first)
        angle = np.linspace(0, 2 * np.pi, sides + 1)
        ring = np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second
        points = np.concatenate([begin + ring * radii[0], finish + ring * radii[1]])
        turn = angle / (2 * np.pi) * repeats[0]
        uv = np.concatenate(
            [np.stack([turn, 0 * turn], 1), np.stack([turn, 0 * turn + repeats[1]], 1)]
        )
        low = np.arange(sides)
        high = low + sides + 1
        faces = np.concatenate(
            [np.stack([low, low + 1, high], 1), np.stack([low + 1, high + 1, high], 1)]
        )
        self.add(points, np.concatenate([ring, ring]), uv, faces, material)
        if not has_caps:
            return
        disc_uv = 0.5 + 0.5 * np.stack([np.cos(angle[:-1]), -np.sin(angle[:-1])], 1)
        fan = np.stack([np.zeros(sides, int), 1 + low, 1 + (low + 1) % sides], 1)
        for point, radius, sign in ((begin, radii[0], -1.0), (finish, radii[1], 1.0)):
            disc = np.concatenate([point[None], point + ring[:-1] * radius])
            both_uv = np.concatenate([[[0.5, 0.5]], disc_uv])
            self.add(disc, axis * sign, both_uv, fan, cap or material)

    def blob(
        self,
        centre: Point,
        radii: Point,
        material: Material,
        segments: tuple[int, int] = (10, 7),
        roughness: float = 0.0,
        rng: np.random.Generator | None = None,
        repeats: float = 2.0,
    ) -> None:
        """An ellipsoid; `roughness` is the relative spread of its radius (foliage)."""
        around = np.linspace(0, 2 * np.pi, segments[0] + 1)
        down = np.linspace(0.02, np.pi - 0.02, segments[1] + 1)
        scale = np.ones((segments[0] + 1, segments[1] + 1))
        if rng is not None:
            scale += roughness * rng.standard_normal(scale.shape)
            scale[-1] = scale[0]
        unit = np.stack(
            [
                np.cos(around)[:, None] * np.sin(down),
                np.sin(around)[:, None] * np.sin(down),
                np.broadcast_to(np.cos(down), scale.shape),
            ],
            -1,
        )
        points = unit * scale[..., None] * np.array(radii) + np.array(centre)
        uv = np.stack(
            np.broadcast_arrays(
                around[:, None] / (2 * np.pi) * repeats * 2, down[None] / np.pi * repeats
            ),
            -1,
        )
        self.grid(points, uv, material, normals=unit / np.array(radii))

    def grid(
        self,
        points: NDArray[np.floating],
        uv: NDArray[np.floating],
        material: Material | list[list[Material]],
        normals: NDArray[np.floating] | None = None,
        outward_from: NDArray[np.floating] | None = None,
    ) -> None:
        """A smooth surface over (S, K, 3) points.

        Args:
            points: rows are stations, columns run round the section.
            uv: (S, K, 2).
            material: one, or S-1 lists of K-1, a cell each.
            normals: (S, K, 3); None derives them from the points.
            outward_from: (S, 3) section centres; derived normals are turned away from them.
        """
        rows, columns = points.shape[:2]
        if normals is None:
            normals = _grid_normals(points)
            if outward_from is not None:
                normals = _turned_outward(normals, points, outward_from)
        index = np.arange(rows * columns).reshape(rows, columns)
        a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
        pairs = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2)
        flat_points, flat_uv = points.reshape(-1, 3), uv.reshape(-1, 2)
        flat_normals = normals.reshape(-1, 3)
        if isinstance(material, Material):
            self.add(flat_points, flat_normals, flat_uv, pairs.reshape(-1, 3), material)
            return
        cells: dict[Material, list[tuple[int, int]]] = {}
        for i, row in enumerate(material):
            for j, cell in enumerate(row):
                cells.setdefault(cell, []).append((i, j))
        for cell, places in cells.items():
            at = np.array(places)
            used, local = np.unique(pairs[at[:, 0], at[:, 1]].reshape(-1), return_inverse=True)
            self.add(
                flat_points[used], flat_normals[used], flat_uv[used], local.reshape(-1, 3), cell
            )

    def build(self, name: str) -> Mesh:
        """The finished mesh; the builder may go on and build a larger one."""
        vertices, normals = np.concatenate(self._vertices), np.concatenate(self._normals)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        triangles = np.concatenate(self._triangles)
        corner = vertices[triangles]
        face = _cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        turned = (face * normals[triangles].sum(1)).sum(1) < 0
        triangles[turned] = triangles[turned][:, ::-1]
        kept = np.linalg.norm(face, axis=1) > 1e-8
        look = self._materials
        part = np.repeat(np.arange(len(look)), [len(one) for one in self._triangles])
        counts = np.bincount(part[kept], minlength=len(look))
        colour = np.array([(*one.colour, one.tint) for one in look], np.float32)

        def spread(values: list[float], dtype: DTypeLike) -> Array:
            return np.repeat(np.array(values, dtype), counts)

        return Mesh(
            name=name,
            vertices=vertices,
            normals=normals,
            uv=np.concatenate(self._uv),
            colour=np.repeat(colour, [len(one) for one in self._vertices], axis=0),
            triangles=triangles[kept],
            texture=spread([TEXTURE_INDEX[one.texture] for one in look], np.int16),
            specular=spread([one.specular for one in look], np.float32),
            emissive=spread([one.emissive for one in look], np.float32),
            lamp=spread([one.lamp for one in look], np.uint8),
            is_cutout=spread([one.is_cutout for one in look], np.bool_),
            is_two_sided=spread([one.is_two_sided for one in look], np.bool_),
        )


def _cross(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cross products of the rows of two (N, 3); `np.cross` takes three times as long."""
    product = np.empty_like(a)
    product[:, 0] = a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1]
    product[:, 1] = a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]
    product[:, 2] = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return product


def merge_meshes(name: str, meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of many that share their axes; fewer instances cost less per picture."""
    offsets = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    return Mesh(
        name=name,
        vertices=np.concatenate([m.vertices for m in meshes]),
        normals=np.concatenate([m.normals for m in meshes]),
        uv=np.concatenate([m.uv for m in meshes]),
        colour=np.concatenate([m.colour for m in meshes]),
        triangles=np.concatenate(
            [m.triangles + np.int32(o) for m, o in zip(meshes, offsets, strict=True)]
        ),
        texture=np.concatenate([m.texture for m in meshes]),
        specular=np.concatenate([m.specular for m in meshes]),
        emissive=np.concatenate([m.emissive for m in meshes]),
        lamp=np.concatenate([m.lamp for m in meshes]),
        is_cutout=np.concatenate([m.is_cutout for m in meshes]),
        is_two_sided=np.concatenate([m.is_two_sided for m in meshes]),
    )


def split_by_cell(mesh: Mesh, cell_m: float = 64.0) -> list[Mesh]:
    """A wide mesh (roads, markings) as one mesh per square of the ground, so that it can be culled.

    Raising `cell_m` costs set-up of triangles that lie outside the picture.
    """
    centre = mesh.vertices[mesh.triangles].mean(1)[:, :2]
    cells, member = np.unique(
        np.floor(centre / cell_m).astype(np.int64), axis=0, return_inverse=True
    )
    parts = []
    for k in range(len(cells)):
        chosen = np.flatnonzero(member.reshape(-1) == k)
        used, local = np.unique(mesh.triangles[chosen].reshape(-1), return_inverse=True)
        parts.append(
            replace(
                mesh,
                name=f"{mesh.name} {cells[k][0]},{cells[k][1]}",
                vertices=mesh.vertices[used],
                normals=mesh.normals[used],
                uv=mesh.uv[used],
                colour=mesh.colour[used],
                triangles=local.reshape(-1, 3).astype(np.int32),
                texture=mesh.texture[chosen],
                specular=mesh.specular[chosen],
                emissive=mesh.emissive[chosen],
                lamp=mesh.lamp[chosen],
                is_cutout=mesh.is_cutout[chosen],
                is_two_sided=mesh.is_two_sided[chosen],
            )
        )
    return parts


def _grid_normals(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Vertex normals (S, K, 3) of a grid: the mean of the cells around each point."""
    a, b = points[1:, 1:] - points[:-1, :-1], points[1:, :-1] - points[:-1, 1:]
    face = np.cross(a, b)
    face /= np.maximum(np.linalg.norm(face, axis=-1, keepdims=True), 1e-9)
    total = np.zeros(points.shape, np.float64)
    for i in (slice(None, -1), slice(1, None)):
        for j in (slice(None, -1), slice(1, None)):
            total[i, j] += face
    if np.allclose(points[:, 0], points[:, -1]):
        total[:, 0] += total[:, -1]
        total[:, -1] = total[:, 0]
    total /= np.maximum(np.linalg.norm(total, axis=-1, keepdims=True), 1e-9)
    return total


def _turned_outward(
    normals: NDArray[np.float64], points: NDArray[np.floating], middle: NDArray[np.floating]
) -> NDArray[np.float64]:
    away = points - middle[:, None]
    turned: NDArray[np.float64] = normals * np.where((normals * away).sum(-1) < 0, -1, 1)[..., None]
    return turned


def outward_normals(
    points: NDArray[np.floating], middle: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Normals (S, K, 3) of a grid's points (S, K, 3), away from the sections' centres (S, 3)."""
    return _turned_outward(_grid_normals(points), points, middle)
