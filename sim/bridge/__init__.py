"""The bridge: ticks the world, owns the egos and their cameras, and is the vehicles' only view."""
