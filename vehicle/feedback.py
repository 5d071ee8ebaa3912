"""Sends a vehicle's advisories to the bridge, which brakes the ego with them."""

import zmq

from scheduler import messages, processes, transport, wire
from scheduler.config import Config
from scheduler.security import client_keys
from vehicle.services.base import Advisory


class FeedbackSender:
    """One DEALER to the bridge; what cannot leave at once is dropped, as more will come."""

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", config: Config, vehicle_id: str
    ) -> None:
        address = processes.address(config, "bridge", "", "feedback")
        keys, server_key = client_keys(config, address, vehicle_id, "bridge")
        self._vehicle_id = vehicle_id
        self._socket = transport.connect_dealer(context, address, keys, server_key)

    def send(self, tick: int, service: str, advisory: Advisory) -> None:
        """One advisory, for the frame of `tick`."""
        message = messages.Feedback(
            messages.VERSION,
            self._vehicle_id,
            tick,
            advisory.valid_for_ms,
            min(1.0, max(0.0, advisory.brake)),
            service,
            advisory.reason[:300],
        )
        transport.send(self._socket, wire.pack(message))

    def close(self) -> None:
        """Leave."""
        self._socket.close()
