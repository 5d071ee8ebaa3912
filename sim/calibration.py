"""A camera's intrinsics, from a field of view or from a calibration file (OpenCV or ROS YAML)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from scheduler.config import Camera, Config
from scheduler.errors import ConfigError

DEFAULT_FOV_DEG = 90.0
MAX_RADIUS = 10.0  # of a point on the normalised image plane: 84 degrees off the axis
K_NAMES = ("camera_matrix", "cameraMatrix", "K")
DISTORTION_NAMES = ("distortion_coefficients", "dist_coeffs", "distCoeffs", "D")


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """K and distortion of a camera's pictures.

    Attributes:
        width: pixels.
        height: pixels.
        fx: focal length in pixels, along u (right).
        fy: focal length in pixels, along v (down).
        cx: principal point, pixels.
        cy: principal point, pixels.
        distortion: OpenCV's k1, k2, p1, p2, k3; empty for a pinhole.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()

    @classmethod
    def from_fov(cls, width: int, height: int, fov_deg: float) -> "Intrinsics":
        """A pinhole with square pixels and a horizontal field of view in degrees."""
        f = width / (2.0 * math.tan(math.radians(fov_deg) / 2.0))
        return cls(width, height, f, f, width / 2.0, height / 2.0)

    @property
    def fov_deg(self) -> float:
        """Horizontal field of view of a centred pinhole with this focal length, degrees.

        To a millionth: as text it goes to a CARLA server, and both worlds draw the same then.
        """
        return round(math.degrees(2.0 * math.atan(self.width / (2.0 * self.fx))), 6)

    @property
    def is_plain(self) -> bool:
        """A pinhole with square pixels and the principal point in the middle."""
        off = (self.fx - self.fy, self.cx - self.width / 2.0, self.cy - self.height / 2.0)
        return not any(self.distortion) and max(map(abs, off)) < 1e-3

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 3) points in camera body axes, x > 0, to (N, 2) pixels."""
        plane = np.stack([-points[:, 1] / points[:, 0], -points[:, 2] / points[:, 0]], axis=1)
        if any(self.distortion):
            plane = distort(plane, self.distortion)
        focal, centre = np.array([self.fx, self.fy]), np.array([self.cx, self.cy])
        pixels: NDArray[np.float64] = plane * focal + centre
        return pixels


def distort(plane: NDArray[np.float64], coefficients: Sequence[float]) -> NDArray[np.float64]:
    """Where a lens puts (N, 2) points of the normalised image plane (x right, y down).

    The Brown-Conrady model as OpenCV writes it (calib3d, "Detailed Description"). Points farther
    out than the model grows are held at that radius, so that they stay outside the picture.
    """
    k1, k2, p1, p2, k3 = (*coefficients, *([0.0] * (5 - len(coefficients))))
    radius = np.hypot(plane[:, 0], plane[:, 1])
    limit = _monotonic_radius(k1, k2, k3)
    shrink = np.minimum(1.0, limit / np.maximum(radius, 1e-9))
    x, y = plane[:, 0] * shrink, plane[:, 1] * shrink
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return np.stack(
        [
            x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
            y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
        ],
        axis=1,
    )


def undistort(
    plane: NDArray[np.float64], coefficients: Sequence[float], steps: int = 20
) -> NDArray[np.float64]:
    """The inverse of `distort`, by fixed-point iteration; more steps cost time, not memory."""
    points = plane.copy()
    for _ in range(steps):
        points = points + (plane - distort(points, coefficients))
    return points


def _monotonic_radius(k1: float, k2: float, k3: float) -> float:
    """The radius up to which r (1 + k1 r^2 + k2 r^4 + k3 r^6) grows."""
    radii = np.linspace(0.0, MAX_RADIUS, 1001)
    slope = 1.0 + 3.0 * k1 * radii**2 + 5.0 * k2 * radii**4 + 7.0 * k3 * radii**6
    falling = np.flatnonzero(slope <= 0.0)
    return float(radii[falling[0]]) if len(falling) else MAX_RADIUS


def of_camera(config: Config, camera: Camera) -> Intrinsics:
    """The intrinsics that a config asks for.

    Raises:
        ConfigError: the calibration file is missing or says nothing usable.
    """
    if camera.calibration is None:
        fov_deg = DEFAULT_FOV_DEG if camera.fov_deg is None else camera.fov_deg
        return Intrinsics.from_fov(camera.width, camera.height, fov_deg)
    return read(config.path(camera.calibration), camera.width, camera.height)


class _Loader(yaml.SafeLoader):
    """YAML with OpenCV's matrices, which are plain mappings under a tag of their own."""


def _matrix(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _matrix)


def read(path: Path, width: int, height: int) -> Intrinsics:
    """Read K and distortion, scaled to pictures of the given size.

    Args:
        path: YAML as `cv2.FileStorage` or ROS `camera_calibration` writes it.
        width: pixels of the pictures wanted.
        height: pixels of the pictures wanted; the file's own size must have the same shape.

    Raises:
        ConfigError: missing file, no YAML, no K, wrong size or shape.
    """
    try:
        text = path.read_text(encoding="utf-8")
        # OpenCV's "%YAML:1.0" is no directive that YAML knows.
        lines = [line for line in text.splitlines() if not line.startswith("%YAML")]
        # A SafeLoader with one more mapping tag: it builds plain data only.
        tree = yaml.load("\n".join(lines), Loader=_Loader)  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"calibration {path}: expected OpenCV or ROS YAML: {reason}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"calibration {path}: expected a mapping with camera_matrix")
    k = _numbers(tree, K_NAMES, path)
    if len(k) != 9 or k[0] <= 0.0 or k[4] <= 0.0:
        raise ConfigError(f"calibration {path}: expected a 3x3 camera_matrix, got {k}")
    distortion = _numbers(tree, DISTORTION_NAMES, path, is_needed=False)
    if len(distortion) > 5 and any(distortion[5:]):
        raise ConfigError(
            f"calibration {path}: expected at most k1, k2, p1, p2, k3, got {len(distortion)} "
            "coefficients: calibrate with the plumb_bob model"
        )
    scale = _scale(tree, width, height, path)
    return Intrinsics(
        width, height, k[0] * scale, k[4] * scale, k[2] * scale, k[5] * scale,
        tuple(distortion[:5]) if any(distortion) else (),
    )  # fmt: skip


def _scale(tree: dict[object, object], width: int, height: int, path: Path) -> float:
    own_width, own_height = tree.get("image_width", width), tree.get("image_height", height)
    if not isinstance(own_width, int) or not isinstance(own_height, int) or own_width < 1:
        raise ConfigError(f"calibration {path}: expected image_width and image_height in pixels")
    scale = width / own_width
    if abs(own_height * scale - height) > 1.0:
        raise ConfigError(
            f"calibration {path}: is for {own_width}x{own_height}, the camera has "
            f"{width}x{height}: give it a size of the same shape"
        )
    return scale


def _numbers(
    tree: dict[object, object], names: Sequence[str], path: Path, *, is_needed: bool = True
) -> list[float]:
    for name in names:
        if name in tree:
            value = tree[name]
            if isinstance(value, dict):
                value = value.get("data")
            try:
                flat = np.array(value, np.float64).ravel()
            except (TypeError, ValueError):
                raise ConfigError(f"calibration {path}: {name} must be numbers") from None
            if not np.isfinite(flat).all():
                raise ConfigError(f"calibration {path}: {name} must be finite numbers")
            return [float(v) for v in flat]
    if is_needed:
        raise ConfigError(f"calibration {path}: expected one of {', '.join(names)}")
    return []
