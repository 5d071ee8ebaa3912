"""What one vehicle has sent over one link and not yet seen through, in order of sending (sans-IO).

One connection carries it: what was sent first reaches the unit first, though answers may come in
another order.
"""

from collections.abc import Iterator

from scheduler.radio_map import Pose

BITS_PER_BYTE = 8.4  # 8, plus TCP/IP and CURVE headers
MESSAGE_BITS = 3_360.0  # headers and acknowledgements of one message, whatever its size


def bits_of(size_bytes: int) -> float:
    """What a message of this size costs the link."""
    return size_bytes * BITS_PER_BYTE + MESSAGE_BITS


class Sent:
    """A request on its way.

    Attributes:
        due_ns: When its answer must be here; 0 = its promise is not checked.
        unit_ns: Expected at the unit, without the queue.
        p_placed: What the placement promised; below 0: nothing.
        p_raw: What the link's belief about the rate promised at sending.
        expected_ns: Predicted median time on the link, both ways.
        took_ns: Time on the link, both ways; below 0 until it is answered.
        pose: Where it was sent, if somebody wants to know.
        was_fine: Nothing sent before it was lost or stuck, for all that was known.
    """

    __slots__ = (
        "at_ns", "bits", "due_ns", "expected_ns", "p_placed", "p_raw", "pose", "size",
        "took_ns", "unit_ns", "was_fine",
    )  # fmt: skip

    def __init__(
        self, at_ns: int, size_bytes: int, due_ns: int = 0, unit_ns: int = 0, p_placed: float = -1.0
    ) -> None:
        self.at_ns = at_ns
        self.size = size_bytes
        self.bits = bits_of(size_bytes)
        self.due_ns = due_ns
        self.unit_ns = unit_ns
        self.p_placed = p_placed
        self.p_raw = 0.0
        self.expected_ns = 0.0
        self.took_ns = -1
        self.pose: Pose | None = None
        self.was_fine = True


class InFlight:
    """Requests by number, and the sums that predictions need."""

    def __init__(self) -> None:
        self.bytes = 0  # sent and not yet answered
        self.bits = 0.0
        self._sent: dict[int, Sent] = {}

    def __len__(self) -> int:
        return len(self._sent)

    def __iter__(self) -> Iterator[Sent]:
        return iter(self._sent.values())

    def add(self, seq: int, sent: Sent) -> None:
        """One more on its way."""
        self._sent[seq] = sent
        self.bytes += sent.size
        self.bits += sent.bits

    def unanswered(self, seq: int) -> Sent | None:
        """The request of this number, if it waits for its answer."""
        sent = self._sent.get(seq)
        return sent if sent is not None and sent.took_ns < 0 else None

    def answer(self, sent: Sent, on_link_ns: int) -> None:
        """It was answered; it stays until those before it are."""
        sent.took_ns = on_link_ns
        self.bytes -= sent.size
        self.bits -= sent.bits

    def drop(self, seq: int) -> Sent | None:
        """Give one up that has no answer."""
        sent = self.unanswered(seq)
        if sent is not None:
            del self._sent[seq]
            self.bytes -= sent.size
            self.bits -= sent.bits
        return sent

    def clear(self) -> list[Sent]:
        """Give up all; those that had no answer."""
        lost = [sent for sent in self if sent.took_ns < 0]
        self._sent.clear()
        self.bytes, self.bits = 0, 0.0
        return lost

    def take_answered(self) -> Sent | None:
        """The next that is answered with all before it; None when there is none."""
        for seq, sent in self._sent.items():
            if sent.took_ns < 0:
                return None
            del self._sent[seq]
            return sent
        return None

    def oldest(self) -> Sent | None:
        """The first that waits for its answer."""
        for sent in self._sent.values():
            if sent.took_ns < 0:
                return sent
        return None

    def ahead(self) -> list[tuple[int, float]]:
        """What a new request waits behind: (when it was sent, bits from it on), oldest first.

        What was sent before an answered one has left the vehicle, though it has no answer itself.
        """
        waiting: list[Sent] = []
        for sent in self._sent.values():
            if sent.took_ns < 0:
                waiting.append(sent)
            else:
                waiting.clear()
        bits = 0.0
        result: list[tuple[int, float]] = []
        for sent in reversed(waiting):
            bits += sent.bits
            result.append((sent.at_ns, bits))
        result.reverse()
        return result
