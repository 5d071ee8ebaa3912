import numpy as np
import pytest

from sim.engine.render.assets.ground import polygon_mesh, strip_mesh, triangulate
from sim.engine.render.mesh_builder import merge_meshes, split_by_cell


def area_and_normal(mesh):
    corner = mesh.vertices[mesh.triangles].astype(float)
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    length = np.linalg.norm(cross, axis=1)
    return length.sum() / 2, cross.sum(0) / length.sum()


def line(y, z, n=5, length=20.0):
    x = np.linspace(0, length, n)
    return np.column_stack([x, np.full(n, y), np.full(n, z)])


def test_a_level_strip_looks_up_and_has_the_bands_area():
    mesh = strip_mesh(line(2, 0), line(-1, 0), "asphalt")
    area, normal = area_and_normal(mesh)
    assert area == pytest.approx(60)
    np.testing.assert_allclose(normal, (0, 0, 1), atol=1e-6)
    assert mesh.uv[:, 1].max() == pytest.approx(20 / 6)  # asphalt repeats every 6 m
    assert mesh.uv[:, 0].max() == pytest.approx(3 / 6)


def test_a_kerb_face_looks_to_the_right_of_its_direction():
    mesh = strip_mesh(line(3.5, 0.15), line(3.5, 0.0), "kerb")
    area, normal = area_and_normal(mesh)
    assert area == pytest.approx(3.0)
    np.testing.assert_allclose(normal, (0, -1, 0), atol=1e-6)


def test_unequal_polylines_are_refused():
    with pytest.raises(ValueError, match="one length"):
        strip_mesh(line(1, 0, 4), line(0, 0, 5), "asphalt")


@pytest.mark.parametrize("turn", [1, -1])
def test_a_concave_polygon_is_covered_exactly(turn):
    ring = np.array([(0, 0), (6, 0), (6, 4), (3, 1), (0, 4.0)])[::turn]
    area, normal = area_and_normal(polygon_mesh(ring, 0.5, "junction"))
    assert area == pytest.approx(24 - 9)  # the rectangle less the notch
    np.testing.assert_allclose(normal, (0, 0, 1), atol=1e-6)


def test_a_crossing_outline_is_refused():
    with pytest.raises(ValueError, match="crosses itself"):
        triangulate(np.array([(0, 0), (4, 4), (4, 0), (0, 3.0)]))


def test_cells_keep_every_triangle_and_fit_their_square():
    parts = [
        strip_mesh(line(k, 0, 30, 300.0), line(k - 1, 0, 30, 300.0), "grass") for k in range(3)
    ]
    whole = merge_meshes("all", parts)
    cells = split_by_cell(whole, 64.0)
    assert len(cells) >= 5
    assert sum(len(c.triangles) for c in cells) == len(whole.triangles)
    assert sum(area_and_normal(c)[0] for c in cells) == pytest.approx(area_and_normal(whole)[0])
    assert max(np.ptp(c.vertices[:, 0]) for c in cells) < 64 + 12
