"""Who speaks: binds a vehicle's two sockets to one session, and a session to the vehicle's key."""

from dataclasses import dataclass

from scheduler.offload_messages import Hello
from scheduler.security import Site

IDLE_NS = 30_000_000_000  # after that a vehicle that said nothing has left
REPLACED_KEPT = 8  # old sessions of a vehicle whose late hello must not win


@dataclass(slots=True)
class Session:
    """One opened link of one vehicle."""

    vehicle_id: str
    session: int
    heard_ns: int
    control: bytes | None = None  # the connection that results go to
    has_frames: bool = False

    @property
    def is_bound(self) -> bool:
        """Whether both sockets have said hello."""
        return self.control is not None and self.has_frames


def is_authorised(site: Site | None, key: bytes | None, vehicle_id: str) -> bool:
    """Whether the holder of this key may speak as this vehicle, by the allow-list as it is now.

    Args:
        site: The allow-list; None only without CURVE.
        key: The public key that the connection proved, z85.
        vehicle_id: Who the message says it is from.
    """
    if site is None:
        return True
    peer = site.by_key(key) if key is not None else None
    return peer is not None and peer.role == "vehicle" and peer.name == vehicle_id


class Sessions:
    """The newest session of each vehicle."""

    def __init__(self) -> None:
        self._by_vehicle: dict[str, Session] = {}
        self._replaced: dict[str, list[int]] = {}

    def hello(self, hello: Hello, connection: bytes, now_ns: int) -> tuple[Session | None, bool]:
        """Bind one socket.

        Returns:
            The session, None when a newer one has taken its place; whether it is a new one.
        """
        known = self._by_vehicle.get(hello.vehicle_id)
        replaced = self._replaced.setdefault(hello.vehicle_id, [])
        if hello.session in replaced:
            return None, False
        is_new = known is None or known.session != hello.session
        if known is None or is_new:
            if known is not None:
                replaced.append(known.session)
                del replaced[:-REPLACED_KEPT]
            known = Session(hello.vehicle_id, hello.session, now_ns)
            self._by_vehicle[hello.vehicle_id] = known
        known.heard_ns = now_ns
        if hello.channel == "control":
            known.control = connection
        else:
            known.has_frames = True
        return known, is_new

    def find(self, vehicle_id: str, session: int, now_ns: int | None = None) -> Session | None:
        """The vehicle's session, if it is still this one; `now_ns`: it was heard just now."""
        known = self._by_vehicle.get(vehicle_id)
        if known is None or known.session != session:
            return None
        if now_ns is not None:
            known.heard_ns = now_ns
        return known

    def leave(self, vehicle_id: str, session: int) -> bool:
        """Forget a session; False when it was not the vehicle's."""
        if self.find(vehicle_id, session) is None:
            return False
        del self._by_vehicle[vehicle_id]
        return True

    def expire(self, now_ns: int) -> list[str]:
        """Forget the vehicles that have been silent for `IDLE_NS`."""
        gone = [
            vehicle_id
            for vehicle_id, known in self._by_vehicle.items()
            if now_ns - known.heard_ns > IDLE_NS
        ]
        for vehicle_id in gone:
            del self._by_vehicle[vehicle_id]
        return gone

    def vehicles(self) -> list[str]:
        """Who is here."""
        return sorted(self._by_vehicle)
