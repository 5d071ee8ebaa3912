"""What a level looks like when things are hidden and lamps are off."""

import pytest

from sim.engine.level_inventory import STREET_LIGHTS, level_inventory
from sim.engine.level_scene import level_scene
from sim.engine.look import Look
from sim.engine.simulation import Engine
from sim.engine.town import build_town


@pytest.fixture(scope="module")
def town():
    return build_town()


def test_inventory_names_the_instances_of_the_scene(town):
    things = list(level_inventory(town))
    ids = {one.instance_id: one.semantic_tag for one in level_scene(town, 1).static}
    assert len({one.id for one in things}) == len(things) == len({one.name for one in things})
    shown = [one for one in things if one.id in ids]
    assert len(shown) >= 0.9 * len(things)
    assert all(ids[one.id] == one.tag for one in shown)


def test_hidden_things_are_left_out_and_dark_lamps_lose_their_light(town):
    lamps = [one.id for one in level_inventory(town) if one.layer == STREET_LIGHTS]
    static = level_scene(town, 1).static
    lit = [one for one in static if one.instance_id in lamps[:2] and one.mesh.spots]
    assert len(lit) == 2
    look = Look(hidden=frozenset(lamps[2:3]), dark=frozenset(lamps[:1]))
    shown = {one.instance_id: one for one in look.of_level(static)}
    assert lamps[2] not in shown
    assert not shown[lamps[0]].mesh.spots and not shown[lamps[0]].mesh.emissive.any()
    assert shown[lamps[1]].mesh.spots and shown[lamps[1]].mesh.emissive.any()
    assert lit[0].mesh.spots  # the mesh that others share is as it was


def test_scene_follows_the_look_and_a_still_keeps_its_own(town):
    engine = Engine(town)
    things = list(level_inventory(town))
    before = engine.rays()
    count = len(engine._pictures._scene.static)
    still = engine.still()
    engine.hide_objects([things[0].id])
    assert engine.rays() is before
    assert len(engine._pictures._scene.static) < count
    still.rays()
    assert len(engine._pictures._scene.static) == count
