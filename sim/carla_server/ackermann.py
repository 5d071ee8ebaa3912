"""Follows a steering angle and a speed (`apply_ackermann_control`) with pedals and wheel.

CARLA's two controllers in a row: the error of speed changes a wanted acceleration, the error of
acceleration changes a pedal between full brake (-1) and full throttle (1), each by a PID per tick.
"""

from __future__ import annotations

from sim.carla_server.layouts import AckermannControl, AckermannSettings
from sim.engine.actors import Actor, VehicleControl
from sim.engine.body import drivetrain_of

FULL_STOP = 0.1  # m/s under which a vehicle that is to stand gets the whole brake
MAX_ACCELERATION, MAX_DECELERATION = 3.0, 8.0  # m/s^2 where the target names no limit; CARLA's
SMOOTHING = 4.0  # of five parts of the measured acceleration are the old one
SMALL = 1e-4  # under which a limit or a rate counts as not given


class Pid:
    """One controller; its output and its integral stay within -1 to 1."""

    def __init__(self) -> None:
        self._integral = self._last = 0.0

    def run(self, error: float, value: float, gains: tuple[float, float, float], h: float) -> float:
        """Return the output for an error and the value it is the error of, `h` seconds later."""
        kp, ki, kd = gains
        self._integral = _clamp(self._integral + ki * error * h, 1.0)
        out = kp * error + self._integral - kd * (value - self._last) / h
        self._last = value
        return _clamp(out, 1.0)


class AckermannFollower:
    """Drives one vehicle; `target` None leaves it alone."""

    def __init__(self) -> None:
        self.settings = AckermannSettings()
        self.target: AckermannControl | None = None
        self.reset()

    def reset(self) -> None:
        """Forget what was controlled before."""
        self._by_speed, self._by_acceleration = Pid(), Pid()
        self._wish = self._pedal = 0.0
        self._speed = self._acceleration = 0.0
        self._is_reverse = False

    def aim(self, target: AckermannControl) -> None:
        """Follow a target from now on."""
        if self.target is None:
            self.reset()
        self.target = target

    def control(self, actor: Actor, speed: float, h: float) -> VehicleControl:
        """Return the next control of a vehicle at a forward speed, m/s, `h` seconds after the last.

        Raises:
            ValueError: there is no target.
        """
        target = self.target
        if target is None:
            raise ValueError("aim at a target before asking for a control")
        measured = (speed - self._speed) / h
        self._acceleration = (SMOOTHING * self._acceleration + measured) / (SMOOTHING + 1.0)
        self._speed = speed
        steer = self._steer(target, actor, speed, h)
        if abs(speed) < FULL_STOP and abs(target.speed) < FULL_STOP:
            self._wish = self._pedal = 0.0
            return VehicleControl(steer=steer, brake=1.0)
        wanted = self._wanted_speed(target, speed)
        self._follow(target, wanted, h)
        forward = -self._pedal if self._is_reverse else self._pedal
        return VehicleControl(
            throttle=max(forward, 0.0),
            steer=steer,
            brake=max(-forward, 0.0),
            reverse=self._is_reverse,
        )

    def _wanted_speed(self, target: AckermannControl, speed: float) -> float:
        """The target's speed; standstill first where it changes the direction."""
        if abs(speed) < FULL_STOP:
            self._is_reverse = target.speed < 0.0
            return target.speed
        return 0.0 if speed * target.speed < 0.0 else target.speed

    def _follow(self, target: AckermannControl, wanted: float, h: float) -> None:
        gains = self.settings
        speed_gains = (gains.speed_kp, gains.speed_ki, gains.speed_kd)
        accel_gains = (gains.accel_kp, gains.accel_ki, gains.accel_kd)
        self._wish += self._by_speed.run(wanted - self._speed, self._speed, speed_gains, h)
        limit = abs(target.acceleration)
        low, high = (-limit, limit) if limit > SMALL else (-MAX_DECELERATION, MAX_ACCELERATION)
        self._wish = min(max(self._wish, low), high)
        error = self._wish - self._acceleration
        self._pedal += self._by_acceleration.run(error, self._acceleration, accel_gains, h)
        self._pedal = _clamp(self._pedal, 1.0)

    @staticmethod
    def _steer(target: AckermannControl, actor: Actor, speed: float, h: float) -> float:
        """The wheel, left positive, so that the front wheels come to the angle at this speed."""
        limit = max(drivetrain_of(actor).steer_limit(abs(speed)), 1e-3)
        wanted = -target.steer
        rate = abs(target.steer_speed)
        if rate > SMALL:
            now = actor.control.steer * limit
            wanted = now + _clamp(wanted - now, rate * h)
        return _clamp(wanted / limit, 1.0)


def _clamp(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)
