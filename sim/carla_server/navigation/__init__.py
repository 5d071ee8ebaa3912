"""Where people may walk in a town, in the form that the client's walker AI reads."""

from sim.carla_server.navigation.mesh import navigation_file, navigation_mesh

__all__ = ["navigation_file", "navigation_mesh"]
