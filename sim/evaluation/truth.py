"""The truth of one camera's picture as arrays, which scores take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class TruthFrame:
    """The true boxes of one picture.

    Attributes:
        actor_id: (M,) int64, unique within the picture.
        class_id: (M,) int16.
        xyxy: (M, 4) float32 pixels.
        visibility: (M,) float32, 0..1.
    """

    tick: int
    sim_ns: int
    actor_id: NDArray[np.int64]
    class_id: NDArray[np.int16]
    xyxy: NDArray[np.float32]
    visibility: NDArray[np.float32]
