import numpy as np

from sim.engine.render.mesh_store import MeshStore
from sim.engine.render.scene import Instance
from tests.sim.engine.render.conftest import box_mesh, pose

MESHES = [box_mesh((1.0 + k, 2.0, 1.5), "plain" if k % 2 else "facade_1") for k in range(3)]
INSTANCES = [Instance(mesh, pose(5.0 * k)) for k, mesh in enumerate(MESHES)]


def test_meshes_that_come_later_are_packed_as_those_that_were_there():
    at_once, one_by_one = MeshStore(), MeshStore()
    whole = at_once.place(INSTANCES)
    for instance in INSTANCES:
        one_by_one.place([instance])
    again = one_by_one.place(INSTANCES)
    for name in whole._fields:
        np.testing.assert_array_equal(getattr(whole, name), getattr(again, name))
    for one, other in zip(at_once.geometry(), one_by_one.geometry(), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    for one, other in zip(at_once.table(), one_by_one.table(), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def test_a_mesh_is_packed_once_however_often_it_is_placed():
    store = MeshStore()
    store.place(INSTANCES * 2)
    geometry = store.geometry()
    store.place(INSTANCES)
    assert store.geometry() is geometry
    assert len(geometry.vertices) == sum(len(mesh.vertices) for mesh in MESHES)
