"""Actors as they look: which mesh, where, in which colour and with which lamps on."""

from __future__ import annotations

import math
import zlib

from sim.engine.actors import Actor
from sim.engine.geometry import Pose
from sim.engine.render.assets.people import WALK_PHASES, pedestrian_mesh
from sim.engine.render.assets.props import prop_mesh
from sim.engine.render.assets.street import traffic_light_mesh
from sim.engine.render.assets.vehicles import vehicle_mesh
from sim.engine.render.scene import Instance, Mesh

BRAKE_LAMP = 8  # CARLA's VehicleLightState bit
STEP_LENGTH = 0.35  # m per phase of a walk; a stride of 1.4 m takes four
STANDING_PHASE = 1
STANDING_SPEED = 0.05  # m/s
WHITE = (1.0, 1.0, 1.0)
WALKER_LOOKS = 64  # dresses before the first comes again; each keeps four meshes for good
AHEAD = 40  # meshes of coming steps made in one tick; more would hold up a tick with a crowd
LOOKS = 997  # prime, so that equal blueprints under other asset seeds look unlike


class ActorInstances:
    """Makes and keeps the instances of living actors; meshes are made once per look."""

    def __init__(self, asset_seed: int) -> None:
        self._asset_seed = asset_seed
        self._meshes: dict[tuple[str, int, int], Mesh] = {}

    def update(
        self, instances: dict[int, Instance], actors: dict[int, Actor], elapsed_s: float = 0.0
    ) -> None:
        """Bring `instances` in line with the actors that can be seen."""
        for gone in instances.keys() - actors.keys():
            del instances[gone]
        for actor in actors.values():
            if not actor.blueprint.mesh:
                continue
            mesh = self._mesh(actor, _phase(actor) if actor.kind == "walker" else 0)
            instance = instances.get(actor.id)
            if instance is None:
                instance = Instance(
                    mesh=mesh,
                    world_from_mesh=_mesh_pose(actor).matrix(),
                    tint=_tint(actor),
                    instance_id=actor.id,
                    semantic_tag=actor.blueprint.semantic_tag,
                    is_dynamic=True,
                )
                instances[actor.id] = instance
            instance.mesh = mesh
            instance.world_from_mesh = _mesh_pose(actor).matrix()
            instance.lamps = _lamps(actor)
        self._make_steps(actors)

    def _make_steps(self, actors: dict[int, Actor]) -> None:
        """Make the meshes of the steps that walkers will take, so that no later tick waits."""
        until = len(self._meshes) + AHEAD
        for actor in actors.values():
            if actor.kind == "walker":
                for phase in range(WALK_PHASES):
                    if len(self._meshes) >= until:
                        return
                    self._mesh(actor, phase)

    def _mesh(self, actor: Actor, phase: int) -> Mesh:
        blueprint = actor.blueprint
        # a walker's clothes are its own, a model of vehicle looks the same each time
        own = actor.id % WALKER_LOOKS if actor.kind == "walker" else 0
        key = (blueprint.id, own, phase)
        if key not in self._meshes:
            look = zlib.crc32(blueprint.id.encode()) + LOOKS * (self._asset_seed + 31 * own)
            self._meshes[key] = _make(actor, look % (1 << 31), phase)
        return self._meshes[key]


def _make(actor: Actor, look: int, phase: int) -> Mesh:
    blueprint = actor.blueprint
    if actor.kind == "vehicle":
        return vehicle_mesh(blueprint.mesh, look, blueprint.mesh_size)
    if actor.kind == "walker":
        return pedestrian_mesh(blueprint.variant, look, phase)
    if blueprint.mesh == "traffic_light":
        return traffic_light_mesh()
    return prop_mesh(blueprint.mesh, look, blueprint.mesh_size)


def _phase(actor: Actor) -> int:
    if actor.speed < STANDING_SPEED:
        return STANDING_PHASE
    return int(actor.walked / STEP_LENGTH) % WALK_PHASES


def _mesh_pose(actor: Actor) -> Pose:
    """Where the mesh's origin lies: on the ground; a light's lamps look along its -x."""
    if actor.kind == "walker":
        return actor.pose.compose(Pose(z=-actor.extent[2]))
    if actor.light is not None:
        return actor.pose.compose(Pose(yaw=math.pi))
    return actor.pose


def _lamps(actor: Actor) -> int:
    if actor.light is not None:
        return int(actor.light.state)
    flags = actor.light_flags
    if actor.kind == "vehicle" and actor.control.brake > 0.05:
        flags |= BRAKE_LAMP
    return flags


def _tint(actor: Actor) -> tuple[float, float, float]:
    """The paint as linear rgb, from the attribute `color` ("r,g,b", sRGB)."""
    try:
        red, green, blue = (int(part) / 255 for part in actor.attributes["color"].split(","))
    except (KeyError, ValueError):
        return WHITE
    return red**2.2, green**2.2, blue**2.2
