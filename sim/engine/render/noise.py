"""Tileable 1/f noise, the raw material of every texture."""

import numpy as np
from numpy.typing import NDArray


class NoiseBank:
    """Noise fields by size and exponent; each is made once and handed out shifted and turned.

    Making a field is a Fourier transform, handing one out is a copy, so that an atlas of forty
    textures costs a handful of transforms.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._fields: dict[tuple[int, float], NDArray[np.float32]] = {}

    def __call__(self, size: int, exponent: float) -> NDArray[np.float32]:
        """A tileable (size, size) field in 0..1; a larger exponent is smoother."""
        key = (size, exponent)
        if key not in self._fields:
            self._fields[key] = _field(size, exponent, self._rng)
        field = self._fields[key]
        if self._rng.random() < 0.5:
            field = field[::-1]
        if self._rng.random() < 0.5:
            field = field[:, ::-1]
        shift = self._rng.integers(0, size, 2)
        shifted: NDArray[np.float32] = np.roll(field, (int(shift[0]), int(shift[1])), (0, 1))
        return shifted


def rgb(*channels: float) -> NDArray[np.float32]:
    """A colour as an array (3,)."""
    return np.array(channels, np.float32)


def blend(
    share: NDArray[np.floating], low: NDArray[np.floating], high: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Mix two colours or pictures by a field (n, n) in 0..1."""
    mixed: NDArray[np.float32] = (low + (high - low) * share[..., None]).astype(np.float32)
    return mixed


def grey(share: NDArray[np.floating], low: float, high: float) -> NDArray[np.float32]:
    """A field in 0..1 as a grey picture (n, n, 3)."""
    return blend(share, rgb(low, low, low), rgb(high, high, high))


def _field(size: int, exponent: float, rng: np.random.Generator) -> NDArray[np.float32]:
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / frequency**exponent
    spectrum[0, 0] = 0.0
    field = np.fft.irfft2(spectrum, (size, size))
    low, high = np.percentile(field[::2, ::2], [1, 99])
    scaled: NDArray[np.float32] = np.clip((field - low) / (high - low), 0, 1).astype(np.float32)
    return scaled
