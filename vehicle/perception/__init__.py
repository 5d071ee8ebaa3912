"""The model library: detectors, tracker, worker, scores, training; a roadside unit hosts it too."""
