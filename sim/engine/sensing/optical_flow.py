"""Optical flow, exact: where each pixel's point was in the picture before, from depth and poses.

CARLA's camera gives the motion from the last picture to this one, at this one's pixels, in units
of half the picture: x to the right, y **up**; a pixel therefore moved by (x width / 2,
-y height / 2). That is Unreal's velocity buffer, in normalised device coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sim.engine.render.renderer import CameraView, Picture

OPTICAL_FROM_BODY: Final = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
Matrix = NDArray[np.float64]


class OpticalFlow:
    """One camera between two pictures."""

    def __init__(self) -> None:
        self._view: CameraView | None = None
        self._poses: Mapping[int, Matrix] = {}

    def between(
        self, view: CameraView, picture: Picture, poses: Mapping[int, Matrix]
    ) -> NDArray[np.float32]:
        """Return the flow (H, W, 2) from the last call's picture to this one; zeros at first.

        Args:
            view: the camera now.
            picture: what it sees.
            poses: (4, 4) world_from_body of what moves, by instance id. Bodies move as one: what
                swings on them (legs, wheels) is counted as their body.
        """
        from sim.engine.sensing.flow_kernel import write_flow  # numba, which starts slowly

        flow = np.zeros((*picture.depth.shape, 2), np.float32)
        if self._view is not None and self._view.width == view.width:
            ids = sorted(i for i in poses if i in self._poses)
            before = _pixel_from_world(self._view)
            motions = [np.eye(4), *(self._poses[i] @ np.linalg.inv(poses[i]) for i in ids)]
            ray_from_pixel = np.linalg.inv(view.intrinsics())
            world_from_optical = view.world_from_camera.copy()
            world_from_optical[:3, :3] = view.world_from_camera[:3, :3] @ OPTICAL_FROM_BODY.T
            to = np.array([before @ motion @ world_from_optical for motion in motions])
            to[:, :, :3] = to[:, :, :3] @ ray_from_pixel
            write_flow(
                picture.depth,
                picture.instance,
                picture.semantic,
                np.array(ids, np.uint32),
                to,
                flow,
            )
        self._view, self._poses = view, dict(poses)
        return flow


def _pixel_from_world(view: CameraView) -> Matrix:
    """Return (3, 4): homogeneous pixels of a world point."""
    optical_from_world = np.linalg.inv(view.world_from_camera)
    optical_from_world[:3] = OPTICAL_FROM_BODY @ optical_from_world[:3]
    return np.asarray(view.intrinsics() @ optical_from_world[:3])
