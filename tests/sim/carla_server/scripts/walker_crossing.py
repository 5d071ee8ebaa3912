#!/usr/bin/env python3
"""A walker is sent to the other side of a road; every place it comes by is printed."""

import argparse

import carla

ARRIVED = 2.0  # m; then the client finds it another way


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--way", type=float, nargs=4, required=True, help="x y x y, CARLA's axes")
    parser.add_argument("--ticks", type=int, default=1800)
    args = parser.parse_args()
    client = carla.Client(args.host, args.port)
    client.set_timeout(10.0)
    client.set_files_base_folder(args.cache)
    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = 0.05
    world.apply_settings(settings)
    library = world.get_blueprint_library()
    x0, y0, x1, y1 = args.way
    start, target = carla.Location(x0, y0, 1.2), carla.Location(x1, y1, 0.15)
    walker = world.spawn_actor(library.find("walker.pedestrian.0001"), carla.Transform(start))
    controller = world.spawn_actor(library.find("controller.ai.walker"), carla.Transform(), walker)
    world.tick()
    controller.start()
    controller.go_to_location(target)
    controller.set_max_speed(1.4)
    for _ in range(args.ticks):
        world.tick()
        at = walker.get_location()
        print(f"at {walker.id} {at.x:.2f} {-at.y:.2f} {at.z:.3f}")
        if at.distance_2d(target) < ARRIVED:
            print("arrived")
            break
    controller.stop()
    controller.destroy()
    walker.destroy()
    settings.synchronous_mode = False
    world.apply_settings(settings)


if __name__ == "__main__":
    main()
