"""What a detector of the configuration is expected to find: F1 alone, and of a smaller picture."""

from __future__ import annotations

import math

from scheduler.config import Detector
from scheduler.placement import Size
from vehicle.perception.detector import DetectorSpec
from vehicle.perception.rungs import INPUT_SIZES

UNKNOWN_ACCURACY = 0.5  # of a model that neither the config nor a shipped rung tells of
UNKNOWN_SHRINK = 0.88  # of the F1 is left at half the sides; medium, as shipped


def accuracy_of(section: Detector) -> float:
    """Expected F1 alone: as declared, else as measured of the shipped rung at its input size."""
    if section.accuracy is not None:
        return section.accuracy
    figures = DetectorSpec.of(section).figures
    return figures.f1 if figures is not None else UNKNOWN_ACCURACY


def shrunk_accuracy(section: Detector, size: Size) -> float:
    """Expected F1 on pictures of this width and height, enlarged to the model's input.

    Of a shipped rung it is what was measured at that input size: enlarging adds nothing that the
    smaller picture has not. A declared accuracy falls by the same share.
    """
    spec = DetectorSpec.of(section)
    own = spec.input_size or INPUT_SIZES[0]
    share = math.sqrt(size[0] * size[1] / (own[0] * own[1]))
    if share >= 1.0:
        return accuracy_of(section)
    rung = spec.rung
    if rung is None:
        return accuracy_of(section) * math.pow(UNKNOWN_SHRINK, -math.log2(share))
    whole, small = rung.cell(own, spec.precision), rung.cell(size, spec.precision)
    return accuracy_of(section) * min(1.0, small.f1 / whole.f1)
