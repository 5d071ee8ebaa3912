"""Drives cars by the Traffic Manager in synchronous mode and prints a hash of every snapshot."""

import argparse
import hashlib
import struct

import carla


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    parser.add_argument("--tm-port", type=int, default=8000)
    parser.add_argument("--cars", type=int, default=12)
    parser.add_argument("--ticks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=42)
    flags = parser.parse_args()
    client = carla.Client(flags.host, flags.port)
    client.set_timeout(20.0)
    world = client.get_world()
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
    library = world.get_blueprint_library()
    points = world.get_map().get_spawn_points()
    names = ("tesla.model3", "audi.a2", "carlamotors.firetruck", "yamaha.yzf")
    cars = []
    for index, point in enumerate(points[:: max(1, len(points) // flags.cars)][: flags.cars]):
        blueprint = library.find(f"vehicle.{names[index % len(names)]}")
        cars.append(world.spawn_actor(blueprint, point))
    world.tick()
    manager = client.get_trafficmanager(flags.tm_port)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(flags.seed)
    for car in cars:
        car.set_autopilot(True, manager.get_port())
    digest = hashlib.sha256()
    for _ in range(flags.ticks):
        world.tick()
        snapshot = world.get_snapshot()
        for actor in sorted(snapshot, key=lambda one: one.id):
            at, velocity = actor.get_transform(), actor.get_velocity()
            numbers = (at.location.x, at.location.y, at.location.z, at.rotation.yaw, velocity.x,
                       velocity.y)  # fmt: skip
            digest.update(struct.pack("<I6f", actor.id, *numbers))
    moved = sum(car.get_velocity().length() > 1.0 for car in cars)
    print("moving", moved)
    print("hash", digest.hexdigest())
    for car in cars:
        car.set_autopilot(False, manager.get_port())
    manager.set_synchronous_mode(False)
    world.apply_settings(carla.WorldSettings(synchronous_mode=False))


if __name__ == "__main__":
    main()
