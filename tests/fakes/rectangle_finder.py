"""A detector that finds rectangles of one colour; it counts how often it was asked."""

import numpy as np

from vehicle.perception.detections import Detections

COLOURS = {0: (200, 40, 40), 5: (40, 40, 200)}  # BGR of a car, and of a pedestrian


class RectangleFinder:
    """At most one rectangle of each class in a picture; exact boxes, score 0.9."""

    asked = 0

    def __init__(self, spec, threads=1):
        self.name = spec.name
        self.stages_ns = {"pre": 0, "infer": 0, "post": 0}

    def detect(self, frame):
        type(self).asked += 1
        boxes, classes = [], []
        for class_id, colour in COLOURS.items():
            near = np.abs(frame.astype(int) - np.array(colour)).max(axis=2) < 60
            if near.sum() > 20:
                rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
                boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
                classes.append(class_id)
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.full(len(boxes), 0.9, np.float32),
            np.array(classes, np.int16),
        )
