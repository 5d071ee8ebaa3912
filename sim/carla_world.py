"""The `World` seam over the unmodified CARLA client: any server that speaks CARLA 0.9.16.

With `sim.carla_connection` the only file that imports `carla`. Other road users are driven by the
client's Traffic Manager; pedestrians walk along the map's sidewalk lanes by `WalkerControl`,
because the navigation that CARLA's own pedestrians need is not on every server. Beside each rgb
camera sits an instance segmentation camera, from which the ground truth is made.
"""

import contextlib
import logging
import math
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import WorldError
from sim import carla_axes, carla_cameras, carla_level
from sim.carla_cameras import TwinCameras
from sim.carla_connection import CALL_S, client_library, knock, load_town
from sim.carla_level import Kind, pose_of, vector_of
from sim.carla_traffic import CarlaTraffic
from sim.engine.geometry import Pose
from sim.engine.traffic import NIGHT_LAMPS
from sim.engine.weather import Weather
from sim.ground_truth import CLASSES
from sim.road_users import EGO_BLUEPRINT, SHARES, STEER_SHARE, Contacts
from sim.routes import plan_route
from sim.world import Body, CameraMount, Ego, EgoState, Light, Picture, StopLine, WorldTick

log = logging.getLogger(__name__)

CLOSE_S = 0.8  # that a server may take for one call when we leave
SUBSTEP_S = 0.01  # of the server's physics
WALKER_MIDDLE = 0.95  # m above its feet, a little more than a tall one's: it drops to the ground
KMH = 3.6  # km/h per m/s
LIGHTS: dict[str, Light] = {"Red": "red", "Yellow": "yellow", "Green": "green"}


@dataclass(slots=True)
class _EgoActor:
    actor: Any
    start: Pose
    contacts: Contacts = field(default_factory=Contacts)
    touched: deque[int] = field(default_factory=deque)


class CarlaWorld:
    """A server taken over in synchronous mode; see `sim.world.World` for the verbs."""

    def __init__(self, client: Any, name: str, fixed_delta_s: float, seed: int) -> None:
        self._carla = client_library()
        self._client = client
        self._world = client.get_world()
        self._map = self._world.get_map()
        self._name = name
        self._delta_s = fixed_delta_s
        self._seed = seed
        self._tick = 0
        self._frame = 0
        self._egos: dict[int, _EgoActor] = {}
        self._vehicles: dict[int, Any] = {}  # those that we control
        self._kinds: dict[int, Kind | None] = {}
        self._cameras: list[TwinCameras] = []
        self._sensors: list[Any] = []
        self._spawned: list[int] = []
        self._traffic = CarlaTraffic(self._carla, client, self._world, self._map)
        self._snapshot: Any = None
        self._settings = self._world.get_settings()
        self._own_weather: Any = None  # what the server had before we changed it
        self._is_open = True
        try:
            self._take_over()
            self._lanes = carla_level.route_lanes(self._map)
            found = self._world.get_actors().filter("traffic.traffic_light*")
            self._lights = sorted(found, key=lambda light: int(light.id))
            self._lines, heads = carla_level.lines_and_heads(self._lights)
            self._fixed = [*heads, *carla_level.parked(self._level_vehicles())]
        except BaseException:
            self.close()
            raise

    @classmethod
    def connect(
        cls,
        host: str,
        port: int,
        *,
        fixed_delta_s: float,
        town: str | None,
        seed: int,
        patience_s: float,
        should_stop: Callable[[], bool] = lambda: False,
        is_reloaded: bool = False,
    ) -> "CarlaWorld":
        """Connect to a server, waiting up to `patience_s` for one that is still starting.

        Args:
            is_reloaded: Load the level anew, which clears what others left in it.

        Raises:
            MissingPartError: no carla wheel here.
            WorldError: nobody answered, or the server does not have the town.
        """

        def enter(client: Any) -> "CarlaWorld":
            load_town(client, town, is_reloaded)
            return cls(client, f"carla {host}:{port}", fixed_delta_s, seed)

        return knock(host, port, enter, patience_s, should_stop)

    def _take_over(self) -> None:
        settings = self._world.get_settings()
        settings.synchronous_mode = True
        settings.fixed_delta_seconds = self._delta_s
        settings.substepping = True
        settings.max_substep_delta_time = SUBSTEP_S
        settings.max_substeps = max(10, math.ceil(self._delta_s / SUBSTEP_S - 1e-9))
        self._world.apply_settings(settings)
        self._world.reset_all_traffic_lights()  # so that a drive can be repeated

    def _level_vehicles(self) -> list[tuple[str, Any]]:
        labels = self._carla.CityObjectLabel
        tags = (labels.Car, labels.Truck, labels.Bus, labels.Motorcycle, labels.Bicycle)
        find = self._world.get_environment_objects
        return [(name, find(tag)) for name, tag in zip(CLASSES, tags, strict=False)]

    @property
    def name(self) -> str:
        """The adapter and the server's address."""
        return self._name

    @property
    def town(self) -> str:
        """Name of the map, as the server says it."""
        return str(self._map.name)

    # ---- who is there

    def spawn_ego(
        self, vehicle_id: str, spawn_index: int = 0, route: Literal["loop", "random"] = "loop"
    ) -> Ego:
        """Bring an ego to life at a spawn point, or at the next free one."""
        points = self._map.get_spawn_points()
        blueprint = self._blueprint(EGO_BLUEPRINT, role_name="hero")
        for step in range(len(points)):
            place = points[(spawn_index + step) % len(points)]
            actor = self._world.try_spawn_actor(blueprint, place)
            if actor is not None:
                break
        else:
            raise WorldError(f"no free spawn point for {vehicle_id!r}: ask for less traffic")
        self._adopt(actor)
        self._egos[actor.id] = _EgoActor(actor, pose_of(place))
        self._listen_for_contacts(self._egos[actor.id])
        if (sky := self.weather()).is_night:
            self._light_up(actor, sky)
        start, s = carla_level.lane_under(self._map, self._lanes, place.location)
        line, is_loop = plan_route(self._lanes, start, s, route, self._seed)
        kind = carla_level.kind_of(actor)
        assert kind is not None  # a vehicle
        wheelbase, lock = carla_level.steering(actor, kind.extent)
        return Ego(actor.id, vehicle_id, line, is_loop, kind.extent, wheelbase, lock * STEER_SHARE)

    def place_vehicle(self, blueprint_id: str, pose: Pose) -> int:
        """Stand a vehicle somewhere, braking."""
        blueprint = self._blueprint(blueprint_id, role_name="scenario")
        actor = self._world.try_spawn_actor(blueprint, self._transform(pose))
        if actor is None:
            raise WorldError(f"cannot place {blueprint_id}: something stands there")
        self._adopt(actor)
        self.apply_control(actor.id, 0.0, 0.0, 1.0)
        return int(actor.id)

    def place_walker(self, blueprint_id: str, pose: Pose) -> int:
        """Stand a pedestrian somewhere; CARLA's walkers have their origin in their middle."""
        blueprint = self._blueprint(blueprint_id, role_name="scenario")
        middle = Pose(pose.x, pose.y, pose.z + WALKER_MIDDLE, pose.yaw)
        actor = self._world.try_spawn_actor(blueprint, self._transform(middle))
        if actor is None:
            raise WorldError(f"cannot place {blueprint_id}: something stands there")
        self._adopt(actor)
        return int(actor.id)

    def walk(self, actor_id: int, velocity: tuple[float, float]) -> None:
        """Let a placed pedestrian walk; CARLA's y points the other way."""
        speed = math.hypot(*velocity)
        x, y = (velocity[0] / speed, velocity[1] / speed) if speed else (1.0, 0.0)
        direction = self._carla.Vector3D(x, -y, 0.0)
        self._vehicles[actor_id].apply_control(self._carla.WalkerControl(direction, speed))

    def _adopt(self, actor: Any) -> None:
        self._spawned.append(actor.id)
        self._vehicles[actor.id] = actor

    def _blueprint(self, blueprint_id: str, **attributes: str) -> Any:
        try:
            blueprint = self._world.get_blueprint_library().find(blueprint_id)
        except (IndexError, RuntimeError):
            raise WorldError(f"the server has no blueprint {blueprint_id!r}") from None
        for name, value in attributes.items():
            if blueprint.has_attribute(name):
                blueprint.set_attribute(name, value)
        return blueprint

    def _transform(self, pose: Pose) -> Any:
        pitch, yaw, roll = carla_axes.degrees(pose)
        location = self._carla.Location(*carla_axes.vector(pose.x, pose.y, pose.z))
        return self._carla.Transform(location, self._carla.Rotation(pitch, yaw, roll))

    def _listen_for_contacts(self, ego: _EgoActor) -> None:
        touched = ego.touched
        sensor = self._world.spawn_actor(
            self._blueprint("sensor.other.collision"), self._carla.Transform(), attach_to=ego.actor
        )
        sensor.listen(lambda event: touched.append(int(event.other_actor.id)))
        self._sensors.append(sensor)

    def attach_camera(self, ego: Ego, mount: CameraMount) -> int:
        """Attach an rgb camera to an ego, and one for the truth beside it."""
        twins = TwinCameras(mount)
        for kind, images in zip(carla_cameras.KINDS, twins.queues, strict=True):
            blueprint = self._blueprint(
                kind,
                image_size_x=str(twins.drawn.width),
                image_size_y=str(twins.drawn.height),
                fov=repr(twins.drawn.fov_deg),
            )
            sensor = self._world.spawn_actor(
                blueprint,
                self._transform(mount.camera_from_vehicle),
                attach_to=self._vehicles[ego.actor_id],
            )
            sensor.listen(images.put)
            self._sensors.append(sensor)
        self._cameras.append(twins)
        return len(self._cameras) - 1

    def traffic(
        self, vehicles: int, pedestrians: int, seed: int, shares: Mapping[str, float] = SHARES
    ) -> tuple[int, int]:
        """Let the Traffic Manager drive others, and let pedestrians stroll."""
        choose = random.Random(f"{seed} traffic")
        egos = [(ego.start.x, ego.start.y) for ego in self._egos.values()]
        driving = self._traffic.drive(vehicles, egos, seed, choose, shares) if vehicles else 0
        return driving, self._traffic.walk(pedestrians, egos, choose) if pedestrians else 0

    def set_weather(self, weather: Weather) -> None:
        """Change the sky, and the egos' low beams with it; `close` brings back the server's own."""
        if self._own_weather is None:
            self._own_weather = self._world.get_weather()
        parameters = self._world.get_weather()
        for name, value in carla_axes.weather(weather).items():
            setattr(parameters, name, value)
        self._world.set_weather(parameters)
        for ego in self._egos.values():
            self._light_up(ego.actor, weather)

    def _light_up(self, actor: Any, weather: Weather) -> None:
        flags = NIGHT_LAMPS if weather.is_night else 0
        actor.set_light_state(self._carla.VehicleLightState(flags))

    def weather(self) -> Weather:
        """The sky as the server has it now."""
        return carla_axes.weather_of(self._world.get_weather())

    def apply_control(self, actor_id: int, throttle: float, steer: float, brake: float) -> None:
        """Set pedals and wheel; CARLA's wheel is right positive."""
        control = self._carla.VehicleControl(throttle, -steer, brake)
        self._vehicles[actor_id].apply_control(control)

    # ---- time

    def tick(self) -> WorldTick:
        """Advance by the fixed step and look around."""
        try:
            if self._snapshot is not None:
                self._traffic.guide(self._snapshot)
            for twins in self._cameras:
                twins.forget()
            self._frame = self._world.tick(CALL_S)
            self._snapshot = self._world.get_snapshot()
        except RuntimeError as error:
            raise WorldError(f"{self._name}: {' '.join(str(error).split())}") from None
        self._tick += 1
        sim_ns = self._tick * round(self._delta_s * 1e9)
        lights = {int(one.id): LIGHTS.get(str(one.state), "off") for one in self._lights}
        egos = {i: self._ego_state(ego, sim_ns) for i, ego in self._egos.items()}
        return WorldTick(self._tick, sim_ns, egos, [*self._bodies(), *self._fixed], lights)

    def _bodies(self) -> list[Body]:
        unknown = [one.id for one in self._snapshot if one.id not in self._kinds]
        if unknown:
            for actor in self._world.get_actors(unknown):
                self._kinds[actor.id] = carla_level.kind_of(actor)
        bodies = []
        for one in self._snapshot:
            kind = self._kinds.get(one.id)
            if kind is not None:
                pose = pose_of(one.get_transform()).compose(kind.box_offset)
                velocity = vector_of(one.get_velocity())
                bodies.append(Body(int(one.id), kind.class_id, pose, kind.extent, velocity))
        return bodies

    def _ego_state(self, ego: _EgoActor, sim_ns: int) -> EgoState:
        seen = self._snapshot.find(ego.actor.id)
        if seen is None:
            raise WorldError(f"{self._name}: somebody destroyed the ego {ego.actor.id}")
        begun = 0
        while ego.touched:
            begun += ego.contacts.is_new(ego.touched.popleft(), sim_ns)
        pose, velocity = pose_of(seen.get_transform()), vector_of(seen.get_velocity())
        return EgoState(
            pose=pose,
            velocity=velocity,
            speed=float(np.dot(pose.rotation()[:, 0], velocity)),
            yaw_rate=-math.radians(seen.get_angular_velocity().z),
            speed_limit=float(ego.actor.get_speed_limit()) / KMH,
            collisions=begun,
        )

    # ---- what is seen

    def picture(self, camera: int) -> Picture | None:
        """What a camera saw in the last tick; None where it made no picture then."""
        twins = self._cameras[camera]
        return None if self._tick % twins.mount.every_ticks else twins.picture(self._frame)

    def buildings(self) -> list[NDArray[np.float64]]:
        """Footprints of the level's buildings."""
        label = self._carla.CityObjectLabel.Buildings
        return carla_level.footprints(self._world.get_environment_objects(label))

    def stop_lines(self) -> list[StopLine]:
        """Where vehicles wait for traffic lights."""
        return list(self._lines)

    def close(self) -> None:
        """Destroy what was spawned and give back the server's settings."""
        if not self._is_open:
            return
        self._is_open = False
        self._client.set_timeout(CLOSE_S)
        for sensor in self._sensors:
            with contextlib.suppress(RuntimeError):
                sensor.stop()
        ids = [
            *(sensor.id for sensor in self._sensors),
            *self._traffic.spawned,
            *reversed(self._spawned),
        ]
        destroy = self._carla.command.DestroyActor
        with contextlib.suppress(RuntimeError):
            self._traffic.release()
        try:
            self._world.apply_settings(self._settings)
            if self._own_weather is not None:
                self._world.set_weather(self._own_weather)
            self._client.apply_batch_sync([destroy(one) for one in ids], False)
        except RuntimeError as error:
            log.warning("the server did not take its settings back: %s", error)
        self._cameras.clear()
        self._sensors.clear()
        self._egos.clear()
        self._vehicles.clear()
