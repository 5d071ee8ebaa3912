"""The egos of a world, driven tick by tick; no socket and no clock in here."""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler import messages
from scheduler.config import Vehicle
from scheduler.messages import VERSION, Feedback, Pose
from sim.bridge.feedback import FeedbackInbox
from sim.bridge.safety import SafetyMeter
from sim.ego_driver import Control, EgoDriver
from sim.world import Ego, World, WorldTick

PARKED = Control(0.0, 0.0, 0.0)


@dataclass(slots=True)
class DrivenEgo:
    """One ego: its driver, what its vehicle asks, how safely it went.

    Attributes:
        own: what its own driver asked last.
        control: what was applied last.
        is_braked_by_feedback: the vehicle's advisory overrides its own driver now.
        reason: why, as the vehicle said.
    """

    ego: Ego
    driver: EgoDriver
    inbox: FeedbackInbox
    safety: SafetyMeter
    own: Control = PARKED
    control: Control = PARKED
    is_braked_by_feedback: bool = False
    reason: str = ""


class Drive:
    """All egos of a drive.

    Args:
        world: where they are; nobody else ticks it.
        vehicles: one ego each.
        delta_s: seconds of a tick.
        obeys_feedback: False leaves every ego to its own driver.
    """

    def __init__(
        self, world: World, vehicles: Sequence[Vehicle], delta_s: float, *, obeys_feedback: bool
    ) -> None:
        self._world = world
        self._delta_s = delta_s
        self._obeys_feedback = obeys_feedback
        self.egos: dict[str, DrivenEgo] = {}
        lines = world.stop_lines()
        for vehicle in vehicles:
            ego = world.spawn_ego(vehicle.id, vehicle.spawn_index, vehicle.route)
            driver = EgoDriver(ego, lines, vehicle.speed)
            safety = SafetyMeter(ego, driver.track)
            self.egos[vehicle.id] = DrivenEgo(ego, driver, FeedbackInbox(), safety)

    def on_feedback(self, feedback: Feedback, now_ns: int) -> None:
        """Take in what a vehicle asks; of an ego that is not here it is dropped."""
        driven = self.egos.get(feedback.vehicle_id)
        if driven is None or not self._obeys_feedback:
            return
        if driven.inbox.offer(feedback, now_ns):
            self._apply(driven, now_ns)  # at once: after the next tick it would be a tick late

    def on_tick(self, seen: WorldTick, now_ns: int) -> None:
        """Count, and set every ego's pedals and wheel for the next tick."""
        for driven in self.egos.values():
            state = seen.egos[driven.ego.actor_id]
            driven.own = driven.driver.control(state, seen.lights, self._delta_s)
            driven.safety.update(state, driven.driver.s, seen.bodies, self._delta_s)
            self._apply(driven, now_ns)

    def _apply(self, driven: DrivenEgo, now_ns: int) -> None:
        brake, driven.reason = driven.inbox.brake(now_ns)
        driven.is_braked_by_feedback = brake > 0.0
        driven.control = driven.own
        if driven.is_braked_by_feedback:
            driven.driver.rest()
            driven.control = Control(0.0, driven.own.steer, max(brake, driven.own.brake))
        now = driven.control
        self._world.apply_control(driven.ego.actor_id, now.throttle, now.steer, now.brake)

    def pose(self, vehicle_id: str, seen: WorldTick, age_us: int) -> Pose:
        """The pose message of one ego."""
        driven = self.egos[vehicle_id]
        state = seen.egos[driven.ego.actor_id]
        return Pose(
            version=VERSION,
            vehicle_id=vehicle_id,
            tick=seen.tick,
            sim_ns=seen.sim_ns,
            age_us=age_us,
            position=(state.pose.x, state.pose.y, state.pose.z),
            rotation=(state.pose.roll, state.pose.pitch, state.pose.yaw),
            speed=state.speed,
            yaw_rate=state.yaw_rate,
            brake=driven.control.brake,
            is_braked_by_feedback=driven.is_braked_by_feedback,
        )

    def status(self, seen: WorldTick, real_time_factor: float) -> messages.WorldStatus:
        """The world's status message."""
        ttc = {name: driven.safety.min_ttc_s for name, driven in self.egos.items()}
        return messages.WorldStatus(
            version=VERSION,
            adapter=self._world.name,
            tick=seen.tick,
            sim_ns=seen.sim_ns,
            real_time_factor=real_time_factor,
            collisions=self._counts("collisions"),
            min_ttc_s={name: value for name, value in ttc.items() if value is not None},
            hard_brakes=self._counts("hard_brakes"),
        )

    def _counts(self, field: str) -> dict[str, int]:
        return {name: getattr(driven.safety, field) for name, driven in self.egos.items()}
