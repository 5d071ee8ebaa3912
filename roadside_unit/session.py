"""Who speaks: binds a vehicle's two sockets to one session, and a session to the vehicle's key."""

from dataclasses import dataclass

from scheduler.offload_messages import Hello
from scheduler.security import Site

IDLE_NS = 30_000_000_000  # after that a vehicle that said nothing has left
MOST_PATHS = 4  # of one vehicle
REPLACED_KEPT = 32  # old sessions of a vehicle whose late hello must not win


@dataclass(slots=True)
class Session:
    """One opened link of one vehicle; `path` names its radio where the vehicle has several."""

    vehicle_id: str
    session: int
    heard_ns: int
    path: str = ""
    control: bytes | None = None  # the connection that results go to
    has_frames: bool = False
    wants_beacons: bool = False

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
    """The newest session of each path of each vehicle; most have one path."""

    def __init__(self) -> None:
        self._by_vehicle: dict[str, dict[str, Session]] = {}  # vehicle -> path -> session
        self._replaced: dict[str, list[int]] = {}  # of all paths of a vehicle

    def hello(self, hello: Hello, connection: bytes, now_ns: int) -> tuple[Session | None, bool]:
        """Bind one socket.

        Returns:
            The session, None when a newer one has taken its place or the vehicle has too many
            paths; whether it is a new one.
        """
        paths = self._by_vehicle.get(hello.vehicle_id, {})
        known = paths.get(hello.path)
        if known is None and len(paths) >= MOST_PATHS:
            return None, False
        replaced = self._replaced.setdefault(hello.vehicle_id, [])
        if hello.session in replaced:
            return None, False
        is_new = known is None or known.session != hello.session
        if known is None or is_new:
            if known is not None:
                replaced.append(known.session)
                del replaced[:-REPLACED_KEPT]
            known = Session(hello.vehicle_id, hello.session, now_ns, hello.path)
            self._by_vehicle.setdefault(hello.vehicle_id, {})[hello.path] = known
        known.heard_ns = now_ns
        known.wants_beacons = hello.wants_beacons
        if hello.channel == "control":
            known.control = connection
        else:
            known.has_frames = True
        return known, is_new

    def find(self, vehicle_id: str, session: int, now_ns: int | None = None) -> Session | None:
        """The vehicle's session, if it is still open; `now_ns`: it was heard just now."""
        for known in self._by_vehicle.get(vehicle_id, {}).values():
            if known.session == session:
                if now_ns is not None:
                    known.heard_ns = now_ns
                return known
        return None

    def leave(self, vehicle_id: str, session: int) -> bool:
        """Forget a session; False when it was not the vehicle's."""
        known = self.find(vehicle_id, session)
        if known is None:
            return False
        self._forget(known)
        return True

    def expire(self, now_ns: int) -> list[str]:
        """Forget what has been silent for `IDLE_NS`; the vehicles of which nothing is left."""
        silent = [known for known in self.all() if now_ns - known.heard_ns > IDLE_NS]
        for known in silent:
            self._forget(known)
        return sorted({s.vehicle_id for s in silent if s.vehicle_id not in self._by_vehicle})

    def all(self) -> list[Session]:
        """Every open session."""
        return [known for paths in self._by_vehicle.values() for known in paths.values()]

    def vehicles(self) -> list[str]:
        """Who is here, however many paths it has."""
        return sorted(self._by_vehicle)

    def paths(self, vehicle_id: str) -> int:
        """How many a vehicle has."""
        return len(self._by_vehicle.get(vehicle_id, {}))

    def _forget(self, known: Session) -> None:
        paths = self._by_vehicle[known.vehicle_id]
        del paths[known.path]
        if not paths:
            del self._by_vehicle[known.vehicle_id]
