#!/usr/bin/env python3
"""Find a car in an instance segmentation picture by its actor id, then hit it."""

import argparse
import math
import queue

import carla
import numpy as np


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    parser.add_argument("--expect", choices=("actor", "engine"), default="actor")
    args = parser.parse_args()
    client = carla.Client(args.host, args.port)
    client.set_timeout(10.0)
    world = client.get_world()
    original = world.get_settings()
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
    library = world.get_blueprint_library()
    lane = world.get_map().get_waypoint(world.get_map().get_spawn_points()[0].location)
    ahead = lane.next(14.0)[0].transform
    here = lane.transform
    here.location.z = ahead.location.z = 0.3
    actors = []
    try:
        ego = world.spawn_actor(library.find("vehicle.lincoln.mkz_2020"), here)
        actors.append(ego)
        target = world.spawn_actor(library.find("vehicle.audi.tt"), ahead)
        actors.append(target)
        blueprint = library.find("sensor.camera.instance_segmentation")
        blueprint.set_attribute("image_size_x", "320")
        blueprint.set_attribute("image_size_y", "192")
        camera = world.spawn_actor(
            blueprint, carla.Transform(carla.Location(x=1.0, z=1.7)), attach_to=ego
        )
        actors.append(camera)
        bumper = world.spawn_actor(
            library.find("sensor.other.collision"), carla.Transform(), attach_to=ego
        )
        actors.append(bumper)
        images, hits = queue.Queue(), queue.Queue()
        camera.listen(images.put)
        bumper.listen(hits.put)
        world.tick()
        frame = world.tick()
        image = images.get(timeout=5.0)
        while image.frame < frame:
            image = images.get(timeout=5.0)
        pixels = np.frombuffer(image.raw_data, np.uint8).reshape(192, 320, 4).astype(int)
        tags, ids = pixels[..., 2], pixels[..., 1] + 256 * pixels[..., 0]
        cars = tags == int(carla.CityObjectLabel.Car)
        assert cars.sum() > 200, cars.sum()
        values, counts = np.unique(ids[cars], return_counts=True)
        main_id = int(values[counts.argmax()])
        print("target", target.id, "in the picture", main_id, "pixels", int(counts.max()))
        assert (main_id == target.id) == (args.expect == "actor")
        # Its pixels lie where the pinhole model puts the car.
        to_camera = np.array(camera.get_transform().get_inverse_matrix())
        middle = target.get_location()
        x, y, z, _ = to_camera @ [middle.x, middle.y, middle.z + target.bounding_box.extent.z, 1]
        focal = 320 / (2 * math.tan(math.radians(45.0)))
        u, v = 160 + focal * y / x, 96 - focal * z / x
        rows, columns = np.nonzero(cars & (ids == main_id))
        assert abs(columns.mean() - u) < 8 and abs(rows.mean() - v) < 8, (u, v)

        ego.apply_control(carla.VehicleControl(throttle=1.0))
        for _ in range(120):
            world.tick()
            if not hits.empty():
                break
        event = hits.get(timeout=2.0)
        print("hit", event.other_actor.type_id, "impulse", round(event.normal_impulse.length()))
        assert event.actor.id == ego.id and event.other_actor.id == target.id
        assert event.normal_impulse.length() > 100.0
    finally:
        for actor in reversed(actors):
            actor.destroy()
        world.apply_settings(original)


if __name__ == "__main__":
    main()
