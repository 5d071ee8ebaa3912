"""A roadside unit: runs the heavier detectors for the vehicles in range."""
