"""The cameras of one recording vehicle: drawn for a segment, or those of a drive's config."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scheduler import config_file
from scheduler.errors import ConfigError
from sim.bridge.cameras import mount_of
from sim.calibration import Intrinsics
from sim.engine.geometry import Pose
from sim.world import CameraMount

MOUNTED = tuple[tuple[str, CameraMount], ...]  # (camera id, where and how it looks)
# Yaw in radians and place (share of the first camera's x, metres to the left) of further cameras:
# at the wing mirrors and above the tail, so that the vehicle itself does not fill their pictures.
FURTHER = {
    "left": (math.radians(60.0), 1.0, 1.0),
    "right": (math.radians(-60.0), 1.0, -1.0),
    "rear": (math.pi, -1.5, 0.0),
}
MOST = 1 + len(FURTHER)


def draw_mount(width: int, height: int, random: np.random.Generator) -> CameraMount:
    """A windscreen or roof camera, most often looking ahead."""
    is_ahead = random.random() < 0.7
    pose = Pose(
        float(random.uniform(0.6, 1.8)),
        float(random.uniform(-0.4, 0.4)),
        float(random.uniform(1.2, 1.9)),
        float(random.normal(0.0, 0.03) if is_ahead else random.uniform(-0.9, 0.9)),
        float(random.normal(-0.02, 0.03)),
        float(random.normal(0.0, 0.01)),
    )
    fov_deg = float(random.choice([90.0, random.uniform(65.0, 100.0)]))
    return CameraMount(pose, Intrinsics.from_fov(width, height, fov_deg))


def with_further(front: CameraMount, count: int) -> MOUNTED:
    """A first camera and those that look elsewhere from the same vehicle."""
    at = front.camera_from_vehicle
    further = (
        (name, CameraMount(Pose(share * at.x, y, at.z, yaw, at.pitch, 0.0), front.intrinsics))
        for name, (yaw, share, y) in list(FURTHER.items())[: count - 1]
    )
    return (("front", front), *further)


def rig_of(name: str) -> MOUNTED:
    """The cameras of the first vehicle of a drive's config.

    Raises:
        ConfigError: No such config, it has no camera in the world, or their sizes differ.
    """
    config = config_file.load(name)
    delta_s = 0.1 if config.world is None else config.world.fixed_delta_s
    found = tuple(
        (camera.id, CameraMount(mount.camera_from_vehicle, mount.intrinsics))
        for camera in config.vehicles[0].cameras
        if camera.source == "bridge"
        for mount in [mount_of(config, camera, delta_s)]
    )
    if not found:
        raise ConfigError(f"--cameras {name}: its first vehicle has no camera in the world")
    if len(sizes_of(found)) > 1:
        raise ConfigError(f"--cameras {name}: a set has pictures of one size, these differ")
    return found


def sizes_of(rig: MOUNTED) -> Sequence[tuple[int, int]]:
    """The picture sizes of a rig, each once."""
    return sorted({(mount.intrinsics.width, mount.intrinsics.height) for _, mount in rig})
