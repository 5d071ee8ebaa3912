"""What the CARLA adapter takes for parked vehicles, as JSON lines: class, pose and size."""

import argparse
import json

from sim.carla_world import CarlaWorld
from sim.world import LEVEL_IDS

parser = argparse.ArgumentParser()
parser.add_argument("--host")
parser.add_argument("--port", type=int)
flags = parser.parse_args()
world = CarlaWorld.connect(
    flags.host, flags.port, fixed_delta_s=0.1, town=None, seed=1, patience_s=20.0
)
for body in world.tick().bodies:
    if body.actor_id >= LEVEL_IDS:
        at = body.pose
        print(json.dumps([body.class_id, body.actor_id, at.x, at.y, at.z, at.yaw, *body.extent]))
world.close()
