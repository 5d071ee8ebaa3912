"""What the last look at a camera's picture is still worth when tracks are carried to now (sans-IO).

A picture in which nothing changed needs no new look: what was found in it still holds (trigger
frames and the active cache of Chen et al., Glimpse, SenSys 2015). One that changed is worth what
tracks without a model are, whatever was known before.
"""

import math

from msgspec import Struct

# Of the picture: as much as makes an old look worth no more than bare tracks. One frame of a drive
# at 9 m/s and 15 Hz changes 0.04 to 0.26, people who cross before a red light 0.01 to 0.05; raising
# it sends less while waiting and loses them (docs/scheduling/placement.md).
CHANGE_REF = 0.01
STILL_TAU_NS = 25_000_000_000  # of a look at a still scene; more looks at red lights less often
SETTLED = 4  # looks at a scene before its tracks are trusted


class Look(Struct, frozen=True):
    """A model's answer for a frame.

    Attributes:
        stamp_ns: When the picture was taken.
        accuracy: Expected F1 of the model on the picture as it saw it.
    """

    stamp_ns: int
    accuracy: float


def carried_worth(look: Look | None, stamp_ns: int, change: float, bare: float) -> float:
    """Expected F1 of tracks carried to a frame.

    The look's own F1, less with its age, and weighed against that of bare tracks by the square of
    how much of the picture has changed since it: a little is noise, leaves and shadows.

    Args:
        look: The newest at this camera; None before the first.
        stamp_ns: Of the frame.
        change: Of the picture since the look, 0..1; 1.0 = unknown.
        bare: Expected F1 of tracks in a scene that moves as usual.
    """
    if look is None or change >= CHANGE_REF:
        return bare
    kept = look.accuracy * math.exp((look.stamp_ns - stamp_ns) / STILL_TAU_NS)
    share = (max(0.0, change) / CHANGE_REF) ** 2
    return max(bare, kept + share * (bare - kept))


class Looks:
    """The newest look at each camera's pictures."""

    def __init__(self, bare: float) -> None:
        self._bare = bare
        self._newest: dict[str, Look] = {}
        self._count: dict[str, int] = {}  # of looks since the scene moved

    def add(self, camera_id: str, look: Look) -> None:
        """A model answered; a look at an older picture than the newest changes nothing."""
        known = self._newest.get(camera_id)
        if known is None or look.stamp_ns >= known.stamp_ns:
            self._newest[camera_id] = look
            self._count[camera_id] = self._count.get(camera_id, 0) + 1

    def worth(self, camera_id: str, stamp_ns: int, change: float) -> float:
        """Expected F1 of carrying; see `carried_worth`.

        It takes some looks at a still scene until its tracks are as good as the model.
        """
        if change >= CHANGE_REF:
            self._count[camera_id] = 0
        if self._count.get(camera_id, 0) < SETTLED:
            return self._bare
        return carried_worth(self._newest.get(camera_id), stamp_ns, change, self._bare)
