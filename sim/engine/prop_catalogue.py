"""The things that can be put anywhere: `static.prop.*` under CARLA's ids."""

from __future__ import annotations

from typing import NamedTuple

from sim.engine.blueprints import Attribute, Blueprint

STATIC_TAG, DYNAMIC_TAG = 20, 21  # CityObjectLabel: what stays put, what people move
HUGE, BIG, MEDIUM, SMALL, TINY = "huge", "big", "medium", "small", "tiny"
SIZE_LIMITS = ((3.0, HUGE), (1.5, BIG), (0.8, MEDIUM), (0.3, SMALL))  # m of the longest edge


class Prop(NamedTuple):
    """One prop: what it is called, which mesh shows it, its box and its mass."""

    name: str
    mesh: str
    size: tuple[float, float, float]  # length, width, height, metres
    mass: float  # kg
    is_fixed: bool = False


def _several(
    name: str, numbers: int, mesh: str, size: tuple[float, float, float], mass: float
) -> list[Prop]:
    return [Prop(f"{name}{number:02d}", mesh, size, mass) for number in range(1, numbers + 1)]


PROPS: tuple[Prop, ...] = (
    Prop("bin", "bin", (0.5, 0.5, 1.0), 25.0),
    Prop("bench01", "bench", (0.6, 1.6, 0.9), 60.0),
    Prop("bench02", "bench", (0.6, 1.9, 0.9), 70.0),
    Prop("bench03", "bench", (0.65, 2.2, 0.9), 80.0),
    Prop("streetbarrier", "barrier", (0.5, 1.25, 1.05), 20.0),
    Prop("chainbarrier", "chain", (0.3, 1.5, 0.9), 30.0),
    Prop("chainbarrierend", "post", (0.3, 0.3, 0.9), 20.0),
    Prop("trafficcone01", "cone", (0.40, 0.40, 0.75), 4.0),
    Prop("trafficcone02", "cone", (0.35, 0.35, 0.50), 3.0),
    Prop("constructioncone", "cone", (0.36, 0.36, 0.70), 4.0),
    Prop("trafficwarning", "warning_trailer", (2.0, 2.2, 2.8), 600.0),
    Prop("warningconstruction", "warning_board", (0.6, 0.9, 1.15), 12.0),
    Prop("warningaccident", "warning_board", (0.6, 0.9, 1.15), 12.0),
    *_several("box", 3, "carton", (0.60, 0.45, 0.45), 6.0),
    *_several("creasedbox", 3, "creased_carton", (0.60, 0.55, 0.18), 2.0),
    *_several("dirtdebris", 3, "heap", (1.6, 1.4, 0.22), 150.0),
    *_several("brokentile", 4, "heap", (0.7, 0.6, 0.08), 10.0),
    Prop("ironplank", "plate", (2.4, 1.2, 0.04), 180.0),
    Prop("container", "waste_container", (1.3, 1.9, 1.35), 160.0),
    Prop("clothcontainer", "tall_container", (1.2, 1.3, 2.0), 200.0),
    Prop("glasscontainer", "tall_container", (1.4, 1.4, 1.7), 180.0),
    *_several("trashcan", 5, "bin", (0.55, 0.55, 1.05), 25.0),
    *_several("garbage", 6, "heap", (0.9, 0.8, 0.25), 8.0),
    Prop("platformgarbage01", "heap", (2.2, 1.8, 0.6), 90.0),
    Prop("trashbag", "sack", (0.6, 0.55, 0.65), 8.0),
    Prop("plasticbag", "sack", (0.35, 0.25, 0.40), 1.0),
    Prop("shoppingbag", "sack", (0.35, 0.20, 0.40), 3.0),
    Prop("barrel", "drum", (0.60, 0.60, 0.90), 25.0),
    Prop("chair", "chair", (0.48, 0.46, 0.90), 5.0),
    Prop("plasticchair", "chair", (0.55, 0.52, 0.82), 3.0),
    Prop("table", "table", (0.80, 1.40, 0.75), 25.0),
    Prop("plastictable", "table", (0.80, 0.80, 0.72), 8.0),
    Prop("maptable", "table", (0.70, 1.10, 0.95), 30.0),
    *_several("plantpot", 8, "plant_pot", (0.60, 0.60, 1.10), 40.0),
    Prop("advertisement", "advertisement", (0.30, 1.35, 2.40), 180.0, True),
    Prop("streetsign", "sign_post", (0.20, 0.70, 2.60), 30.0, True),
    Prop("streetsign01", "sign_post", (0.20, 0.70, 2.60), 30.0, True),
    Prop("streetsign04", "sign_post", (0.20, 0.90, 2.30), 30.0, True),
    Prop("busstop", "shelter", (1.70, 4.20, 2.55), 900.0, True),
    Prop("busstoplb", "shelter", (1.50, 3.20, 2.50), 700.0, True),
    Prop("kiosk_01", "kiosk", (2.2, 2.6, 2.7), 900.0, True),
    Prop("mailbox", "mailbox", (0.50, 0.55, 1.25), 50.0, True),
    Prop("vendingmachine", "vending_machine", (0.85, 1.00, 1.90), 300.0, True),
    Prop("atm", "cash_machine", (0.75, 0.80, 1.70), 350.0, True),
    Prop("fountain", "fountain", (2.6, 2.6, 1.5), 2500.0, True),
    Prop("streetfountain", "fountain", (0.8, 0.8, 1.1), 200.0, True),
    Prop("shoppingcart", "cart", (0.95, 0.58, 1.02), 22.0),
    Prop("shoppingtrolley", "cart", (0.50, 0.40, 0.98), 6.0),
    Prop("foodcart", "food_cart", (2.0, 1.2, 2.3), 180.0),
    Prop("haybale", "hay", (1.3, 1.2, 1.2), 250.0),
    Prop("haybalelb", "hay", (1.2, 0.6, 0.5), 25.0),
    Prop("gnome", "gnome", (0.24, 0.24, 0.62), 3.0),
    Prop("travelcase", "case", (0.30, 0.48, 0.72), 12.0),
    Prop("briefcase", "case", (0.12, 0.42, 0.34), 4.0),
    Prop("guitarcase", "case", (0.20, 0.40, 1.10), 6.0),
    Prop("purse", "case", (0.14, 0.30, 0.26), 1.0),
    Prop("colacan", "can", (0.07, 0.07, 0.12), 0.4),
    Prop("wateringcan", "can", (0.30, 0.22, 0.30), 1.0),
    Prop("gardenlamp", "lamp_post", (0.25, 0.25, 0.95), 6.0, True),
    Prop("doghouse", "hut", (1.0, 0.8, 0.95), 25.0),
    Prop("bikeparking", "hoops", (0.6, 2.4, 0.85), 60.0, True),
    Prop("calibrator", "chart", (0.05, 0.90, 1.20), 5.0),
)  # fmt: skip


UNREAL_MESH = "static.prop.mesh"
"""CARLA's prop of any Unreal asset: spawned without one it is an invisible point."""


def prop_blueprints() -> list[Blueprint]:
    """All props with CARLA's attributes `role_name` and `size`."""
    any_mesh = Blueprint(
        id=UNREAL_MESH,
        tags=("static", "prop", "mesh"),
        kind="prop",
        attributes=(
            Attribute("mesh_path", "string", ""),
            Attribute("mass", "float", "0.0"),
            Attribute("scale", "float", "1.0"),
            Attribute("role_name", "string", "prop"),
        ),
    )
    return [*(_blueprint(prop) for prop in PROPS), any_mesh]


def _blueprint(prop: Prop) -> Blueprint:
    word = next((word for limit, word in SIZE_LIMITS if max(prop.size) >= limit), TINY)
    return Blueprint(
        id=f"static.prop.{prop.name}",
        tags=("static", "prop", prop.name),
        kind="prop",
        attributes=(
            Attribute("role_name", "string", "prop"),
            Attribute("size", "string", word, is_modifiable=False),
        ),
        mesh=prop.mesh,
        size=prop.size,
        mesh_size=prop.size,
        mass=prop.mass,
        semantic_tag=STATIC_TAG if prop.is_fixed else DYNAMIC_TAG,
    )
