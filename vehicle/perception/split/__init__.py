"""A detector in two halves: features on board, compressed by a learned bottleneck, boxes beyond."""
