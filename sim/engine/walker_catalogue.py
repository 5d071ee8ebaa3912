"""The walkers that can be spawned, under CARLA's ids and with CARLA's attributes."""

from __future__ import annotations

from sim.engine.blueprints import Attribute, AttributeType, Blueprint

WALKER_TAG = 12  # CityObjectLabel
WALKERS = 51  # as many as 0.9.16 has
FIRST_OF_SECOND_GENERATION = 15
WALKER_HEIGHTS = (1.80, 1.68, 1.74, 1.62, 1.86, 1.30, 1.70, 1.15)  # m, by variant; two children
WALKER_LENGTH, WALKER_WIDTH = 0.39, 0.33  # of the height: between standing and a full stride
ADULT_MASS, CHILD_MASS = 75.0, 32.0  # kg
CHILD_HEIGHT = 1.5  # m below which a walker is a child
TOP_SPEED = 4.0  # m/s


def walker_blueprints() -> list[Blueprint]:
    """`walker.pedestrian.0001` to `.0051`."""
    return [_blueprint(number) for number in range(1, WALKERS + 1)]


def _blueprint(number: int) -> Blueprint:
    height = WALKER_HEIGHTS[(number - 1) % len(WALKER_HEIGHTS)]
    is_child = height < CHILD_HEIGHT
    fixed: tuple[tuple[str, AttributeType, str], ...] = (
        ("generation", "int", "2" if number >= FIRST_OF_SECOND_GENERATION else "1"),
        ("gender", "string", ("female", "male")[number % 2]),
        ("age", "string", "child" if is_child else "adult"),
        ("can_use_wheelchair", "bool", "false"),
    )
    return Blueprint(
        id=f"walker.pedestrian.{number:04d}",
        tags=("walker", "pedestrian", f"{number:04d}"),
        kind="walker",
        attributes=(
            Attribute("role_name", "string", "pedestrian", ()),
            Attribute("speed", "float", "1.4", ("0.0", "1.4", "3.6")),
            Attribute("is_invincible", "bool", "true"),
            Attribute("use_wheelchair", "bool", "false"),
            *(Attribute(name, kind, value, is_modifiable=False) for name, kind, value in fixed),
        ),
        mesh="pedestrian",
        variant=number - 1,
        size=(WALKER_LENGTH * height, WALKER_WIDTH * height, height),
        mass=CHILD_MASS if is_child else ADULT_MASS,
        semantic_tag=WALKER_TAG,
        max_speed=TOP_SPEED,
    )
