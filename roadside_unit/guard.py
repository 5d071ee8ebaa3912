"""What a roadside unit checks before it trusts a request, and whom it stops listening to."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from scheduler import wire
from scheduler.errors import WireError
from scheduler.offload_messages import Request
from vehicle.perception.jpeg import jpeg_size

BAD_PER_S = 20  # malformed messages of one peer; more is no accident
MUTED_NS = 10_000_000_000
WINDOW_NS = 1_000_000_000
MOST_PEERS = 1024  # remembered; the one that was bad longest ago is forgotten


MAX_FEATURES_BYTES = 65_536  # a learned bottleneck needs a few thousand


def check_payload(request: Request, payload: Sequence[bytes], *, is_sealed: bool = False) -> bytes:
    """The picture or the features of a request, if they are what the header says.

    `is_sealed`: it came over CURVE, so that a checksum may be left out.

    Raises:
        WireError: not one part, another size or checksum; a picture that is not a baseline JPEG or
            states other sides than the header; more features than a model makes.
    """
    if len(payload) != 1:
        raise WireError(f"expected one payload, got {len(payload)} parts")
    data = payload[0]
    if len(data) != request.size:
        raise WireError(f"expected {request.size} bytes of payload, got {len(data)}")
    if (request.crc32 or not is_sealed) and wire.crc32(data) != request.crc32:
        raise WireError("the payload's checksum is wrong")
    if request.payload_kind == "jpeg":
        _check_sides(request, data)
    elif len(data) > MAX_FEATURES_BYTES:
        raise WireError(f"expected at most {MAX_FEATURES_BYTES} bytes of features, got {len(data)}")
    return data


def _check_sides(request: Request, jpeg: bytes) -> None:
    width, height = jpeg_size(jpeg)
    if (width, height) != (request.width, request.height):
        raise WireError(
            f"expected {request.width} x {request.height} by the header, "
            f"the picture has {width} x {height}"
        )


@dataclass(slots=True)
class _Record:
    window_ns: int  # its start
    count: int = 0
    muted_until_ns: int = 0


class BadPeers:
    """Counts malformed messages by peer and mutes those who send too many."""

    def __init__(self) -> None:
        self._records: OrderedDict[bytes, _Record] = OrderedDict()

    def is_muted(self, peer: bytes, now_ns: int) -> bool:
        """Whether to drop what comes from this peer unread."""
        record = self._records.get(peer)
        return record is not None and now_ns < record.muted_until_ns

    def blame(self, peer: bytes, now_ns: int) -> bool:
        """Count one malformed message; True when the peer is muted for it."""
        record = self._records.setdefault(peer, _Record(now_ns))
        self._records.move_to_end(peer)
        if len(self._records) > MOST_PEERS:
            self._records.popitem(last=False)
        if now_ns - record.window_ns >= WINDOW_NS:
            record.window_ns, record.count = now_ns, 0
        record.count += 1
        if record.count <= BAD_PER_S:
            return False
        record.muted_until_ns = now_ns + MUTED_NS
        return True
