"""What became of what came to a roadside unit."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """What became of what came.

    `received` = ok + rejected + late + bad + dropped + what waits or is in work.
    """

    received: int = 0  # requests of a bound session
    ok: int = 0
    rejected: int = 0
    late: int = 0  # not in time for inference, or replaced by a newer frame
    bad: int = 0  # the picture or the inference failed
    dropped: int = 0  # waited when their vehicle left
    malformed: int = 0  # messages that are not of the protocol
    aliens: int = 0  # a vehicle id that is not of this key
    unbound: int = 0  # of no session that is open here
    muted: int = 0  # dropped unread from a peer that sent too much rubbish
    undeliverable: int = 0  # answers to a vehicle that had gone
    copies: int = 0  # of a request that came over another radio; not among `received`
    beacons: int = 0
