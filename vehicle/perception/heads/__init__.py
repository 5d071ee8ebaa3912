"""Further tasks on the detector's own features: one pass of the stem, several answers.

The stem (backbone and neck) is a trained rung's, frozen; each head is a few small convolutions on
it, trained on its own. After Jiang et al., Mainstream, USENIX ATC 2018.
"""

from vehicle.perception.heads.multi import HeadResults, MultiDetector, load_multi
from vehicle.perception.heads.results import HEADS, LightStates, PlateRegions, SurfaceMap

__all__ = [
    "HEADS",
    "HeadResults",
    "LightStates",
    "MultiDetector",
    "PlateRegions",
    "SurfaceMap",
    "load_multi",
]
