#!/usr/bin/env python3
"""List what a snapshot holds and compare it with the actors' own answers."""

import argparse

import carla


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    args = parser.parse_args()
    client = carla.Client(args.host, args.port)
    client.set_timeout(10.0)
    print("client", client.get_client_version(), "server", client.get_server_version())
    assert client.get_client_version() == client.get_server_version()
    print("maps", client.get_available_maps())
    world = client.get_world()
    town = world.get_map()
    points = town.get_spawn_points()
    print(town.name, len(points), "spawn points", len(town.get_topology()), "road pieces")
    waypoint = town.get_waypoint(points[0].location)
    assert waypoint.transform.location.distance(points[0].location) < 1.0
    turned = abs(waypoint.transform.rotation.yaw - points[0].rotation.yaw) % 360.0
    assert min(turned, 360.0 - turned) < 5.0

    library = world.get_blueprint_library()
    car = world.spawn_actor(library.find("vehicle.audi.tt"), points[0])
    assert world.try_spawn_actor(library.find("vehicle.audi.tt"), points[0]) is None
    try:
        world.spawn_actor(library.find("vehicle.audi.tt"), points[0])
    except RuntimeError as error:
        assert "collision at spawn position" in str(error), error
    else:
        raise AssertionError("two cars at one place")
    walker = world.spawn_actor(
        library.filter("walker.pedestrian.*")[0],
        carla.Transform(points[1].location + carla.Location(z=1.0), points[1].rotation),
    )
    snapshot = world.wait_for_tick()
    print("frame", snapshot.frame, "seconds", round(snapshot.timestamp.elapsed_seconds, 3))
    for actor_snapshot in snapshot:
        actor = world.get_actor(actor_snapshot.id)
        place = actor_snapshot.get_transform().location
        print(f"{actor_snapshot.id:5d} {actor.type_id:32s} {place.x:8.2f} {place.y:8.2f}")
    seen = snapshot.find(car.id).get_transform()
    assert seen.location.distance(points[0].location) < 0.5
    turned = abs(seen.rotation.yaw - points[0].rotation.yaw) % 360.0
    assert min(turned, 360.0 - turned) < 0.1
    box = car.bounding_box
    assert 1.5 < box.extent.x < 3.0 and 0.6 < box.extent.y < 1.3, box
    assert abs(box.location.z - box.extent.z) < 0.2
    assert car.attributes["role_name"] and list(car.semantic_tags) == [14]
    assert list(walker.semantic_tags) == [12]

    # Walking east in CARLA's axes for a while.
    start = walker.get_location()
    walker.apply_control(carla.WalkerControl(carla.Vector3D(0.0, 1.0, 0.0), 2.0))
    for _ in range(12):
        world.wait_for_tick()
    step = walker.get_location() - start
    assert step.y > 0.3 and abs(step.x) < 0.1, step

    # Moving by hand.
    there = carla.Transform(points[2].location, carla.Rotation(yaw=points[2].rotation.yaw + 30.0))
    car.set_simulate_physics(False)
    car.set_transform(there)
    world.wait_for_tick()
    world.wait_for_tick()
    assert car.get_location().distance(there.location) < 0.5
    turned = abs(car.get_transform().rotation.yaw - there.rotation.yaw) % 360.0
    assert min(turned, 360.0 - turned) < 0.1
    car.set_light_state(carla.VehicleLightState(carla.VehicleLightState.LowBeam))
    world.wait_for_tick()
    assert car.get_light_state() == carla.VehicleLightState.LowBeam
    physics = car.get_physics_control()
    physics.mass = 1234.0
    car.apply_physics_control(physics)
    assert car.get_physics_control().mass == 1234.0 and len(physics.wheels) == 4

    buildings = world.get_environment_objects(carla.CityObjectLabel.Buildings)
    assert buildings and all(b.bounding_box.extent.z > 1.0 for b in buildings)
    assert len(world.get_level_bbs(carla.CityObjectLabel.Buildings)) == len(buildings)
    first = buildings[0].bounding_box.location
    hits = world.cast_ray(
        carla.Location(first.x, first.y, 200.0), carla.Location(first.x, first.y, -1)
    )
    assert hits[0].label == carla.CityObjectLabel.Buildings, [h.label for h in hits]
    ground = world.ground_projection(points[3].location + carla.Location(z=2.0), 10.0)
    assert ground.label == carla.CityObjectLabel.Roads and abs(ground.location.z) < 0.1
    weather = carla.WeatherParameters.ClearNoon
    world.set_weather(weather)
    assert abs(world.get_weather().sun_altitude_angle - weather.sun_altitude_angle) < 1e-4
    world.debug.draw_point(points[0].location, life_time=0.1)
    world.debug.draw_string(points[0].location, "here")
    spectator = world.get_spectator()
    spectator.set_transform(carla.Transform(carla.Location(z=50), carla.Rotation(pitch=-90)))
    world.wait_for_tick()
    world.wait_for_tick()
    assert abs(spectator.get_transform().location.z - 50) < 1e-3
    try:
        client.start_recorder("log")
    except RuntimeError as error:
        assert "no recorder" in str(error), error
    else:
        raise AssertionError("a recorder that is not there")
    for actor in (car, walker):
        assert actor.destroy()
    world.wait_for_tick()
    assert world.wait_for_tick().find(car.id) is None
    assert car.id not in [actor.id for actor in world.get_actors()]
    print("ok")


if __name__ == "__main__":
    main()
