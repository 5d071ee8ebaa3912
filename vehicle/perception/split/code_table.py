"""Prefix codes for the codes of a bottleneck: short words for what is likely after what lies left.

A code of a channel is much like the one of the cell to its left, so each (channel, left neighbour)
has a Huffman code of its own, with words of at most eight bits (package-merge, Larmore and
Hirschberg, JACM 1990). The tables were counted on training pictures and ship with both halves: a
payload holds words alone, cannot be longer than a byte a code, and needs no decompressor.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, WireError

LONGEST = 8  # bits of a word; the decoder looks them up by the next eight bits
SMALLEST_COUNT = 0.3  # of what never came after a neighbour, so that it has a word too
MAX_CHANNELS = 64
MAX_LEVELS = 16


class CodeTable:
    """Words of each code of each channel after each left neighbour (0 at a row's start)."""

    def __init__(self, lengths: NDArray[np.uint8]) -> None:
        """Derives the canonical words.

        Args:
            lengths: (channels, levels, levels) bits of a word: of [channel, left, code].

        Raises:
            ConfigError: Out of bounds, or not the lengths of complete prefix codes.
        """
        if lengths.ndim != 3 or lengths.shape[1] != lengths.shape[2]:
            raise ConfigError(f"split: a table of codes of shape {lengths.shape}")
        self.channels, self.levels = lengths.shape[:2]
        if not (1 <= self.channels <= MAX_CHANNELS and 2 <= self.levels <= MAX_LEVELS):
            raise ConfigError(f"split: a table of {self.channels} channels, {self.levels} levels")
        bits = lengths.astype(np.int64)
        if not ((bits >= 1) & (bits <= LONGEST)).all():
            raise ConfigError(f"split: a table with words not of 1..{LONGEST} bits")
        shares = 1 << (LONGEST - bits)  # of all 8-bit strings that begin with the word
        if (shares.sum(2) != 1 << LONGEST).any():
            raise ConfigError("split: a table whose words are no complete prefix code")
        self._lengths = lengths.astype(np.uint8)
        order = np.argsort(bits, axis=2, kind="stable")
        ordered = np.take_along_axis(shares, order, 2)
        starts = np.empty_like(shares)
        np.put_along_axis(starts, order, ordered.cumsum(2) - ordered, 2)
        self._words = starts.astype(np.uint8)  # a word fills the high bits of a byte
        contexts = self.channels * self.levels
        codes = np.repeat(order.reshape(-1), ordered.reshape(-1)).reshape(contexts, -1)
        steps = np.take_along_axis(bits.reshape(contexts, -1), codes, 1)
        # Of [channel, left, next eight bits]: the code, and how many of the bits were its word.
        self._code_at = codes.astype(np.uint8).tobytes()
        self._step_at = steps.astype(np.uint8).tobytes()

    @staticmethod
    def counted(samples: Iterable[NDArray[np.uint8]], channels: int, levels: int) -> CodeTable:
        """The best table for samples (rows, columns, channels) of codes."""
        counts = np.full((channels, levels, levels), SMALLEST_COUNT)
        for codes in samples:
            channel = np.broadcast_to(np.arange(channels), codes.shape)
            np.add.at(counts, (channel, _left_of(codes), codes), 1.0)
        rows = counts.reshape(-1, levels).tolist()
        lengths = np.array([word_lengths(row) for row in rows], np.uint8)
        return CodeTable(lengths.reshape(channels, levels, levels))

    def encoded(self, codes: NDArray[np.uint8]) -> bytes:
        """Words of codes (rows, columns, channels), the last byte filled with zeros."""
        channel = np.broadcast_to(np.arange(self.channels), codes.shape)
        at = (channel, _left_of(codes), codes)
        bits = np.unpackbits(self._words[at].reshape(-1, 1), axis=1)
        is_word = np.arange(LONGEST) < self._lengths[at].reshape(-1, 1)
        return np.packbits(bits[is_word]).tobytes()

    def decoded(self, words: bytes | memoryview, rows: int, columns: int) -> NDArray[np.uint8]:
        """Codes (rows, columns, channels) of a stranger's words.

        Raises:
            WireError: Not exactly as many words as that.
        """
        channels, levels = self.channels, self.levels
        count = rows * columns * channels
        if len(words) > count:
            raise WireError(f"features: expected at most {count} bytes, got {len(words)}")
        padded = np.frombuffer(bytes(words) + b"\0\0", np.uint8).astype(np.uint16)
        pairs = padded[:-1] << 8 | padded[1:]
        # The next eight bits from each bit on; a word after the end reads one place beyond.
        ahead = (pairs[:, None] >> (8 - np.arange(8, dtype=np.uint16)) & 255).astype(np.uint8)
        windows, code_at, step_at = ahead.tobytes(), self._code_at, self._step_at
        firsts = [channel * levels for channel in range(channels)]
        found = bytearray()
        at = 0
        try:
            for _ in range(rows):
                left = [0] * channels
                for _ in range(columns):
                    places = [first + code for first, code in zip(firsts, left, strict=True)]
                    for channel, place in enumerate(places):
                        key = place << LONGEST | windows[at]
                        left[channel] = code_at[key]
                        at += step_at[key]
                    found += bytes(left)
        except IndexError as error:
            raise WireError("features: the codes are cut off") from error
        if (at + 7) // 8 != len(words):
            raise WireError(
                f"features: {count} codes end in byte {(at + 7) // 8}, got {len(words)}"
            )
        return np.frombuffer(bytes(found), np.uint8).reshape(rows, columns, channels)

    def to_text(self) -> str:
        """The table as a note in a model file."""
        packed = base64.b64encode(self._lengths.tobytes()).decode("ascii")
        return f"{self.channels}x{self.levels}:{packed}"

    @staticmethod
    def from_text(text: str) -> CodeTable:
        """Reads what `to_text` wrote.

        Raises:
            ConfigError: Another thing.
        """
        shape, _, packed = text.partition(":")
        try:
            channels, levels = (int(part) for part in shape.split("x"))
            lengths = np.frombuffer(base64.b64decode(packed, validate=True), np.uint8)
            return CodeTable(lengths.reshape(channels, levels, levels))
        except (ValueError, binascii.Error) as error:
            raise ConfigError(f"split: not a table of codes: {error}") from error


def word_lengths(counts: Sequence[float], longest: int = LONGEST) -> list[int]:
    """Bits of each symbol's word in the best prefix code of words of at most `longest` bits."""
    singles = sorted((count, (symbol,)) for symbol, count in enumerate(counts))
    packages: list[tuple[float, tuple[int, ...]]] = []
    for _ in range(longest):
        merged = sorted([*singles, *packages])
        packages = [
            (first[0] + second[0], first[1] + second[1])
            for first, second in zip(merged[::2], merged[1::2], strict=False)
        ]
    lengths = [0] * len(counts)
    for _, symbols in packages[: len(counts) - 1]:
        for symbol in symbols:
            lengths[symbol] += 1
    return lengths


def _left_of(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    left = np.zeros_like(codes)
    left[:, 1:] = codes[:, :-1]
    return left
