"""What can be spawned under CARLA's ids; the sensors have a file of their own."""

from __future__ import annotations

from sim.engine.blueprints import Attribute, Blueprint
from sim.engine.sensor_catalogue import sensor_blueprints

Size = tuple[float, float, float]  # length, width, height, metres

# CityObjectLabel numbers of what has a body
WALKER_TAG, CAR_TAG, TRUCK_TAG, BUS_TAG, MOTORCYCLE_TAG, BICYCLE_TAG = 12, 14, 15, 16, 18, 19
TRAFFIC_LIGHT_TAG, DYNAMIC_TAG = 7, 21

TAG_OF_BASE_TYPE = {
    "car": CAR_TAG,
    "van": CAR_TAG,
    "truck": TRUCK_TAG,
    "bus": BUS_TAG,
    "motorcycle": MOTORCYCLE_TAG,
    "bicycle": BICYCLE_TAG,
}
COLOURS = (
    "17,37,103", "134,134,134", "180,44,44", "233,216,0", "23,23,23", "220,220,220",
    "66,88,66", "91,65,43",
)  # fmt: skip

# id, base type, mesh, (length, width, height) m, mass kg, max acceleration m/s^2, max speed m/s.
# Sizes are the makers' figures without mirrors, masses kerb weights, both rounded.
VEHICLES: tuple[tuple[str, str, str, Size, float, float, float], ...] = (
    ("audi.a2", "car", "car_hatch", (3.83, 1.67, 1.55), 1030, 4.0, 50),
    ("audi.etron", "car", "car_suv", (4.90, 1.94, 1.63), 2490, 5.5, 55),
    ("audi.tt", "car", "car_hatch", (4.18, 1.83, 1.38), 1320, 5.5, 65),
    ("bmw.grandtourer", "car", "car_van", (4.56, 1.80, 1.61), 1500, 4.5, 55),
    ("chevrolet.impala", "car", "car_sedan", (5.11, 1.85, 1.50), 1660, 4.5, 55),
    ("citroen.c3", "car", "car_hatch", (3.99, 1.75, 1.49), 1090, 4.0, 50),
    ("dodge.charger_2020", "car", "car_sedan", (5.03, 1.91, 1.47), 1850, 5.5, 65),
    ("ford.crown", "car", "car_sedan", (5.39, 1.98, 1.50), 1900, 4.5, 55),
    ("ford.mustang", "car", "car_sedan", (4.78, 1.91, 1.38), 1700, 6.0, 68),
    ("jeep.wrangler_rubicon", "car", "car_suv", (4.33, 1.89, 1.85), 1950, 4.0, 48),
    ("lincoln.mkz_2020", "car", "car_sedan", (4.92, 1.86, 1.48), 1760, 5.0, 60),
    ("mercedes.coupe", "car", "car_sedan", (4.70, 1.81, 1.40), 1600, 5.5, 65),
    ("mini.cooper_s", "car", "car_hatch", (3.82, 1.73, 1.41), 1200, 5.0, 60),
    ("nissan.micra", "car", "car_hatch", (3.64, 1.67, 1.50), 1000, 3.8, 48),
    ("nissan.patrol", "car", "car_suv", (5.17, 1.99, 1.94), 2700, 4.0, 52),
    ("seat.leon", "car", "car_hatch", (4.28, 1.82, 1.46), 1300, 4.8, 58),
    ("tesla.model3", "car", "car_sedan", (4.69, 1.85, 1.44), 1750, 6.0, 70),
    ("toyota.prius", "car", "car_hatch", (4.54, 1.76, 1.47), 1400, 4.0, 50),
    ("tesla.cybertruck", "car", "car_pickup", (5.88, 2.03, 1.91), 3000, 6.0, 52),
    ("volkswagen.t2", "van", "car_van", (4.51, 1.72, 1.94), 1300, 2.8, 36),
    ("mercedes.sprinter", "van", "car_van", (5.93, 1.99, 2.60), 2200, 3.2, 42),
    ("carlamotors.carlacola", "truck", "truck", (6.20, 2.30, 2.90), 5500, 2.5, 33),
    ("carlamotors.firetruck", "truck", "truck", (7.90, 2.40, 3.20), 13000, 2.2, 30),
    ("mitsubishi.fusorosa", "bus", "bus", (7.73, 2.08, 2.72), 5500, 2.2, 30),
    ("yamaha.yzf", "motorcycle", "motorcycle", (2.06, 0.75, 1.60), 260, 6.0, 60),
    ("harley-davidson.low_rider", "motorcycle", "motorcycle", (2.35, 0.75, 1.60), 380, 4.5, 50),
    ("kawasaki.ninja", "motorcycle", "motorcycle", (2.05, 0.75, 1.60), 280, 6.0, 60),
    ("vespa.zx125", "motorcycle", "motorcycle", (1.82, 0.75, 1.60), 190, 3.0, 27),
    ("bh.crossbike", "bicycle", "bicycle", (1.80, 0.60, 1.75), 85, 1.5, 12),
    ("gazelle.omafiets", "bicycle", "bicycle", (1.85, 0.60, 1.75), 90, 1.2, 9),
    ("diamondback.century", "bicycle", "bicycle", (1.75, 0.60, 1.75), 85, 1.6, 14),
)
# m that mirrors (of cycles: handlebars) add to the width
MIRRORS = {"truck": 0.36, "bus": 0.26, "motorcycle": 0.04, "bicycle": 0.08}
CAR_MIRRORS = 0.30  # m
WALKERS = 12
WALKER_HEIGHTS = (1.80, 1.68, 1.74, 1.62, 1.86, 1.30, 1.70, 1.15)  # m, by variant; two children
WALKER_LENGTH, WALKER_WIDTH = 0.39, 0.33  # of the height: between standing and a full stride
PROPS: tuple[tuple[str, str, Size, float], ...] = (
    ("bin", "bin", (0.5, 0.5, 1.0), 25.0),
    ("bench01", "bench", (0.6, 1.6, 0.9), 60.0),
)


def all_blueprints() -> dict[str, Blueprint]:
    """The whole catalogue by id."""
    found = [*_vehicles(), *_walkers(), *sensor_blueprints(), *_props(), *_level()]
    return {blueprint.id: blueprint for blueprint in found}


def _role(value: str, *recommended: str) -> Attribute:
    return Attribute("role_name", "string", value, recommended)


def _vehicles() -> list[Blueprint]:
    found = []
    for name, base, mesh, size, mass, acceleration, speed in VEHICLES:
        wheels = "2" if base in ("motorcycle", "bicycle") else "4"
        attributes = (
            _role("autopilot", "autopilot", "scenario", "ego_vehicle"),
            Attribute("color", "color", COLOURS[0], COLOURS),
            Attribute("sticky_control", "bool", "true"),
            Attribute("terramechanics", "bool", "false"),
            Attribute("object_type", "string", "", is_modifiable=False),
            Attribute("base_type", "string", base, is_modifiable=False),
            Attribute("special_type", "string", "", is_modifiable=False),
            Attribute("generation", "int", "2", is_modifiable=False),
            Attribute("number_of_wheels", "int", wheels, is_modifiable=False),
            Attribute("has_lights", "bool", "true", is_modifiable=False),
            Attribute("has_dynamic_doors", "bool", "false", is_modifiable=False),
        )
        length, width, height = size
        found.append(
            Blueprint(
                id=f"vehicle.{name}",
                tags=("vehicle", *name.split(".")),
                kind="vehicle",
                attributes=attributes,
                mesh=mesh,
                size=(length, width + MIRRORS.get(mesh, CAR_MIRRORS), height),
                mesh_size=size,
                mass=mass,
                semantic_tag=TAG_OF_BASE_TYPE[base],
                max_speed=speed,
                max_acceleration=acceleration,
                wheelbase=0.6 * length,
            )
        )
    return found


def _walkers() -> list[Blueprint]:
    found = []
    for number in range(1, WALKERS + 1):
        height = WALKER_HEIGHTS[(number - 1) % len(WALKER_HEIGHTS)]
        attributes = (
            _role("pedestrian"),
            Attribute("speed", "float", "1.4", ("0.0", "1.4", "3.6")),
            Attribute("is_invincible", "bool", "true"),
            Attribute("generation", "int", "2", is_modifiable=False),
            Attribute("gender", "string", ("female", "male")[number % 2], is_modifiable=False),
            Attribute("age", "string", "adult" if height > 1.5 else "child", is_modifiable=False),
            Attribute("can_use_wheelchair", "bool", "false", is_modifiable=False),
        )
        found.append(
            Blueprint(
                id=f"walker.pedestrian.{number:04d}",
                tags=("walker", "pedestrian", f"{number:04d}"),
                kind="walker",
                attributes=attributes,
                mesh="pedestrian",
                variant=number - 1,
                size=(WALKER_LENGTH * height, WALKER_WIDTH * height, height),
                mass=75.0,
                semantic_tag=WALKER_TAG,
                max_speed=4.0,
            )
        )
    return found


def _props() -> list[Blueprint]:
    return [
        Blueprint(
            id=f"static.prop.{name}",
            tags=("static", "prop", name),
            kind="prop",
            attributes=(_role("prop"),),
            mesh=mesh,
            size=size,
            mass=mass,
            semantic_tag=DYNAMIC_TAG,
        )
        for name, mesh, size, mass in PROPS
    ]


def _level() -> list[Blueprint]:
    """What the world itself owns, and the walker controller, which needs no body."""
    return [
        Blueprint(
            id="traffic.traffic_light",
            tags=("traffic", "traffic_light"),
            kind="traffic_light",
            mesh="traffic_light",
            semantic_tag=TRAFFIC_LIGHT_TAG,
        ),
        Blueprint(id="spectator", tags=("spectator",), kind="spectator"),
        Blueprint(
            id="controller.ai.walker", tags=("controller", "ai", "walker"), kind="controller"
        ),
    ]
