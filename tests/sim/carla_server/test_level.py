"""What the server says of the town: buildings, rays, traffic lights, collisions."""

import math
import struct
from dataclasses import astuple

import msgspec
import pytest

from sim.carla_server.layouts import (
    MESSAGE_HEADER,
)
from sim.carla_server.weather import weather_from_carla

from .plain_client import Snapshot, Subscriber, description, spawn_point


def test_building_boxes_are_the_footprints(call, town):
    objects = call.value("get_environment_objects", 3)
    assert len(objects) == len(town.buildings)
    assert len({entry[2] for entry in objects}) == len(objects)
    for (_, box, _, _, tag), building in zip(objects, town.buildings, strict=True):
        (x, y, z), (long, wide, high), (_, yaw, _), _ = box
        assert tag == 3 and z + high == pytest.approx(building.height)
        assert z - high == pytest.approx(building.centre.z)
        turn = math.radians(yaw)
        corners = {
            (
                round(x + i * long * math.cos(turn) - j * wide * math.sin(turn), 3) + 0.0,
                round(-(y + i * long * math.sin(turn) + j * wide * math.cos(turn)), 3) + 0.0,
            )
            for i in (-1, 1)
            for j in (-1, 1)
        }
        for corner in building.footprint.tolist():
            assert min(math.dist(corner, mine) for mine in corners) < 2e-3


def test_rays_meet_ground_vehicles_and_buildings_in_order(call, town):
    call.settings(True, 0.05)
    point = spawn_point(call)
    (x, y, _), _ = point
    call.value("spawn_actor", description(call, "vehicle.audi.tt"), point)
    hits = call.value("cast_ray", [x, y, 10.0], [x, y, -1.0])
    assert [label for _, label in hits] == [14, 1]
    assert hits[0][0][2] > 1.0 and hits[1][0][2] == pytest.approx(0.0, abs=1e-5)
    is_found, (place, label) = call.value("project_point", [x, y, 10.0], [0, 0, -1], 3.0)
    assert is_found is False
    building = town.buildings[0].centre
    is_found, (place, label) = call.value(
        "project_point", [building.x, -building.y, 300.0], [0, 0, -1], 500.0
    )
    assert (is_found, label) == (True, 3)
    assert place[2] == pytest.approx(town.buildings[0].height)


def test_traffic_light_is_turned_as_carla_blueprints_are(call, server):
    light = next(iter(server.world.engine.traffic_lights.values()))
    call.settings(True, 0.05)
    stream = Subscriber(call, 1)
    call.value("tick_cue")
    yaw = math.radians(Snapshot(stream.receive()).pose(light.id)[4])
    stream.close()
    right = (-math.sin(yaw), math.cos(yaw))  # CARLA axes
    towards = (math.cos(light.pose.yaw), -math.sin(light.pose.yaw))
    assert right == pytest.approx(towards, abs=1e-6)
    heads = call.value("get_light_boxes", light.id)
    assert len(heads) == 2
    for (x, y, z), (wide, deep, tall), _, actor_id in heads:
        assert actor_id == light.id and tall > wide >= deep and 2.0 < z < 6.0
        assert math.dist((x, -y), (light.pose.x, light.pose.y)) < 5.0
    trigger = call.value("get_actor_bounding_box", light.id)
    x = light.pose.x + 0.0
    (u, v, _), _, _, _ = trigger
    place = (
        x + u * math.cos(yaw) - v * math.sin(yaw),
        -(-light.pose.y + u * math.sin(yaw) + v * math.cos(yaw)),
    )
    stop = light.stop_line
    assert math.dist(place, (stop.x, stop.y)) == pytest.approx(6.0, abs=1e-3)
    lane, s, offset = server.world.engine.town.lanes.nearest(*place)
    assert lane.id == light.lane_id and s < light.stop_s and abs(offset) < 1e-3


def test_lights_can_be_set_frozen_and_reset(call, server):
    call.settings(True, 0.1)
    lights = server.world.engine.traffic_lights
    light_id = next(iter(lights))
    call.void("freeze_all_traffic_lights", True)
    call.void("set_traffic_light_state", light_id, 1)
    for _ in range(300):
        call.value("tick_cue")
    assert lights[light_id].state == 1
    assert "no state 4" in call.failure("set_traffic_light_state", light_id, 4)
    call.void("freeze_all_traffic_lights", False)
    call.void("set_traffic_light_green_time", light_id, 21.0)
    assert lights[light_id].green_time == 21.0
    assert light_id in call.value("get_group_traffic_lights", light_id)
    assert "not found" in call.failure("get_group_traffic_lights", 4242)
    call.void("reset_all_traffic_lights")


def test_collision_sensor_names_both_and_the_push(call, town):
    call.settings(True, 0.05)
    building = town.buildings[0]
    centre, yaw = building.centre, building.centre.yaw
    start = building.length / 2 + 4.0  # metres from the middle, in front of its short side
    place = (centre.x + start * math.cos(yaw), -(centre.y + start * math.sin(yaw)), 0.2)
    towards = math.degrees(-yaw) + 180.0
    car = call.value("spawn_actor", description(call, "vehicle.audi.tt"), [place, [0, towards, 0]])
    blueprint = description(call, "sensor.other.collision")
    here = [[0, 0, 0], [0, 0, 0]]
    sensor = call.value("spawn_actor_with_parent", blueprint, here, car[0], 0, "")
    stream = Subscriber(call, struct.unpack_from("<I", sensor[5])[0])
    fast = [5 * math.cos(math.radians(towards)), 5 * math.sin(math.radians(towards)), 0]
    call.void("set_actor_target_velocity", car[0], fast)
    for _ in range(20):
        call.value("tick_cue")
    message = stream.receive()
    stream.close()
    assert MESSAGE_HEADER.unpack_from(message)[0] == 0
    own, other, push = msgspec.msgpack.decode(message[MESSAGE_HEADER.size :])
    assert own[0] == car[0] and own[2][1] == "vehicle.audi.tt"
    assert (other[0], other[2][1], other[4]) == (0, "static.building", bytes([3]))
    # The wall pushes back, against the way it was going.
    assert push[0] * fast[0] + push[1] * fast[1] < -1000.0


def test_hidden_objects_are_out_of_the_way_of_rays_and_cars(call, server, town):
    call.settings(True, 0.05)
    (transform, box, identity, name, _), *_ = call.value("get_environment_objects", 3)
    (x, y, z), (_, _, high), (_, yaw, _), _ = box
    above, below = [x, y, z + high + 5.0], [x, y, z - high + 1.0]
    assert [label for _, label in call.value("cast_ray", above, below)] == [3]
    call.void("enable_environment_objects", [identity, 99], False)
    assert call.value("cast_ray", above, below) == []
    assert name in call.value("get_names_of_all_objects")
    place = [[x, y, transform[0][2] + 1.0], [0, yaw, 0]]
    car = call.value("spawn_actor", description(call, "vehicle.audi.tt"), place)
    assert call.value("destroy_actor", car[0]) is True
    call.void("enable_environment_objects", [identity], True)
    assert server.world.engine.hidden == frozenset()
    assert "collision" in call.failure("spawn_actor", description(call, "vehicle.audi.tt"), place)


def test_map_layers_come_and_go(call, server, town):
    call.void("unload_map_layer", 1)
    assert len(server.world.engine.hidden) == len(town.buildings)
    call.void("unload_map_layer", 4)
    assert len(server.world.engine.hidden) > len(town.buildings)
    call.void("load_map_layer", 0xFFFF)
    assert server.world.engine.hidden == frozenset()


def test_street_lamps_are_told_set_and_follow_the_sun(call, server):
    call.settings(True, 0.05)
    stream = Subscriber(call, 1)
    lamps = call.value("query_lights_state", "127.0.0.1:7777")
    assert lamps and not any(lamp[5] for lamp in lamps)
    heights = {round(lamp[1][2], 1) for lamp in lamps}
    assert all(3.0 < height < 12.0 for height in heights)
    number, place, *_ = lamps[0]
    call.value("tick_cue")
    assert Snapshot(stream.receive()).state & 2 == 0
    call.void("update_lights_state", "", [[number, place, 50.0, 2, [255, 0, 0], True]], False)
    call.value("tick_cue")
    assert Snapshot(stream.receive()).state & 2 == 2  # every client asks anew
    assert call.value("query_lights_state", "")[0][2:] == [50.0, 2, [255, 0, 0], True]
    night = [5.0, 0.0, 0.0, 10.0, 90.0, -20.0, 2.0, 0.75, 0.1, 0.0, 1.0, 0.03, 0.0331, 0.0]
    call.void("set_weather_parameters", night)
    assert all(lamp[5] for lamp in call.value("query_lights_state", ""))
    assert server.world.engine._look.dark == frozenset()
    call.void("update_lights_state", "", [[number, place, 50.0, 2, [255, 0, 0], False]], False)
    assert server.world.engine._look.dark == {number}  # pictures leave its light out
    call.void("update_lights_state", "", [[number, place, 50.0, 2, [255, 0, 0], True]], False)
    call.void("update_day_night_cycle", "", False)
    night[5] = 45.0
    call.void("set_weather_parameters", night)
    assert all(lamp[5] for lamp in call.value("query_lights_state", ""))
    stream.close()


def test_weather_turns_with_the_axes_and_is_told_as_it_was_set(call, server):
    first = call.value("get_weather_parameters")
    assert astuple(weather_from_carla(first)) == pytest.approx(astuple(server.world.engine.weather))
    numbers = [80.0, 60.0, 50.0, 30.0, 90.0, 30.0, 20.0, 5.0, 0.2, 70.0, 1.0, 0.03, 0.0331, 0.0]
    call.void("set_weather_parameters", [*numbers, 7.0])  # of a later version
    assert call.value("get_weather_parameters") == numbers
    weather = server.world.engine.weather
    sun = (math.cos(weather.sun_azimuth), math.sin(weather.sun_azimuth))
    assert sun == pytest.approx((0.0, -1.0), abs=1e-9)  # 90 degrees clockwise from east: south
    assert weather.sun_altitude == pytest.approx(math.radians(30.0))
    assert weather.wetness == 70.0
    numbers[0] = 1e5
    call.void("set_weather_parameters", numbers)
    assert server.world.engine.weather.cloudiness == 100.0
    numbers[5] = math.nan
    assert "expected a number" in call.failure("set_weather_parameters", numbers)
    assert "expected 14" in call.failure("set_weather_parameters", [1.0])
