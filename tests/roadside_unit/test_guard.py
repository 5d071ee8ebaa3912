import struct

import cv2
import msgspec
import numpy as np
import pytest

from roadside_unit.guard import (
    BAD_PER_S,
    MAX_FEATURES_BYTES,
    MOST_PEERS,
    MUTED_NS,
    BadPeers,
    check_payload,
)
from scheduler import wire
from scheduler.errors import WireError
from scheduler.messages import VERSION
from scheduler.offload_messages import Request

cv2.setNumThreads(1)
S = 1_000_000_000


def picture(width=96, height=64, *flags):
    image = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", image, list(flags))[1].tobytes()


def request_for(jpeg, width=96, height=64, size=None, crc=None):
    return Request(
        VERSION, "ego", 7, 1, "front", 1, 0, "object_detection", "large", 0, 80_000,
        width, height, 1.0, size or len(jpeg), wire.crc32(jpeg) if crc is None else crc,
    )  # fmt: skip


def claims(jpeg, width, height):
    at = 2
    while jpeg[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def test_good_picture_passes():
    jpeg = picture()
    assert check_payload(request_for(jpeg), [jpeg]) == jpeg


@pytest.mark.parametrize(
    ("jpeg", "changes", "said"),
    [
        (picture(), {"size": 10}, "10 bytes"),
        (picture(), {"crc": 1}, "checksum"),
        (picture(), {"width": 128}, "128 x 64 by the header"),
        (claims(picture(), 30_000, 30_000), {}, "30000 x 30000"),
        (claims(picture(), 1900, 1000), {}, "1900 x 1000"),
        (picture(96, 64, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), {}, "baseline"),
        (b"\x89PNG" + bytes(200), {}, "start-of-image"),
        (b"\xff\xd8" + bytes(200), {}, "frame header"),
    ],
)
def test_picture_that_is_not_what_it_says_is_refused(jpeg, changes, said):
    with pytest.raises(WireError, match=said):
        check_payload(request_for(jpeg, **changes), [jpeg])


@pytest.mark.parametrize("payload", [[], [picture(), picture()]])
def test_exactly_one_picture(payload):
    with pytest.raises(WireError, match="expected one payload"):
        check_payload(request_for(picture()), payload)


def features_for(data, **changes):
    request = request_for(data, **changes)
    return msgspec.structs.replace(request, payload_kind="features")


def test_features_are_checked_by_size_and_checksum_and_are_no_picture():
    data = bytes(range(200)) * 5
    assert check_payload(features_for(data), [data]) == data
    with pytest.raises(WireError, match="7 bytes"):
        check_payload(features_for(data, size=7), [data])
    with pytest.raises(WireError, match="checksum"):
        check_payload(features_for(data, crc=1), [data])
    with pytest.raises(WireError, match="checksum"):
        check_payload(features_for(data, crc=0), [data])
    assert check_payload(features_for(data, crc=0), [data], is_sealed=True) == data
    with pytest.raises(WireError, match="checksum"):
        check_payload(features_for(data, crc=1), [data], is_sealed=True)
    huge = bytes(MAX_FEATURES_BYTES + 1)
    with pytest.raises(WireError, match="at most 65536 bytes of features"):
        check_payload(features_for(huge), [huge])


def test_peer_is_muted_after_twenty_bad_messages_in_a_second():
    peers = BadPeers()
    assert [peers.blame(b"k", 0) for _ in range(BAD_PER_S)] == [False] * BAD_PER_S
    assert not peers.is_muted(b"k", 0)
    assert peers.blame(b"k", S // 2)
    assert peers.is_muted(b"k", S // 2 + MUTED_NS - 1)
    assert not peers.is_muted(b"k", S // 2 + MUTED_NS)
    assert not peers.is_muted(b"other", S // 2)


def test_seldom_bad_messages_never_mute():
    peers = BadPeers()
    assert not any(peers.blame(b"k", index * S // 15) for index in range(200))


def test_memory_of_bad_peers_is_bounded():
    peers = BadPeers()
    for index in range(3 * MOST_PEERS):
        peers.blame(str(index).encode(), 0)
    assert len(peers._records) <= MOST_PEERS
