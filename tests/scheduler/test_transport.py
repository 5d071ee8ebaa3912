import socket
import stat
from pathlib import Path

import pytest
import zmq

from scheduler import transport, wire
from scheduler.errors import PortInUseError

from .sockets import keeping_context

WAIT_MS = 2000


@pytest.fixture
def context():
    with keeping_context() as made:
        yield made


def tcp_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(params=["tcp", "ipc"])
def address(request, tmp_path):
    return tcp_address() if request.param == "tcp" else f"ipc://{tmp_path}/s"


def test_dealer_and_router_talk(context, address):
    router = transport.bind_router(context, address, None)
    dealer = transport.connect_dealer(context, address, None, None)
    assert dealer.poll(WAIT_MS, zmq.POLLOUT)
    assert transport.send(dealer, [b"a", b"b"])
    assert router.poll(WAIT_MS)
    peer, *parts = transport.receive(router)
    assert parts == [b"a", b"b"]
    assert transport.send(router, [peer, b"c"])
    assert dealer.poll(WAIT_MS)
    assert transport.receive(dealer) == [b"c"]
    assert transport.receive(dealer) is None


def test_nothing_is_queued_for_a_peer_that_is_away(context, address):
    dealer = transport.connect_dealer(context, address, None, None)
    assert not transport.send(dealer, [b"old"])
    router = transport.bind_router(context, address, None)
    assert dealer.poll(WAIT_MS, zmq.POLLOUT)
    assert transport.send(dealer, [b"new"])
    assert router.poll(WAIT_MS)
    assert transport.receive(router)[1:] == [b"new"]


def test_answer_to_a_peer_that_left_is_said_to_be_undeliverable(context, address):
    router = transport.bind_router(context, address, None)
    assert not transport.send(router, [b"nobody", b"x"])


def test_message_over_the_limit_is_dropped_and_the_next_passes(context, address):
    router = transport.bind_router(context, address, None)
    dealer = transport.connect_dealer(context, address, None, None)
    assert dealer.poll(WAIT_MS, zmq.POLLOUT)
    assert transport.send(dealer, [bytes(wire.MAX_OFFLOAD_BYTES + 1)])
    assert not router.poll(200)
    fresh = transport.connect_dealer(context, address, None, None)
    assert fresh.poll(WAIT_MS, zmq.POLLOUT)
    assert transport.send(fresh, [bytes(wire.MAX_OFFLOAD_BYTES)])
    assert router.poll(WAIT_MS)


def test_slow_peer_costs_the_newest_message_not_time(context):
    address = tcp_address()
    dealer = transport.connect_dealer(context, address, None, None)
    with socket.socket() as silent:  # completes TCP's handshake and nothing more
        host, port = address.removeprefix("tcp://").split(":")
        silent.bind((host, int(port)))
        silent.listen()
        assert not dealer.poll(300, zmq.POLLOUT)
        assert not transport.send(dealer, [bytes(1000)])


def test_publisher_reaches_subscribers_by_topic(context, address):
    publisher = transport.bind_publisher(context, address, None)
    subscriber = transport.connect_subscriber(context, [address], ["pose/"])
    for _ in range(100):
        transport.send(publisher, [b"frame/ego", b"no"])
        transport.send(publisher, [b"pose/ego", b"yes"])
        if subscriber.poll(20):
            break
    assert transport.receive(subscriber) == [b"pose/ego", b"yes"]


def test_taken_port_says_what_to_change(context):
    address = tcp_address()
    transport.bind_router(context, address, None)
    with pytest.raises(PortInUseError, match=r"bind\.port"):
        transport.bind_router(context, address, None)


def test_address_of_another_machine_is_one_clear_line(context):
    with pytest.raises(PortInUseError, match="cannot listen"):
        transport.bind_router(context, "tcp://192.0.2.1:5999", None)


def test_unix_socket_is_ours_alone(context, tmp_path):
    transport.bind_publisher(context, f"ipc://{tmp_path}/p", None)
    assert stat.S_IMODE(Path(tmp_path, "p").stat().st_mode) == 0o600


def test_frame_limit_holds_a_picture_of_four_bytes_a_pixel():
    assert transport.frame_limit(640, 384) > 640 * 384 * 4
