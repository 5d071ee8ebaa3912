"""The same few scripted vehicles in either world: `python scripted_drive.py HOST PORT OUT`."""

import json
import math
import os
import sys
from pathlib import Path

import msgspec
import numpy as np

from scheduler import config_file, processes
from sim.bridge.site import site_of
from sim.calibration import Intrinsics
from sim.engine.geometry import Pose
from sim.engine.weather import Weather
from sim.ground_truth import GroundTruth
from sim.routes import Track
from sim.world import CameraMount

TICKS = 8
RAIN_FROM = 4  # tick of the change
# Angles that are whole degrees, as they go to a server in float32.
RAIN = Weather(
    cloudiness=90.0, precipitation=60.0, precipitation_deposits=70.0, wetness=80.0,
    sun_azimuth=math.radians(-90.0), sun_altitude=math.radians(15.0), fog_density=12.0,
)  # fmt: skip
SIZE = (320, 192)
STARTS = range(20, 160, 20)  # spawn points in every street
UNITS = {
    "vehicles": [{"id": "ego", "cameras": [{"id": "front"}]}],
    "roadside_units": [{"id": "rsu", "along": {"of": "ego", "count": 3, "every_m": 250}}],
    "world": {},
    "link": {},
}
OTHERS = (("vehicle.audi.tt", 14.0, 0.0), ("vehicle.mitsubishi.fusorosa", 30.0, 3.5))


def drive(world, on_start=lambda: None):
    """Drive some ticks; returns pictures (N, H, W, 3), and truth and states as plain data."""
    ego = world.spawn_ego("ego", 6)
    x, y, z = ego.route[0]
    yaw = float(np.arctan2(*(ego.route[5] - ego.route[0])[1::-1]))
    start = Pose(float(x), float(y), float(z) + 0.3, yaw)
    placed = [
        world.place_vehicle(name, start.compose(Pose(ahead, left, 0.0)))
        for name, ahead, left in OTHERS
    ]
    mount = CameraMount(Pose(1.5, 0.0, 1.6, 0.02, -0.03), Intrinsics.from_fov(*SIZE, 80.0))
    camera = world.attach_camera(ego, mount)
    names = {ego.actor_id: "ego", **{one: f"placed {i}" for i, one in enumerate(placed)}}
    truth = GroundTruth(mount.intrinsics, ego.actor_id)
    on_start()
    pictures, states = [], []
    for tick in range(TICKS):
        if tick == RAIN_FROM:
            world.set_weather(RAIN)
        world.apply_control(ego.actor_id, 0.45, 0.07, 0.0)
        world.apply_control(placed[0], 0.6, -0.05, 0.0)
        seen = world.tick()
        picture = world.picture(camera)
        if picture is None:
            continue
        boxes = [msgspec.to_builtins(box) for box in truth.boxes(picture, seen.bodies)]
        for box in boxes:
            box["actor_id"] = names.get(box["actor_id"], f"light {box['actor_id']}")
        state = seen.egos[ego.actor_id]
        pictures.append(picture.bgr)
        states.append(
            {
                "tick": tick,
                "boxes": boxes,
                "pose": [state.pose.x, state.pose.y, state.pose.yaw],
                "speed": state.speed,
                "speed_limit": state.speed_limit,
                "lights": sorted(seen.lights.items()),
            }
        )
    about = {
        "site": tell_site(world, ego),
        "is_loop": ego.is_loop,
        "wheelbase": ego.wheelbase,
        "max_steer": ego.max_steer,
        "stop_lines": sorted(line.light_id for line in world.stop_lines()),
    }
    return np.array(pictures), {"states": states, "about": about}


def tell_site(world, ego):
    """What the bridge would tell the link: units by rule, footprints, routes all over the town."""
    egos = {"ego": ego, **{f"from {i}": world.spawn_ego(f"from {i}", i) for i in STARTS}}
    tracks = {name: Track(one.route, is_loop=one.is_loop) for name, one in egos.items()}
    site = site_of(processes.resolve(config_file.decode(UNITS, "test")), world, tracks)
    return {
        "town": site.town,
        "buildings": site.buildings,
        "routes": site.routes,
        "units": {unit.unit_id: unit.position for unit in site.units},
    }


def tell_weather(server):
    """A few numbers of a CARLA server's weather."""
    weather = server.get_weather()
    return [weather.cloudiness, weather.precipitation, weather.sun_altitude_angle]


def main():
    from sim.carla_world import CarlaWorld

    host, port, out = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    world = CarlaWorld.connect(host, port, fixed_delta_s=0.1, town=None, seed=1, patience_s=20.0)
    server = world._world
    before = tell_weather(server)
    pictures, plain = drive(world)
    plain["frame"] = world._frame - TICKS
    was_synchronous = server.get_settings().synchronous_mode
    world.close()
    plain["synchronous"] = [was_synchronous, server.get_settings().synchronous_mode]
    plain["weather"] = {"before": before, "after": tell_weather(server)}
    server.wait_for_tick(5.0)
    server.wait_for_tick(5.0)
    kinds = {actor.type_id.split(".")[0] for actor in server.get_actors()}
    plain["kinds_left"] = sorted(kinds)
    np.save(out / "pictures.npy", pictures)
    (out / "drive.json").write_text(json.dumps(plain))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # The client may abort the interpreter's own end; what counts is written.
    os._exit(0)
