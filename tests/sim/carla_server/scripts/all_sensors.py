#!/usr/bin/env python3
"""Every kind of sensor on a car that closes in on another at 5 m/s; each against the others."""

import argparse
import math
import queue

import carla
import numpy as np

DELTA_S, SPEED, GAP = 0.05, 5.0, 18.0
WIDTH, HEIGHT = 192, 128
TICKS = 6
EYE = carla.Transform(carla.Location(x=1.0, z=1.8))
SIZE = {"image_size_x": WIDTH, "image_size_y": HEIGHT}
SWEEP = {"channels": 32, "range": 60, "points_per_second": 320000, "rotation_frequency": 20}
CERTAIN = {
    "dropoff_general_rate": 0.0,
    "dropoff_intensity_limit": 0.0,
    "dropoff_zero_intensity": 0.0,
}
SENSORS = {
    "camera.rgb": SIZE,
    "camera.depth": SIZE,
    "camera.normals": SIZE,
    "camera.dvs": SIZE,
    "camera.optical_flow": SIZE,
    "lidar.ray_cast": {**SWEEP, **CERTAIN},
    "lidar.ray_cast_semantic": SWEEP,
    "other.radar": {"points_per_second": 20000, "horizontal_fov": 20, "vertical_fov": 10},
    "other.gnss": {},
    "other.imu": {},
    "other.obstacle": {"distance": 30},
}


def spawn(world, name, attributes, parent, place=EYE):
    blueprint = world.get_blueprint_library().find(f"sensor.{name}")
    for key, value in attributes.items():
        blueprint.set_attribute(key, str(value))
    return world.spawn_actor(blueprint, place, attach_to=parent)


def refused(world, name, attributes, parent):
    try:
        spawn(world, name, attributes, parent)
    except RuntimeError as error:
        return str(error)
    raise AssertionError(f"{name} with {attributes} was not refused")


def points(data, width, dtype=np.float32):
    return np.frombuffer(data.raw_data, dtype).reshape(-1, width)


def check_positions(world, ego, imu, gnss):
    place = gnss.transform.location
    expected = world.get_map().transform_to_geolocation(place)
    assert abs(gnss.latitude - expected.latitude) < 1e-9, (gnss.latitude, expected.latitude)
    assert abs(gnss.longitude - expected.longitude) < 1e-9
    assert abs(gnss.altitude - place.z) < 1e-4
    x, y, z = (getattr(imu.accelerometer, axis) for axis in "xyz")
    assert abs(x) < 0.05 and abs(y) < 0.05 and abs(z - 9.81) < 0.05, (x, y, z)
    compass = math.radians(ego.get_transform().rotation.yaw + 90.0) % (2 * math.pi)
    assert abs(math.remainder(imu.compass - compass, 2 * math.pi)) < 1e-4, imu.compass


def check_lidars(lidar, semantic, target, gap):
    cloud = points(lidar, 4)
    assert len(cloud) == sum(lidar.get_point_count(k) for k in range(lidar.channels)) > 5000
    assert lidar.channels == 32 and abs(lidar.horizontal_angle) < 1e-3  # one whole turn a tick
    assert np.allclose(
        cloud[:, 3], np.exp(-0.004 * np.linalg.norm(cloud[:, :3], axis=1)), atol=1e-4
    )
    rows = points(semantic, 6)
    ids, tags = rows[:, 4].view(np.uint32), rows[:, 5].view(np.uint32)
    assert np.allclose(rows[:, :3], cloud[:, :3], atol=1e-4)
    road = rows[(tags == 1) & (np.abs(rows[:, 1]) < 3.0)]
    assert np.abs(road[:, 2] + EYE.location.z).max() < 0.01, road[:, 2].min()
    on_target = rows[ids == target.id]
    assert len(on_target) > 20 and set(tags[ids == target.id]) == {14}, len(on_target)
    assert abs(on_target[:, 0].min() - gap) < 0.25, (on_target[:, 0].min(), gap)
    assert np.abs(on_target[:, 1]).max() < 1.2
    return cloud


def check_depth(image, cloud):
    """The lidar's points lie where the depth camera at the same place sees something."""
    code = np.frombuffer(image.raw_data, np.uint8).reshape(HEIGHT, WIDTH, 4).astype(float)
    metres = 1000 * (code[..., 2] + 256 * code[..., 1] + 65536 * code[..., 0]) / (2**24 - 1)
    focal = WIDTH / 2.0
    ahead = cloud[cloud[:, 0] > 1.0]
    u = np.floor(WIDTH / 2 + focal * ahead[:, 1] / ahead[:, 0]).astype(int)
    v = np.floor(HEIGHT / 2 - focal * ahead[:, 2] / ahead[:, 0]).astype(int)
    inside = (u >= 0) & (u < WIDTH) & (v >= 0) & (v < HEIGHT)
    seen = metres[v[inside], u[inside]]
    error = np.abs(seen / ahead[inside, 0] - 1.0)  # a pixel's share of a slanted surface
    print(f"depth against {inside.sum()} lidar points: median {np.median(error):.4f} relative")
    assert np.median(error) < 0.01 and (error < 0.05).mean() > 0.85, (error < 0.05).mean()


def check_radar(radar, gap):
    rows = points(radar, 4)
    near = rows[(np.abs(rows[:, 1]) < 0.02) & (np.abs(rows[:, 3] - gap) < 1.0)]
    assert len(near) > 5, rows[:5]
    # The other car stands, so that all that lies straight ahead comes at the own speed.
    assert np.allclose(near[:, 0], -SPEED * np.cos(near[:, 1]) * np.cos(near[:, 2]), atol=0.05)


def check_normals(image, gap):
    """The road faces up: blue; nothing faces away from who sees it."""
    code = np.frombuffer(image.raw_data, np.uint8).reshape(HEIGHT, WIDTH, 4)[..., 2::-1]
    normal = code / 127.5 - 1.0  # x, y, z of the world, left-handed
    road = normal[-4:, WIDTH // 2 - 8 : WIDTH // 2 + 8]
    assert np.abs(road - (0.0, 0.0, 1.0)).max() < 0.02, road[0, 0]
    seen = np.linalg.norm(normal, axis=-1) > 0.5  # the sky has none
    assert np.allclose(np.linalg.norm(normal, axis=-1)[seen], 1.0, atol=0.03)
    # The car ahead shows its back, which faces against the camera's way.
    ahead = image.transform.get_forward_vector()
    bumper = HEIGHT // 2 + int(WIDTH / 2.0 * (EYE.location.z - 0.6) / gap)
    back = normal[bumper, WIDTH // 2] @ (ahead.x, ahead.y, ahead.z)
    assert back < -0.8, back


def check_flow(image):
    flow = np.frombuffer(image.raw_data, np.float32).reshape(HEIGHT, WIDTH, 2)
    # The road under the lower edge at depth d comes nearer by one tick's way: its row is
    # H/2 + f h / d, so the pixel moved by f h way / d^2 downwards; y is up, of half the height.
    focal, way = WIDTH / 2.0, SPEED * DELTA_S
    row = HEIGHT - 8
    below = row + 0.5 - HEIGHT / 2.0
    depth = focal * EYE.location.z / below
    moved = focal * EYE.location.z * (1.0 / depth - 1.0 / (depth + way))
    assert abs(-flow[row, WIDTH // 2, 1] * HEIGHT / 2.0 - moved) < 0.1 * moved, flow[
        row, WIDTH // 2
    ]
    assert flow[row, WIDTH - 10, 0] > 0 > flow[row, 10, 0]  # the picture grows from the middle


def check_warp(before, after, image):
    """The picture before, looked up where the flow says, is the picture now."""
    flow = np.frombuffer(image.raw_data, np.float32).reshape(HEIGHT, WIDTH, 2)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    u = np.rint(columns - flow[..., 0] * WIDTH / 2.0).astype(int)
    v = np.rint(rows + flow[..., 1] * HEIGHT / 2.0).astype(int)
    inside = (u >= 0) & (u < WIDTH) & (v >= 0) & (v < HEIGHT)
    moved = inside & ((np.abs(flow) * (WIDTH / 2.0, HEIGHT / 2.0)).max(-1) > 1.0)
    old, new = (
        np.frombuffer(one.raw_data, np.uint8).reshape(HEIGHT, WIDTH, 4)[..., :3].astype(float)
        for one in (before, after)
    )
    still = np.abs(new - old)[moved].mean()
    warped = np.abs(new[moved] - old[v[moved], u[moved]]).mean()
    print(f"warp of {moved.sum()} pixels: {warped:.1f} grey levels against {still:.1f} without")
    assert moved.sum() > 1000 and warped < 0.8 * still


def check_events(events, timestamp):
    rows = np.frombuffer(events.raw_data, [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "?")])
    assert len(rows) == len(events) > 100, len(rows)
    assert (np.diff(rows["t"]) >= 0).all()
    begin, end = (timestamp - DELTA_S) * 1e9, timestamp * 1e9
    assert rows["t"].min() >= begin - 2 and rows["t"].max() <= end + 2
    assert rows["x"].max() < WIDTH and rows["y"].max() < HEIGHT and 0 < rows["p"].mean() < 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    args = parser.parse_args()
    client = carla.Client(args.host, args.port)
    client.set_timeout(30.0)
    world = client.get_world()
    original = world.get_settings()
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=DELTA_S))
    library = world.get_blueprint_library()
    lane = world.get_map().get_waypoint(world.get_map().get_spawn_points()[0].location)
    here, ahead = lane.transform, lane.next(GAP)[0].transform
    here.location.z = ahead.location.z = 0.2
    actors = []
    try:
        ego = world.spawn_actor(library.find("vehicle.lincoln.mkz_2020"), here)
        target = world.spawn_actor(library.find("vehicle.audi.tt"), ahead)
        actors += [ego, target]
        print(refused(world, "other.v2x", {}, ego))
        assert "channels: expected 1 to 512, got 0" in refused(
            world, "lidar.ray_cast", {"channels": 0}, ego
        )
        for _ in range(20):
            world.tick()  # both settle on the road
        ego.enable_constant_velocity(carla.Vector3D(SPEED, 0.0, 0.0))
        sensors = {
            name: spawn(world, name, attributes, ego) for name, attributes in SENSORS.items()
        }
        slow = spawn(world, "other.imu", {"sensor_tick": 2 * DELTA_S}, ego)
        lines = spawn(world, "other.lane_invasion", {}, ego)
        actors += [*sensors.values(), slow, lines]
        assert isinstance(lines, carla.LaneInvasionSensor)
        inbox = {name: queue.Queue() for name in sensors}
        for name, sensor in sensors.items():
            sensor.listen(inbox[name].put)
        slow_frames, crossings = [], []
        slow.listen(lambda data: slow_frames.append(data.frame))
        lines.listen(crossings.append)
        got = {}
        for tick in range(TICKS):
            frame = world.tick()
            before, got = got.get("camera.rgb"), {}
            for name, messages in inbox.items():
                if name == "camera.dvs" and not tick:
                    continue  # the first picture has nothing before it
                got[name] = messages.get(timeout=20.0)
                assert got[name].frame == frame, (name, got[name].frame, frame)
                assert got[name].transform.location.distance(ego.get_location()) < 2.5
        assert all(messages.empty() for messages in inbox.values())
        now = world.get_snapshot().timestamp.elapsed_seconds
        front = got["camera.rgb"].transform.location
        gap = math.sqrt(front.distance(target.get_location()) ** 2 - front.z**2)
        gap -= target.bounding_box.extent.x
        check_positions(world, ego, got["other.imu"], got["other.gnss"])
        cloud = check_lidars(got["lidar.ray_cast"], got["lidar.ray_cast_semantic"], target, gap)
        check_depth(got["camera.depth"], cloud)
        check_radar(got["other.radar"], gap)
        check_normals(got["camera.normals"], gap)
        check_flow(got["camera.optical_flow"])
        check_warp(before, got["camera.rgb"], got["camera.optical_flow"])
        check_events(got["camera.dvs"], now)
        obstacle = got["other.obstacle"]
        assert obstacle.other_actor.id == target.id and abs(obstacle.distance - gap + 0.5) < 0.3
        assert not crossings and 2 <= len(slow_frames) <= 4, slow_frames
        world.apply_settings(
            carla.WorldSettings(
                no_rendering_mode=True, synchronous_mode=True, fixed_delta_seconds=DELTA_S
            )
        )
        for messages in inbox.values():
            while not messages.empty():
                messages.get()
        frame = world.tick()
        assert inbox["lidar.ray_cast"].get(timeout=20.0).frame <= frame
        assert inbox["camera.rgb"].empty() and inbox["camera.depth"].empty()
        print("all", len(sensors) + 2, "sensors agree")
    finally:
        for actor in reversed(actors):
            actor.destroy()
        world.apply_settings(original)


if __name__ == "__main__":
    main()
