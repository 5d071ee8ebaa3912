"""The embedded world inside this process: the `World` seam over the engine, no carla wheel."""

import importlib.util
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import MissingPartError, WorldError
from sim.carla_axes import as_on_the_wire
from sim.engine.actors import Actor, VehicleControl, WalkerControl
from sim.engine.dynamics import MAX_STEER
from sim.engine.geometry import Pose
from sim.engine.level_inventory import CAR_TAG, level_inventory
from sim.engine.render.assets.street import TRAFFIC_LIGHT_HEAD_SIZE, TRAFFIC_LIGHT_HEADS
from sim.engine.simulation import Engine, SpawnCollision, UnknownBlueprint
from sim.engine.town import build_town
from sim.engine.traffic import NIGHT_LAMPS
from sim.engine.traffic_lights import LightState
from sim.engine.weather import Weather
from sim.ground_truth import CLASSES, PEDESTRIAN, TRAFFIC_LIGHT
from sim.inprocess_plates import Plates
from sim.lens import Lens
from sim.road_users import (
    EGO_BLUEPRINT,
    SHARES,
    STEER_SHARE,
    Contacts,
    class_of_tag,
    draw_vehicles,
    spread,
)
from sim.routes import LaneKey, RouteLane, plan_route
from sim.world import (
    HEAD_STEP,
    LEVEL_IDS,
    Body,
    CameraMount,
    Ego,
    EgoState,
    Light,
    Picture,
    StopLine,
    WorldTick,
)

LIGHTS: dict[LightState, Light] = {
    LightState.RED: "red",
    LightState.YELLOW: "yellow",
    LightState.GREEN: "green",
    LightState.OFF: "off",
}


@dataclass(slots=True)
class _Camera:
    actor: Actor
    mount: CameraMount
    camera_from_vehicle: Pose
    lens: Lens | None


class InprocessWorld:
    """The engine in this process; see `sim.world.World` for the verbs.

    Args:
        town: one of `sim.engine.town.town_names()`, for example `VdapTown02` or `VdapTown02-17`.
        asset_seed: of what everything looks like.
        seed: of the engine's traffic and of random routes.
        fixed_delta_s: seconds of a tick.
        shadows: cast shadows of the sun; without, a picture takes a third less time.
        threads: cores that the renderer may use.
        with_plates: tell where the number plates are, which builds the level at once.
    """

    def __init__(
        self,
        *,
        town: str = "VdapTown01",
        asset_seed: int = 1,
        seed: int = 1,
        fixed_delta_s: float = 0.1,
        shadows: bool = True,
        threads: int = 1,
        with_plates: bool = False,
    ) -> None:
        self.engine = Engine(
            build_town(town),
            seed=seed,
            asset_seed=asset_seed,
            shadows=shadows,
            threads=threads,
        )
        self._seed = seed
        self._delta_s = fixed_delta_s
        self._tick = 0
        self._egos: dict[int, Actor] = {}
        self._contacts: dict[int, Contacts] = {}
        self._cameras: list[_Camera] = []
        self._lanes = _route_lanes(self.engine)
        self._plates = Plates(self.engine) if with_plates else None
        self._fixed = [*_light_heads(self.engine), *_parked(self.engine, self._plates)]

    @property
    def name(self) -> str:
        """The adapter."""
        return "inprocess"

    @property
    def town(self) -> str:
        """Name of the map."""
        return self.engine.town.name

    def spawn_ego(
        self, vehicle_id: str, spawn_index: int = 0, route: Literal["loop", "random"] = "loop"
    ) -> Ego:
        """Bring an ego to life at a spawn point, or at the next free one."""
        points = self.engine.town.spawn_points
        actor = None
        for step in range(len(points)):
            pose = points[(spawn_index + step) % len(points)]
            actor = self._try_spawn(EGO_BLUEPRINT, pose, role_name="hero")
            if actor is not None:
                break
        if actor is None:
            raise WorldError(f"no free spawn point for {vehicle_id!r}: ask for less traffic")
        self._egos[actor.id] = actor
        self.engine.set_light_flags(actor.id, NIGHT_LAMPS if self.engine.weather.is_night else 0)
        self._contacts[actor.id] = Contacts()
        lane, s, _ = self.engine.town.lanes.nearest(actor.pose.x, actor.pose.y, actor.pose.yaw)
        line, is_loop = plan_route(
            self._lanes, (lane.road_id, 0, lane.lane_id), s, route, self._seed
        )
        steer = MAX_STEER * STEER_SHARE
        return Ego(
            actor.id, vehicle_id, line, is_loop, actor.extent, actor.blueprint.wheelbase, steer
        )

    def _try_spawn(self, blueprint_id: str, pose: Pose, **attributes: str) -> Actor | None:
        try:
            return self.engine.spawn(blueprint_id, as_on_the_wire(pose), attributes)
        except SpawnCollision:
            return None

    def place_vehicle(self, blueprint_id: str, pose: Pose) -> int:
        """Stand a vehicle somewhere, braking."""
        try:
            place = as_on_the_wire(pose)
            actor = self.engine.spawn(blueprint_id, place, {"role_name": "scenario"})
        except (SpawnCollision, UnknownBlueprint) as error:
            raise WorldError(f"cannot place {blueprint_id}: {error}") from None
        self.apply_control(actor.id, 0.0, 0.0, 1.0)
        return actor.id

    def place_walker(self, blueprint_id: str, pose: Pose) -> int:
        """Stand a pedestrian somewhere; the engine's walkers have their origin in their middle."""
        blueprint = self.engine.blueprints.get(blueprint_id)
        if blueprint is None or blueprint.kind != "walker":
            raise WorldError(f"cannot place {blueprint_id}: it is no walker's blueprint")
        middle = Pose(pose.x, pose.y, pose.z + blueprint.size[2] / 2, pose.yaw)
        actor = self._try_spawn(blueprint_id, middle, role_name="scenario")
        if actor is None:
            raise WorldError(f"cannot place {blueprint_id}: something stands there")
        return actor.id

    def walk(self, actor_id: int, velocity: tuple[float, float]) -> None:
        """Let a placed pedestrian walk."""
        speed = math.hypot(*velocity)
        x, y = (velocity[0] / speed, velocity[1] / speed) if speed else (1.0, 0.0)
        self.engine.apply_walker_control(actor_id, WalkerControl((x, y, 0.0), speed))

    def attach_camera(self, ego: Ego, mount: CameraMount) -> int:
        """Attach a camera to an ego."""
        if importlib.util.find_spec("numba") is None:
            raise MissingPartError(
                "expected numba to draw the embedded world: pip install 'vdap[engine]'"
            )
        lens = None if mount.intrinsics.is_plain else Lens(mount.intrinsics)
        local = as_on_the_wire(mount.camera_from_vehicle)
        self._cameras.append(_Camera(self._egos[ego.actor_id], mount, local, lens))
        return len(self._cameras) - 1

    def traffic(
        self, vehicles: int, pedestrians: int, seed: int, shares: Mapping[str, float] = SHARES
    ) -> tuple[int, int]:
        """Let the engine's own traffic drive and walk."""
        choose = random.Random(f"{seed} traffic")
        kinds = {
            name: class_of_tag(blueprint.semantic_tag)
            for name, blueprint in sorted(self.engine.blueprints.items())
            if blueprint.kind == "vehicle"
        }
        egos = [(actor.pose.x, actor.pose.y) for actor in self._egos.values()]
        points = spread(self.engine.town.spawn_points, egos, choose)
        driving = 0
        for name, pose in draw_vehicles(kinds, points, choose, shares):
            if driving == vehicles:
                break
            paint = next(a for a in self.engine.blueprints[name].attributes if a.id == "color")
            colour = choose.choice(paint.recommended)
            actor = self._try_spawn(name, pose, role_name="traffic", color=colour)
            if actor is not None:
                self.engine.follow_lanes(actor.id)
                driving += 1
        return driving, self._walkers(pedestrians, egos, choose)

    def _walkers(
        self, wanted: int, egos: Sequence[tuple[float, float]], choose: random.Random
    ) -> int:
        names = sorted(n for n, b in self.engine.blueprints.items() if b.kind == "walker")
        walking = 0
        for pose in spread(self.engine.town.walker_spawn_points, egos, choose):
            if walking == wanted:
                break
            actor = self._try_spawn(choose.choice(names), pose)
            if actor is not None:
                self.engine.walk_pavement(actor.id)
                walking += 1
        return walking

    def set_weather(self, weather: Weather) -> None:
        """Change the sky; egos drive with low beams at night, as the traffic does."""
        self.engine.set_weather(weather)
        for actor_id in self._egos:
            self.engine.set_light_flags(actor_id, NIGHT_LAMPS if weather.is_night else 0)

    def weather(self) -> Weather:
        """The sky as it is now."""
        return self.engine.weather

    def apply_control(self, actor_id: int, throttle: float, steer: float, brake: float) -> None:
        """Set pedals and wheel."""
        pedals = np.array([throttle, steer, brake], np.float32).tolist()  # as on the wire
        self.engine.apply_vehicle_control(actor_id, VehicleControl(*pedals))

    def tick(self) -> WorldTick:
        """Advance by the fixed step and look around."""
        self.engine.tick(self._delta_s)
        self._tick += 1
        sim_ns = self._tick * round(self._delta_s * 1e9)
        begun = dict.fromkeys(self._egos, 0)
        for collision in self.engine.collisions:
            if collision.actor_id in begun:
                contacts = self._contacts[collision.actor_id]
                begun[collision.actor_id] += contacts.is_new(collision.other_id, sim_ns)
        egos = {i: _ego_state(actor, begun[i]) for i, actor in self._egos.items()}
        lights = {i: LIGHTS[light.state] for i, light in self.engine.traffic_lights.items()}
        return WorldTick(self._tick, sim_ns, egos, self._bodies(), lights)

    def _bodies(self) -> list[Body]:
        bodies = []
        for actor in self.engine.actors.values():
            if actor.kind not in ("vehicle", "walker"):
                continue
            class_id = PEDESTRIAN if actor.kind == "walker" else -1
            if class_id < 0:
                class_id = CLASSES.index(class_of_tag(actor.blueprint.semantic_tag))
            pose = actor.pose.compose(Pose(*actor.box_offset))
            plates = self._plates.of_actor(actor) if self._plates is not None else ()
            bodies.append(Body(actor.id, class_id, pose, actor.extent, actor.velocity, plates))
        return bodies + self._fixed

    def picture(self, camera: int) -> Picture | None:
        """Draw what a camera sees in this tick."""
        from sim.engine.render.renderer import CameraView

        held = self._cameras[camera]
        if self._tick % held.mount.every_ticks:
            return None
        intrinsics = held.mount.intrinsics if held.lens is None else held.lens.pinhole
        pose = held.actor.pose.compose(held.camera_from_vehicle)
        view = CameraView(intrinsics.width, intrinsics.height, intrinsics.fov_deg, pose.matrix())
        drawn = self.engine.picture(view)
        bgr, instance, semantic = drawn.bgr, drawn.instance.astype(np.uint16), drawn.semantic
        if held.lens is not None:
            bgr = held.lens.bend(bgr)
            instance, semantic = held.lens.bend_ids(instance), held.lens.bend_ids(semantic)
        return Picture(bgr, instance, semantic, view.world_from_camera)

    def buildings(self) -> list[NDArray[np.float64]]:
        """Footprints of the town's buildings."""
        return [building.footprint for building in self.engine.town.buildings]

    def stop_lines(self) -> list[StopLine]:
        """Where vehicles wait for the town's lights."""
        lights = self.engine.traffic_lights
        return [StopLine(i, light.stop_line) for i, light in lights.items()]

    def close(self) -> None:
        """Nothing to restore: the engine is ours alone."""
        for actor_id in [*(camera.actor.id for camera in self._cameras), *self._egos]:
            self.engine.destroy(actor_id)
        self._egos.clear()
        self._cameras.clear()


def _ego_state(actor: Actor, collisions: int) -> EgoState:
    forward = actor.pose.rotation()[:, 0]
    return EgoState(
        pose=actor.pose,
        velocity=actor.velocity,
        speed=float(np.dot(forward, actor.velocity)),
        yaw_rate=actor.angular_velocity[2],
        speed_limit=actor.speed_limit,
        collisions=collisions,
    )


def _route_lanes(engine: Engine) -> dict[LaneKey, RouteLane]:
    return {
        (lane.road_id, 0, lane.lane_id): RouteLane(
            lane.centre, [(key.road, 0, key.lane) for key in lane.successors]
        )
        for lane in engine.town.lanes.lanes.values()
        if lane.kind == "driving"
    }


def _light_heads(engine: Engine) -> list[Body]:
    heads = []
    deep, wide, tall = (side / 2 for side in TRAFFIC_LIGHT_HEAD_SIZE)
    for light_id, light in engine.traffic_lights.items():
        for k, (x, y, z) in enumerate(TRAFFIC_LIGHT_HEADS):
            # The mesh's lamps look to its -x, the light's pose has its x where they look.
            pose = light.pose.compose(Pose(-x, -y, z))
            heads.append(Body(light_id + k * HEAD_STEP, TRAFFIC_LIGHT, pose, (deep, wide, tall)))
    return heads


def _parked(engine: Engine, plates: Plates | None) -> list[Body]:
    """Vehicles that are part of the town, as the level's own list has them."""
    bodies: list[Body] = []
    for one in level_inventory(engine.town):
        if one.tag != CAR_TAG:
            continue
        box = one.box
        pose = Pose(box.x, box.y, (box.z_low + box.z_high) / 2, box.yaw)
        extent = (box.half_length, box.half_width, (box.z_high - box.z_low) / 2)
        worn = plates.of_level(one.id, pose) if plates is not None else ()
        identity = LEVEL_IDS + (len(bodies) << 16)
        bodies.append(Body(identity, CLASSES.index("car"), pose, extent, plates=worn))
    return bodies
