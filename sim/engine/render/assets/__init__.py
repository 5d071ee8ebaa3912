"""Procedural meshes of the town: all that a street needs, from a seed."""
