"""How a camera turns light into grey levels: gain, gamma and the lens, after the weather."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# CARLA's defaults, under which a picture stays as it is.
ISO, SHUTTER_HZ, F_STOP, GAMMA = 100.0, 200.0, 1.4, 2.2
LENS_K, LENS_KCUBE = -1.0, 0.0


@dataclass(frozen=True, slots=True)
class Exposure:
    """The settings of one camera; the default changes nothing.

    Attributes:
        gain: factor on the light, from `exposure_gain`; raising it brings the dark up and burns
            lamps and sky out.
        gamma: of the display; above 2.2 brightens the middle greys.
        circle_falloff: power with which the darkening grows from the middle of the lens.
        circle_multiplier: how dark the corners are, 0 not at all to 10 black.
        lens_k: radial distortion, quadratic; -1 is none here, as CARLA's default.
        lens_kcube: radial distortion, cubic.
    """

    gain: float = 1.0
    gamma: float = GAMMA
    circle_falloff: float = 5.0
    circle_multiplier: float = 0.0
    lens_k: float = LENS_K
    lens_kcube: float = LENS_KCUBE

    @property
    def is_plain(self) -> bool:
        """Nothing but the gain differs from the default."""
        return self == Exposure(gain=self.gain)


def exposure_gain(
    compensation: float = 0.0,
    iso: float = ISO,
    shutter_hz: float = SHUTTER_HZ,
    f_stop: float = F_STOP,
) -> float:
    """Gain of camera settings relative to CARLA's defaults: light goes with time x iso / f ** 2."""
    stops = float(2.0**compensation)
    return stops * (iso / ISO) * (SHUTTER_HZ / shutter_hz) * (F_STOP / f_stop) ** 2


def through_lens(bgr: NDArray[np.uint8], exposure: Exposure) -> NDArray[np.uint8]:
    """A picture (H, W, 3) behind the lens: distorted, darkened at its corners, by its gamma.

    The formula of the distortion is the one of common film trackers: a point at r comes from
    r (1 + k r^2 + kcube r^3), r in half widths. Ids and depth are those of a lens without it.
    """
    height, width = bgr.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    half = np.float32(width / 2)
    across, down = (x + 0.5) / half - 1.0, (y + 0.5 - height / 2) / half
    square = across * across + down * down
    if (exposure.lens_k, exposure.lens_kcube) != (LENS_K, LENS_KCUBE):
        factor = 1.0 + square * (exposure.lens_k + exposure.lens_kcube * np.sqrt(square))
        columns = np.clip((across * factor + 1.0) * half, 0, width - 1).astype(np.intp)
        rows = np.clip(down * factor * half + height / 2, 0, height - 1).astype(np.intp)
        bgr = bgr[rows, columns]
    value = np.arange(256, dtype=np.float64) / 255.0
    curve = (255.0 * value ** (GAMMA / max(exposure.gamma, 0.1)) + 0.5).astype(np.uint8)
    bgr = curve[bgr]
    if exposure.circle_multiplier > 0:
        corner = square / np.float32(1.0 + (height / width) ** 2)
        dark = exposure.circle_multiplier / 10.0 * corner ** (exposure.circle_falloff / 2.0)
        bgr = (bgr * (1.0 - np.clip(dark, 0.0, 1.0))[..., None]).astype(np.uint8)
    return np.ascontiguousarray(bgr)
