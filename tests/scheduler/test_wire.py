import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler import messages, offload_messages, wire
from scheduler.errors import WireError
from scheduler.messages import VERSION, LinkRow
from scheduler.offload_messages import Hello, Ping, Request, Result

REQUEST = Request(
    VERSION, "veh-007", 12345, 99, "front", 1234, 123_400_000_000, "object_detection", "large",
    12_000, 80_000, 640, 384, 1.0, 40_000, 123_456_789,
)  # fmt: skip
names = st.from_regex(r"[A-Za-z0-9_.\-]{1,64}", fullmatch=True)
u63 = st.integers(0, 2**63 - 1)


@settings(deadline=None)  # examples are small, but the machine may be busy
@given(names, u63, u63)
def test_what_was_packed_is_unpacked(vehicle_id, session, number):
    ping = Ping(VERSION, vehicle_id, session, number)
    message, payload = wire.unpack(wire.pack(ping, b"a", b""), Hello, Ping)
    assert message == ping
    assert payload == [b"a", b""]


def test_record_is_a_map_that_other_languages_read():
    row = LinkRow(VERSION, "ego", "rsu", 1.0, 0, 5e6, 1.0, 0.0, 5e6, 1.0, 0.0, 20.0, "LOS", 0, 0)
    assert msgspec.msgpack.decode(wire.encode(row))["up_bps"] == 5e6
    assert wire.decode(LinkRow, wire.encode(row)) == row


def test_request_header_is_small():
    assert len(wire.encode(REQUEST)) < 120


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (1, ""),
        (1, "v" * 65),
        (1, "../etc"),
        (2, -1),
        (3, 2**63),
        (3, 1.5),
        (9, "soon"),
        (10, 3_600_000_001),
        (11, 8),
        (12, 100_000),
        (13, float("nan")),
        (13, 0.0),
        (14, 600_001),
        (15, 2**32),
    ],
)
def test_field_out_of_bounds_is_refused(index, value):
    fields = list(msgspec.to_builtins(REQUEST))
    fields[index] = value
    with pytest.raises(WireError, match="expected a Request header"):
        wire.decode(Request, msgspec.msgpack.encode(fields))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\x91" * 1000,  # deep nesting
        b"\xdd\xff\xff\xff\xff",  # an array of 4 G
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\x94\x01\xa3\xff\xfe\xfd\x07\xa7control",  # not UTF-8
        wire.encode(Hello(VERSION, "ego", 1, "control")) + b"x",
        msgspec.msgpack.encode([VERSION, "ego", 1, "sideways"]),
        msgspec.msgpack.encode([VERSION, "ego"]),
    ],
)
def test_hostile_header_is_one_error_of_ours(header):
    with pytest.raises(WireError):
        wire.decode(Hello, header)


def test_other_version_says_what_to_do():
    header = msgspec.msgpack.encode([VERSION + 1, "ego", 1, "control"])
    with pytest.raises(WireError, match="install the same vdap"):
        wire.decode(Hello, header)


@pytest.mark.parametrize("parts", [[], [b"HELLO"]])
def test_too_few_parts(parts):
    with pytest.raises(WireError, match="part"):
        wire.unpack(parts, Hello)


def test_kind_that_is_not_expected_here():
    with pytest.raises(WireError, match="expected one of HELLO, PING"):
        wire.unpack([b"X" * 10_000, b"\x90"], Hello, Ping)


def test_oversized_header_is_not_decoded():
    with pytest.raises(WireError, match="4096 bytes of header"):
        wire.unpack([b"HELLO", bytes(wire.MAX_HEADER_BYTES + 1)], Hello)


def test_no_mutated_header_raises_anything_else():
    """22 % of mutations break the UTF-8, which msgspec does not raise as its own error."""
    dice = random.Random(1)
    good = wire.encode(REQUEST)
    refused = 0
    for _ in range(20_000):
        header = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            header[dice.randrange(len(header))] = dice.randrange(256)
        try:
            wire.decode(Request, bytes(header))
        except WireError:
            refused += 1
    assert refused > 5_000


@settings(deadline=None)  # examples are small, but the machine may be busy
@given(st.binary(max_size=80))
def test_random_bytes_are_never_more_than_a_wire_error(header):
    for kind in (Request, Hello, Result, messages.Frame, messages.Verdict):
        try:
            wire.decode(kind, header)
        except WireError:
            continue


def test_every_kind_is_known_by_its_own_name():
    kinds = [
        kind
        for kind in {**vars(messages), **vars(offload_messages)}.values()
        if isinstance(kind, type)
        and issubclass(kind, (messages.Message, messages.Record))
        and kind not in (messages.Message, messages.Record)
    ]
    assert len({kind.kind for kind in kinds}) == len(kinds) > 15
    assert all(next(iter(kind.__struct_fields__)) == "version" for kind in kinds)
