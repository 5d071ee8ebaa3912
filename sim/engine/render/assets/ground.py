"""Ground of a town: bands between two polylines and flat polygons, textured in metres."""

import math

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.scene import Mesh
from sim.engine.render.textures import METRES_PER_REPEAT

Point = tuple[float, float]


def strip_mesh(
    left: NDArray[np.floating],
    right: NDArray[np.floating],
    texture_name: str,
    v_scale: float | None = None,
    *,
    is_two_sided: bool = False,
) -> Mesh:
    """The band between two polylines: road, marking, kerb top or face, pavement.

    The visible side is (along x left), so a level band with `left` on the left is seen from above,
    and a kerb face with its top edge as `left` is seen from the right of its direction.

    Args:
        left: (N, 3) metres, world axes.
        right: (N, 3), as many points.
        texture_name: name in the atlas.
        v_scale: metres along per texture repeat; None takes the texture's own size.
        is_two_sided: drawn from behind too.

    Raises:
        ValueError: the polylines differ in length or have fewer than two points.
    """
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    if a.shape != b.shape or len(a) < 2:
        raise ValueError(
            f"strip_mesh: two (N, 3) polylines of one length expected, got {a.shape}, {b.shape}"
        )
    return strips_mesh(a[None], b[None], texture_name, v_scale, is_two_sided=is_two_sided)


def strips_mesh(
    left: NDArray[np.floating],
    right: NDArray[np.floating],
    texture_name: str,
    v_scale: float | None = None,
    *,
    is_two_sided: bool = False,
) -> Mesh:
    """Many bands of as many points each as one mesh: (K, N, 3) left and right, as `strip_mesh`."""
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    size = METRES_PER_REPEAT[texture_name]
    middle = (a + b) / 2
    steps = np.linalg.norm(np.diff(middle, axis=1), axis=2)
    along = np.concatenate([np.zeros((len(a), 1)), np.cumsum(steps, axis=1)], axis=1)
    v = along / (v_scale or size)
    across = np.linalg.norm(a - b, axis=2) / size
    uv = np.concatenate([np.stack([0 * v, v], 2), np.stack([across, v], 2)], axis=1)
    normal = np.cross(np.gradient(middle, axis=1), a - b)
    bands, count = a.shape[:2]
    i = np.arange(count - 1)
    faces = np.concatenate(
        [
            np.stack([i, i + count, i + 1], 1),
            np.stack([i + 1, i + count, i + count + 1], 1),
        ]
    )
    faces = faces[None] + 2 * count * np.arange(bands)[:, None, None]
    builder = MeshBuilder()
    builder.add(
        np.concatenate([a, b], axis=1).reshape(-1, 3),
        np.concatenate([normal, normal], axis=1).reshape(-1, 3),
        uv.reshape(-1, 2),
        faces,
        Material(texture_name, is_two_sided=is_two_sided),
    )
    return builder.build(f"strip {texture_name}")


def polygon_mesh(outline: NDArray[np.floating], z: float, texture_name: str) -> Mesh:
    """A level floor seen from above; the outline may be concave but must not cross itself.

    Args:
        outline: (N, 2) metres, world axes, either direction.
        z: height, metres.
        texture_name: name in the atlas.
    """
    ring = np.asarray(outline, np.float64)
    return area_mesh(np.column_stack([ring, np.full(len(ring), z)]), texture_name)


def area_mesh(outline: NDArray[np.floating], texture_name: str) -> Mesh:
    """A floor seen from above over a simple polygon (N, 3), whose points may differ in height."""
    points = np.asarray(outline, np.float64)
    ring = points[:, :2]
    builder = MeshBuilder()
    builder.add(
        points,
        (0, 0, 1),
        ring / METRES_PER_REPEAT[texture_name],
        triangulate(ring),
        Material(texture_name),
    )
    return builder.build(f"polygon {texture_name}")


def triangulate(ring: NDArray[np.float64]) -> list[tuple[int, int, int]]:
    """Ear clipping of a simple polygon (N, 2); gives N - 2 index triples.

    Raises:
        ValueError: the outline crosses itself, so that no ear is left.
    """
    points = [(float(x), float(y)) for x, y in ring]
    x, y = ring[:, 0], ring[:, 1]
    area = float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    left = list(range(len(ring))) if area > 0 else list(range(len(ring)))[::-1]
    triangles = []
    while len(left) > 3:
        for k in range(len(left)):
            corner = (left[k - 1], left[k], left[(k + 1) % len(left)])
            if _is_ear(points, corner, left):
                triangles.append(corner)
                del left[k]
                break
        else:
            raise ValueError("polygon_mesh: the outline crosses itself")
    triangles.append((left[0], left[1], left[2]))
    covered = sum(abs(_twice_area(*(points[k] for k in corner))) for corner in triangles)
    if not math.isclose(covered, abs(area), rel_tol=1e-6):
        raise ValueError("polygon_mesh: the outline crosses itself")
    return triangles


def _is_ear(points: list[Point], corner: tuple[int, int, int], left: list[int]) -> bool:
    a, b, c = (points[k] for k in corner)
    if _twice_area(a, b, c) < 0:
        return False
    for other in left:
        p = points[other]
        if p in (a, b, c):
            continue
        if _twice_area(a, b, p) >= 0 and _twice_area(b, c, p) >= 0 and _twice_area(c, a, p) >= 0:
            return False
    return True


def _twice_area(p: Point, q: Point, r: Point) -> float:
    """Twice the signed area of a triangle, positive if it turns left."""
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
