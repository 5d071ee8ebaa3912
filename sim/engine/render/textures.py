"""The texture atlas: every surface of the town, painted from a seed, packed with its mip levels."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.engine.render.noise import NoiseBank
from sim.engine.render.patterns import PATTERNS

# Metres that one repeat covers; also the table of names, in atlas order. Parts with uv of their
# own (paint, glass, ...) stand with 1.
METRES_PER_REPEAT: Final[dict[str, float]] = {name: size for name, (size, _) in PATTERNS.items()}
TEXTURE_INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(PATTERNS)}
MAX_LEVELS: Final = 11  # 1024 pixels down to 1


class Textures:
    """All textures of one asset seed.

    Attributes:
        seed: asset seed; another seed is another look.
        texels: (P,) uint32, packed 0xAABBGGRR, every level of every texture one after the other.
        offset: (N, MAX_LEVELS) int32, first texel of a level; past the last level, the last.
        size: (N,) int32, width of level 0, a power of two; all textures are square.
    """

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed
        rng = np.random.default_rng((seed, 0x7E87))
        noise = NoiseBank(rng)
        levels: list[NDArray[np.uint8]] = []
        offset = np.zeros((len(PATTERNS), MAX_LEVELS), np.int32)
        self.size = np.zeros(len(PATTERNS), np.int32)
        position = 0
        for index, (_, paint) in enumerate(PATTERNS.values()):
            picture = paint(noise, np.random.default_rng((seed, index)))
            self.size[index] = len(picture)
            for level, shrunk in enumerate(_mip_levels(picture)):
                offset[index, level:] = position
                levels.append(shrunk.reshape(-1, 4))
                position += len(levels[-1])
        self.offset = offset
        self.texels: NDArray[np.uint32] = np.concatenate(levels).view(np.uint32).reshape(-1)

    @classmethod
    def of(
        cls,
        seed: int,
        texels: NDArray[np.uint32],
        offset: NDArray[np.int32],
        size: NDArray[np.int32],
    ) -> "Textures":
        """Textures that were painted before."""
        made = cls.__new__(cls)
        made.seed, made.texels, made.offset, made.size = seed, texels, offset, size
        return made


def _mip_levels(picture: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
    """Each level down to one pixel, by box filter, as RGBA bytes."""
    size = len(picture)
    current = np.full((size, size, 4), 254.5, np.float32)
    current[..., : picture.shape[2]] = np.clip(picture, 0, 254.5)
    levels = []
    while True:
        levels.append((current + 0.5).astype(np.uint8))
        if len(current) == 1:
            return levels
        rows = current[::2] + current[1::2]
        current = (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
