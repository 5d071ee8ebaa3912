"""What a picture is made of: meshes, their instances in the world, and the light."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.textures import Textures
from sim.engine.weather import Weather

LEVEL_OBJECT_IDS = 1 << 24  # instance ids of buildings, trees and poles start here, above any actor

# Mesh.lamp: 0 glows always, 1..32 while that bit (counted from 1) of Instance.lamps is set,
# LAMP_STATE + s while Instance.lamps == s (traffic lights: 0 red, 1 yellow, 2 green, 3 off).
LAMP_STATE = 64
NIGHT_LAMP = 40  # Mesh.lamp of street lamps: burns while it is dark
PLATE_SHIFT = 20  # lamps have the bits below; from here the signs of the number plate, 6 bits each


@dataclass(frozen=True, slots=True)
class LampSpot:
    """Where a mesh gives light, for whoever lets lamps shine on things or glow in the dark.

    Attributes:
        position: metres, mesh axes.
        direction: unit vector, mesh axes, where it shines most.
        colour: linear rgb, 0..1.
        lamp: burns as triangles of that number do, see `LAMP_STATE`.
        reach_m: how far it lights the road; 0 for a lamp that is only seen.
    """

    position: tuple[float, float, float]
    direction: tuple[float, float, float]
    colour: tuple[float, float, float]
    lamp: int
    reach_m: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A rigid triangle mesh; one per asset, shared by its instances.

    Mesh axes are x forward, y left, z up, in metres. Triangles are counter-clockwise seen from
    outside.

    Attributes:
        name: what it is, for error messages.
        vertices: (V, 3) float32, metres.
        normals: (V, 3) float32, unit length, used for smooth shading.
        uv: (V, 2) float32, texture coordinates in repeats, v downwards in the picture.
        colour: (V, 4) float32, rgb 0..1 that multiplies the texture, and the tint mask 0..1.
        triangles: (T, 3) int32, vertex indices.
        texture: (T,) int16, index in the `Textures` atlas, -1 for plain white.
        specular: (T,) float32, 0 matt to 1 mirror-like paint or glass.
        emissive: (T,) float32, brightness while the lamp glows, 0 for none.
        lamp: (T,) uint8, which lamp the triangle belongs to, see `LAMP_STATE`.
        is_cutout: (T,) bool, the texture's alpha makes holes.
        is_two_sided: (T,) bool, drawn from behind too.
        spots: where its lamps are.
        coarse: the same thing with fewer triangles, drawn where its sphere is small in the picture
            (under about 24 pixels); None where this mesh does for all distances.
    """

    name: str
    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    uv: NDArray[np.float32]
    colour: NDArray[np.float32]
    triangles: NDArray[np.int32]
    texture: NDArray[np.int16]
    specular: NDArray[np.float32]
    emissive: NDArray[np.float32]
    lamp: NDArray[np.uint8]
    is_cutout: NDArray[np.bool_]
    is_two_sided: NDArray[np.bool_]
    spots: tuple[LampSpot, ...] = ()
    coarse: "Mesh | None" = None


@dataclass(slots=True, eq=False)
class Instance:
    """A mesh placed in the world; the simulator writes its pose and lamps, nothing else moves.

    Attributes:
        mesh: what is drawn.
        world_from_mesh: (4, 4) float64, rotation and translation in metres.
        tint: linear rgb 0..1 that multiplies the paint where the mesh's tint mask is 1.
        instance_id: actor id from 1; 0 for ground; level objects from `LEVEL_OBJECT_IDS`.
        semantic_tag: CARLA CityObjectLabel number.
        is_dynamic: moves, or comes and goes, while the scene lives.
        lamps: light flags (CARLA VehicleLightState) or the state of a traffic light.
        plate: signs of the number plate, see `sim.engine.plates.plate_code`.
    """

    mesh: Mesh
    world_from_mesh: NDArray[np.float64]
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    instance_id: int = 0
    semantic_tag: int = 0
    is_dynamic: bool = False
    lamps: int = 0
    plate: int = 0


@dataclass(slots=True, eq=False)
class Scene:
    """Everything a camera can see.

    `static` is read once, when a renderer is made; `dynamic` is read anew at every tick, keyed by
    actor id (traffic lights included: their lamps change). Parts that move on their own (wheels,
    riders) are instances with the actor's `instance_id` under keys of their own, below zero.
    """

    textures: Textures
    static: list[Instance] = field(default_factory=list)
    dynamic: dict[int, Instance] = field(default_factory=dict)
    weather: Weather = field(default_factory=Weather)
