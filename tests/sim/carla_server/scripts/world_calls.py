"""What scripts ask of a level: objects, layers, lamps, lights by waypoint, signs, rays, weather."""

import argparse
import time

import carla


def lamps(world):
    manager = world.get_lightmanager()
    street = manager.get_all_lights(carla.LightGroup.Street)
    assert street and not any(lamp.is_on for lamp in street)
    manager.turn_on(street[:2])
    world.tick()
    assert [lamp.is_on for lamp in street[:3]] == [True, True, False]
    manager.set_intensity(street[:1], 123.0)
    world.tick()
    assert manager.get_intensity(street[:1]) == [123.0]
    manager.turn_off(street[:2])
    world.tick()
    assert len(manager.get_turned_on_lights(carla.LightGroup.Street)) == 0
    return len(street)


def lights(world, town_map):
    found = world.get_actors().filter("traffic.traffic_light")
    for light in found:
        group = light.get_group_traffic_lights()
        assert light.id in [one.id for one in group]
        assert light.get_light_boxes()
        for waypoint in light.get_affected_lane_waypoints():
            assert waypoint.lane_type == carla.LaneType.Driving
        for waypoint in light.get_stop_waypoints():
            before = waypoint.previous(8.0)
            near = world.get_traffic_lights_from_waypoint(before[0], 40.0) if before else []
            assert not before or light.id in [one.id for one in near], (light.id, waypoint)
    first = found[0]
    assert world.get_traffic_light_from_opendrive_id(first.get_opendrive_id()).id == first.id
    landmarks = town_map.get_all_landmarks_of_type("1000001")
    assert landmarks and world.get_traffic_light(landmarks[0]) is not None
    junction = next(w for w in town_map.generate_waypoints(2.0) if w.is_junction).get_junction()
    assert world.get_traffic_lights_in_junction(junction.id)
    first.set_state(carla.TrafficLightState.Green)
    first.set_green_time(4.0)
    first.freeze(True)
    world.tick()
    assert (first.get_state(), first.get_green_time()) == (carla.TrafficLightState.Green, 4.0)
    assert first.is_frozen()
    world.reset_all_traffic_lights()
    world.freeze_all_traffic_lights(False)
    world.tick()
    assert not first.is_frozen()
    return len(found)


def objects(world):
    buildings = world.get_environment_objects(carla.CityObjectLabel.Buildings)
    assert buildings and all(one.bounding_box.extent.z > 1.0 for one in buildings)
    assert len({one.id for one in buildings}) == len(buildings)
    boxes = world.get_level_bbs(carla.CityObjectLabel.Buildings)
    assert len(boxes) == len(buildings)
    assert buildings[0].name in world.get_names_of_all_objects()
    place = buildings[0].transform.location
    above = carla.Location(place.x, place.y, 200.0)
    hit = world.ground_projection(above, 400.0)
    assert hit is not None and hit.label == carla.CityObjectLabel.Buildings
    world.enable_environment_objects({buildings[0].id}, False)
    hit = world.ground_projection(above, 400.0)
    assert hit is not None and hit.label != carla.CityObjectLabel.Buildings, hit.label
    world.enable_environment_objects({buildings[0].id}, True)
    world.unload_map_layer(carla.MapLayer.Buildings)
    ray = world.cast_ray(above, carla.Location(place.x, place.y, -5.0))
    assert ray and all(one.label != carla.CityObjectLabel.Buildings for one in ray)
    world.load_map_layer(carla.MapLayer.Buildings)
    down = world.project_point(above, carla.Vector3D(0, 0, -1), 400.0)
    assert down.label == carla.CityObjectLabel.Buildings
    return len(buildings)


def odds(world, library, town_map):
    weather = carla.WeatherParameters.HardRainNight
    world.set_weather(weather)
    world.tick()
    assert world.get_weather() == weather
    end = time.monotonic() + 10.0  # the client asks for its lamps in a thread of its own
    while not all(one.is_on for one in world.get_lightmanager().get_all_lights()):
        assert time.monotonic() < end, "lamps are not on at night"
        time.sleep(0.01)
    world.set_weather(carla.WeatherParameters.ClearNoon)
    world.debug.draw_point(carla.Location(0, 0, 1), 0.1, carla.Color(255, 0, 0), 1.0)
    world.debug.draw_string(carla.Location(0, 0, 1), "here", life_time=1.0)
    world.debug.draw_box(
        carla.BoundingBox(carla.Location(), carla.Vector3D(1, 1, 1)), carla.Rotation()
    )
    world.set_pedestrians_seed(3)
    old = world.get_imui_sensor_gravity()
    world.set_imui_sensor_gravity(1.5)
    assert abs(world.get_imui_sensor_gravity() - 1.5) < 1e-6
    world.set_imui_sensor_gravity(old)
    spectator = world.get_spectator()
    spectator.set_transform(carla.Transform(carla.Location(1.0, 2.0, 30.0), carla.Rotation(-45.0)))
    world.tick()
    assert abs(spectator.get_transform().location.z - 30.0) < 1e-3
    car = world.spawn_actor(library.find("vehicle.tesla.model3"), town_map.get_spawn_points()[0])
    world.tick()
    names = car.get_component_names()
    here = car.get_component_world_transform(names[0]).location
    assert here.distance(car.get_transform().location) < 0.01
    try:
        car.get_bone_names()
        raise AssertionError("an actor without a skeleton has named its bones")
    except RuntimeError as error:
        assert "no skeleton" in str(error)
    car.destroy()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    flags = parser.parse_args()
    client = carla.Client(flags.host, flags.port)
    client.set_timeout(20.0)
    world = client.get_world()
    before = world.get_settings()
    try:
        world.apply_settings(carla.WorldSettings(True, False, 0.05))
        town_map, library = world.get_map(), world.get_blueprint_library()
        print(lamps(world), "lamps", lights(world, town_map), "lights", objects(world), "buildings")
        odds(world, library, town_map)
        try:
            client.start_recorder("log")
            raise AssertionError("a recorder has started")
        except RuntimeError as error:
            assert "no recorder" in str(error)
        names = client.get_available_maps()
        old = world.id
        world = client.load_world(names[0].rsplit("/", 1)[-1] + "-5")
        assert world.id != old and world.get_map().name.endswith("-5")
        assert len(world.get_environment_objects(carla.CityObjectLabel.Buildings)) > 0
        world = client.reload_world()
        assert world.get_map().name.endswith("-5")
        try:
            client.generate_opendrive_world("no roads at all")
            raise AssertionError("a world was made of nothing")
        except RuntimeError as error:
            assert "could not be correctly parsed" in str(error)
        assert client.get_world().get_map().name.endswith("-5")
        world = client.load_world(names[0])
        print("ok")
    finally:
        world.apply_settings(before)


if __name__ == "__main__":
    main()
