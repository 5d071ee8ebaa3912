"""Egos with and without their vehicles' advisories, in the embedded world without pictures."""

import sys
from pathlib import Path

import pytest

from scheduler.config import Vehicle
from scheduler.messages import VERSION, Feedback
from sim import scenarios
from sim.bridge.drive import Drive
from sim.inprocess_world import InprocessWorld

sys.path.insert(0, str(Path(__file__).parent))
from fake_world import FakeWorld

STEP = 0.1
STEP_NS = 100_000_000


def brake(tick, share=1.0, valid_for_ms=300, vehicle_id="ego"):
    return Feedback(VERSION, vehicle_id, tick, valid_for_ms, share, "collision_warning", "car")


def drive_round_the_bend(advise, *, obeys_feedback=True, seconds=25.0):
    world = InprocessWorld()
    vehicle = Vehicle(spawn_index=40)  # as in configs/stopped_car.yaml
    drive = Drive(world, [vehicle], STEP, obeys_feedback=obeys_feedback)
    ego = drive.egos["ego"]
    scenarios.load("stopped_car_round_bend")(world, [ego.ego])
    for tick in range(round(seconds / STEP)):
        seen = world.tick()
        drive.on_tick(seen, tick * STEP_NS)
        if advise:
            state = seen.egos[ego.ego.actor_id]
            ttc = ego.safety.time_to_collision(state, ego.driver.s, seen.bodies)
            # A warning that sees through nothing but knows the truth: brakes in time, and holds.
            is_close = ttc is not None and ttc < 1.5
            if is_close or (ego.is_braked_by_feedback and state.speed < 0.5):
                drive.on_feedback(brake(tick), tick * STEP_NS)
    return drive, seen


def test_without_advisory_the_ego_hits_the_stopped_car():
    drive, seen = drive_round_the_bend(advise=False)
    status = drive.status(seen, 1.0)
    assert status.collisions == {"ego": 1}
    assert status.min_ttc_s["ego"] < 0.3


def test_with_the_advisory_it_stops():
    drive, seen = drive_round_the_bend(advise=True)
    status = drive.status(seen, 1.0)
    assert status.collisions == {"ego": 0}
    assert 0.3 < status.min_ttc_s["ego"] < 1.6
    assert status.hard_brakes["ego"] >= 1
    assert seen.egos[drive.egos["ego"].ego.actor_id].speed == pytest.approx(0.0, abs=0.1)


def test_bridge_that_ignores_feedback_hits_it_too():
    drive, seen = drive_round_the_bend(advise=True, obeys_feedback=False)
    assert drive.status(seen, 1.0).collisions == {"ego": 1}


def test_advisory_expires_and_the_own_driver_goes_on():
    world = InprocessWorld()
    drive = Drive(world, [Vehicle()], STEP, obeys_feedback=True)
    ego = drive.egos["ego"]
    for tick in range(60):
        seen = world.tick()
        drive.on_tick(seen, tick * STEP_NS)
        if 30 <= tick < 45:
            drive.on_feedback(brake(tick), tick * STEP_NS)
        if tick == 46:
            pose = drive.pose("ego", seen, 1500)
            assert pose.is_braked_by_feedback
            assert (pose.brake, ego.reason) == (1.0, "car")
            assert pose.speed == pytest.approx(0.0, abs=0.1)
    assert not ego.is_braked_by_feedback
    assert seen.egos[ego.ego.actor_id].speed > 1.0


def test_advisory_works_in_the_very_next_tick():
    world = FakeWorld()
    drive = Drive(world, [Vehicle()], STEP, obeys_feedback=True)
    drive.on_tick(world.tick(), 0)
    assert world.controls[1][0] > 0.0
    drive.on_feedback(brake(1, share=0.7), 1)
    assert world.controls[1] == (0.0, 0.0, 0.7)
    drive.on_feedback(brake(2, share=0.0), 2)  # all clear
    assert world.controls[1][0] > 0.0


def test_feedback_for_a_stranger_is_dropped():
    drive = Drive(InprocessWorld(), [Vehicle()], STEP, obeys_feedback=True)
    drive.on_feedback(brake(1, vehicle_id="other"), 0)
    assert drive.egos["ego"].inbox.received == 0


def test_two_egos_stand_apart_and_drive():
    world = InprocessWorld()
    drive = Drive(world, [Vehicle(id="a"), Vehicle(id="b")], STEP, obeys_feedback=True)
    for tick in range(50):
        seen = world.tick()
        drive.on_tick(seen, tick * STEP_NS)
    speeds = [state.speed for state in seen.egos.values()]
    assert len(speeds) == 2
    assert min(speeds) > 3.0
