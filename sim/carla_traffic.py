"""Other road users of a CARLA server: the Traffic Manager's cars and strolling pedestrians.

It is handed the client's module and objects and imports none: `sim.carla_world` does.
"""

import logging
import math
import random
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from sim import carla_axes, carla_level
from sim.carla_level import pose_of
from sim.carla_walkers import Stroller, draw_strollers
from sim.engine.geometry import Pose
from sim.road_users import draw_vehicles, nearness, spread

log = logging.getLogger(__name__)

WALKER_DROP_M = 1.1  # above the pavement, where a walker's middle is
FOLLOW_GAP_M = 2.5  # that the Traffic Manager keeps between vehicles


class CarlaTraffic:
    """Traffic of one server.

    Attributes:
        spawned: ids of everybody it brought to life.
    """

    def __init__(self, carla: Any, client: Any, world: Any, carla_map: Any) -> None:
        self._carla = carla
        self._client = client
        self._world = world
        self._map = carla_map
        self._manager: Any = None
        self._strollers: list[Stroller] = []
        self.spawned: list[int] = []

    def drive(
        self,
        wanted: int,
        egos: Sequence[tuple[float, float]],
        seed: int,
        choose: random.Random,
        shares: Mapping[str, float],
    ) -> int:
        """Spawn vehicles away from the egos and give them to the Traffic Manager."""
        library = self._world.get_blueprint_library()
        kinds = {
            one.id: carla_level.class_of_base_type(_attribute(one, "base_type"))
            for one in library.filter("vehicle.*")
        }
        places = {pose_of(one): one for one in self._map.get_spawn_points()}
        driven: list[int] = []
        for name, pose in draw_vehicles(kinds, spread(list(places), egos, choose), choose, shares):
            if len(driven) == wanted:
                break
            blueprint = library.find(name)
            blueprint.set_attribute("role_name", "autopilot")
            actor = self._world.try_spawn_actor(blueprint, places[pose])
            if actor is not None:
                driven.append(int(actor.id))
        self.spawned += driven
        port = _free_port()
        self._manager = self._client.get_trafficmanager(port)
        self._manager.set_synchronous_mode(True)
        self._manager.set_random_device_seed(seed)
        self._manager.set_global_distance_to_leading_vehicle(FOLLOW_GAP_M)
        command = self._carla.command.SetAutopilot
        self._client.apply_batch_sync([command(one, True, port) for one in driven], False)
        return len(driven)

    def walk(self, wanted: int, egos: Sequence[tuple[float, float]], choose: random.Random) -> int:
        """Spawn pedestrians on the map's sidewalk lanes."""
        paths = carla_level.pavements(self._map)
        library = self._world.get_blueprint_library()
        names = sorted(one.id for one in library.filter("walker.pedestrian.*"))
        if not paths or not names:
            log.warning("the map has no pavements: nobody walks")
            return 0
        middles = [path[len(path) // 2] for path in paths]
        weights = [
            len(path) * nearness(float(middle[0]), float(middle[1]), egos)
            for path, middle in zip(paths, middles, strict=True)
        ]
        for _ in range(4 * wanted):
            if len(self._strollers) == wanted:
                break
            path, index, speed = draw_strollers(paths, weights, choose)
            x, y, z = path[index].tolist()
            ahead = path[index + 1] - path[index]
            pose = Pose(x, y, z + WALKER_DROP_M, math.atan2(ahead[1], ahead[0]))
            blueprint = library.find(choose.choice(names))
            actor = self._world.try_spawn_actor(blueprint, self._transform(pose))
            if actor is not None:
                self.spawned.append(int(actor.id))
                self._strollers.append(Stroller(int(actor.id), path[:, :2], speed, index + 1))
        return len(self._strollers)

    def _transform(self, pose: Pose) -> Any:
        pitch, yaw, roll = carla_axes.degrees(pose)
        location = self._carla.Location(*carla_axes.vector(pose.x, pose.y, pose.z))
        return self._carla.Transform(location, self._carla.Rotation(pitch, yaw, roll))

    def guide(self, snapshot: Any) -> None:
        """Send every pedestrian on, from where the snapshot saw it."""
        commands = []
        for stroller in self._strollers:
            seen = snapshot.find(stroller.actor_id)
            if seen is None:
                continue
            at = seen.get_transform().location
            x, y = stroller.heading(at.x, -at.y)
            control = self._carla.WalkerControl(self._carla.Vector3D(x, -y, 0.0), stroller.speed)
            commands.append(self._carla.command.ApplyWalkerControl(stroller.actor_id, control))
        if commands:
            self._client.apply_batch(commands)

    def release(self) -> None:
        """Let the Traffic Manager go on without us; it would wait for our ticks."""
        if self._manager is not None:
            self._manager.set_synchronous_mode(False)
            self._manager = None


def _attribute(blueprint: Any, name: str) -> str:
    return str(blueprint.get_attribute(name).as_str()) if blueprint.has_attribute(name) else ""


def _free_port() -> int:
    """A port for the Traffic Manager; its default may be another client's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
