"""Proportions of cars by kind, and where a model of CARLA's catalogue differs from its kind."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np


@dataclass(frozen=True, slots=True)
class CarShape:
    """Proportions of a car: places as shares of the length from the front, heights of the height.

    Attributes:
        cowl: foot of the windscreen.
        roof_front: top of the windscreen.
        roof_rear: top of the rear window.
        deck: foot of the rear window.
        belt: height of the window sills.
        nose: height of the bonnet's front edge.
        tail: height of the boot's rear edge.
        wheel_radius: metres.
        axles: front and rear axle.
        glass_until: side windows end here.
        pillar: middle of the B pillar; 0 between the ends of the roof.
        tumble: how much narrower the roof is than the body, share of the width.
        round: metres that nose and tail bulge in plan.
        sill: metres of the body's lower edge above the ground.
        clad: arches and sills are of black plastic.
        grille: share of the width, 0 for none.
        livery: "", "police", "taxi", "ambulance", "two-tone" or "bare" (unpainted steel).
    """

    cowl: float
    roof_front: float
    roof_rear: float
    deck: float
    belt: float
    nose: float
    tail: float
    wheel_radius: float
    axles: tuple[float, float]
    glass_until: float
    pillar: float = 0.0
    tumble: float = 0.2
    round: float = 0.11
    sill: float = 0.2
    clad: bool = False
    grille: float = 0.5
    livery: str = ""


_KINDS: Final = {
    "car_sedan": CarShape(0.27, 0.43, 0.66, 0.84, 0.63, 0.50, 0.66, 0.33, (0.185, 0.785), 0.79),
    "car_hatch": CarShape(0.23, 0.40, 0.84, 0.965, 0.62, 0.52, 0.63, 0.31, (0.19, 0.82), 0.90,
                          round=0.13),
    "car_suv": CarShape(0.25, 0.39, 0.88, 0.972, 0.63, 0.57, 0.62, 0.37, (0.185, 0.81), 0.92,
                        tumble=0.17, sill=0.27, clad=True),
    "car_van": CarShape(0.13, 0.25, 0.955, 0.985, 0.56, 0.45, 0.57, 0.35, (0.17, 0.79), 0.42,
                        tumble=0.14, round=0.08),
    "car_pickup": CarShape(0.25, 0.36, 0.56, 0.60, 0.60, 0.56, 0.60, 0.40, (0.175, 0.78), 0.56,
                           sill=0.28, clad=True, round=0.06),
}  # fmt: skip

# What differs from the kind, by CARLA's id without "vehicle.".
_MODELS: Final[dict[str, dict[str, object]]] = {
    "audi.a2": {"cowl": 0.19, "roof_front": 0.37, "roof_rear": 0.8, "belt": 0.6},
    "audi.tt": {"cowl": 0.31, "roof_front": 0.46, "roof_rear": 0.62, "deck": 0.9, "pillar": 0.6,
                "glass_until": 0.78, "belt": 0.66, "nose": 0.52, "round": 0.16, "tumble": 0.25},
    "bmw.grandtourer": {"cowl": 0.22, "roof_front": 0.4, "roof_rear": 0.88, "deck": 0.97,
                        "belt": 0.6, "nose": 0.53, "tail": 0.6, "glass_until": 0.93,
                        "wheel_radius": 0.32},
    "ford.mustang": {"cowl": 0.36, "roof_front": 0.49, "roof_rear": 0.66, "deck": 0.9,
                     "pillar": 0.63, "glass_until": 0.78, "belt": 0.66, "nose": 0.57,
                     "tail": 0.68, "grille": 0.7, "round": 0.07},
    "mercedes.coupe": {"cowl": 0.31, "roof_front": 0.46, "roof_rear": 0.65, "deck": 0.9,
                       "pillar": 0.61, "glass_until": 0.8, "tumble": 0.24},
    "mercedes.coupe_2020": {"cowl": 0.31, "roof_front": 0.46, "roof_rear": 0.65, "deck": 0.9,
                            "pillar": 0.61, "glass_until": 0.8, "tumble": 0.24},
    "ford.crown": {"livery": "taxi", "round": 0.07, "grille": 0.6},
    "chevrolet.impala": {"round": 0.08},
    "dodge.charger_police": {"livery": "police", "grille": 0.75, "round": 0.06, "nose": 0.54},
    "dodge.charger_police_2020": {"livery": "police", "grille": 0.75, "round": 0.06, "nose": 0.55},
    "dodge.charger_2020": {"grille": 0.75, "round": 0.06, "nose": 0.55, "belt": 0.66},
    "jeep.wrangler_rubicon": {"cowl": 0.33, "roof_front": 0.38, "roof_rear": 0.962, "deck": 0.985,
                              "belt": 0.6, "nose": 0.57, "tail": 0.6, "round": 0.02,
                              "tumble": 0.1, "wheel_radius": 0.4, "axles": (0.17, 0.78),
                              "glass_until": 0.95, "sill": 0.36},
    "micro.microlino": {"cowl": 0.06, "roof_front": 0.3, "roof_rear": 0.7, "deck": 0.93,
                        "belt": 0.56, "nose": 0.5, "tail": 0.56, "axles": (0.24, 0.8),
                        "wheel_radius": 0.26, "grille": 0.0, "round": 0.2, "glass_until": 0.78,
                        "livery": "two-tone"},
    "mini.cooper_s": {"cowl": 0.27, "roof_front": 0.38, "roof_rear": 0.9, "deck": 0.975,
                      "belt": 0.64, "nose": 0.56, "livery": "two-tone", "glass_until": 0.93,
                      "tumble": 0.16},
    "mini.cooper_s_2021": {"cowl": 0.27, "roof_front": 0.38, "roof_rear": 0.9, "deck": 0.975,
                           "belt": 0.64, "nose": 0.56, "livery": "two-tone", "glass_until": 0.93,
                           "tumble": 0.16},
    "nissan.patrol": {"roof_rear": 0.93, "deck": 0.98, "round": 0.06, "tumble": 0.13,
                      "glass_until": 0.95},
    "nissan.patrol_2021": {"roof_rear": 0.93, "deck": 0.98, "round": 0.06, "tumble": 0.13,
                           "glass_until": 0.95, "grille": 0.7},
    "tesla.model3": {"cowl": 0.25, "roof_front": 0.44, "roof_rear": 0.6, "deck": 0.9,
                     "grille": 0.0, "glass_until": 0.82},
    "tesla.cybertruck": {"cowl": 0.14, "roof_front": 0.4, "roof_rear": 0.42, "deck": 0.97,
                         "belt": 0.6, "nose": 0.53, "tail": 0.64, "glass_until": 0.62,
                         "round": 0.02, "grille": 0.0, "livery": "bare", "clad": True,
                         "tumble": 0.24},
    "toyota.prius": {"cowl": 0.2, "roof_front": 0.42, "roof_rear": 0.7, "deck": 0.955,
                     "glass_until": 0.86, "grille": 0.2},
    "volkswagen.t2": {"cowl": 0.015, "roof_front": 0.1, "belt": 0.55, "nose": 0.5, "tail": 0.55,
                      "glass_until": 0.93, "livery": "two-tone", "grille": 0.0, "round": 0.16,
                      "axles": (0.2, 0.76), "wheel_radius": 0.32},
    "volkswagen.t2_2021": {"cowl": 0.015, "roof_front": 0.1, "belt": 0.55, "nose": 0.5,
                           "tail": 0.55, "glass_until": 0.93, "livery": "two-tone",
                           "grille": 0.0, "round": 0.16, "axles": (0.2, 0.76),
                           "wheel_radius": 0.32},
    "ford.ambulance": {"livery": "ambulance", "glass_until": 0.36, "tumble": 0.08},
    "mercedes.sprinter": {"tumble": 0.12},
}  # fmt: skip
ROOF_GEAR: Final = {"police": 0.11, "taxi": 0.13, "ambulance": 0.12}  # m on the roof, by livery


def car_shape(kind: str, model: str, rng: np.random.Generator) -> CarShape:
    """The proportions of a model, or of some maker's car of a kind.

    Raises:
        KeyError: unknown kind.
    """
    shape = _KINDS[kind]
    if model in _MODELS:
        return replace(shape, **_MODELS[model])  # type: ignore[arg-type]
    small = rng.uniform(-0.012, 0.012, 4)
    return replace(
        shape,
        cowl=shape.cowl + small[0],
        roof_front=shape.roof_front + small[1],
        roof_rear=shape.roof_rear + small[2],
        belt=shape.belt + small[3],
        nose=shape.nose + rng.uniform(-0.02, 0.02),
        tail=shape.tail + rng.uniform(-0.015, 0.015),
        wheel_radius=shape.wheel_radius * rng.uniform(0.97, 1.03),
        grille=float(rng.choice([0.3, 0.45, 0.6])),
    )
