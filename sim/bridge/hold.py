"""Hold mode: simulated time goes on only when every vehicle has done all it will do by then."""

from collections.abc import Callable, Iterable

from scheduler.clock import NS_PER_MS, NS_PER_S, Clock
from scheduler.errors import ConfigError, WorldError
from scheduler.messages import VERSION, Advance, Advanced, Feedback
from sim.bridge.sockets import BridgeSockets

AGAIN_NS = 100 * NS_PER_MS  # until the vehicles have subscribed, what is published is lost
PATIENCE_NS = 120 * NS_PER_S  # for one answer: the first look of a large model on a busy machine


class Holder:
    """Tells vehicles how far they may go and waits for them.

    Args:
        sockets: Of the bridge.
        vehicle_ids: All that must answer.
        clock: For patience alone; no figure depends on it.

    Raises:
        ConfigError: frames leave this host.
    """

    def __init__(self, sockets: BridgeSockets, vehicle_ids: Iterable[str], clock: Clock) -> None:
        if sockets.encoding != "bgr":
            raise ConfigError("bridge.pace: hold is for one machine: leave bridge.bind.host out")
        self._sockets = sockets
        self._ids = list(vehicle_ids)
        self._clock = clock

    def advance(self, sim_ns: int, should_stop: Callable[[], bool]) -> list[Feedback]:
        """Let simulated time go on to `sim_ns`; what vehicles ask meanwhile, vehicle by vehicle.

        Said again until it is answered; a vehicle answers as often as it is asked.

        Raises:
            WorldError: somebody does not answer.
        """
        asked: dict[str, list[Feedback]] = {name: [] for name in self._ids}
        waiting = set(self._ids)
        end_ns = self._clock.now_ns() + PATIENCE_NS
        said_ns = -AGAIN_NS
        while waiting and not should_stop():
            now_ns = self._clock.now_ns()
            if now_ns > end_ns:
                raise WorldError(
                    f"expected {', '.join(sorted(waiting))} to answer within "
                    f"{PATIENCE_NS / NS_PER_S:.0f} s of hold mode: look into logs/held.log"
                )
            if now_ns - said_ns >= AGAIN_NS:
                said_ns = now_ns
                self._sockets.publisher.publish(Advance(VERSION, sim_ns))
            for message in self._sockets.take(AGAIN_NS // NS_PER_MS):
                if isinstance(message, Advanced):
                    if message.sim_ns >= sim_ns:
                        waiting.discard(message.vehicle_id)
                elif message.vehicle_id in asked:
                    asked[message.vehicle_id].append(message)
        return [feedback for name in self._ids for feedback in asked[name]]
