"""What a look at a frame brought, wherever it happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vehicle.perception.detections import Detections


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Detections in pixels of the frame, and the results of asked heads, by name."""

    detections: Detections
    heads: Mapping[str, bytes] = field(default_factory=dict)
