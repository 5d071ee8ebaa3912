import pytest

from sim.engine.geometry import Pose
from sim.engine.lanes import LaneId
from sim.engine.simulation import Engine, UnknownActor
from sim.engine.traffic_lights import LightBoard, LightCycle, LightState, TrafficLight


def light(number: int, group: int, junction: int = 1) -> TrafficLight:
    return TrafficLight(number, str(number), Pose(), Pose(), LaneId(1, -1), 10.0, junction, group)


def run(cycle: LightCycle, seconds: float) -> list[LightState]:
    for _ in range(round(seconds / 0.1)):
        cycle.tick(0.1)
    return [one.state for one in cycle.lights]


def test_groups_take_turns_with_all_red_between_and_a_walk_at_the_end() -> None:
    cycle = LightCycle([light(1, 0), light(2, 1)], walk_time=11.0)
    red, yellow, green = LightState.RED, LightState.YELLOW, LightState.GREEN
    assert run(cycle, 9.9) == [green, red]
    assert run(cycle, 0.2) == [yellow, red]
    assert run(cycle, 3.0) == [red, red]
    assert run(cycle, 2.0) == [red, green]
    assert run(cycle, 13.0) == [red, red]
    assert cycle.walk_left == 0.0
    assert run(cycle, 2.0) == [red, red]
    assert cycle.walk_left == pytest.approx(10.9)
    assert run(cycle, 11.0) == [green, red]


def test_two_groups_are_never_green_or_yellow_together() -> None:
    cycle = LightCycle([light(1, 0), light(2, 1), light(3, 0)])
    for _ in range(2000):
        cycle.tick(0.07)
        moving = {one.group for one in cycle.lights if one.state != LightState.RED}
        assert len(moving) <= 1
        assert not (moving and cycle.walk_left)


def test_changed_times_hold_and_a_frozen_junction_waits() -> None:
    first = light(1, 0)
    board = LightBoard([first, light(2, 1), light(3, 0, junction=2)])
    first.green_time = 2.0
    board.freeze(2, True)
    for _ in range(100):
        board.tick(0.1)
    assert first.state == LightState.GREEN
    assert board.lights[3].state == LightState.YELLOW
    board.freeze(1, False)
    for _ in range(21):
        board.tick(0.1)
    assert first.state == LightState.YELLOW
    board.reset(1)
    assert first.state == LightState.GREEN


def test_a_long_tick_passes_several_phases() -> None:
    cycle = LightCycle([light(1, 0), light(2, 1)])
    cycle.tick(16.0)
    assert [one.state for one in cycle.lights] == [LightState.RED, LightState.GREEN]
    cycle.tick(41.0)
    assert [one.state for one in cycle.lights] == [LightState.RED, LightState.GREEN]


def test_lights_are_actors_with_sign_ids_and_groups(engine: Engine) -> None:
    for number, one in engine.traffic_lights.items():
        actor = engine.actors[number]
        assert actor.light is one
        assert actor.attributes["sign_id"] == one.signal_id
        group = engine.light_group(number)
        assert number in group
        assert len(group) == 4
        assert not engine.destroy(number)
    with pytest.raises(UnknownActor):
        engine.light_group(99)


def test_a_set_state_holds_until_the_junction_goes_on(engine: Engine) -> None:
    red = next(one for one in engine.traffic_lights.values() if one.state == LightState.RED)
    engine.set_light_state(red.id, LightState.GREEN)
    engine.tick(0.1)
    assert red.state == LightState.GREEN
    engine.reset_lights(red.id)
    assert red.state == LightState.RED


def test_engines_of_one_town_do_not_share_their_lights(engine: Engine) -> None:
    other = Engine(engine.town)
    engine.set_light_state(1, LightState.OFF)
    assert other.traffic_lights[1].state == LightState.GREEN
    assert engine.actors[1].light is engine.traffic_lights[1]
