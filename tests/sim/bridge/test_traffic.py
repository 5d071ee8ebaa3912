from dataclasses import replace

from scheduler import messages, wire
from sim.bridge.traffic import traffic_of
from sim.engine.geometry import Pose
from sim.ground_truth import CLASSES
from sim.world import Body, EgoState, WorldTick

EGO = EgoState(Pose(0.0, 0.0), (10.0, 0.0, 0.0), 10.0, 0.0, 13.0, 0)


def body(actor_id, kind, x):
    return Body(actor_id, CLASSES.index(kind), Pose(x, 0.0, 1.6, yaw=0.5), (4.0, 1.2, 1.6))


def test_near_cars_trucks_and_buses_are_told_and_nobody_else():
    kinds = ["car", "truck", "bus", "motorcycle", "bicycle", "pedestrian", "traffic light"]
    near = [body(k, kind, 20.0 * k) for k, kind in enumerate(kinds)]
    seen = WorldTick(7, 350, {1: EGO}, [*near, body(9, "car", 400.0)], {})
    said = traffic_of(seen)
    assert [obstacle.actor_id for obstacle in said.obstacles] == [0, 1, 2]
    assert said.obstacles[1] == messages.Obstacle(1, (20.0, 0.0, 1.6), 0.5, (4.0, 1.2, 1.6))
    assert said.sim_ns == 350
    far = replace(seen, egos={1: replace(EGO, pose=Pose(1000.0, 0.0))})
    assert traffic_of(far).obstacles == []


def test_message_survives_the_wire():
    said = messages.Traffic(1, 5, [messages.Obstacle(3, (1.0, 2.0, 0.8), 0.1, (2.0, 0.9, 0.8))])
    read, _ = wire.unpack(wire.pack(said), messages.Traffic)
    assert read == said
