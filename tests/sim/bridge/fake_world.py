"""A world of one straight road, for tests of the bridge: no engine, no pictures drawn."""

import numpy as np

from scheduler.errors import WorldError
from sim.engine.geometry import Pose
from sim.engine.weather import Weather
from sim.world import Body, Ego, EgoState, Picture, WorldTick

ROUTE = np.array([(float(x), 0.0, 0.0) for x in range(2001)])
CAR = Body(99, 0, Pose(500.0, 0.0, 0.75), (2.2, 0.9, 0.75))


class FakeWorld:
    """Vehicles are points with pedals; a car stands 20 m before every camera, and is seen."""

    name = "fake"
    town = "Straight"

    def __init__(self, delta_s=0.05, fails_at=None):
        self.delta_s = delta_s
        self.fails_at = fails_at
        self.is_closed = False
        self.ticks = 0
        self.places = {}
        self.controls = {}
        self.mounts = []

    def spawn_ego(self, vehicle_id, spawn_index=0, route="loop"):
        actor_id = len(self.places) + 1
        self.places[actor_id] = [0.0, 0.0]
        self.controls[actor_id] = (0.0, 0.0, 0.0)
        return Ego(actor_id, vehicle_id, ROUTE, False, (2.3, 0.9, 0.7), 2.8, 0.6)

    def place_vehicle(self, blueprint_id, pose):
        return 99

    def attach_camera(self, ego, mount):
        self.mounts.append(mount)
        return len(self.mounts) - 1

    def traffic(self, vehicles, pedestrians, seed, shares=None):
        return vehicles, pedestrians

    def weather(self):
        return Weather(precipitation=60.0)

    def apply_control(self, actor_id, throttle, steer, brake):
        self.controls[actor_id] = (throttle, steer, brake)

    def tick(self):
        self.ticks += 1
        if self.ticks == self.fails_at:
            raise WorldError("the world is gone")
        for actor_id, place in self.places.items():
            throttle, _, brake = self.controls[actor_id]
            place[1] = max(0.0, place[1] + (4.0 * throttle - 8.0 * brake) * self.delta_s)
            place[0] += place[1] * self.delta_s
        egos = {
            i: EgoState(Pose(x, 0.0), (speed, 0.0, 0.0), speed, 0.0, 0.0, 0)
            for i, (x, speed) in self.places.items()
        }
        ahead = Body(99, 0, Pose(20.0, 0.0, 0.75), CAR.extent)
        return WorldTick(self.ticks, round(self.ticks * self.delta_s * 1e9), egos, [ahead], {})

    def picture(self, camera):
        k = self.mounts[camera].intrinsics
        bgr = np.full((k.height, k.width, 3), self.ticks % 256, np.uint8)
        instance = np.zeros((k.height, k.width), np.uint16)
        semantic = np.zeros((k.height, k.width), np.uint8)
        middle = (
            slice(k.height // 2, k.height // 2 + 6),
            slice(k.width // 2 - 2, k.width // 2 + 2),
        )
        instance[middle], semantic[middle] = 99, 14
        return Picture(bgr, instance, semantic, Pose(0.0, 0.0, 1.5).matrix())

    def buildings(self):
        return [np.array([(0.0, 5.0), (10.0, 5.0), (10.0, 15.0), (0.0, 15.0)])]

    def stop_lines(self):
        return []

    def close(self):
        self.is_closed = True
