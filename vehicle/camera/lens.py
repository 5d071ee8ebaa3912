"""Intrinsics of a camera that brings none with its frames: from its field of view or a file."""

import math
from pathlib import Path

import yaml

from scheduler.config import Camera, Mount
from scheduler.errors import ConfigError
from vehicle.camera.base import Intrinsics, MountPose

DEFAULT_FOV_DEG = 90.0  # horizontal


def pinhole(width: int, height: int, fov_deg: float) -> Intrinsics:
    """fx, fy, cx, cy of a pinhole; f = width / (2 tan(fov / 2))."""
    focal = width / (2.0 * math.tan(math.radians(fov_deg) / 2.0))
    return focal, focal, width / 2.0, height / 2.0


def intrinsics_of(section: Camera, file: Path | None) -> tuple[Intrinsics, tuple[float, ...]]:
    """Intrinsics in pixels of the configured size, and distortion.

    Args:
        section: Of the configuration.
        file: The calibration, in the layout of ROS's camera_info: `image_width`, `image_height`,
            `camera_matrix: {data: [9 numbers]}`, `distortion_coefficients: {data: [...]}`.

    Raises:
        ConfigError: The file is missing or of another layout.
    """
    if file is None:
        fov_deg = section.fov_deg or DEFAULT_FOV_DEG
        return pinhole(section.width, section.height, fov_deg), ()
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
        matrix = [float(value) for value in tree["camera_matrix"]["data"]]
        distortion = tuple(
            float(value) for value in tree.get("distortion_coefficients", {}).get("data", [])
        )
        across = section.width / float(tree["image_width"])
        down = section.height / float(tree["image_height"])
        fx, _, cx, _, fy, cy, *_ = matrix
    except OSError as error:
        raise ConfigError(
            f"camera {section.id!r}: cannot read calibration {file}: {error.strerror}"
        ) from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"camera {section.id!r}: {file}: expected image_width, image_height, "
            "camera_matrix.data with 9 numbers and distortion_coefficients.data "
            f"({type(error).__name__}: {error})"
        ) from None
    return (fx * across, fy * down, cx * across, cy * down), distortion


def mount_pose(mount: Mount) -> MountPose:
    """A mount of the configuration in metres and radians."""
    return (
        mount.x,
        mount.y,
        mount.z,
        math.radians(mount.roll_deg),
        math.radians(mount.pitch_deg),
        math.radians(mount.yaw_deg),
    )
