"""What can be spawned: CARLA's ids and attributes, boxes that hold their meshes."""

import numpy as np
import pytest

from sim.engine.blueprints import Blueprint
from sim.engine.catalogue import all_blueprints
from sim.engine.geometry import Pose
from sim.engine.prop_catalogue import PROPS, UNREAL_MESH
from sim.engine.render.assets.props import MAKERS, prop_mesh
from sim.engine.simulation import Engine

BLUEPRINTS = all_blueprints()
CAR_ATTRIBUTES = {
    "role_name", "color", "sticky_control", "terramechanics", "object_type", "base_type",
    "special_type", "generation", "number_of_wheels", "has_lights", "has_dynamic_doors",
}  # fmt: skip
WALKER_ATTRIBUTES = {
    "role_name", "speed", "is_invincible", "generation", "gender", "age", "can_use_wheelchair",
}  # fmt: skip
SCRIPTS_USE = [
    "vehicle.audi.a2",
    "vehicle.audi.tt",
    "vehicle.dodge.charger_police",
    "vehicle.dodge.charger_police_2020",
    "vehicle.ford.ambulance",
    "vehicle.ford.mustang",
    "vehicle.lincoln.mkz_2017",
    "vehicle.lincoln.mkz_2020",
    "vehicle.mercedes.coupe_2020",
    "vehicle.mini.cooper_s_2021",
    "vehicle.nissan.patrol_2021",
    "vehicle.carlamotors.european_hgv",
    "vehicle.volkswagen.t2_2021",
    "vehicle.micro.microlino",
    "vehicle.tesla.model3",
    "vehicle.tesla.cybertruck",
    "vehicle.mitsubishi.fusorosa",
    "vehicle.bh.crossbike",
    "walker.pedestrian.0001",
    "walker.pedestrian.0024",
    "walker.pedestrian.0051",
    "controller.ai.walker",
    "static.prop.streetbarrier",
    "static.prop.trafficcone01",
    "static.prop.trafficcone02",
    "static.prop.warningconstruction",
    "static.prop.box01",
    "static.prop.container",
    "static.prop.trashcan01",
    "static.prop.bench01",
    "static.prop.chair",
    "static.prop.table",
    "static.prop.plantpot01",
    "static.prop.barrel",
    "static.prop.advertisement",
    "static.prop.busstop",
    "static.prop.creasedbox01",
    "static.prop.dirtdebris01",
    "static.prop.mailbox",
    "static.prop.vendingmachine",
    "static.prop.atm",
    "static.prop.shoppingcart",
    "static.prop.gnome",
    "static.prop.constructioncone",
    "traffic.stop",
    "traffic.yield",
    "traffic.speed_limit.30",
]


@pytest.mark.parametrize("name", SCRIPTS_USE)
def test_what_scripts_ask_for_is_there(name: str) -> None:
    assert name in BLUEPRINTS
    assert set(name.split(".")) <= {*BLUEPRINTS[name].tags, "speed_limit"}


def values(blueprint: Blueprint) -> dict[str, str]:
    return {attribute.id: attribute.value for attribute in blueprint.attributes}


def test_vehicles_and_walkers_have_carlas_attributes() -> None:
    for blueprint in BLUEPRINTS.values():
        found = values(blueprint)
        if blueprint.kind == "vehicle":
            assert set(found) >= CAR_ATTRIBUTES, blueprint.id
            assert found["generation"] in ("1", "2")
            assert found["base_type"] in ("car", "truck", "van", "bus", "motorcycle", "bicycle")
            is_cycle = found["base_type"] in ("motorcycle", "bicycle")
            assert found["number_of_wheels"] == ("2" if is_cycle else "4")
            assert ("driver_id" in found) == is_cycle
        elif blueprint.kind == "walker":
            assert set(found) >= WALKER_ATTRIBUTES
            assert found["age"] == ("child" if blueprint.size[2] < 1.5 else "adult")
        elif blueprint.kind == "prop" and blueprint.id != UNREAL_MESH:
            assert set(found) == {"role_name", "size"}
            assert found["size"] in ("tiny", "small", "medium", "big", "huge")
    for kind in ("generation", "base_type"):
        assert len({values(b)[kind] for b in BLUEPRINTS.values() if b.kind == "vehicle"}) >= 2


def test_no_name_is_given_twice() -> None:
    assert len({prop.name for prop in PROPS}) == len(PROPS)


@pytest.mark.parametrize("prop", PROPS, ids=lambda prop: prop.name)
def test_a_props_mesh_fills_its_box_and_no_more(prop) -> None:  # type: ignore[no-untyped-def]
    mesh = prop_mesh(prop.mesh, 3, prop.size)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    half = np.array(prop.size) / 2
    assert np.allclose(low, (-half[0], -half[1], 0.0), atol=1e-4)
    assert np.allclose(high, (half[0], half[1], prop.size[2]), atol=1e-4)
    assert 10 <= len(mesh.triangles) <= 1000


def test_every_form_is_used_and_an_unknown_one_is_an_error() -> None:
    assert {prop.mesh for prop in PROPS} == set(MAKERS)
    with pytest.raises(KeyError):
        prop_mesh("teapot", 1, (1.0, 1.0, 1.0))


def test_props_stand_where_they_are_put_and_do_not_fall(engine: Engine) -> None:
    cone = engine.spawn("static.prop.trafficcone01", Pose(0.0, -400.0, 1.0))
    for _ in range(10):
        engine.tick(0.05)
    assert cone.pose == Pose(0.0, -400.0, 1.0)
    assert cone.box_offset == (0.0, 0.0, 0.375)
