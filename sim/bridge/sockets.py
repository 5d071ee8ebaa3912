"""The bridge's two sockets: frames and poses out, feedback in, CURVE where they leave the host."""

import logging
from types import TracebackType

import zmq
from zmq.auth.thread import ThreadAuthenticator

from scheduler import processes, transport, wire
from scheduler.config import Config
from scheduler.errors import WireError
from scheduler.messages import Advanced, Encoding, Feedback
from scheduler.security import Keys, Site, start_authenticator
from scheduler.telemetry import Publisher

log = logging.getLogger(__name__)

MAX_FEEDBACK_BYTES = 4096
MAX_AT_ONCE = 100  # messages taken before the loop goes on: a flood must not stop the world
HOLD_SHARE = 4  # of the queue, in hold mode, where a tick's messages all wait at once
FRAME_QUEUE = 4  # frames that a subscriber may lag behind before it loses the oldest


class BridgeSockets:
    """Both sockets, bound; use as a context.

    Attributes:
        encoding: what frames are sent as.
        alien: feedback that came from somebody else than its vehicle.
        malformed: feedback that was none.

    Raises:
        PortInUseError: another process holds an address.
        CertificateError: the bridge has no keys.
    """

    def __init__(self, config: Config) -> None:
        frames = processes.address(config, "bridge", "", "frames", is_bind=True)
        feedback = processes.address(config, "bridge", "", "feedback", is_bind=True)
        is_remote = frames.startswith("tcp://")
        asked = config.bridge.encoding
        self.encoding: Encoding = asked if asked != "auto" else ("jpeg" if is_remote else "bgr")
        self.alien = 0
        self.malformed = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._site: Site | None = None
        self._authenticator: ThreadAuthenticator | None = None
        keys: Keys | None = None
        if is_remote and not config.security.insecure_loopback:
            self._site = Site(config.path(config.security.certificates))
            keys = self._site.keys("bridge")
            self._authenticator = start_authenticator(self._context, self._site)
        try:
            cameras = max(len(vehicle.cameras) for vehicle in config.vehicles)
            if config.bridge.pace == "hold":  # one process hears all and must miss nothing
                cameras = HOLD_SHARE * sum(len(vehicle.cameras) for vehicle in config.vehicles)
            publisher = transport.bind_publisher(
                self._context, frames, keys, high_water=FRAME_QUEUE * 4 * cameras
            )
            self._feedback = transport.bind_router(
                self._context, feedback, keys, limit=MAX_FEEDBACK_BYTES
            )
        except BaseException:
            self.close()
            raise
        self.publisher = Publisher(publisher, "bridge")

    def wait(self, timeout_ms: int) -> list[Feedback]:
        """Wait for feedback, at most so long, and take what is there, up to `MAX_AT_ONCE`."""
        return [one for one in self.take(timeout_ms) if isinstance(one, Feedback)]

    def take(self, timeout_ms: int) -> list[Feedback | Advanced]:
        """As `wait`, with the answers of hold mode."""
        if not self._feedback.poll(timeout_ms):
            return []
        taken: list[Feedback | Advanced] = []
        for _ in range(MAX_AT_ONCE):
            try:
                parts = self._feedback.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                break
            feedback = self._decode(parts)
            if feedback is not None:
                taken.append(feedback)
        return taken

    def _decode(self, parts: "list[zmq.Frame]") -> Feedback | Advanced | None:
        try:
            message, _ = wire.unpack([part.bytes for part in parts[1:]], Feedback, Advanced)
        except WireError as error:
            self.malformed += 1
            log.debug("feedback dropped: %s", error)
            return None
        assert isinstance(message, Feedback | Advanced)
        if self._site is not None:
            key = parts[-1].get("User-Id")
            peer = self._site.by_key(key.encode() if isinstance(key, str) else b"")
            if peer is None or peer.name != message.vehicle_id:
                self.alien += 1
                if self.alien == 1:  # the counter tells of the others
                    log.warning("feedback for %s from another peer dropped", message.vehicle_id)
                return None
        return message

    def close(self) -> None:
        """Close both; what is not sent yet is lost."""
        if self._authenticator is not None:
            self._authenticator.stop()
            self._authenticator = None
        self._context.destroy(linger=0)

    def __enter__(self) -> "BridgeSockets":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
