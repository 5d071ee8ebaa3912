"""A vehicle's mechanics worked out: forces at the wheels by throttle, gear and speed.

Engine to wheels after Rajamani, Vehicle Dynamics and Control (2nd ed., chapters 4 and 5), with a
stiff clutch: wheel force = (throttle x torque(rpm) - damping) x ratio / radius.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

from sim.engine.blueprints import Blueprint
from sim.engine.vehicle_physics import (
    AIR_DENSITY,
    DAMPING_SCALE,
    GRAVITY,
    ROLLING,
    VehiclePhysics,
    default_physics,
    frontal_area,
)

DRY_GRIP = 0.9  # friction of a tyre with tire_friction `GOOD_TYRE` on dry asphalt
GOOD_TYRE = 3.5
CURVE_STEPS = 128  # of the torque table; finer changes nothing that one feels
IDLE_RPM = 0.13  # of max_rpm, of an engine with a clutch
CALM_SHIFT = 0.45  # of the shift speeds at full throttle, without throttle
RPM_PER_RAD = 30.0 / math.pi


class Drivetrain:
    """Plain numbers of one vehicle for the inner loop; it never changes.

    Attributes:
        physics: what it was worked out from.
        mass: kg.
        wheelbase: metres; front and rear axle lie `to_front` and `to_rear` from the centre of mass.
        front_load: N on the front axle of a vehicle that stands; `rear_load` likewise.
        front_grip: N that the front tyres can give; `rear_grip` likewise.
        front_stiffness: N of side force per radian of slip; `rear_stiffness` likewise.
        front_brake: N of the front brakes at a full pedal; `rear_brake` likewise.
        hand_brake: N of the hand brake.
        air: N per (m/s)^2.
        rolling: N.
        max_steer: radians of the front wheels at full lock.
        gears: rad of the engine per metre, first gear first; reverse is as the first.
        ratios: the same by gear number, with neutral at 0 and reverse at -1.
        grip: N that all tyres can give.
    """

    def __init__(self, physics: VehiclePhysics, blueprint: Blueprint) -> None:
        self.physics = physics
        self.mass = mass = max(physics.mass, 1.0)
        half = max(blueprint.wheelbase, 0.5) / 2
        shift = min(max(physics.center_of_mass[0], -0.9 * half), 0.9 * half)
        self.wheelbase, self.to_front, self.to_rear = 2 * half, half - shift, half + shift
        self.front_load = mass * GRAVITY * self.to_rear / self.wheelbase
        self.rear_load = mass * GRAVITY * self.to_front / self.wheelbase
        count = max(len(physics.wheels) // 2, 1)
        front, rear = physics.wheels[:count], physics.wheels[-count:]
        grip = DRY_GRIP / GOOD_TYRE / count
        self.front_grip = self.front_load * grip * sum(w.tire_friction for w in front)
        self.rear_grip = self.rear_load * grip * sum(w.tire_friction for w in rear)
        self.front_stiffness = self.front_load * sum(w.lat_stiff_value for w in front) / count
        self.rear_stiffness = self.rear_load * sum(w.lat_stiff_value for w in rear) / count
        self.front_brake = sum(w.max_brake_torque / max(w.radius, 0.01) for w in front)
        self.rear_brake = sum(w.max_brake_torque / max(w.radius, 0.01) for w in rear)
        both = (*front, *rear)
        self.hand_brake = sum(w.max_handbrake_torque / max(w.radius, 0.01) for w in both)
        self.radius = max(rear[0].radius, 0.01)
        self.air = 0.5 * AIR_DENSITY * physics.drag_coefficient * frontal_area(blueprint)
        self.rolling = ROLLING * mass * GRAVITY
        self.max_steer = math.radians(max((abs(w.max_steer_angle) for w in both), default=0.0))
        self.steering_curve = tuple((speed / 3.6, share) for speed, share in physics.steering_curve)
        ratios = [gear.ratio * physics.final_ratio / self.radius for gear in physics.forward_gears]
        self.gears = ratios or [1.0 / self.radius]
        self.ratios = [0.0, *self.gears, self.gears[0]]
        self.grip = self.front_grip + self.rear_grip
        self.full_damping = DAMPING_SCALE * physics.damping_rate_full_throttle
        self.free_damping = DAMPING_SCALE * physics.damping_rate_zero_throttle_clutch_engaged
        self._limit = max(physics.max_rpm, 1.0) / RPM_PER_RAD  # rad/s
        self._per_step = CURVE_STEPS / self._limit
        self._torques = [
            _between(physics.torque_curve, self._limit * RPM_PER_RAD * k / CURVE_STEPS)
            for k in range(CURVE_STEPS + 1)
        ]
        self._shift_up, self._shift_down = self._shift_speeds()

    def _shift_speeds(self) -> tuple[list[float], list[float]]:
        """m/s above and below which each gear is left."""
        gears = self.physics.forward_gears
        up = [self._limit * g.up_ratio / ratio for g, ratio in zip(gears, self.gears, strict=False)]
        up = [*up[:-1], math.inf] if up else [math.inf]
        # not before the gear below would stay in: it would shift up again at once
        down = [
            min(self._limit * gears[k].down_ratio / self.gears[k], 0.95 * up[k - 1])
            for k in range(1, len(self.gears))
        ]
        return up, [0.0, *down]

    def gear_at(self, gear: int, speed: float, throttle: float) -> int:
        """The gear that the automatic is in next, from a forward gear at a speed, m/s.

        It leaves a gear at the shares of `max_rpm` that the gear names at full throttle, and the
        earlier the less throttle there is, as a torque converter's gearbox does.
        """
        if not 1 <= gear <= len(self.gears):
            return 1
        load = CALM_SHIFT + (1.0 - CALM_SHIFT) * throttle
        if speed > self._shift_up[gear - 1] * load:
            return gear + 1
        return gear - 1 if speed < self._shift_down[gear - 1] * load else gear

    def pull(self, gear: int, speed: float) -> float:
        """N at the wheels at full throttle in a gear, before what the engine itself takes."""
        ratio = self.ratios[gear]
        at = ratio * speed * self._per_step
        if at >= CURVE_STEPS:
            return 0.0  # the limiter
        k = int(at)
        low = self._torques[k]
        return (low + (at - k) * (self._torques[k + 1] - low)) * ratio

    def engine_drag(self, gear: int, throttle: float, speed: float) -> float:
        """N that the engine itself takes in a gear."""
        ratio = self.ratios[gear]
        rate = self.free_damping + throttle * (self.full_damping - self.free_damping)
        return rate * ratio * ratio * speed

    def rpm(self, gear: int, speed: float) -> float:
        """Engine speed, 1/min; an engine with gears idles rather than stall."""
        turning = self.ratios[gear] * speed * RPM_PER_RAD
        idle = IDLE_RPM * self.physics.max_rpm if len(self.gears) > 1 else 0.0
        return min(max(turning, idle), self.physics.max_rpm)

    def steer_limit(self, speed: float) -> float:
        """Radians of the front wheels at full steer, by the steering curve."""
        curve = self.steering_curve
        if not curve:
            return self.max_steer
        below = curve[0]
        for above in curve[1:]:
            if speed < above[0]:
                share = (speed - below[0]) / (above[0] - below[0])
                return self.max_steer * (below[1] + share * (above[1] - below[1]))
            below = above
        return self.max_steer * below[1]


def _between(curve: tuple[tuple[float, float], ...], x: float) -> float:
    """A value of a curve of straight lines, level beyond its ends."""
    if not curve:
        return 0.0
    if x <= curve[0][0]:
        return curve[0][1]
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x <= x1:
            return y1 if x1 <= x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return curve[-1][1]


@lru_cache(maxsize=256)
def default_drivetrain(blueprint: Blueprint) -> Drivetrain:
    """The mechanics that a blueprint's vehicles are spawned with."""
    return Drivetrain(default_physics(blueprint), blueprint)
