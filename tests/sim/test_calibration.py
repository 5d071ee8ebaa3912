import cv2
import numpy as np
import pytest

from scheduler.config import Camera, Config, World
from scheduler.errors import ConfigError
from sim import calibration
from sim.calibration import Intrinsics, distort, undistort
from sim.lens import Lens

ROS = """
image_width: 1280
image_height: 768
camera_name: front
camera_matrix: {rows: 3, cols: 3, data: [900.0, 0, 650.0, 0, 880.0, 380.0, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.2, 0.05, 0.001, -0.002, 0.0]}
"""


def test_field_of_view_gives_focal_length():
    plain = Intrinsics.from_fov(640, 384, 90.0)
    assert plain.fx == pytest.approx(320.0)
    assert (plain.cx, plain.cy) == (320.0, 192.0)
    assert plain.fov_deg == pytest.approx(90.0)
    assert plain.is_plain


def test_points_project_right_and_down():
    pixels = Intrinsics.from_fov(640, 384, 90.0).project(np.array([[10.0, 1.0, 2.0]]))
    assert pixels[0] == pytest.approx([320.0 - 32.0, 192.0 - 64.0])


def test_ros_file_is_scaled_to_the_pictures(tmp_path):
    file = tmp_path / "camera.yaml"
    file.write_text(ROS)
    found = calibration.read(file, 640, 384)
    assert (found.fx, found.fy, found.cx, found.cy) == (450.0, 440.0, 325.0, 190.0)
    assert found.distortion == (-0.2, 0.05, 0.001, -0.002, 0.0)
    assert not found.is_plain


def test_file_written_by_opencv_is_read(tmp_path):
    file = tmp_path / "camera.yml"
    storage = cv2.FileStorage(str(file), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 640)
    storage.write("image_height", 384)
    storage.write("camera_matrix", np.array([[500.0, 0, 320], [0, 500, 192], [0, 0, 1]]))
    storage.write("distortion_coefficients", np.zeros((5, 1)))
    storage.release()
    found = calibration.read(file, 640, 384)
    assert found == Intrinsics(640, 384, 500.0, 500.0, 320.0, 192.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("K: [1, 2, 3]", "3x3"),
        ("hello: 1", "expected one of camera_matrix"),
        ("[1, 2", "expected OpenCV or ROS YAML"),
        (ROS.replace("768", "500"), "same shape"),
        (ROS.replace("900.0", ".nan"), "finite"),
        ("K: [500, 0, 320, 0, 500, 192, 0, 0, 1]\nD: [0, 0, 0, 0, 0, 1]", "plumb_bob"),
    ],
)
def test_wrong_file_is_one_clear_line(tmp_path, text, message):
    file = tmp_path / "camera.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        calibration.read(file, 640, 384)
    assert "\n" not in str(caught.value)


def test_camera_of_a_config_takes_fov_or_file(tmp_path):
    (tmp_path / "front.yaml").write_text(ROS)
    config = Config(world=World(), source_folder=str(tmp_path))
    assert calibration.of_camera(config, Camera(fov_deg=60.0)).fov_deg == pytest.approx(60.0)
    assert calibration.of_camera(config, Camera()).fov_deg == pytest.approx(90.0)
    assert calibration.of_camera(config, Camera(calibration="front.yaml")).fx == 450.0
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        calibration.of_camera(config, Camera(calibration="missing.yaml"))


def test_distortion_agrees_with_opencv():
    rng = np.random.default_rng(1)
    plane = rng.uniform(-0.7, 0.7, (50, 2))
    coefficients = (-0.25, 0.06, 0.002, -0.001, 0.01)
    expected, _ = cv2.projectPoints(
        np.concatenate([plane, np.ones((50, 1))], axis=1), np.zeros(3), np.zeros(3), np.eye(3),
        np.array(coefficients),
    )  # fmt: skip
    assert distort(plane, coefficients) == pytest.approx(expected[:, 0], abs=1e-9)
    assert undistort(distort(plane, coefficients), coefficients) == pytest.approx(plane, abs=1e-4)


def test_bent_picture_shows_points_where_the_calibration_puts_them():
    target = Intrinsics(320, 200, 260.0, 250.0, 150.0, 110.0, (-0.2, 0.04, 0.0, 0.0, 0.0))
    lens = Lens(target)
    assert lens.pinhole.is_plain
    point = np.array([[10.0, 2.0, 1.0]])
    u, v = lens.pinhole.project(point)[0]
    picture = np.zeros((200, 320, 3), np.uint8)
    picture[int(v) - 2 : int(v) + 3, int(u) - 2 : int(u) + 3] = 255
    bent = lens.bend(picture)[..., 0].astype(float)
    rows, columns = np.nonzero(bent > 127)
    assert (columns.mean(), rows.mean()) == pytest.approx(tuple(target.project(point)[0]), abs=1.5)
    ids = lens.bend_ids(picture[..., 0])
    assert set(np.unique(ids)) == {0, 255}
