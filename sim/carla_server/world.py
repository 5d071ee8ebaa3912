"""The engine as the protocol sees it: episode, settings, streams, sensors, one tick."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from sim.carla_server.ackermann import AckermannFollower
from sim.carla_server.images import InstanceIds
from sim.carla_server.layouts import EpisodeSettings
from sim.carla_server.presenter import Presenter
from sim.carla_server.protocol import Protocol
from sim.carla_server.sensors import Sensor
from sim.carla_server.sessions import Buffer
from sim.carla_server.snapshot import SnapshotWriter
from sim.carla_server.streaming import StreamServer
from sim.carla_server.street_lights import StreetLights
from sim.engine.actors import Actor
from sim.engine.geometry import Pose
from sim.engine.level_inventory import level_inventory
from sim.engine.simulation import Engine, UnknownActor

if TYPE_CHECKING:
    from sim.carla_server.maps import Maps

logger = logging.getLogger(__name__)

WORLD_STREAM = 1  # the real server's number for the snapshot stream
SLOW_READER_WAIT_S = 2.0  # synchronous mode, per tick; under half of the client's default time-out
PUBLISH_WAIT_S = 0.5  # asynchronous mode: several ticks, should one be slow
DEFAULT_DELTA_S = 0.05  # of a tick in synchronous mode without a fixed step
# Free running pauses so long when an episode begins: the client that asked closes its old stream,
# and where a snapshot comes in that moment it reads a freed socket and dies (libcarla 0.9.16).
QUIET_S = 0.3
DRAWING = ("sensor.camera.", "sensor.lidar.", "sensor.other.radar")  # after the answer
SPECTATOR_POSE = Pose(0.0, 0.0, 40.0, 0.0, -0.6)


@dataclass(slots=True)
class VehicleExtras:
    """What clients set on a vehicle and read back, and the engine does not know."""

    ackermann: AckermannFollower = field(default_factory=AckermannFollower)
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
        maps: Maps,
        *,
        instance_ids: InstanceIds = "actor",
        has_pictures: bool = True,
        releases_synchronous: bool = False,
    ) -> None:
        self.lock = threading.Lock()
        self._frame_under_way = threading.Lock()  # taken by a tick, freed when all is sent
        self.settings_changed = threading.Event()
        self.delta_s = DEFAULT_DELTA_S
        self.engine = engine
        self.protocol = protocol
        self.streams = streams
        self.maps = maps
        self.instance_ids = instance_ids
        self.has_pictures = has_pictures
        self.releases_synchronous = releases_synchronous
        self.episode = 1
        self.quiet_until_s = 0.0  # monotonic
        self.settings = EpisodeSettings(no_rendering_mode=not has_pictures)
        self.weather: list[float] = []  # as a client set it; empty: the engine's own
        self.sensors: dict[int, Sensor] = {}
        self.extras: dict[int, VehicleExtras] = {}
        self.traffic_managers: dict[int, TrafficManager] = {}
        self.gravity = 9.81
        self.has_map_changed = True
        self.presenter = Presenter()
        self.synchronous_client = 0  # thread that serves who asked for synchronous mode; 0: nobody
        self._snapshots = SnapshotWriter()
        self._next_stream = WORLD_STREAM + 1
        self._failed_sensors: set[int] = set()
        self._published = threading.Condition()
        self._published_frame = engine.frame
        self._definition_uids = {name: uid for uid, name in enumerate(engine.blueprints, start=1)}
        self.spectator = engine.spawn("spectator", SPECTATOR_POSE)
        self.inventory = list(level_inventory(engine.town))
        self.street_lights = StreetLights(self.inventory, engine.weather.is_night)

    def actor(self, actor_id: int) -> Actor:
        """Return a living actor.

        Raises:
            UnknownActor: there is none with this id.
        """
        found = self.engine.actors.get(actor_id)
        if found is None:
            raise UnknownActor(actor_id)
        return found

    def has_stream(self, stream_id: int) -> bool:
        """Return whether a stream may still bring messages."""
        return stream_id == WORLD_STREAM or any(
            sensor.stream_id == stream_id for sensor in list(self.sensors.values())
        )

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
                ended = known.pop(gone)
                if isinstance(ended, Sensor):
                    self.streams.forget_stream(ended.stream_id)
        return is_destroyed

    def show_street_lights(self) -> None:
        """Let pictures show which lamps burn: by day none is seen to."""
        is_night = self.engine.weather.is_night
        self.engine.keep_dark(self.street_lights.dark() if is_night else frozenset())

    def forget_client(self) -> None:
        """Strike off what the client had that this thread has served: its Traffic Managers.

        A client that was killed never does it itself, and its port would stay taken. Synchronous
        mode stays as CARLA leaves it, without anybody who ticks, unless `releases_synchronous`.
        """
        own = threading.get_ident()
        with self.lock:
            kept = {p: t for p, t in self.traffic_managers.items() if t.thread_id != own}
            self.traffic_managers = kept
            if self.releases_synchronous and self.synchronous_client == own:
                logger.warning("the client that ticked has gone: the world runs by itself")
                self.take_settings(replace(self.settings, synchronous_mode=False))

    def take_settings(self, settings: EpisodeSettings) -> None:
        """Let new settings hold from the next frame; the mode is the asking thread's client's."""
        self.settings = settings if self.has_pictures else replace(settings, no_rendering_mode=True)
        self.synchronous_client = threading.get_ident() if settings.synchronous_mode else 0
        self.settings_changed.set()

    def begin_episode(self, engine: Engine, *, reset_settings: bool) -> None:
        """Go on with another engine, whose actor ids begin above all that were ever given."""
        for sensor in self.sensors.values():
            self.streams.forget_stream(sensor.stream_id)
        self.sensors, self.extras = {}, {}
        self.engine = engine
        self._definition_uids = {name: uid for uid, name in enumerate(engine.blueprints, start=1)}
        self.spectator = engine.spawn("spectator", SPECTATOR_POSE)
        self.episode += 1
        self.has_map_changed = True
        self.weather = []
        self.inventory = list(level_inventory(engine.town))
        self.street_lights = StreetLights(self.inventory, engine.weather.is_night)
        if reset_settings:
            self.take_settings(EpisodeSettings())
        with self._published:
            self._published_frame = engine.frame
        self.quiet_until_s = time.monotonic() + QUIET_S

    @contextmanager
    def between_frames(self) -> Iterator[None]:
        """Hold the lock while no frame is under way and none is being sent."""
        with self._frame_under_way, self.lock:
            yield

    # ---- frames; none of these is called with the lock held

    def tick(self, delta_s: float, *, is_synchronous: bool) -> int | None:
        """Make a frame: physics, the snapshot, the quick sensors, then those that draw.

        The lock is held for the physics alone. What draws does so from a still of the frame, in
        synchronous mode after the return: a client that waits for a picture in its queue costs
        nothing, one that waits for a snapshot keeps a core busy. The next frame waits for the end
        of the drawing; every other call goes on meanwhile.

        Returns:
            The frame's number; None, and no frame, if the mode is another than `is_synchronous`.
        """
        self._frame_under_way.acquire()
        is_handed_over = False
        patience_s = SLOW_READER_WAIT_S if is_synchronous else None
        try:
            with self.lock:
                if self.settings.synchronous_mode != is_synchronous:
                    return None
                frame, message = self._advance(delta_s)
                quick, drawing = self._due_sensors()
                messages = [
                    (one.stream_id, made) for one in quick for made in self._made(one, self)
                ]
                scene = self._still() if drawing else self
            patience_s = self._send(WORLD_STREAM, [message], patience_s)
            with self._published:
                self._published_frame = frame
                self._published.notify_all()
            for stream_id, made in messages:
                patience_s = self._send(stream_id, made, patience_s)
            if drawing and is_synchronous:
                self.presenter.submit(partial(self._draw, scene, drawing, patience_s))
                is_handed_over = True
            elif drawing:
                self._show(scene, drawing, patience_s)
            return frame
        finally:
            if not is_handed_over:
                self._frame_under_way.release()

    def _advance(self, delta_s: float) -> tuple[int, Buffer]:
        self.delta_s = delta_s
        self._follow_ackermann(delta_s)
        frame = self.engine.tick(delta_s)
        for sensor in self.sensors.values():
            sensor.follow(delta_s)
        message = self._snapshots.message(self, delta_s)
        self.has_map_changed = self.street_lights.is_news = False
        return frame, message

    def _due_sensors(self) -> tuple[list[Sensor], list[Sensor]]:
        """Return those whose message is due and wanted: the quick ones, and those that draw."""
        due = [
            sensor
            for sensor in self.sensors.values()
            if self.streams.has_subscribers(sensor.stream_id)
            and sensor.is_due(self.engine.elapsed_s)
        ]
        drawing = [sensor for sensor in due if sensor.actor.blueprint.id.startswith(DRAWING)]
        return [sensor for sensor in due if sensor not in drawing], drawing

    def _made(self, sensor: Sensor, scene: ServedWorld) -> Iterator[list[Buffer]]:
        """Yield a sensor's messages of a frame; a sensor that fails costs the others nothing."""
        try:
            yield from sensor.messages(scene)
        except Exception:
            # An edge: it is told once, and tried again in the next frame.
            if sensor.actor.id not in self._failed_sensors:
                self._failed_sensors.add(sensor.actor.id)
                logger.exception("sensor %d has failed", sensor.actor.id)

    def _still(self) -> ServedWorld:
        """Return this world as sensors that draw may see it: with a still of the engine."""
        still = copy.copy(self)
        still.engine = cast("Engine", self.engine.still())
        return still

    def _show(
        self, scene: ServedWorld, sensors: Sequence[Sensor], patience_s: float | None
    ) -> None:
        for sensor in sensors:
            for message in self._made(sensor, scene):
                patience_s = self._send(sensor.stream_id, message, patience_s)

    def _draw(
        self, scene: ServedWorld, sensors: Sequence[Sensor], patience_s: float | None
    ) -> None:
        try:
            self._show(scene, sensors, patience_s)
        finally:
            self._frame_under_way.release()

    def _send(
        self, stream_id: int, message: Sequence[Buffer], patience_s: float | None
    ) -> float | None:
        """Send a message; return what is left of the time for slow readers."""
        took_s = self.streams.send(stream_id, message, patience_s)
        return None if patience_s is None else max(0.0, patience_s - took_s)

    def _follow_ackermann(self, delta_s: float) -> None:
        for actor_id, extras in self.extras.items():
            if extras.ackermann.target is not None:
                actor = self.actor(actor_id)
                speed = self.engine.telemetry(actor_id).speed
                control = extras.ackermann.control(actor, speed, delta_s)
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
        """Run a synchronous tick once every stream just asked for has connected."""
        self.streams.wait_for_subscribers()
        frame = self.tick(self.fixed_delta_s or DEFAULT_DELTA_S, is_synchronous=True)
        return self.engine.frame + 1 if frame is None else frame  # the free-running loop makes it

    @property
    def fixed_delta_s(self) -> float | None:
        """Seconds of a tick where the settings fix them."""
        fixed = self.settings.fixed_delta_seconds
        return float(fixed[1]) if len(fixed) > 1 and fixed[0] and fixed[1] > 0 else None
