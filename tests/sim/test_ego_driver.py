import math

import numpy as np
import pytest

from sim.ego_driver import EgoDriver
from sim.engine.geometry import Pose, wrap
from sim.world import Ego, EgoState, StopLine

STEP = 0.1


def rounded_square(side=100.0, radius=12.0):
    """Points a metre apart: straights and corners of the given radius, counter-clockwise."""
    points = []
    corners = [(side, 0, 0.0), (side, side, 90.0), (0, side, 180.0), (0, 0, 270.0)]
    for x, y, heading in corners:
        u = (math.cos(math.radians(heading)), math.sin(math.radians(heading)))
        left = (-u[1], u[0])
        centre = (x - radius * u[0] + radius * left[0], y - radius * u[1] + radius * left[1])
        start = (x - side * u[0] + radius * u[0], y - side * u[1] + radius * u[1])
        straight = np.arange(0.0, side - 2 * radius, 1.0)
        points += [(start[0] + d * u[0], start[1] + d * u[1], 0.0) for d in straight]
        for turn in np.arange(0.0, 90.0, math.degrees(1.0 / radius)):
            a = math.radians(heading - 90.0 + turn)
            points.append((centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a), 0.0))
    return np.array(points)


class Bicycle:
    """The kinematic model that the driver is tested on."""

    def __init__(self, route, is_loop=True):
        self.ego = Ego(1, "ego", route, is_loop, (2.3, 0.95, 0.75), 2.8, 0.6)
        x, y, _ = route[0]
        self.x, self.y, self.speed = float(x), float(y), 0.0
        self.yaw = math.atan2(route[1][1] - y, route[1][0] - x)

    def state(self, limit=0.0):
        velocity = (self.speed * math.cos(self.yaw), self.speed * math.sin(self.yaw), 0.0)
        return EgoState(Pose(self.x, self.y, 0.0, self.yaw), velocity, self.speed, 0.0, limit, 0)

    def drive(self, driver, seconds, lights=None, limit=0.0):
        for _ in range(round(seconds / STEP)):
            control = driver.control(self.state(limit), lights or {}, STEP)
            yaw_rate = 0.0
            for _ in range(10):
                accel = 4.0 * control.throttle - 8.0 * control.brake - 0.05 * self.speed
                self.speed = max(0.0, self.speed + accel * STEP / 10)
                yaw_rate = self.speed * math.tan(0.6 * control.steer) / 2.8
                self.yaw = wrap(self.yaw + yaw_rate * STEP / 10)
                self.x += self.speed * math.cos(self.yaw) * STEP / 10
                self.y += self.speed * math.sin(self.yaw) * STEP / 10
            yield control, self.speed * abs(yaw_rate)


def test_lap_stays_in_the_lane_and_is_comfortable():
    car = Bicycle(rounded_square())
    driver = EgoDriver(car.ego, [], 8.0)
    off, lateral, travelled, last = 0.0, 0.0, 0.0, 0.0
    for _, accel in car.drive(driver, 90.0):
        off = max(off, abs(driver.track.nearest(car.x, car.y)[1]))
        lateral = max(lateral, accel)
        travelled += (driver.s - last) % driver.track.length
        last = driver.s
    assert travelled > 1.4 * driver.track.length
    assert off < 0.6
    assert lateral < 3.0


def test_speed_is_kept_and_limit_obeyed():
    line = np.array([(float(x), 0.0, 0.0) for x in range(600)])
    car = Bicycle(line, is_loop=False)
    driver = EgoDriver(car.ego, [], 8.0)
    list(car.drive(driver, 15.0))
    assert car.speed == pytest.approx(8.0, abs=0.4)
    list(car.drive(driver, 10.0, limit=5.0))
    assert car.speed == pytest.approx(5.0, abs=0.4)


def test_open_route_ends_standing():
    line = np.array([(float(x), 0.0, 0.0) for x in range(120)])
    car = Bicycle(line, is_loop=False)
    list(car.drive(EgoDriver(car.ego, [], 8.0), 40.0))
    assert car.speed == 0.0
    assert 105.0 < car.x < 120.0


def test_red_light_stops_before_the_line_and_green_goes_on():
    line = np.array([(float(x), 0.0, 0.0) for x in range(300)])
    car = Bicycle(line, is_loop=False)
    driver = EgoDriver(car.ego, [StopLine(9, Pose(80.0, 0.0, 0.0, 0.0))], 8.0)
    list(car.drive(driver, 25.0, {9: "red"}))
    assert car.speed == 0.0
    assert 75.0 < car.x + 2.3 < 80.0
    list(car.drive(driver, 10.0, {9: "green"}))
    assert car.x > 100.0


def test_yellow_stops_only_where_one_can():
    line = np.array([(float(x), 0.0, 0.0) for x in range(300)])
    lines = [StopLine(9, Pose(80.0, 0.0, 0.0, 0.0))]
    for front, is_stopping in ((75.0, False), (66.0, True)):
        car = Bicycle(line, is_loop=False)
        driver = EgoDriver(car.ego, lines, 8.0)
        car.x, car.speed, driver.s = front - 2.3, 8.0, front - 2.3
        list(car.drive(driver, 8.0, {9: "yellow"}))
        assert (car.x < 80.0) is is_stopping


def test_lines_of_other_lanes_are_not_obeyed():
    line = np.array([(float(x), 0.0, 0.0) for x in range(300)])
    car = Bicycle(line, is_loop=False)
    others = [StopLine(9, Pose(80.0, 3.5, 0.0, math.pi)), StopLine(8, Pose(80.0, -1.0, 0, 1.57))]
    list(car.drive(EgoDriver(car.ego, others, 8.0), 20.0, {9: "red", 8: "red"}))
    assert car.x > 100.0
