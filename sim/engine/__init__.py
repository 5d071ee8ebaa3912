"""The embedded world: town, lanes, actors, physics, lights, traffic and pictures; no protocol."""
