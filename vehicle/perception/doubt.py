"""How unsure a detector is of a frame: what early escalation goes by.

After Teerapittayanon et al., Distributed Deep Neural Networks over the Cloud, the Edge and End
Devices, ICDCS 2017: there the entropy of the one classification, here that of all boxes together.
"""

import math

from vehicle.perception.detections import Detections

LEAST_DOUBT = 1e-6  # of a score, against the logarithm of nothing


def doubt(detections: Detections) -> float:
    """Entropy of the boxes' scores in bits, summed: the number of boxes that may or may not be.

    0 of an empty frame and of boxes with score 1; a box with score 0.5 counts 1.
    """
    bits = 0.0
    for score in detections.score.tolist():  # by `math`: the same on every CPU, it decides
        p = min(1.0 - LEAST_DOUBT, max(LEAST_DOUBT, score))
        bits -= p * math.log2(p) + (1.0 - p) * math.log2(1.0 - p)
    return bits
