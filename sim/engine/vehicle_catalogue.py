"""The vehicles that can be spawned, under CARLA's ids and with CARLA's attributes."""

from __future__ import annotations

from typing import NamedTuple

from sim.engine.blueprints import Attribute, AttributeType, Blueprint

Size = tuple[float, float, float]  # length, width, height, metres

CAR_TAG, TRUCK_TAG, BUS_TAG, MOTORCYCLE_TAG, BICYCLE_TAG = 14, 15, 16, 18, 19  # CityObjectLabel
TAG_OF_BASE_TYPE = {
    "car": CAR_TAG,
    "van": CAR_TAG,
    "truck": TRUCK_TAG,
    "bus": BUS_TAG,
    "motorcycle": MOTORCYCLE_TAG,
    "bicycle": BICYCLE_TAG,
}
# As often as on European roads: grey, silver, black and white before blue, red and the rest.
COLOURS = (
    "17,37,103", "236,236,234", "23,23,25", "112,114,118", "176,178,182", "225,227,229",
    "62,64,68", "12,12,14", "150,20,22", "88,91,96", "46,74,124", "196,198,200", "240,240,238",
    "34,35,38", "52,66,54", "180,44,44", "134,136,140", "214,160,24", "120,104,82",
)  # fmt: skip
WHITE, RED, BLACK, YELLOW = "240,240,240", "170,20,20", "12,12,14", "233,190,0"
# m that mirrors (of cycles: handlebars) add to the width
MIRRORS = {"truck": 0.36, "bus": 0.26, "motorcycle": 0.04, "bicycle": 0.08}
CAR_MIRRORS = 0.30  # m


class Row(NamedTuple):
    """One model: sizes are the makers' figures without mirrors, masses kerb weights, rounded."""

    name: str
    base: str
    mesh: str
    size: Size
    mass: float  # kg
    acceleration: float  # m/s^2 from rest
    speed: float  # m/s at most
    generation: int = 1
    special: str = ""
    colour: str = ""  # its only one, where it has a livery


VEHICLES = (
    Row("audi.a2", "car", "car_hatch", (3.83, 1.67, 1.55), 1030, 4.0, 50),
    Row("audi.etron", "car", "car_suv", (4.90, 1.94, 1.63), 2490, 5.5, 55, 1, "electric"),
    Row("audi.tt", "car", "car_hatch", (4.18, 1.83, 1.38), 1320, 5.5, 65),
    Row("bmw.grandtourer", "car", "car_van", (4.56, 1.80, 1.61), 1500, 4.5, 55),
    Row("chevrolet.impala", "car", "car_sedan", (5.11, 1.85, 1.50), 1660, 4.5, 55),
    Row("citroen.c3", "car", "car_hatch", (3.99, 1.75, 1.49), 1090, 4.0, 50),
    Row("dodge.charger_2020", "car", "car_sedan", (5.03, 1.91, 1.47), 1850, 5.5, 65, 2),
    Row("ford.crown", "car", "car_sedan", (5.39, 1.98, 1.50), 1900, 4.5, 55, 2, "taxi", YELLOW),
    Row("ford.mustang", "car", "car_sedan", (4.78, 1.91, 1.38), 1700, 6.0, 68),
    Row("jeep.wrangler_rubicon", "car", "car_suv", (4.33, 1.89, 1.85), 1950, 4.0, 48),
    Row("lincoln.mkz_2020", "car", "car_sedan", (4.92, 1.86, 1.48), 1760, 5.0, 60, 2),
    Row("mercedes.coupe", "car", "car_sedan", (4.70, 1.81, 1.40), 1600, 5.5, 65),
    Row("mini.cooper_s", "car", "car_hatch", (3.82, 1.73, 1.41), 1200, 5.0, 60),
    Row("nissan.micra", "car", "car_hatch", (3.64, 1.67, 1.50), 1000, 3.8, 48),
    Row("nissan.patrol", "car", "car_suv", (5.17, 1.99, 1.94), 2700, 4.0, 52),
    Row("seat.leon", "car", "car_hatch", (4.28, 1.82, 1.46), 1300, 4.8, 58),
    Row("tesla.model3", "car", "car_sedan", (4.69, 1.85, 1.44), 1750, 6.0, 70, 1, "electric"),
    Row("toyota.prius", "car", "car_hatch", (4.54, 1.76, 1.47), 1400, 4.0, 50),
    Row("tesla.cybertruck", "car", "car_pickup", (5.88, 2.03, 1.91), 3000, 6.0, 52, 2, "electric"),
    Row("volkswagen.t2", "van", "car_van", (4.51, 1.72, 1.94), 1300, 2.8, 36),
    Row("mercedes.sprinter", "van", "car_van", (5.93, 1.99, 2.60), 2200, 3.2, 42, 2),
    Row("carlamotors.carlacola", "truck", "truck", (6.20, 2.30, 2.90), 5500, 2.5, 33),
    Row("carlamotors.firetruck", "truck", "truck", (7.90, 2.40, 3.20), 13000, 2.2, 30, 2,
        "emergency", RED),
    Row("mitsubishi.fusorosa", "bus", "bus", (7.73, 2.08, 2.72), 5500, 2.2, 30, 2),
    Row("yamaha.yzf", "motorcycle", "motorcycle", (2.06, 0.75, 1.60), 260, 6.0, 60),
    Row("harley-davidson.low_rider", "motorcycle", "motorcycle", (2.35, 0.75, 1.60), 380, 4.5, 50),
    Row("kawasaki.ninja", "motorcycle", "motorcycle", (2.05, 0.75, 1.60), 280, 6.0, 60),
    Row("vespa.zx125", "motorcycle", "motorcycle", (1.82, 0.75, 1.60), 190, 3.0, 27),
    Row("bh.crossbike", "bicycle", "bicycle", (1.80, 0.60, 1.75), 85, 1.5, 12),
    Row("gazelle.omafiets", "bicycle", "bicycle", (1.85, 0.60, 1.75), 90, 1.2, 9),
    Row("diamondback.century", "bicycle", "bicycle", (1.75, 0.60, 1.75), 85, 1.6, 14),
    Row("carlamotors.european_hgv", "truck", "truck", (7.40, 2.40, 3.60), 9000, 2.0, 28, 2),
    Row("dodge.charger_police", "car", "car_sedan", (4.97, 1.89, 1.54), 1900, 5.5, 65, 1,
        "emergency", BLACK),
    Row("dodge.charger_police_2020", "car", "car_sedan", (5.03, 1.91, 1.55), 1950, 5.5, 65, 2,
        "emergency", BLACK),
    Row("ford.ambulance", "van", "car_van", (6.36, 2.05, 2.62), 4300, 2.8, 38, 2, "emergency",
        WHITE),
    Row("lincoln.mkz_2017", "car", "car_sedan", (4.90, 1.87, 1.47), 1750, 5.0, 60),
    Row("mercedes.coupe_2020", "car", "car_sedan", (4.67, 1.81, 1.42), 1650, 5.5, 65, 2),
    Row("micro.microlino", "car", "car_hatch", (2.52, 1.47, 1.50), 570, 2.6, 25, 1, "electric"),
    Row("mini.cooper_s_2021", "car", "car_hatch", (3.88, 1.74, 1.43), 1280, 5.0, 60, 2),
    Row("nissan.patrol_2021", "car", "car_suv", (5.32, 2.00, 1.94), 2750, 4.5, 55, 2),
    Row("volkswagen.t2_2021", "van", "car_van", (4.51, 1.72, 1.95), 1350, 2.8, 36, 2),
)  # fmt: skip


def vehicle_blueprints() -> list[Blueprint]:
    """All vehicles of CARLA 0.9.16, its first and second generation."""
    return [_blueprint(row) for row in VEHICLES]


def _blueprint(row: Row) -> Blueprint:
    length, width, height = row.size
    return Blueprint(
        id=f"vehicle.{row.name}",
        tags=("vehicle", *row.name.split(".")),
        kind="vehicle",
        attributes=tuple(_attributes(row)),
        mesh=row.mesh,
        size=(length, width + MIRRORS.get(row.mesh, CAR_MIRRORS), height),
        mesh_size=row.size,
        mass=row.mass,
        semantic_tag=TAG_OF_BASE_TYPE[row.base],
        max_speed=row.speed,
        max_acceleration=row.acceleration,
        wheelbase=0.6 * length,
        base_type=row.base,
        is_electric=row.special == "electric",
    )


def _attributes(row: Row) -> list[Attribute]:
    is_cycle = row.base in ("motorcycle", "bicycle")
    colours = (row.colour,) if row.colour else COLOURS
    fixed: tuple[tuple[str, AttributeType, str], ...] = (
        ("object_type", "string", ""),
        ("base_type", "string", row.base),
        ("special_type", "string", row.special),
        ("generation", "int", str(row.generation)),
        ("number_of_wheels", "int", "2" if is_cycle else "4"),
        ("has_lights", "bool", "false" if row.base == "bicycle" else "true"),
        ("has_dynamic_doors", "bool", "true" if row.generation == 2 else "false"),
    )
    return [
        Attribute("role_name", "string", "autopilot", ("autopilot", "scenario", "ego_vehicle")),
        Attribute("color", "color", colours[0], colours),
        *([Attribute("driver_id", "int", "0", ("0",))] if is_cycle else []),
        Attribute("sticky_control", "bool", "true"),
        Attribute("terramechanics", "bool", "false"),
        *(Attribute(name, kind, value, is_modifiable=False) for name, kind, value in fixed),
    ]
