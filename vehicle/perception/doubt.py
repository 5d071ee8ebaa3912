"""How unsure a detector is of a frame: what early escalation goes by.

After Teerapittayanon et al., Distributed Deep Neural Networks over the Cloud, the Edge and End
Devices, ICDCS 2017: there the entropy of the one classification, here that of all boxes together.
"""

import numpy as np

from vehicle.perception.detections import Detections


def doubt(detections: Detections) -> float:
    """Entropy of the boxes' scores in bits, summed: the number of boxes that may or may not be.

    0 of an empty frame and of boxes with score 1; a box with score 0.5 counts 1.
    """
    p = np.clip(detections.score.astype(np.float64), 1e-6, 1.0 - 1e-6)
    return float(-(p * np.log2(p) + (1.0 - p) * np.log2(1.0 - p)).sum())
