import numpy as np
import pytest

pytest.importorskip("numba", reason="rays need the engine extra")

from sim.engine.geometry import Pose
from sim.engine.sensing.hierarchy import build
from sim.engine.sensing.ray_scene import RayScene

from .conftest import instance_of, mesh_of, rays_of, scene_of, wall_mesh

ORIGIN = np.zeros(3)


def unit(rays):
    rays = np.asarray(rays, float)
    return (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).astype(np.float32)


def brute_force(corners, origin, ray):
    """The nearest distance to any triangle from in front, by the plane and three edges."""
    best = np.inf
    for a, b, c in corners:
        normal = np.cross(b - a, c - a)
        facing = normal @ ray
        if facing >= 0:
            continue
        t = normal @ (a - origin) / facing
        p = origin + t * ray
        edges = ((a, b), (b, c), (c, a))
        if t > 0 and all(np.cross(q - o, p - o) @ normal >= 0 for o, q in edges):
            best = min(best, t)
    return best


@pytest.mark.parametrize("bundle", [1, 16])
def test_rays_meet_what_brute_force_meets(bundle):
    rng = np.random.default_rng(3)
    corners = rng.normal(0, 6, (60, 1, 3)) + rng.normal(0, 3, (60, 3, 3))
    pose = Pose(3.0, -2.0, 1.0, 0.7, 0.2, -0.4)
    other = mesh_of(rng.normal(0, 2, (20, 3, 3)))
    mesh = mesh_of(corners)
    rays = rays_of(
        [instance_of(mesh, pose, 1), instance_of(mesh, Pose(), 2)],
        [instance_of(other, Pose(z=2.0, yaw=1.0), 3)],
    )
    origin = np.array([0.5, 0.2, -0.3])
    directions = unit(rng.normal(0, 1, (64, 3)))
    hits = rays.cast(origin, directions, 100.0, bundle=bundle)
    world = {}
    for number, shape, place in (
        (1, mesh, pose),
        (2, mesh, Pose()),
        (3, other, Pose(z=2.0, yaw=1.0)),
    ):
        points = shape.vertices.astype(float) @ place.rotation().T + place.matrix()[:3, 3]
        world[number] = points.reshape(-1, 3, 3)
    for k, ray in enumerate(directions.astype(float)):
        nearest = {number: brute_force(points, origin, ray) for number, points in world.items()}
        number = min(nearest, key=nearest.get)
        assert hits.is_hit[k] == (nearest[number] < 100.0)
        if hits.is_hit[k]:
            assert hits.distance[k] == pytest.approx(nearest[number], abs=1e-4)
            assert hits.instance_id[k] == number
    assert 0.2 < hits.is_hit.mean() < 1.0


def test_reach_ends_a_ray(wall):
    directions = unit([[1, 0, 0], [1, 1, 0]])
    assert wall.cast(ORIGIN, directions, 10.5).is_hit.tolist() == [True, False]
    assert not wall.cast(ORIGIN, directions, 9.5).is_hit.any()


def test_backs_are_passed_unless_two_sided():
    behind, ray = np.array([20.0, 0.0, 0.0]), unit([[-1, 0, 0]])
    for is_two_sided in (False, True):
        mesh = wall_mesh(is_two_sided=is_two_sided)
        hits = rays_of([instance_of(mesh, Pose(x=10.0))]).cast(behind, ray, 50.0)
        assert hits.is_hit.tolist() == [is_two_sided]


def test_holes_of_a_texture_are_passed():
    # Two by two texels: the upper left one is a hole.
    texels = [0x00FFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF]
    rays = rays_of([instance_of(wall_mesh(is_cutout=True), Pose(x=10.0))], texels=texels)
    directions = unit([[10, 5, 5], [10, -5, 5], [10, 5, -5], [10, -5, -5]])
    assert rays.cast(ORIGIN, directions, 50.0).is_hit.tolist() == [False, True, True, True]


def test_actors_are_met_where_they_are_now():
    body = instance_of(wall_mesh(2.0), Pose(x=8.0), 5, 14)
    scene = scene_of([instance_of(wall_mesh(), Pose(x=30.0), 1 << 24)], [body])
    rays = RayScene()
    rays.update(scene, 1)
    ray = unit([[1, 0, 0]])
    first = rays.cast(ORIGIN, ray, 50.0)
    assert (first.distance[0], first.instance_id[0], first.semantic_tag[0]) == (8.0, 5, 14)
    body.world_from_mesh = Pose(x=6.5).matrix()
    rays.update(scene, 2)
    assert rays.cast(ORIGIN, ray, 50.0).distance[0] == pytest.approx(6.5)
    scene.dynamic.clear()
    rays.update(scene, 3)
    last = rays.cast(ORIGIN, ray, 50.0)
    assert (last.distance[0], last.instance_id[0]) == (30.0, 1 << 24)


def test_meshes_that_have_left_are_forgotten():
    scene = scene_of([instance_of(wall_mesh(), Pose(x=30.0), 1 << 24)])
    rays = RayScene(kept_triangles=40)
    ray = unit([[1, 0, 0]])
    sizes = []
    for k in range(100):  # a walker that takes a new shape in every tick
        scene.dynamic[5] = instance_of(wall_mesh(2.0), Pose(x=8.0 + 0.1 * k), 5, 12)
        rays.update(scene, k)
        assert rays.cast(ORIGIN, ray, 50.0).distance[0] == pytest.approx(8.0 + 0.1 * k)
        sizes.append(rays.triangles)
    assert max(sizes) <= 44 and sizes[-1] >= 4
    scene.dynamic.clear()
    rays.update(scene, 100)
    assert rays.cast(ORIGIN, ray, 50.0).distance[0] == pytest.approx(30.0)


def test_incidence_is_the_cosine_to_the_normal(wall):
    angles = np.radians([0.0, 30.0, 60.0])
    directions = unit(np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1))
    hits = wall.cast(ORIGIN, directions, 50.0, with_cosine=True)
    assert hits.cosine == pytest.approx(np.cos(angles), abs=1e-6)


def test_empty_scene_lets_all_pass():
    hits = rays_of([]).cast(ORIGIN, unit([[1, 0, 0], [0, 0, -1]]), 50.0, with_cosine=True)
    assert not hits.is_hit.any() and not hits.instance_id.any() and not hits.semantic_tag.any()


@pytest.mark.parametrize("count", [0, 1, 2, 5, 400])
@pytest.mark.parametrize("is_one_place", [False, True])
def test_hierarchy_holds_every_box_once_and_encloses_it(count, is_one_place):
    rng = np.random.default_rng(count)
    low = np.zeros((count, 3)) if is_one_place else rng.normal(0, 50, (count, 3))
    high = low + rng.random((count, 3))
    tree = build(low.astype(np.float32), high.astype(np.float32), 2)
    found = []

    def visit(node, box, depth):
        assert depth < 64
        for side in range(2):
            inner = tree.boxes[node, 6 * side : 6 * side + 6]
            child = tree.children[node, side]
            code = -1 - child
            if child < 0 and not code & 7:
                continue
            if box is not None:
                assert (inner[:3] >= box[:3]).all() and (inner[3:] <= box[3:]).all()
            if child >= 0:
                visit(child, inner, depth + 1)
                continue
            for one in tree.order[code >> 3 : (code >> 3) + (code & 7)]:
                assert (inner[:3] <= low[one]).all() and (inner[3:] >= high[one]).all()
                found.append(one)

    visit(0, None, 0)
    assert sorted(found) == list(range(count))


def test_hierarchy_refuses_leaves_that_its_code_cannot_count():
    with pytest.raises(ValueError, match="1 to 7"):
        build(np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32), 8)
