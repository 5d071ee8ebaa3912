#!/usr/bin/env python3
"""Several cameras in synchronous mode, each frame gathered from queues."""

import argparse
import queue

import carla
import numpy as np


class SynchronousMode:
    def __init__(self, world, *sensors, fps=10):
        self.world = world
        self.sensors = sensors
        self.delta_seconds = 1.0 / fps
        self.queues = []

    def __enter__(self):
        self.settings = self.world.get_settings()
        self.frame = self.world.apply_settings(
            carla.WorldSettings(
                no_rendering_mode=False,
                synchronous_mode=True,
                fixed_delta_seconds=self.delta_seconds,
            )
        )
        self.listen(self.world.on_tick)
        for sensor in self.sensors:
            self.listen(sensor.listen)
        return self

    def listen(self, register):
        events = queue.Queue()
        register(events.put)
        self.queues.append(events)

    def tick(self, timeout):
        self.frame = self.world.tick()
        return [self.retrieve(events, timeout) for events in self.queues]

    def retrieve(self, events, timeout):
        while True:
            data = events.get(timeout=timeout)
            if data.frame == self.frame:
                return data

    def __exit__(self, *args):
        self.world.apply_settings(self.settings)


def pixels(image):
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)


def camera(world, kind, vehicle, width, height, fov, **attributes):
    blueprint = world.get_blueprint_library().find(f"sensor.camera.{kind}")
    for name, value in dict(image_size_x=width, image_size_y=height, fov=fov, **attributes).items():
        blueprint.set_attribute(name, str(value))
    return world.spawn_actor(
        blueprint, carla.Transform(carla.Location(x=1.6, z=1.7)), attach_to=vehicle
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    args = parser.parse_args()
    client = carla.Client(args.host, args.port)
    client.set_timeout(10.0)
    world = client.get_world()
    spawn = world.get_map().get_spawn_points()[0]
    blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
    blueprint.set_attribute("role_name", "hero")
    vehicle = world.spawn_actor(blueprint, spawn)
    cameras = [
        camera(world, "rgb", vehicle, 320, 192, 90),
        camera(world, "depth", vehicle, 320, 192, 90),
        camera(world, "semantic_segmentation", vehicle, 320, 192, 90),
        camera(world, "rgb", vehicle, 200, 150, 60),
    ]
    slow = camera(world, "rgb", vehicle, 64, 48, 90, sensor_tick=0.2)
    slow_frames = []
    slow.listen(lambda image: slow_frames.append(image.frame))
    try:
        with SynchronousMode(world, *cameras, fps=10) as sync:
            for step in range(10):
                vehicle.apply_control(carla.VehicleControl(throttle=0.5, steer=0.0))
                snapshot, rgb, depth, semantic, small = sync.tick(timeout=5.0)
                assert snapshot.frame == rgb.frame == depth.frame == semantic.frame
                assert abs(snapshot.timestamp.delta_seconds - 0.1) < 1e-6
                if step == 0:
                    start = snapshot.find(vehicle.id).get_transform().location
            end = snapshot.find(vehicle.id).get_transform().location
        print(f"moved {start.distance(end):.2f} m; slow camera frames {len(slow_frames)}")
        assert start.distance(end) > 0.2
        assert (rgb.width, rgb.height, rgb.fov) == (320, 192, 90.0)
        assert (small.width, small.height, small.fov) == (200, 150, 60.0)
        assert pixels(rgb)[..., :3].std() > 10
        assert 4 <= len(slow_frames) <= 7, slow_frames
        code = pixels(depth).astype(np.float64)
        metres = 1000 * (code[..., 2] + 256 * code[..., 1] + 65536 * code[..., 0]) / (2**24 - 1)
        tags = pixels(semantic)[..., 2]
        # The road in front, 1.7 m below the camera, seen in the middle of the last row.
        assert abs(metres[-1, 160] - 1.7 * 160 / 95.5) < 0.02, metres[-1, 160]
        assert tags[-1, 160] in (1, 24), tags[-1, 160]
        sky = tags == 11
        assert not sky.any() or metres[sky].min() > 999.0
        print("road", round(float(metres[-1, 160]), 2), "m ahead; tags", sorted(set(tags.flat)))
        in_world = rgb.transform.location
        assert abs(in_world.distance(end)) < 3.0
    finally:
        for sensor in (*cameras, slow):
            sensor.stop()
            sensor.destroy()
        vehicle.destroy()


if __name__ == "__main__":
    main()
