#!/usr/bin/env python3
"""Walkers under the client's own controllers: spawned where navigation says, sent on their way."""

import argparse
import random

import carla


def spawn_walkers(client, world, count):
    """Walkers at random places of the navigation mesh, each with a controller."""
    rng = random.Random(3)
    blueprints = world.get_blueprint_library().filter("walker.pedestrian.*")
    batch = []
    for _ in range(count):
        place = world.get_random_location_from_navigation()
        assert place is not None
        place.z += 1.0
        blueprint = rng.choice(blueprints)
        batch.append(carla.command.SpawnActor(blueprint, carla.Transform(place)))
    answers = client.apply_batch_sync(batch, True)
    walkers = [answer.actor_id for answer in answers if not answer.error]
    controller = world.get_blueprint_library().find("controller.ai.walker")
    answers = client.apply_batch_sync(
        [carla.command.SpawnActor(controller, carla.Transform(), one) for one in walkers], True
    )
    assert not any(answer.error for answer in answers), [answer.error for answer in answers]
    world.tick()
    return walkers, [answer.actor_id for answer in answers]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    parser.add_argument("--cache", required=True)
    parser.add_argument("-w", "--number-of-walkers", type=int, default=20)
    parser.add_argument("--cross-factor", type=float, default=0.0)
    parser.add_argument("--ticks", type=int, default=400)
    args = parser.parse_args()
    client = carla.Client(args.host, args.port)
    client.set_timeout(10.0)
    client.set_files_base_folder(args.cache)
    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = 0.05
    world.apply_settings(settings)
    world.set_pedestrians_seed(11)
    world.set_pedestrians_cross_factor(args.cross_factor)
    walkers, controllers = spawn_walkers(client, world, args.number_of_walkers)
    assert len(walkers) >= 0.8 * args.number_of_walkers, len(walkers)
    for one in world.get_actors(controllers):
        one.start()
        one.go_to_location(world.get_random_location_from_navigation())
        one.set_max_speed(1.4)
    starts = {one.id: one.get_location() for one in world.get_actors(walkers)}
    moved = dict.fromkeys(walkers, 0.0)
    last = dict(starts)
    for tick in range(args.ticks):
        world.tick()
        for one in world.get_actors(walkers):
            at = one.get_location()
            step = at.distance(last[one.id])
            assert step < 0.5, (tick, step)
            moved[one.id] += step
            last[one.id] = at
            if tick > 20:
                print(f"at {one.id} {at.x:.2f} {-at.y:.2f} {at.z:.3f}")
    for value in moved.values():
        print(f"moved {value:.1f}")
    for one in world.get_actors(controllers):
        one.stop()
    everyone = [carla.command.DestroyActor(one) for one in (*controllers, *walkers)]
    assert not any(answer.error for answer in client.apply_batch_sync(everyone, True))
    settings.synchronous_mode = False
    world.apply_settings(settings)


if __name__ == "__main__":
    main()
