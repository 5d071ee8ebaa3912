import errno
import logging
import socket

import msgspec
import pytest

from sim.carla_server.connections import RpcServer
from sim.carla_server.framing import FramingError
from sim.carla_server.protocol import PROTOCOLS
from sim.carla_server.rpc import RpcDispatcher, RpcFailure

PROTOCOL = PROTOCOLS["0.9.16"]


def dispatcher(**handlers):
    return RpcDispatcher(PROTOCOL, handlers)


def ask(rpc, name, *arguments, message_id=7):
    request = msgspec.msgpack.encode([0, message_id, name, [[False], *arguments]])
    return msgspec.msgpack.decode(rpc.answer(request))


def fail(arguments):
    raise RpcFailure("no such thing")


def crash(arguments):
    raise ZeroDivisionError


def test_value_is_wrapped():
    assert ask(dispatcher(version=lambda _: "0.9.16"), "version") == [1, 7, None, [[1, "0.9.16"]]]


def test_the_documented_bytes_of_a_version_call():
    rpc = dispatcher(version=lambda _: "0.9.16")
    answer = rpc.answer(b"\x94\x00\x01\xa7version\x91\x91\xc2")
    assert answer == b"\x94\x01\x01\xc0\x91\x92\x01\xa60.9.16"


def test_void_is_wrapped():
    rpc = dispatcher(set_actor_enable_gravity=lambda _: None)
    assert ask(rpc, "set_actor_enable_gravity", 3, True) == [1, 7, None, [[False]]]


def test_arguments_are_decoded_by_the_table_and_extra_ones_are_ignored():
    seen = []
    rpc = dispatcher(set_actor_location=seen.append)
    ask(rpc, "set_actor_location", 3, [1, 2.5, 3, "later version"], "more")
    ((actor_id, location),) = seen
    assert (actor_id, location.x, location.y, location.z) == (3, 1.0, 2.5, 3.0)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("destroy_actor", (1,), [[0, ["no such thing"]]]),
        ("set_actor_dead", (1,), [[True, ["no such thing"]]]),
    ],
)
def test_failure_keeps_the_real_shape(name, arguments, shape):
    assert ask(dispatcher(**{name: fail}), name, *arguments) == [1, 7, None, shape]


def test_unknown_call_is_named_in_the_error_slot_and_logged_once(caplog):
    rpc = dispatcher()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert ask(rpc, "fly_away") == [1, 7, "unknown RPC 'fly_away'", None]
    assert [r.getMessage() for r in caplog.records].count(
        "unknown RPC 'fly_away': answered with an error"
    ) == 1
    assert len(caplog.records) == 1


def test_known_call_without_its_thing_says_why():
    answer = ask(dispatcher(), "start_recorder", "log", False)
    assert answer[2] is None
    assert answer[3] == [[0, ["start_recorder is not available: this world has no recorder"]]]
    assert ask(dispatcher(), "stop_recorder")[3][0][0] is True


def test_wrong_arguments_and_broken_handlers_never_use_the_error_slot(caplog):
    wrong = ask(dispatcher(destroy_actor=lambda _: True), "destroy_actor", "seven")
    assert wrong[2] is None and wrong[3][0][0] == 0
    broken = ask(dispatcher(destroy_actor=crash), "destroy_actor", 7)
    assert broken[2] is None and "internal error" in broken[3][0][1][0]
    assert "ZeroDivisionError" in caplog.text


def test_what_is_no_request_is_refused():
    with pytest.raises(FramingError):
        dispatcher().answer(msgspec.msgpack.encode({"a": 1}))


def test_glued_and_split_calls_on_one_connection():
    server = RpcServer("127.0.0.1", 0)
    server.start(dispatcher(version=lambda _: "0.9.16"))
    call = msgspec.msgpack.encode([0, 1, "version", [[False]]])
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
            client.sendall(call + call + call[:5])
            client.sendall(call[5:])
            expected = 3 * msgspec.msgpack.encode([1, 1, None, [[1, "0.9.16"]]])
            got = b""
            while len(got) < len(expected):
                got += client.recv(4096)
            assert got == expected
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert stranger.recv(10) == b""
    finally:
        server.close()


class FullOnce:
    """A listener that has no descriptor left the first time."""

    def __init__(self, listener):
        self._listener = listener
        self._is_full = True

    def accept(self):
        if self._is_full:
            self._is_full = False
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listener.accept()

    def __getattr__(self, name):
        return getattr(self._listener, name)


def test_server_goes_on_after_a_client_that_could_not_connect(caplog):
    server = RpcServer("127.0.0.1", 0)
    server._listener = FullOnce(server._listener)
    server.start(dispatcher(version=lambda _: "0.9.16"))
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
            client.sendall(msgspec.msgpack.encode([0, 1, "version", [[False]]]))
            assert client.recv(4096)
        assert "Too many open files" in caplog.text
    finally:
        server.close()
