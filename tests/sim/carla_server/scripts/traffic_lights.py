#!/usr/bin/env python3
"""Read, set and freeze traffic lights; drive by autopilot against red."""

import argparse

import carla


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    parser.add_argument("--tm-port", type=int, default=8000)
    args = parser.parse_args()
    client = carla.Client(args.host, args.port)
    client.set_timeout(10.0)
    world = client.get_world()
    original = world.get_settings()
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
    manager = client.get_trafficmanager(args.tm_port)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(1)
    car = None
    try:
        world.tick()
        lights = list(world.get_actors().filter("traffic.traffic_light*"))
        print(len(lights), "lights")
        assert len(lights) >= 8
        town = world.get_map()
        signals = {landmark.id for landmark in town.get_all_landmarks_of_type("1000001")}
        assert {light.get_opendrive_id() for light in lights} == signals
        light = lights[0]
        group = light.get_group_traffic_lights()
        assert light.id in [other.id for other in group] and len(group) == 4
        heads = light.get_light_boxes()
        assert len(heads) == 2 and all(1.5 < head.location.z < 7.0 for head in heads)
        arriving = town.get_waypoint(light.get_transform().transform(light.trigger_volume.location))
        assert not arriving.is_junction and arriving.next(14.0)[0].is_junction
        for other in lights:
            other.set_green_time(4.0)
            other.set_yellow_time(1.0)
            other.set_red_time(1.0)
        world.tick()
        assert light.get_green_time() == 4.0 and light.get_yellow_time() == 1.0
        seen = set()
        for _ in range(300):
            world.tick()
            seen.add(light.get_state())
        assert seen == {
            carla.TrafficLightState.Red,
            carla.TrafficLightState.Yellow,
            carla.TrafficLightState.Green,
        }, seen

        world.freeze_all_traffic_lights(True)
        for other in lights:
            other.set_state(carla.TrafficLightState.Red)
        world.tick()
        assert light.is_frozen() and light.get_state() == carla.TrafficLightState.Red

        # A car some metres before a stop line must stop there and go on green.
        stop = light.get_stop_waypoints()[0]
        start = stop.previous(30.0)[0].transform
        start.location.z += 0.3
        car = world.spawn_actor(world.get_blueprint_library().find("vehicle.tesla.model3"), start)
        car.set_autopilot(True, args.tm_port)
        was_at_light = False
        for _ in range(300):
            world.tick()
            was_at_light = was_at_light or car.is_at_traffic_light()
        short = car.get_location().distance(stop.transform.location)
        speed = car.get_velocity().length()
        print(f"stopped {short:.1f} m before the line at {speed:.2f} m/s")
        assert was_at_light and car.get_traffic_light_state() == carla.TrafficLightState.Red
        assert car.get_traffic_light().id == light.id
        assert speed < 0.1 and short < 12.0
        for other in lights:
            other.set_state(carla.TrafficLightState.Green)
        waiting_at = car.get_location()
        for _ in range(120):
            world.tick()
        assert car.get_location().distance(waiting_at) > 5.0
        print(f"went on {car.get_location().distance(waiting_at):.1f} m")
        world.freeze_all_traffic_lights(False)
        world.reset_all_traffic_lights()
    finally:
        if car is not None:
            car.set_autopilot(False, args.tm_port)
            car.destroy()
        manager.set_synchronous_mode(False)
        world.apply_settings(original)


if __name__ == "__main__":
    main()
