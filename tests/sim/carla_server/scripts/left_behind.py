"""A client that is killed in the middle leaves its vehicles; the next one loads the level anew."""

import argparse
import os
import subprocess
import sys

from sim.carla_world import CarlaWorld

parser = argparse.ArgumentParser()
parser.add_argument("--host")
parser.add_argument("--port", type=int)
parser.add_argument("--first", action="store_true")
flags = parser.parse_args()


def connect(**more):
    return CarlaWorld.connect(
        flags.host, flags.port, fixed_delta_s=0.1, town=None, seed=1, patience_s=20.0, **more
    )


def vehicles(world):
    return sum(body.class_id < 5 for body in world.tick().bodies)


if flags.first:
    world = connect()
    world.spawn_ego("ego")
    world.tick()
    os._exit(0)  # as a killed client ends: nothing is given back
subprocess.run([sys.executable, __file__, "--first", *sys.argv[1:]], check=True, timeout=30)
world = connect()
print("left behind", vehicles(world))
world.close()
world = connect(is_reloaded=True)
print("after loading anew", vehicles(world))
world.close()
