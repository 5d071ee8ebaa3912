"""Where a vehicle's messages go: to its telemetry socket and into the run's log."""

from __future__ import annotations

from scheduler import wire
from scheduler.clock import Clock
from scheduler.telemetry import BY_KIND, Publisher
from vehicle.camera.base import Frame
from vehicle.data.recorder import Recorder


class Outlet:
    """Publishes and records; neither ever waits."""

    def __init__(self, publisher: Publisher, recorder: Recorder | None, clock: Clock) -> None:
        self._publisher = publisher
        self._recorder = recorder
        self._clock = clock

    @property
    def dropped(self) -> int:
        """Messages and pictures that the recorder was too slow for."""
        return self._recorder.dropped if self._recorder is not None else 0

    def publish(self, message: wire.AnyMessage, *ids: str) -> None:
        """To watchers and into the log."""
        self._publisher.publish(message, *ids)
        topic = BY_KIND[message.kind]
        if topic.is_recorded:
            self.record("/".join((topic.prefix, *ids)), message)

    def event(self, level: str, text: str) -> None:
        """Something that a watcher wants to read."""
        event = self._publisher.event(level, text)
        self.record(f"event/{event.process}", event)

    def record(self, topic: str, message: wire.AnyMessage) -> None:
        """Into the log alone: what others have published."""
        if self._recorder is not None:
            self._recorder.put(topic, message, self._clock.now_ns())

    def record_frame(self, frame: Frame) -> None:
        """A picture into the log."""
        if self._recorder is not None:
            self._recorder.put_frame(frame)
