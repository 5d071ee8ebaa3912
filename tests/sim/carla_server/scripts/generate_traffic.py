#!/usr/bin/env python3
"""Spawn vehicles in one batch under the Traffic Manager, drive, watch them, destroy them."""

import argparse
import random

import carla
from carla.command import ApplyVehicleControl, DestroyActor, FutureActor, SetAutopilot, SpawnActor


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    parser.add_argument("--tm-port", type=int, default=8000)
    parser.add_argument("-n", "--number-of-vehicles", type=int, default=12)
    args = parser.parse_args()
    client = carla.Client(args.host, args.port)
    client.set_timeout(10.0)
    world = client.get_world()
    original = world.get_settings()
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = 0.05
    world.apply_settings(settings)
    manager = client.get_trafficmanager(args.tm_port)
    manager.set_global_distance_to_leading_vehicle(2.5)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(7)
    vehicles = []
    try:
        blueprints = [
            x
            for x in world.get_blueprint_library().filter("vehicle.*")
            if x.get_attribute("base_type") == "car"
        ]
        points = world.get_map().get_spawn_points()
        rng = random.Random(1)
        rng.shuffle(points)
        batch = []
        for transform in points[: args.number_of_vehicles]:
            blueprint = rng.choice(blueprints)
            blueprint.set_attribute("role_name", "autopilot")
            batch.append(
                SpawnActor(blueprint, transform).then(
                    SetAutopilot(FutureActor, True, manager.get_port())
                )
            )
        clash = SpawnActor(blueprint, points[0])
        for response in client.apply_batch_sync([*batch, clash], True):
            if response.error:
                print("refused:", response.error)
            else:
                vehicles.append(response.actor_id)
        assert len(vehicles) == args.number_of_vehicles
        actors = world.get_actors(vehicles)
        starts = {a.id: a.get_location() for a in actors}
        town = world.get_map()
        off_lane = 0
        fastest = 0.0
        for _ in range(200):
            world.tick()
            for actor in actors:
                at = actor.get_location()
                lane = town.get_waypoint(at)
                off_lane += at.distance(lane.transform.location) > 1.6
                fastest = max(fastest, actor.get_velocity().length())
        moved = [a.get_location().distance(starts[a.id]) for a in actors]
        print(f"moved {[round(m) for m in moved]} m, fastest {fastest:.1f} m/s, off {off_lane}")
        assert sum(m > 5.0 for m in moved) >= len(moved) // 2
        assert fastest < 16.0
        assert off_lane < 0.02 * 200 * len(moved), off_lane
        stopped = client.apply_batch_sync(
            [ApplyVehicleControl(v, carla.VehicleControl(brake=1.0)) for v in vehicles], True
        )
        assert not any(r.error for r in stopped)
    finally:
        responses = client.apply_batch_sync([DestroyActor(v) for v in vehicles], True)
        assert not any(r.error for r in responses)
        manager.set_synchronous_mode(False)
        world.apply_settings(original)
    left = [a for a in world.get_actors().filter("vehicle.*") if a.id in vehicles]
    assert not left


if __name__ == "__main__":
    main()
