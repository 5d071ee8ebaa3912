"""A user's own OpenDRIVE file as an engine town, read by the client's own map parser."""

from sim.carla_server.opendrive.errors import OpenDriveError
from sim.carla_server.opendrive.town import town_from_opendrive

__all__ = ["OpenDriveError", "town_from_opendrive"]
