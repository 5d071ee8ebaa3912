import numpy as np
import pytest

pytest.importorskip("numba", reason="rays need the engine extra")

from sim.engine.catalogue import all_blueprints
from sim.engine.geometry import Pose
from sim.engine.sensing.attributes import SensorError
from sim.engine.sensing.lidar import Lidar, LidarSettings

DEFAULTS = {a.id: a.value for a in all_blueprints()["sensor.lidar.ray_cast"].attributes}
ALL_BACK = {
    "dropoff_general_rate": "0.0", "dropoff_intensity_limit": "0.0", "dropoff_zero_intensity": "0.0"
}  # fmt: skip


def lidar(**attributes):
    texts = {name: str(value) for name, value in attributes.items()}
    return Lidar(LidarSettings.read({**DEFAULTS, **texts}, has_echo=True))


def forward(**attributes):
    """Eight lasers from -10 to 10 degrees that sweep 90 degrees in each tick of 0.1 s."""
    return lidar(
        channels=8, range=50, points_per_second=16000, rotation_frequency=10, upper_fov=10,
        lower_fov=-10, horizontal_fov=90, **attributes,
    )  # fmt: skip


def test_points_lie_on_a_wall_at_ten_metres(wall):
    cloud = forward(**ALL_BACK).sweep(Pose(), 0.1, wall)
    assert cloud.counts.tolist() == [200] * 8
    assert cloud.points[:, 0] == pytest.approx(10.0, abs=1e-4)
    assert (cloud.instance_id == 7).all() and (cloud.semantic_tag == 3).all()
    # from the highest laser to the lowest, each from left to right
    first = cloud.points.reshape(8, 200, 3)
    height = first[:, :, 2] / np.hypot(first[:, :, 0], first[:, :, 1])
    assert np.degrees(np.arctan(height[:, 0])) == pytest.approx(np.linspace(10, -10, 8), abs=1e-3)
    assert first[0, 0, 1] > 9.9 and (np.diff(first[:, :, 1], axis=1) < 0).all()


def test_points_are_in_the_axes_of_the_turned_sensor(wall):
    pose = Pose(2.0, 1.0, 0.5, yaw=0.4, pitch=0.1, roll=-0.2)
    cloud = forward(**ALL_BACK).sweep(pose, 0.1, wall)
    world = cloud.points @ pose.rotation().T + (2.0, 1.0, 0.5)
    assert len(world) and world[:, 0] == pytest.approx(10.0, abs=1e-4)


def test_head_turns_by_frequency_times_time(wall):
    whole = lidar(channels=1, points_per_second=3600, upper_fov=0, lower_fov=0, **ALL_BACK)
    angles = [whole.sweep(Pose(), 0.025, wall).angle for _ in range(5)]
    # a quarter turn a message, from 0 to the full circle and on
    assert np.unwrap(angles) == pytest.approx(np.pi / 2 * np.arange(1, 6), abs=1e-6)
    assert whole.sweep(Pose(), 0.1, wall).counts.tolist() == [0]  # range 10: the wall is out of it


def test_one_turn_of_many_messages_is_one_message_of_a_turn(wall):
    settings = {"range": 50, "channels": 2, "points_per_second": 72000, **ALL_BACK}
    once = lidar(**settings).sweep(Pose(), 0.1, wall)
    many = lidar(**settings)
    parts = [many.sweep(Pose(), 0.025, wall).points for _ in range(4)]
    assert sorted(np.concatenate(parts).round(3).tolist()) == sorted(once.points.round(3).tolist())


def test_intensity_fades_with_distance(wall):
    cloud = forward(atmosphere_attenuation_rate=0.02, **ALL_BACK).sweep(Pose(), 0.1, wall)
    distance = np.linalg.norm(cloud.points, axis=1)
    assert cloud.intensity == pytest.approx(np.exp(-0.02 * distance), abs=1e-5)


def test_a_share_of_rays_is_lost_anyway(wall):
    settings = {**ALL_BACK, "dropoff_general_rate": "0.45", "noise_seed": "5"}
    counts = [len(forward(**settings).sweep(Pose(), 1.0, wall).points) for _ in range(2)]
    assert counts[0] == counts[1]  # the seed says which
    assert counts[0] / 16000 == pytest.approx(0.55, abs=0.02)


def test_weak_echoes_are_lost_more_often(wall):
    # at ten metres and more the intensity is about 0, so that half of all are lost
    cloud = forward(
        atmosphere_attenuation_rate=10.0, dropoff_general_rate=0.0, dropoff_intensity_limit=0.8,
        dropoff_zero_intensity=0.5,
    ).sweep(Pose(), 1.0, wall)  # fmt: skip
    assert len(cloud.points) / 16000 == pytest.approx(0.5, abs=0.02)


def test_noise_is_along_the_ray(wall):
    exact = forward(**ALL_BACK).sweep(Pose(), 1.0, wall).points
    noisy = forward(noise_stddev=0.1, **ALL_BACK).sweep(Pose(), 1.0, wall).points
    far, near = np.linalg.norm(noisy, axis=1), np.linalg.norm(exact, axis=1)
    assert (far - near).std() == pytest.approx(0.1, rel=0.05)
    assert noisy / far[:, None] == pytest.approx(exact / near[:, None], abs=1e-4)


def test_no_points_are_asked_for(wall):
    cloud = lidar(points_per_second=0).sweep(Pose(), 0.1, wall)
    assert cloud.points.shape == (0, 3) and cloud.counts.tolist() == [0] * 32


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("channels", "0", "channels: expected 1 to 512, got 0"),
        ("channels", "2.5", "channels: expected a whole number, got 2.5"),
        ("range", "nan", "range: expected 0.01 to 2000, got nan"),
        ("upper_fov", "up", "upper_fov: expected a number, got 'up'"),
        ("dropoff_general_rate", "1.5", "dropoff_general_rate: expected 0 to 1, got 1.5"),
    ],
)
def test_wrong_attributes_are_named(name, value, message):
    with pytest.raises(SensorError) as error:
        lidar(**{name: value})
    assert str(error.value) == message
