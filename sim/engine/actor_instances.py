"""Actors as they look: which meshes, where, in which colour and with which lamps on."""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

from sim.engine.actors import Actor
from sim.engine.geometry import Pose
from sim.engine.plates import plate_code, plate_text
from sim.engine.render.assets.clothes import TOPS
from sim.engine.render.assets.people import STANDING, STRIDE_M, WALK_PHASES, Pedestrian
from sim.engine.render.assets.props import prop_mesh
from sim.engine.render.assets.street import traffic_light_mesh
from sim.engine.render.assets.vehicle_parts import VehicleAsset
from sim.engine.render.assets.vehicles import vehicle_asset
from sim.engine.render.scene import Instance, Mesh

BRAKE_LAMP, REVERSE_LAMP = 8, 64  # CARLA's VehicleLightState bits
BLINKERS, SPECIAL_1, SPECIAL_2 = 16 | 32, 512, 1024
BLINK_HZ = 1.5  # ECE R48 asks for 60 to 120 a minute
BEACON_HZ = 2.0
STANDING_SPEED = 0.05  # m/s
WHITE = (1.0, 1.0, 1.0)
RIDER_TAG = 13  # CityObjectLabel
LOOKS = 997  # prime, so that equal blueprints under other asset seeds look unlike
ADULT_M = 1.78
MAX_PARTS = 16  # keys of parts lie that far apart

Matrix = NDArray[np.float64]
# a wheel's instance, its vehicle's matrix, its place, steering angle and roll, radians
_Rolling = tuple[Instance, Matrix, tuple[float, float, float], float, float]


class ActorInstances:
    """Makes and keeps the instances of living actors; meshes are made once per look."""

    def __init__(self, asset_seed: int) -> None:
        self._asset_seed = asset_seed
        self._people: dict[str, Pedestrian] = {}
        self._vehicles: dict[str, VehicleAsset] = {}
        self._things: dict[str, Mesh] = {}
        self._posed: dict[int, tuple[Pose, float, float]] = {}
        self._rolling: list[_Rolling] = []

    def update(
        self, instances: dict[int, Instance], actors: dict[int, Actor], elapsed_s: float = 0.0
    ) -> None:
        """Bring `instances` in line with the actors that can be seen.

        An actor's body stands under its id, its wheels and rider under `part_key`.
        """
        for gone in [key for key in instances if _owner(key) not in actors]:
            del instances[gone]
            self._posed.pop(gone, None)
        for actor in actors.values():
            if not actor.blueprint.mesh:
                continue
            if actor.kind == "vehicle":
                self._show_vehicle(instances, actor, elapsed_s)
                continue
            instance = self._body(instances, actor)
            if actor.kind == "walker":
                instance.mesh = self._person(actor).mesh(_phase(actor))
            elif actor.light is not None:
                instance.lamps = int(actor.light.state)
            instance.world_from_mesh = _mesh_pose(actor).matrix()
        _turn_wheels(self._rolling)
        self._rolling.clear()

    def _body(self, instances: dict[int, Instance], actor: Actor) -> Instance:
        """The instance under the actor's own id, made if it is new."""
        if actor.id not in instances:
            blueprint = actor.blueprint
            plate = 0
            if actor.kind == "vehicle":
                mesh, tint = self._vehicle(actor).body, _paint(actor)
                plate = plate_code(plate_text(actor.id, self._asset_seed))
            elif actor.kind == "walker":
                mesh, tint = self._person(actor).mesh(STANDING), TOPS[_draw(actor.id) % len(TOPS)]
            else:
                mesh, tint = self._thing(actor), WHITE
            instances[actor.id] = Instance(
                mesh=mesh,
                world_from_mesh=np.eye(4),
                tint=tint,
                instance_id=actor.id,
                semantic_tag=blueprint.semantic_tag,
                is_dynamic=True,
                plate=plate,
            )
        return instances[actor.id]

    # ---- vehicles

    def _show_vehicle(self, instances: dict[int, Instance], actor: Actor, elapsed_s: float) -> None:
        body = self._body(instances, actor)
        body.lamps = _lamps(actor, elapsed_s)
        placed = (actor.pose, actor.rolled, actor.steer_angle)
        if self._posed.get(actor.id) == placed:
            return
        self._posed[actor.id] = placed
        asset = self._vehicle(actor)
        world = body.world_from_mesh = actor.pose.matrix()
        for number, wheel in enumerate(asset.wheels):
            part = self._part(instances, actor, number, wheel.mesh, actor.blueprint.semantic_tag)
            steer = actor.steer_angle if wheel.is_steered else 0.0
            self._rolling.append((part, world, wheel.at, steer, actor.rolled / wheel.radius))
        if asset.rider:
            phase = int(actor.rolled / asset.pedal_m * len(asset.rider)) % len(asset.rider)
            rider = self._part(instances, actor, len(asset.wheels), asset.rider[phase], RIDER_TAG)
            rider.mesh, rider.world_from_mesh = asset.rider[phase], world

    def _part(
        self, instances: dict[int, Instance], actor: Actor, number: int, mesh: Mesh, tag: int
    ) -> Instance:
        key = part_key(actor.id, number)
        if key not in instances:
            instances[key] = Instance(
                mesh, np.eye(4), WHITE, instance_id=actor.id, semantic_tag=tag, is_dynamic=True
            )
        return instances[key]

    # ---- meshes

    def _seed(self, actor: Actor) -> int:
        return (zlib.crc32(actor.blueprint.id.encode()) + LOOKS * self._asset_seed) % (1 << 31)

    def _vehicle(self, actor: Actor) -> VehicleAsset:
        blueprint = actor.blueprint
        if blueprint.id not in self._vehicles:
            model = blueprint.id.partition(".")[2]
            self._vehicles[blueprint.id] = vehicle_asset(
                blueprint.mesh, self._seed(actor), blueprint.mesh_size, model
            )
        return self._vehicles[blueprint.id]

    def _person(self, actor: Actor) -> Pedestrian:
        key = actor.blueprint.id
        if key not in self._people:
            self._people[key] = Pedestrian(
                actor.blueprint.variant,
                self._seed(actor),
                actor.blueprint.size[2],
                actor.attributes.get("gender") == "female",
            )
        return self._people[key]

    def _thing(self, actor: Actor) -> Mesh:
        blueprint = actor.blueprint
        if blueprint.id not in self._things:
            if blueprint.mesh == "traffic_light":
                mesh = traffic_light_mesh()
            else:
                mesh = prop_mesh(blueprint.mesh, self._seed(actor), blueprint.mesh_size)
            self._things[blueprint.id] = mesh
        return self._things[blueprint.id]


def part_key(actor_id: int, number: int) -> int:
    """Key of a moving part in `Scene.dynamic`: below zero, where no actor's own is."""
    return -(actor_id * MAX_PARTS + number) - 1


def _owner(key: int) -> int:
    """Id of the actor that a key of `Scene.dynamic` belongs to."""
    return key if key >= 0 else (-key - 1) // MAX_PARTS


def _turn_wheels(rolling: list[_Rolling]) -> None:
    """Steer wheels about z and roll them forward about y, all at once, which costs less."""
    if not rolling:
        return
    parts, worlds, places, steers, spins = zip(*rolling, strict=True)
    steer, spin = np.array(steers), np.array(spins)
    c, s, d, t = np.cos(steer), np.sin(steer), np.cos(spin), np.sin(spin)
    local = np.zeros((len(parts), 4, 4))
    local[:, 0, 0], local[:, 0, 1], local[:, 0, 2] = c * d, -s, c * t
    local[:, 1, 0], local[:, 1, 1], local[:, 1, 2] = s * d, c, s * t
    local[:, 2, 0], local[:, 2, 2] = -t, d
    local[:, :3, 3] = places
    local[:, 3, 3] = 1.0
    for part, matrix in zip(parts, np.array(worlds) @ local, strict=True):
        part.world_from_mesh = matrix


def _draw(actor_id: int) -> int:
    """A number that follows from the id and looks like chance (Knuth's multiplicative hash)."""
    return (actor_id * 2_654_435_761 >> 8) & 0xFFFFFF


def _phase(actor: Actor) -> int:
    if actor.speed < STANDING_SPEED:
        return STANDING
    stride = STRIDE_M * 2 * actor.extent[2] / ADULT_M
    return int(actor.walked / stride * WALK_PHASES) % WALK_PHASES


def _mesh_pose(actor: Actor) -> Pose:
    """Where the mesh's origin lies: on the ground; a light's lamps look along its -x."""
    if actor.kind == "walker":
        return actor.pose.compose(Pose(z=-actor.extent[2]))
    if actor.light is not None:
        return actor.pose.compose(Pose(yaw=math.pi))
    return actor.pose


def _lamps(actor: Actor, elapsed_s: float) -> int:
    """Light flags as they burn at this instant: brake and reverse as driven, the rest as set."""
    flags = actor.light_flags
    if actor.control.brake > 0.05:
        flags |= BRAKE_LAMP
    if actor.control.reverse:
        flags |= REVERSE_LAMP
    if elapsed_s * BLINK_HZ % 1.0 >= 0.5:
        flags &= ~BLINKERS
    if flags & SPECIAL_1:  # beacons: one half, then the other
        flags &= ~(SPECIAL_1 | SPECIAL_2)
        flags |= SPECIAL_1 if elapsed_s * BEACON_HZ % 1.0 < 0.5 else SPECIAL_2
    return flags


def _paint(actor: Actor) -> tuple[float, float, float]:
    """The paint as linear rgb, from the attribute `color` ("r,g,b", sRGB)."""
    try:
        red, green, blue = (int(part) / 255 for part in actor.attributes["color"].split(","))
    except (KeyError, ValueError):
        return WHITE
    return red**2.2, green**2.2, blue**2.2
