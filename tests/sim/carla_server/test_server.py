import socket
import subprocess
import sys
import time

import msgspec
import pytest

from .conftest import ENVIRONMENT


class Caller:
    """A client of RPC alone."""

    def __init__(self, server):
        self._socket = socket.create_connection((server.host, server.port), timeout=10)
        self._next = 0

    def __call__(self, name, *arguments):
        self._next += 1
        self._socket.sendall(msgspec.msgpack.encode([0, self._next, name, [[False], *arguments]]))
        data = b""
        while True:
            data += self._socket.recv(1 << 20)
            try:
                _, message_id, error, result = msgspec.msgpack.decode(data)
            except msgspec.DecodeError:
                continue
            assert message_id == self._next
            return error, result

    def value(self, name, *arguments):
        error, result = self(name, *arguments)
        assert error is None and result[0][0] == 1, (name, error, result)
        return result[0][1]

    def close(self):
        self._socket.close()
