"""A user's own OpenDRIVE file as an engine town, read by the client's own map parser."""

from sim.carla_server.opendrive.errors import OpenDriveError

__all__ = ["OpenDriveError"]
