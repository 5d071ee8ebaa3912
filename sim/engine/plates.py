"""Number plates: which text a vehicle wears, and how a picture's instance carries it."""

from __future__ import annotations

from typing import Final

LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"  # I, O and Q would read as digits
# Place in this row is a sign's code, and its cell in the texture "glyphs".
GLYPHS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BITS_PER_GLYPH: Final = 6
_PAIRS: Final = len(LETTERS) ** 2
_TEXTS: Final = _PAIRS * 1000 * _PAIRS
_STEP: Final = 104_729_761  # coprime to _TEXTS, so that no two of its actors share a plate
_SEED_STEP: Final = 48_611_243


def plate_text(actor_id: int, seed: int) -> str:
    """The plate of a vehicle, like `AB 123 CD`; actors of one world never share one.

    Args:
        actor_id: of the vehicle.
        seed: of the world's looks (the engine's `asset_seed`).
    """
    number = (actor_id * _STEP + seed * _SEED_STEP) % _TEXTS
    number, left = divmod(number, _PAIRS)
    right, digits = divmod(number, 1000)
    return f"{_pair(left)} {digits:03d} {_pair(right)}"


def _pair(number: int) -> str:
    first, second = divmod(number, len(LETTERS))
    return LETTERS[first] + LETTERS[second]


def plate_code(text: str) -> int:
    """A text as `Instance.plate`: `BITS_PER_GLYPH` bits a sign, the first lowest, no spaces.

    Raises:
        ValueError: a sign that `GLYPHS` lacks.
    """
    code = 0
    for place, sign in enumerate(text.replace(" ", "")):
        code |= GLYPHS.index(sign) << (BITS_PER_GLYPH * place)
    return code
