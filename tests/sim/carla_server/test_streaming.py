import socket
import struct
import threading
import time

import pytest

from sim.carla_server.layouts import TOKEN
from sim.carla_server.streaming import StreamServer

WAIT_S = 5.0


@pytest.fixture
def streams():
    server = StreamServer("127.0.0.1", 0)
    yield server
    server.close()


def subscribe(streams, stream_id):
    streams.expect(stream_id)
    client = socket.create_connection(("127.0.0.1", streams.port), timeout=WAIT_S)
    client.sendall(struct.pack("<I", stream_id))
    streams.wait_for_subscribers()
    return client


def receive(client):
    def exactly(count):
        data = b""
        while len(data) < count:
            part = client.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    return exactly(struct.unpack("<I", exactly(4))[0])


def until(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.001)


def is_sent_away(client):
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_token_names_stream_and_port(streams):
    stream_id, port, protocol, kind, _ = TOKEN.unpack(streams.token(9))
    assert (stream_id, port, protocol, kind) == (9, streams.port, 1, 0)


def test_message_reaches_every_subscriber_of_its_stream_only(streams):
    first, second, other = (subscribe(streams, i) for i in (5, 5, 6))
    streams.send(5, [b"head", memoryview(b"body")], WAIT_S)
    streams.send(6, [b"else"], WAIT_S)
    assert receive(first) == receive(second) == b"headbody"
    assert receive(other) == b"else"
    for client in (first, second, other):
        client.close()


def test_large_message_arrives_whole_without_waiting(streams):
    client = subscribe(streams, 5)
    body = bytes(range(256)) * 60_000  # 15 MB, more than any socket buffer
    streams.send(5, [body])
    assert receive(client) == body
    client.close()


def test_stalled_reader_costs_messages_not_the_world(streams):
    stalled, reading = subscribe(streams, 5), subscribe(streams, 5)
    body = bytes(32 << 20)
    got = []
    thread = threading.Thread(target=lambda: got.extend(receive(reading)[:1] for _ in range(3)))
    thread.start()
    for _ in range(3):
        streams.send(5, [body])
        until(lambda: not streams._sessions[5][1].has_rest)
    thread.join(WAIT_S)
    assert got == [b"\0"] * 3
    assert streams._sessions[5][0].dropped == 2
    assert len(receive(stalled)) == len(body)  # the one under way is whole
    stalled.close()
    reading.close()


def test_synchronous_wait_ends_and_is_not_repeated_until_the_reader_catches_up(streams):
    client = subscribe(streams, 5)
    body = bytes(32 << 20)
    assert streams.send(5, [body], 60.0) < 30.0  # nothing waited before it: it is queued
    streams.send(5, [b"lost"], 0.05)
    session = streams._sessions[5][0]
    assert session.is_stalled and session.dropped == 1
    streams.send(5, [b"lost"], 60.0)  # would hang the test if it waited
    assert session.dropped == 2
    assert receive(client) == body
    until(lambda: not session.has_rest)
    streams.send(5, [b"next"], 1.0)
    assert receive(client) == b"next"
    assert not session.is_stalled
    client.close()


def test_in_synchronous_mode_a_reader_in_arrears_loses_nothing_that_fits_its_queue(streams):
    client = subscribe(streams, 5)
    bodies = [bytes([number]) * (2 << 20) for number in range(6)]
    for body in bodies:
        streams.send(5, [body], 0.0)
    assert [receive(client) for _ in bodies] == bodies
    assert streams._sessions[5][0].dropped == 0
    client.close()


def test_quick_reader_is_served_before_a_slow_one_is_waited_for(streams):
    slow, quick = subscribe(streams, 5), subscribe(streams, 5)
    streams.send(5, [bytes(32 << 20)], 0.0)
    got = []
    thread = threading.Thread(target=lambda: got.extend([receive(quick)[:1], receive(quick)]))
    thread.start()
    until(lambda: not streams._sessions[5][1].has_rest)
    sender = threading.Thread(target=lambda: streams.send(5, [b"news"], 60.0))
    sender.start()
    thread.join(WAIT_S)  # while the slow one is still being waited for
    assert got == [b"\0", b"news"] and sender.is_alive()
    slow.close()
    sender.join(WAIT_S)
    assert not sender.is_alive()
    quick.close()


def test_babbling_and_mute_connections_give_way(streams):
    streams._allowed = 3
    mute = [socket.create_connection(("127.0.0.1", streams.port), timeout=WAIT_S) for _ in range(3)]
    until(lambda: len(streams) == 3)
    client = subscribe(streams, 5)
    assert is_sent_away(mute[0])  # the oldest went
    babbler = socket.create_connection(("127.0.0.1", streams.port), timeout=WAIT_S)
    babbler.sendall(b"GET / HTTP/1.1")
    assert is_sent_away(babbler)
    streams.is_alive = lambda stream_id: False  # its sensor has gone: it may be sent away too
    others = [subscribe(streams, 6) for _ in range(3)]
    assert is_sent_away(client)
    streams.is_alive = lambda stream_id: True
    refused = socket.create_connection(("127.0.0.1", streams.port), timeout=WAIT_S)
    assert is_sent_away(refused)
    for one in (*mute, *others, client, babbler, refused):
        one.close()


def test_gone_subscriber_is_forgotten(streams):
    client = subscribe(streams, 5)
    assert streams.has_subscribers(5)
    client.close()
    until(lambda: not streams.has_subscribers(5))
    streams.send(5, [b"nobody"], 1.0)


def test_expected_subscriber_that_never_comes_is_given_up(streams):
    streams.expect(5)
    streams._pending[5] = time.monotonic() + 0.02
    streams.wait_for_subscribers()
    assert not streams._pending
    streams.expect(5)
    assert not streams._pending  # once let down, never waited for again


def test_sending_on_while_the_server_ends_is_no_failure(streams):
    client = subscribe(streams, 5)
    streams.send(5, [bytes(32 << 20)])  # under way when the end comes
    streams.close()
    streams.send(5, [b"too late"])
    client.close()
