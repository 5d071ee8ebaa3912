"""Procedural meshes of the town: everything a street needs, from a seed, with no third-party art."""
