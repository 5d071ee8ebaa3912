"""A server without a world behind it: what any server could reach with this client and machine.

    python benchmarks/canned_world.py --port 0

It serves as `vdap world` does for `RECORDED` ticks, then plays the same answers and snapshots again
and again, with the numbers of calls and frames alone put in. What is left of a tick's time is the
client's and the system's. It is for a client alone: a Traffic Manager looks for its cars anew all
the time where they do not go as it tells them, and is slower here than with a world.
"""

import argparse
import re
import struct
import sys
import time

from sim.carla_server.protocol import NEWEST, PROTOCOLS
from sim.carla_server.rpc import RpcDispatcher
from sim.carla_server.server import CarlaServer, Sockets
from sim.carla_server.world import WORLD_STREAM
from sim.engine.simulation import Engine
from sim.engine.town import build_town

RECORDED = 40  # ticks
HEAD = re.compile(rb"\x94\x00([\x00-\x7f]|\xcc.|\xcd..|\xce....)[\xa0-\xbf]([a-z_]+)", re.DOTALL)
FRAME = struct.Struct("<Qd")  # of a snapshot, after its type
REPEATED = (
    b"get_episode_settings", b"get_vehicle_light_states", b"get_weather_parameters",
    b"apply_batch", b"tick_cue",
)  # fmt: skip


class CannedDispatcher(RpcDispatcher):
    """Answers the calls of a tick by what it has answered before."""

    def __init__(self, server: CarlaServer, handlers: dict) -> None:  # type: ignore[type-arg]
        super().__init__(PROTOCOLS[NEWEST], handlers)
        self._streams = server.world.streams
        self._real_send = self._streams.send
        self._snapshots: list[bytearray] = []
        self._answers: dict[bytes, bytes] = {}
        self._frame, self._elapsed_s = 0, 0.0
        self._streams.send = self._record  # type: ignore[method-assign]

    def _record(self, stream_id, message, wait_s=None):  # type: ignore[no-untyped-def]
        if stream_id == WORLD_STREAM:
            self._snapshots.append(bytearray(b"".join(message)))
        return self._real_send(stream_id, message, wait_s)

    def answer(self, message: bytes) -> bytes:
        """Return a recorded answer where there is one."""
        head = HEAD.match(message)
        name = head[2] if head is not None else b""
        if head is None or name not in REPEATED:
            return super().answer(message)
        if len(self._snapshots) < RECORDED:
            answer = super().answer(message)
            self._answers[name] = answer[2 + len(head[1]) :]
            return answer
        if name == b"tick_cue":
            return b"\x94\x01" + head[1] + b"\xc0\x91\x92\x01\xce" + self._tick().to_bytes(4, "big")
        return b"\x94\x01" + head[1] + self._answers[name]

    def _tick(self) -> int:
        if not self._frame:
            self._frame, self._elapsed_s = FRAME.unpack_from(self._snapshots[-1], 8)
        self._frame += 1
        self._elapsed_s += 0.05
        snapshot = self._snapshots[self._frame % RECORDED]
        FRAME.pack_into(snapshot, 8, self._frame, self._elapsed_s)
        self._real_send(WORLD_STREAM, [bytes(snapshot)], 1.0)
        return self._frame


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--town", default="")
    flags = parser.parse_args()
    engine = Engine(build_town(flags.town) if flags.town else build_town())
    server = CarlaServer(Sockets("127.0.0.1", flags.port), engine)
    bound = server._bind
    from sim.carla_server.handlers.registry import HANDLERS

    dispatcher = CannedDispatcher(server, {name: bound(name) for name in HANDLERS})
    server._loop.start()
    server._sockets.rpc.start(dispatcher, server.world.forget_client)
    sys.stdout.write(f"ready 127.0.0.1:{server.port} (canned)\n")
    sys.stdout.flush()
    while True:
        time.sleep(1.0)


if __name__ == "__main__":
    main()
