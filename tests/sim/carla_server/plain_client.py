"""A client that speaks RPC and streaming and nothing else, for tests of the server."""

import contextlib
import socket
import struct

import msgspec

from sim.carla_server.layouts import ACTOR_RECORD, MESSAGE_HEADER, SNAPSHOT_HEADER

RECORD_SIZE = 119  # bytes of an actor in a snapshot


class Caller:
    """One RPC connection."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._sent = 0

    def __call__(self, name, *arguments):
        self._sent += 1
        self._socket.sendall(msgspec.msgpack.encode([0, self._sent, name, [[False], *arguments]]))
        data = b""
        while True:
            part = self._socket.recv(1 << 20)
            assert part, f"the server hung up on {name}"
            data += part
            with contextlib.suppress(msgspec.DecodeError):
                _, message_id, error, result = msgspec.msgpack.decode(data)
                assert message_id == self._sent
                return error, result

    def value(self, name, *arguments):
        error, result = self(name, *arguments)
        assert error is None and result[0][0] == 1, (name, error, result)
        return result[0][1]

    def void(self, name, *arguments):
        assert self(name, *arguments) == (None, [[False]])

    def failure(self, name, *arguments):
        error, result = self(name, *arguments)
        assert error is None and result[0][0] in (0, True)
        return result[0][1][0]

    def settings(self, is_synchronous, delta_s=None):
        fixed = [False] if delta_s is None else [True, delta_s]
        return self.value("set_episode_settings", [is_synchronous, False, fixed])

    def close(self):
        self._socket.close()


class Subscriber:
    """One stream."""

    def __init__(self, caller, stream_id):
        (token,) = caller.value("get_sensor_token", stream_id)
        _, port = struct.unpack_from("<IH", token)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.sendall(struct.pack("<I", stream_id))

    def receive(self):
        (size,) = struct.unpack("<I", self._exactly(4))
        return self._exactly(size)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            assert part, "the server closed a stream"
            data += part
        return data

    def close(self):
        self.socket.close()


class Snapshot:
    def __init__(self, message):
        header = MESSAGE_HEADER.unpack_from(message)
        self.type, self.frame, self.elapsed_s = header[:3]
        at = MESSAGE_HEADER.size
        self.episode, _, self.delta_s, *_, self.state = SNAPSHOT_HEADER.unpack_from(message, at)
        body = message[at + SNAPSHOT_HEADER.size :]
        assert len(body) % RECORD_SIZE == 0
        records = [body[i : i + RECORD_SIZE] for i in range(0, len(body), RECORD_SIZE)]
        self.records = {ACTOR_RECORD.unpack_from(record)[0]: record for record in records}

    def pose(self, actor_id):
        return ACTOR_RECORD.unpack_from(self.records[actor_id])[2:8]


def description(call, blueprint, **attributes):
    definitions = {d[1]: d for d in call.value("get_actor_definitions")}
    uid, name, _, defaults = definitions[blueprint]
    values = {a[0]: (a[1], a[2]) for a in defaults}
    values |= {name: (4, value) for name, value in attributes.items()}
    return [uid, name, [[key, *value] for key, value in values.items()]]


def spawn_point(call, index=0):
    return call.value("get_map_info")[1][index]
