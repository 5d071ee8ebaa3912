"""Traffic signs as a town holds them: stop, give way and speed limits, with where they apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sim.engine.geometry import Pose
from sim.engine.lanes import LaneId

SignKind = Literal["stop", "yield", "speed_limit"]
TRIGGER_EXTENT = (1.5, 1.6, 1.0)  # m, half sizes of the box in which a vehicle is at a sign


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign.

    Attributes:
        signal_id: id of its OpenDRIVE signal, CARLA's `sign_id`.
        kind: which.
        value: km/h of a speed limit, else 0.
        pose: foot of its pole; x looks at the arriving drivers.
        lanes: the lanes it governs.
        trigger: middle of the box that a vehicle enters when it comes to the sign, on the lane.
    """

    signal_id: str
    kind: SignKind
    value: int
    pose: Pose
    lanes: tuple[LaneId, ...]
    trigger: Pose

    @property
    def blueprint_id(self) -> str:
        """CARLA's id of its actor, for example `traffic.speed_limit.30`."""
        if self.kind == "speed_limit":
            return f"traffic.speed_limit.{self.value}"
        return f"traffic.{self.kind}"

    @property
    def opendrive_type(self) -> str:
        """Its number in the catalogue that CARLA reads."""
        return {"stop": "206", "yield": "205", "speed_limit": "274"}[self.kind]
