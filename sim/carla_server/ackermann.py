"""Follows a steering angle and a speed (`apply_ackermann_control`) with pedals and wheel."""

from __future__ import annotations

from sim.carla_server.layouts import AckermannControl
from sim.engine.actors import Actor, VehicleControl
from sim.engine.dynamics import steer_limit

THROTTLE_PER_SPEED = 0.5  # full throttle from 2 m/s too slow; more overshoots at low speed
BRAKE_PER_SPEED = 0.25  # full brake from 4 m/s too fast
COAST = 0.2  # m/s too fast at which drag alone is enough


def pedals(target: AckermannControl, actor: Actor) -> VehicleControl:
    """Return the control that brings a vehicle towards its target speed and angle."""
    error = abs(target.speed) - actor.speed
    steer = max(-1.0, min(1.0, -target.steer / steer_limit(actor.speed)))
    if target.speed == 0.0 and actor.speed < COAST:
        return VehicleControl(steer=steer, brake=1.0)
    return VehicleControl(
        throttle=min(1.0, THROTTLE_PER_SPEED * error) if error > 0 else 0.0,
        steer=steer,
        brake=min(1.0, -BRAKE_PER_SPEED * error) if error < -COAST else 0.0,
        reverse=target.speed < 0,
    )
