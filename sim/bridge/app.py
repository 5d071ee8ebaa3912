"""The bridge's loop: tick, publish, score, listen for feedback, keep pace with the clock."""

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from scheduler.clock import NS_PER_MS, NS_PER_S, Clock, MonotonicClock, Ratekeeper
from scheduler.config import Config
from scheduler.config import World as WorldConfig
from scheduler.errors import ConfigError
from scheduler.messages import WorldStatus
from sim import scenarios
from sim.bridge.cameras import BridgeCamera, FramePublisher, attach_all
from sim.bridge.drive import Drive
from sim.bridge.hold import Holder
from sim.bridge.pace import Pace
from sim.bridge.site import site_of
from sim.bridge.sockets import BridgeSockets
from sim.bridge.traffic import traffic_of
from sim.truth_file import TruthWriter
from sim.world import World, WorldTick

log = logging.getLogger(__name__)

WARM_UP_TICKS = 3  # a real server may lose the first pictures, ours compiles its renderer
STATUS_NS = NS_PER_S  # between site and status messages
LAST_WORD_S = 0.1  # for the last status to leave before the sockets close
STAGES = ("tick", "picture", "control", "truth")


class Summary(msgspec.Struct, frozen=True):
    """What the bridge leaves as `bridge.json`.

    Attributes:
        town: name of the map.
        adapter: which world it was.
        sim_s: simulated seconds driven.
        real_time_factor: of the whole drive.
        collisions: per ego, as are the next two; see `sim.bridge.safety`.
        feedback: accepted and stale messages per ego, and those of nobody we know.
        stages_ms: p50 and p99 of the parts of a tick, and of all of it (`busy`).
        weather: at the start, in a word or two.
    """

    town: str
    adapter: str
    sim_s: float
    real_time_factor: float
    collisions: dict[str, int]
    min_ttc_s: dict[str, float]
    hard_brakes: dict[str, int]
    feedback: dict[str, int]
    stages_ms: dict[str, tuple[float, float]]
    weather: str = ""


class Bridge:
    """One drive in one world.

    Args:
        config: of the drive.
        world: taken over; the caller closes it.
        sockets: bound.
        truth: where the truth goes, or None.
        clock: paces the drive.
    """

    def __init__(
        self,
        config: Config,
        world: World,
        sockets: BridgeSockets,
        truth: TruthWriter | None,
        clock: Clock,
    ) -> None:
        assert config.world is not None
        self._config = config
        self._world = world
        self._sockets = sockets
        self._clock = clock
        self._delta_s = config.world.fixed_delta_s
        self._drive = Drive(
            world, config.vehicles, self._delta_s, obeys_feedback=config.bridge.feedback
        )
        self._script: scenarios.Script | None = None
        self._populate(config, config.world)
        self._cameras: list[BridgeCamera] = []
        for vehicle in config.vehicles:
            ego = self._drive.egos[vehicle.id].ego
            self._cameras += attach_all(config, world, vehicle, ego, self._delta_s)
        self._frames = FramePublisher(sockets.publisher, truth, sockets.encoding)
        tracks = {name: driven.driver.track for name, driven in self._drive.egos.items()}
        self._site = site_of(config, world, tracks)
        self._said_ns = 0
        self._ticks = 0
        self._told: dict[str, tuple[int, bool]] = {}
        self._stages: dict[str, deque[int]] = {
            name: deque(maxlen=6000) for name in (*STAGES, "busy")
        }
        self._warm_up()
        self._weather = world.weather().name
        self._pace = Pace(clock.now_ns(), self._seen.sim_ns)
        self._holder: Holder | None = None
        if config.bridge.pace == "hold":
            self._holder = Holder(sockets, self._drive.egos, clock)

    def _populate(self, config: Config, world: WorldConfig) -> None:
        if world.scenario is not None:
            egos = [driven.ego for driven in self._drive.egos.values()]
            self._script = scenarios.load(world.scenario)(self._world, egos)
            log.info("scenario %s", world.scenario)
            return
        wanted = world.traffic
        driving, walking = self._world.traffic(wanted.vehicles, wanted.pedestrians, config.seed)
        log.info("%d vehicles and %d pedestrians on the way", driving, walking)

    def _warm_up(self) -> None:
        """Let the world get going before the clock counts; nothing of it is published."""
        for _ in range(WARM_UP_TICKS):
            self._seen = self._world.tick()
            for camera in self._cameras:
                self._world.picture(camera.handle)

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Drive until the configured time is over or somebody says stop."""
        keeper = Ratekeeper(round(self._delta_s * NS_PER_S), self._clock)
        start_ns = self._seen.sim_ns
        end_ns = start_ns + round(self._config.duration_s * NS_PER_S)
        self._pace = Pace(self._clock.now_ns(), start_ns)
        keeper.wait_ns()
        if self._holder is not None:
            self._holder.advance(start_ns, should_stop)  # everybody is there
        while not should_stop() and self._seen.sim_ns < end_ns:
            self.step()
            if self._holder is None:
                self._listen(self._clock.now_ns() + keeper.wait_ns(), should_stop)
                continue
            until_ns = self._seen.sim_ns + round(self._delta_s * NS_PER_S)
            for feedback in self._holder.advance(until_ns, should_stop):
                self._drive.on_feedback(feedback, until_ns)
        self._sockets.publisher.publish(self.status(self._pace.overall()))
        time.sleep(LAST_WORD_S)

    def step(self) -> None:
        """One tick: world, frames, controls, truth, in that order; frames cannot wait."""
        self._ticks += 1
        times = [self._clock.now_ns()]
        seen = self._seen = self._world.tick()
        ticked_ns = self._clock.now_ns()
        times.append(ticked_ns)
        for camera in self._cameras:
            self._frames.send(self._world, camera, seen)
        times.append(self._clock.now_ns())
        self._drive.on_tick(seen, times[-1] if self._holder is None else seen.sim_ns)
        if self._script is not None:
            self._script(seen)
        if self._config.link is not None:
            self._sockets.publisher.publish(traffic_of(seen))
        for name in self._drive.egos:
            age_us = (self._clock.now_ns() - ticked_ns) // 1000
            self._sockets.publisher.publish(self._drive.pose(name, seen, age_us), name)
        times.append(self._clock.now_ns())
        for camera in self._cameras:
            self._frames.write_truth(camera, seen)
        self._tell()
        times.append(self._clock.now_ns())
        for name, a, b in zip(STAGES, times, times[1:], strict=False):
            self._stages[name].append(b - a)
        self._stages["busy"].append(times[-1] - times[0])

    def _listen(self, until_ns: int, should_stop: Callable[[], bool]) -> None:
        """Take feedback until the next tick is due; always look once."""
        while True:
            left_ms = max(0, -(-(until_ns - self._clock.now_ns()) // NS_PER_MS))
            for feedback in self._sockets.wait(min(left_ms, 100)):
                self._drive.on_feedback(feedback, self._clock.now_ns())
            if should_stop() or self._clock.now_ns() >= until_ns:
                return

    def _tell(self) -> None:
        """Publish what watchers want: events at once, site and status each second."""
        now = self._clock.now_ns()
        self._pace.mark(now, self._seen.sim_ns)
        for name, driven in self._drive.egos.items():
            collisions, was_braked = self._told.get(name, (0, False))
            if driven.safety.collisions > collisions:
                self._sockets.publisher.event("warning", f"{name} hit something")
            if driven.is_braked_by_feedback and not was_braked:
                self._sockets.publisher.event("info", f"{name} is braked: {driven.reason}")
            self._told[name] = (driven.safety.collisions, driven.is_braked_by_feedback)
        if now - self._said_ns >= STATUS_NS:
            self._said_ns = now
            self._sockets.publisher.publish(self._site)
            self._sockets.publisher.publish(self.status(self._pace.recent()))

    def status(self, real_time_factor: float) -> WorldStatus:
        """The status message now."""
        return self._drive.status(self._seen, real_time_factor)

    @property
    def seen(self) -> WorldTick:
        """The last tick."""
        return self._seen

    def summary(self) -> Summary:
        """What the drive was like."""
        feedback = {"alien": self._sockets.alien, "malformed": self._sockets.malformed}
        for name, driven in self._drive.egos.items():
            feedback[f"{name}.received"] = driven.inbox.received
            feedback[f"{name}.stale"] = driven.inbox.stale
        last = self.status(self._pace.overall())
        return Summary(
            town=self._world.town,
            adapter=last.adapter,
            sim_s=round(self._ticks * self._delta_s, 3),
            real_time_factor=round(last.real_time_factor, 4),
            collisions=last.collisions,
            min_ttc_s=last.min_ttc_s,
            hard_brakes=last.hard_brakes,
            feedback=feedback,
            stages_ms={n: _percentiles(list(times)) for n, times in self._stages.items() if times},
            weather=self._weather,
        )


def _percentiles(times_ns: list[int]) -> tuple[float, float]:
    ordered = sorted(times_ns)
    last = len(ordered) - 1
    return (
        round(ordered[round(0.5 * last)] / NS_PER_MS, 2),
        round(ordered[round(0.99 * last)] / NS_PER_MS, 2),
    )


def run(
    config: Config,
    world_of: Callable[[Config, WorldConfig], World],
    run_folder: Path | None,
    should_stop: Callable[[], bool],
    on_ready: Callable[[], None],
) -> Summary:
    """A whole drive; whatever happens, the world gets its settings and its room back.

    Args:
        config: resolved.
        world_of: opens the world.
        run_folder: where `truth.mcap` and `bridge.json` go; None keeps neither.
        should_stop: true when the drive should end early.
        on_ready: called when sockets are bound and the world answers.

    Raises:
        ConfigError: no `world` section, or one that cannot be.
    """
    if config.world is None:
        raise ConfigError("expected a `world` section: without one there is nothing to bridge")
    with ExitStack() as stack:
        sockets = stack.enter_context(BridgeSockets(config))
        world = world_of(config, config.world)
        stack.callback(world.close)
        truth = None
        if run_folder is not None:
            run_folder.mkdir(parents=True, exist_ok=True)
            truth = stack.enter_context(TruthWriter(run_folder / "truth.mcap"))
        bridge = Bridge(config, world, sockets, truth, MonotonicClock())
        on_ready()
        try:
            bridge.run(should_stop)
        finally:
            summary = bridge.summary()
            if run_folder is not None:
                data = msgspec.json.format(msgspec.json.encode(msgspec.to_builtins(summary)))
                (run_folder / "bridge.json").write_bytes(data + b"\n")
        return summary
