from sim.engine.simulation import Engine
from sim.engine.traffic_lights import LightState


def test_people_stay_on_pavements_but_for_crossings_at_red(engine: Engine) -> None:
    town = engine.town
    people = [
        engine.spawn("walker.pedestrian.0001", point) for point in town.walker_spawn_points[::18]
    ]
    for actor in people:
        engine.walk_pavement(actor.id)
    crossed = set()
    for _ in range(480):
        engine.tick(0.25)
        for actor in people:
            x, y = actor.pose.x, actor.pose.y
            if town.lanes.is_near(x, y, 1.3, "pavement"):
                continue
            crossing = min(
                town.crossings,
                key=lambda one: (
                    abs(one.ends[0][0] + one.ends[1][0] - 2 * x)
                    + abs(one.ends[0][1] + one.ends[1][1] - 2 * y)
                ),
            )
            low = [min(a, b) - 1.0 for a, b in zip(*crossing.ends, strict=True)]
            high = [max(a, b) + 1.0 for a, b in zip(*crossing.ends, strict=True)]
            assert low[0] < x < high[0]
            assert low[1] < y < high[1]
            lights = [
                one
                for one in engine.traffic_lights.values()
                if one.junction_id == crossing.junction_id
            ]
            assert all(one.state == LightState.RED for one in lights)
            crossed.add(actor.id)
    assert len(crossed) >= 3
    assert min(actor.walked for actor in people) > 50.0


def test_a_released_walker_stands(engine: Engine) -> None:
    walker = engine.spawn("walker.pedestrian.0002", engine.town.walker_spawn_points[0])
    engine.walk_pavement(walker.id)
    engine.tick(0.1)
    assert walker.speed > 1.0
    engine.walk_pavement(walker.id, False)
    engine.tick(0.1)
    assert walker.speed == 0.0
