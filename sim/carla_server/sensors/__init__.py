"""Sensors as CARLA's clients know them: attributes in, messages out."""

from sim.carla_server.sensors.sensor import Sensor, check_sensor, prepare_sensor

__all__ = ["Sensor", "check_sensor", "prepare_sensor"]
