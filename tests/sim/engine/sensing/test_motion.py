import math

import numpy as np
import pytest

from sim.engine.catalogue import all_blueprints
from sim.engine.geometry import Pose
from sim.engine.sensing.gnss import GeoReference, GnssNoise, GnssSettings
from sim.engine.sensing.inertial import InertialNoise, InertialSettings, felt
from sim.engine.sensing.motion import Mount

STILL = (0.0, 0.0, 0.0)


def defaults(name):
    return {a.id: a.value for a in all_blueprints()[name].attributes}


def test_turn_at_known_yaw_rate_is_felt_as_centripetal_acceleration():
    rate, radius, delta_s = 0.5, 20.0, 0.002
    mount = Mount()
    for tick in range(50):
        angle = rate * delta_s * tick
        pose = Pose(radius * math.sin(angle), -radius * math.cos(angle), 0.0, yaw=angle)
        mount.follow(pose, delta_s, STILL)
    inertia = felt(pose, mount.acceleration, (0.0, 0.0, rate), 9.81)
    # to the left, which is where the middle of a left turn lies
    assert inertia.accelerometer == pytest.approx((0.0, rate**2 * radius, 9.81), abs=0.02)
    assert inertia.gyroscope == pytest.approx((0.0, 0.0, rate))
    assert math.hypot(*mount.velocity) == pytest.approx(rate * radius, rel=1e-3)


def test_lever_arm_adds_to_what_the_middle_feels():
    rate, arm, delta_s = 1.0, 2.0, 0.005
    mount = Mount()
    for tick in range(20):
        body = Pose(yaw=rate * delta_s * tick)  # spins on the spot
        pose = body.compose(Pose(x=arm))
        mount.follow(pose, delta_s, STILL)
    x, y, _ = felt(pose, mount.acceleration, (0.0, 0.0, rate), 9.81).accelerometer
    assert (x, y) == pytest.approx((-(rate**2) * arm, 0.0), abs=0.02)


def test_braking_is_felt_backwards_with_changing_steps():
    mount, x, speed = Mount(), 0.0, 20.0
    for delta_s in (0.05, 0.05, 0.02, 0.1, 0.05):
        x, speed = x + speed * delta_s - 2.0 * delta_s**2, speed - 4.0 * delta_s
        mount.follow(Pose(x=x), delta_s, STILL)
    assert mount.acceleration == pytest.approx((-4.0, 0.0, 0.0), abs=1e-9)


def test_first_tick_feels_gravity_only_and_has_its_body_s_velocity():
    mount = Mount()
    mount.follow(Pose(x=500.0), 0.05, (7.0, 0.0, 0.0))
    assert mount.velocity == (7.0, 0.0, 0.0)
    assert felt(Pose(), mount.acceleration, STILL, 9.81).accelerometer == (0.0, 0.0, 9.81)


def test_tilted_sensor_feels_gravity_in_its_own_axes():
    nose_up = felt(Pose(pitch=0.3), STILL, STILL, 10.0).accelerometer
    assert nose_up == pytest.approx((10 * math.sin(0.3), 0.0, 10 * math.cos(0.3)))
    right_down = felt(Pose(roll=0.3), STILL, STILL, 10.0).accelerometer
    assert right_down == pytest.approx((0.0, 10 * math.sin(0.3), 10 * math.cos(0.3)))


@pytest.mark.parametrize(
    ("yaw", "compass"),
    [(math.pi / 2, 0.0), (0.0, 0.5), (-math.pi / 2, 1.0), (math.pi, 1.5), (3.0, None)],
)
def test_compass_turns_clockwise_from_north(yaw, compass):
    found = felt(Pose(yaw=yaw), STILL, STILL, 9.81).compass
    assert 0.0 <= found < 2 * math.pi
    expected = math.pi / 2 - yaw if compass is None else compass * math.pi
    assert math.remainder(found - expected, 2 * math.pi) == pytest.approx(0.0, abs=1e-9)


def test_inertial_noise_has_its_deviation_bias_and_seed():
    attributes = {
        **defaults("sensor.other.imu"),
        "noise_accel_stddev_x": "0.2", "noise_gyro_stddev_z": "0.1", "noise_gyro_bias_z": "0.5",
    }  # fmt: skip
    noise, again = (InertialNoise(InertialSettings.read(attributes)) for _ in range(2))
    drawn = np.array([noise.draw() for _ in range(3000)])
    assert np.array_equal(drawn[:5], [again.draw() for _ in range(5)])
    assert drawn.std(0) == pytest.approx(np.array([[0.2, 0, 0], [0, 0, 0.1]]), abs=0.01)
    assert drawn.mean(0) == pytest.approx(np.array([[0, 0, 0], [0, 0, 0.5]]), abs=0.01)


def test_satellite_noise_has_its_deviation_and_bias():
    attributes = {
        **defaults("sensor.other.gnss"), "noise_lat_stddev": "0.001", "noise_alt_bias": "3.0"
    }  # fmt: skip
    noise = GnssNoise(GnssSettings.read(attributes))
    drawn = np.array([noise.draw() for _ in range(2000)])
    assert drawn.std(0) == pytest.approx((0.001, 0.0, 0.0), abs=1e-4)
    assert drawn.mean(0) == pytest.approx((0.0, 0.0, 3.0), abs=1e-3)


OPENDRIVE = (
    "<OpenDRIVE><header><geoReference>{}</geoReference></header>"
    '<road id="1" length="100" junction="-1"><planView><geometry s="0" x="0" y="0" hdg="0"'
    ' length="100"><line/></geometry></planView><lanes><laneSection s="0"><center><lane id="0"'
    ' type="none" level="false"/></center><right><lane id="-1" type="driving" level="false">'
    '<width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></right></laneSection></lanes></road>'
    "</OpenDRIVE>"
)
REFERENCES = (
    "+proj=tmerc +lat_0=49 +lon_0=8 +k=1 +x_0=0 +y_0=0",
    "<![CDATA[+lat_0=-3.35e1 +lon_0=151.2]]>",
    "+proj=utm +zone=32",
    "+proj=tmerc +lat_0=49",
)


@pytest.mark.parametrize("reference", REFERENCES)
def test_position_is_the_one_of_the_client_s_map(reference):
    carla = pytest.importorskip("carla", reason="the carla wheel is not installed")
    text = OPENDRIVE.format(reference)
    own, theirs = GeoReference.of_map(text), carla.Map("test", text)
    for x, y in ((0.0, 0.0), (1000.0, 0.0), (300.0, -700.0), (-5000.0, 2500.0)):
        expected = theirs.transform_to_geolocation(carla.Location(x, y, 0.0))
        place = own.transverse_mercator(x, y)
        assert place == pytest.approx((expected.latitude, expected.longitude), abs=1e-10)


def test_mercator_of_older_versions_differs_by_the_scale_alone():
    own = GeoReference(49.0, 8.0)
    assert own.mercator(0.0, 0.0) == pytest.approx((49.0, 8.0))
    latitude, longitude = own.mercator(1000.0, 1000.0)
    metres_per_degree = math.radians(6378137.0)
    assert (latitude - 49.0) * metres_per_degree == pytest.approx(1000.0, rel=1e-3)
    cosine = math.cos(math.radians(49.0))
    assert (longitude - 8.0) * metres_per_degree * cosine == pytest.approx(1000.0, rel=1e-3)
