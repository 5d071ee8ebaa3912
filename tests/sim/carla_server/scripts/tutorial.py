#!/usr/bin/env python3
"""Spawn a vehicle with autopilot and a camera, save its pictures (asynchronous mode)."""

import argparse
import random
import time
from pathlib import Path

import carla


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    parser.add_argument("--tm-port", type=int, default=8000)
    parser.add_argument("--out", default="_out")
    args = parser.parse_args()

    actors = []
    client = carla.Client(args.host, args.port)
    client.set_timeout(10.0)
    world = client.get_world()
    try:
        library = world.get_blueprint_library()
        blueprint = random.Random(3).choice(library.filter("vehicle.*.*"))
        if blueprint.has_attribute("color"):
            color = blueprint.get_attribute("color").recommended_values[0]
            blueprint.set_attribute("color", color)
        transform = world.get_map().get_spawn_points()[40]
        vehicle = world.spawn_actor(blueprint, transform)
        actors.append(vehicle)
        print("created", vehicle.type_id)
        client.get_trafficmanager(args.tm_port)
        vehicle.set_autopilot(True, args.tm_port)

        camera_blueprint = library.find("sensor.camera.rgb")
        camera_blueprint.set_attribute("image_size_x", "320")
        camera_blueprint.set_attribute("image_size_y", "192")
        camera = world.spawn_actor(
            camera_blueprint,
            carla.Transform(carla.Location(x=1.5, z=2.4)),
            attach_to=vehicle,
        )
        actors.append(camera)
        camera.listen(lambda image: image.save_to_disk(f"{args.out}/{image.frame:06d}.png"))

        start = transform.location  # the vehicle's own is known from the next tick on
        end = time.monotonic() + 20.0
        moved = 0.0
        while time.monotonic() < end and moved < 2.0:
            world.wait_for_tick()
            moved = vehicle.get_location().distance(start)
        camera.stop()
        pictures = list(Path(args.out).glob("*.png"))
        print(f"moved {moved:.1f} m, {len(pictures)} pictures")
        assert moved >= 2.0, "the autopilot did not drive"
        assert pictures, "no picture was saved"
    finally:
        vehicle.set_autopilot(False, args.tm_port)
        client.apply_batch_sync([carla.command.DestroyActor(a) for a in reversed(actors)])


if __name__ == "__main__":
    main()
