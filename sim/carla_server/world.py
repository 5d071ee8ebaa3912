"""The engine as the protocol sees it: episode, settings, streams, sensors, one tick."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sim.carla_server.ackermann import pedals
from sim.carla_server.images import InstanceIds
from sim.carla_server.layouts import (
    WEATHER_NOON,
    AckermannControl,
    AckermannSettings,
    EpisodeSettings,
    PhysicsControl,
)
from sim.carla_server.protocol import Protocol
from sim.carla_server.sensors import Sensor
from sim.carla_server.snapshot import snapshot
from sim.carla_server.streaming import StreamServer
from sim.engine.actors import Actor
from sim.engine.geometry import Pose
from sim.engine.simulation import Engine, UnknownActor

WORLD_STREAM = 1  # the real server's number for the snapshot stream
SLOW_READER_WAIT_S = 2.0  # synchronous mode, per tick; under half of the client's default time-out
PUBLISH_WAIT_S = 0.5  # asynchronous mode: several ticks, should one be slow
DEFAULT_DELTA_S = 0.05  # of a tick in synchronous mode without a fixed step
SPECTATOR_POSE = Pose(0.0, 0.0, 40.0, 0.0, -0.6)


@dataclass(slots=True)
class VehicleExtras:
    """What clients set on a vehicle and read back, and the engine does not know."""

    physics: PhysicsControl | None = None
    ackermann: AckermannControl | None = None
    ackermann_settings: AckermannSettings = field(default_factory=AckermannSettings)
    wheel_angles: dict[int, float] = field(default_factory=dict)
    wheel_pitches: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrafficManager:
    """Where a client's Traffic Manager listens, and the thread that serves that client."""

    host: str
    thread_id: int


class ServedWorld:
    """An engine with everything that only the protocol needs; guard it with `lock`."""

    def __init__(
        self,
        engine: Engine,
        protocol: Protocol,
        streams: StreamServer,
        *,
        instance_ids: InstanceIds = "actor",
    ) -> None:
        self.lock = threading.Lock()
        self.settings_changed = threading.Event()
        self.delta_s = DEFAULT_DELTA_S
        self.engine = engine
        self.protocol = protocol
        self.streams = streams
        self.instance_ids = instance_ids
        self.episode = 1
        self.settings = EpisodeSettings()
        self.weather: list[float] = list(WEATHER_NOON)
        self.sensors: dict[int, Sensor] = {}
        self.extras: dict[int, VehicleExtras] = {}
        self.traffic_managers: dict[int, TrafficManager] = {}
        self.gravity = 9.81
        self.has_map_changed = True
        self._next_stream = WORLD_STREAM + 1
        self._published = threading.Condition()
        self._published_frame = engine.frame
        self._definition_uids = {name: uid for uid, name in enumerate(engine.blueprints, start=1)}
        self.spectator = engine.spawn("spectator", SPECTATOR_POSE)

    def actor(self, actor_id: int) -> Actor:
        """Return a living actor.

        Raises:
            UnknownActor: there is none with this id.
        """
        found = self.engine.actors.get(actor_id)
        if found is None:
            raise UnknownActor(actor_id)
        return found

    def extras_of(self, vehicle_id: int) -> VehicleExtras:
        """Return what clients have set on a living vehicle, made when first asked for."""
        self.actor(vehicle_id)
        return self.extras.setdefault(vehicle_id, VehicleExtras())

    def definition_uid(self, blueprint_id: str) -> int:
        """Return the number of a blueprint in the list that clients get."""
        return self._definition_uids.get(blueprint_id, 0)

    def add_sensor(self, actor: Actor) -> None:
        """Give a sensor its stream; a kind that streams nothing gets none."""
        if actor.blueprint.id in self.protocol.sensor_types:
            self.sensors[actor.id] = Sensor(actor, self._next_stream, self.protocol)
            self._next_stream += 1

    def destroy(self, actor_id: int) -> bool:
        """End an actor and what is attached to it, with their streams."""
        is_destroyed = self.engine.destroy(actor_id)
        for known in (self.sensors, self.extras):
            for gone in [i for i in known if i not in self.engine.actors]:
                del known[gone]
        return is_destroyed

    def forget_client(self) -> None:
        """Strike off the Traffic Managers of the client that this thread has served.

        A client that was killed never does it itself, and its port would stay taken.
        """
        own = threading.get_ident()
        with self.lock:
            kept = {p: t for p, t in self.traffic_managers.items() if t.thread_id != own}
            self.traffic_managers = kept

    def restart_episode(self, *, reset_settings: bool) -> None:
        """Begin a new episode in the same town: no actors but lights and spectator."""
        keep = {self.spectator.id, *self.engine.traffic_lights}
        for actor_id in [i for i in self.engine.actors if i not in keep]:
            self.destroy(actor_id)
        self.engine.freeze_all_lights(False)
        self.engine.reset_lights()
        self.episode += 1
        self.has_map_changed = True
        self.weather = list(WEATHER_NOON)
        if reset_settings:
            self.settings = EpisodeSettings()

    def tick(self, delta_s: float) -> int:
        """Advance by one frame and publish it: physics, then the snapshot, then the sensors."""
        patience_s = SLOW_READER_WAIT_S if self.settings.synchronous_mode else 0.0
        self.delta_s = delta_s
        self._follow_ackermann()
        frame = self.engine.tick(delta_s)
        patience_s -= self.streams.send(WORLD_STREAM, [snapshot(self, delta_s)], patience_s)
        self.has_map_changed = False
        with self._published:
            self._published_frame = frame
            self._published.notify_all()
        for sensor in self.sensors.values():
            if not self.streams.has_subscribers(sensor.stream_id) or not sensor.is_due(
                self.engine.elapsed_s
            ):
                continue
            for message in sensor.messages(self):
                patience_s -= self.streams.send(sensor.stream_id, message, max(0.0, patience_s))
        return frame

    def _follow_ackermann(self) -> None:
        for actor_id, extras in self.extras.items():
            if extras.ackermann is not None:
                control = pedals(extras.ackermann, self.actor(actor_id))
                self.engine.apply_vehicle_control(actor_id, control)

    def wait_until_published(self, frame: int) -> None:
        """Return once a snapshot later than `frame` is out; at once in synchronous mode.

        A spawn waits so, because a Traffic Manager forgets a vehicle that it is given before the
        vehicle is in a snapshot. Call it without the lock.
        """
        with self._published:
            self._published.wait_for(
                lambda: self._published_frame > frame or self.settings.synchronous_mode,
                timeout=PUBLISH_WAIT_S,
            )

    def tick_when_subscribed(self) -> int:
        """Run a synchronous tick once every stream just asked for has connected; takes the lock."""
        self.streams.wait_for_subscribers()
        with self.lock:
            if not self.settings.synchronous_mode:
                return self.engine.frame + 1  # the free-running loop makes it
            return self.tick(self.fixed_delta_s or DEFAULT_DELTA_S)

    @property
    def fixed_delta_s(self) -> float | None:
        """Seconds of a tick where the settings fix them."""
        fixed = self.settings.fixed_delta_seconds
        return float(fixed[1]) if len(fixed) > 1 and fixed[0] and fixed[1] > 0 else None
