#!/usr/bin/env python3
"""The user's own OpenDRIVE as a world: refused if it is none, driven by the Traffic Manager."""

import argparse
import math
from pathlib import Path

import carla


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    parser.add_argument("--tm-port", type=int, default=8000)
    parser.add_argument("--map", type=Path, required=True)
    args = parser.parse_args()
    client = carla.Client(args.host, args.port)
    client.set_timeout(20.0)
    world = client.get_world()
    before = world.id, world.get_map().name
    try:
        client.generate_opendrive_world("<OpenDRIVE><header/></OpenDRIVE>")
    except RuntimeError as error:
        print("refused:", error)
    assert (client.get_world().id, client.get_world().get_map().name) == before

    text = args.map.read_text()
    walls = carla.OpendriveGenerationParameters(wall_height=1.0)
    world = client.generate_opendrive_world(text, walls)
    town = world.get_map()
    assert world.id != before[0]
    print("map", town.name)
    assert len(world.get_actors().filter("traffic.traffic_light")) == 1
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = 0.05
    world.apply_settings(settings)
    manager = client.get_trafficmanager(args.tm_port)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(5)
    blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
    cars = [world.try_spawn_actor(blueprint, at) for at in town.get_spawn_points()[::4]]
    cars = [car for car in cars if car is not None]
    world.tick()
    last = {}
    for car in cars:
        car.set_autopilot(True, manager.get_port())
        last[car.id] = car.get_location()
    moved, off = dict.fromkeys(last, 0.0), 0
    for _ in range(200):
        world.tick()
        for car in cars:
            at = car.get_location()
            lane = town.get_waypoint(at).transform.location
            off += math.hypot(at.x - lane.x, at.y - lane.y) > 1.6
            moved[car.id] += at.distance(last[car.id])
            last[car.id] = at
    print(f"cars {len(cars)} moved {sorted(round(one) for one in moved.values())} off {off}")
    responses = client.apply_batch_sync([carla.command.DestroyActor(car) for car in cars], True)
    assert not any(response.error for response in responses)
    manager.set_synchronous_mode(False)
    settings.synchronous_mode = False
    world.apply_settings(settings)


if __name__ == "__main__":
    main()
