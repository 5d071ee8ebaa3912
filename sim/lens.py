"""Bends a rendered pinhole picture so that it has a calibrated camera's K and distortion."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sim.calibration import Intrinsics, undistort

Id = TypeVar("Id", np.uint8, np.uint16)


class Lens:
    """The pinhole to render for a camera, and where each pixel of its picture comes from.

    Attributes:
        pinhole: what to render: centred, square pixels, wide enough for the whole picture.
    """

    def __init__(self, intrinsics: Intrinsics) -> None:
        width, height = intrinsics.width, intrinsics.height
        u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        plane = np.stack(
            [
                (u.ravel() - intrinsics.cx) / intrinsics.fx,
                (v.ravel() - intrinsics.cy) / intrinsics.fy,
            ],
            axis=1,
        )
        if any(intrinsics.distortion):
            plane = undistort(plane, intrinsics.distortion)
        reach = np.abs(plane).max(axis=0)
        focal = min(width / 2.0 / reach[0], height / 2.0 / reach[1])
        self.pinhole = Intrinsics(width, height, focal, focal, width / 2.0, height / 2.0)
        # cv2.remap counts from pixel centres: the middle of the first pixel is 0.
        self._u = (plane[:, 0] * focal + width / 2.0 - 0.5).astype(np.float32).reshape(u.shape)
        self._v = (plane[:, 1] * focal + height / 2.0 - 0.5).astype(np.float32).reshape(u.shape)
        columns = np.clip(np.rint(self._u), 0, width - 1).astype(np.int64)
        rows = np.clip(np.rint(self._v), 0, height - 1).astype(np.int64)
        self._nearest = rows * width + columns

    def bend(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The camera's picture, (H, W, 3) uint8, from the pinhole's."""
        import cv2

        bent: NDArray[np.uint8] = cv2.remap(
            bgr, self._u, self._v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return bent

    def bend_ids(self, ids: NDArray[Id]) -> NDArray[Id]:
        """The same for ids or tags, (H, W): never mixed, always those of the nearest pixel."""
        bent: NDArray[Id] = ids.ravel()[self._nearest]
        return bent
