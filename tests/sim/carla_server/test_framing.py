import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.carla_server.framing import (
    FramingError,
    MessageReader,
    is_one_request,
    message_end,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.binary(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=3), inner, max_size=18)
    ),
    max_leaves=30,
)


@given(st.lists(VALUES, min_size=1, max_size=5), st.lists(st.integers(0, 400), max_size=6))
def test_messages_survive_any_cut_of_the_stream(values, cuts):
    stream = b"".join(msgspec.msgpack.encode(value) for value in values)
    reader, got, at = MessageReader(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        end = min(cut, len(stream))
        got += [msgspec.msgpack.decode(message) for message in reader.feed(stream[at:end])]
        at = max(at, end)
    assert got == values


@pytest.mark.parametrize(
    "value", ["x" * 300, "x" * 70_000, b"b" * 300, b"b" * 70_000, list(range(70_000)), -1.5]
)
def test_long_forms_are_measured(value):
    data = msgspec.msgpack.encode(value)
    assert message_end(data) == len(data)
    assert message_end(data[:-1]) is None


def test_extension_types_are_skipped():
    data = msgspec.msgpack.encode(msgspec.msgpack.Ext(5, b"abc")) + b"\xc0"
    assert message_end(data) == len(data) - 1


def test_reserved_byte_is_refused():
    with pytest.raises(FramingError, match="0xc1"):
        list(MessageReader().feed(b"\x92\xc1"))


def test_endless_message_is_refused():
    reader = MessageReader(max_message=100)
    with pytest.raises(FramingError, match="more than 100"):
        list(reader.feed(b"\xdd\xff\xff\xff\xff" + bytes(200)))


@given(VALUES, st.binary(max_size=3))
def test_what_is_seen_as_one_request_at_once_is_what_the_scan_finds(value, more):
    data = msgspec.msgpack.encode(value) + more
    if is_one_request(data):
        assert isinstance(value, list)
        assert message_end(data) == len(data)
    assert is_one_request(msgspec.msgpack.encode([value]))


def test_nesting_without_end_is_left_to_the_scan():
    assert not is_one_request(b"\x91" * 50_000 + b"\xc0")
