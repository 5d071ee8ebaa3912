"""Textures that an earlier process painted."""

import numpy as np
import pytest

from sim.engine.render import texture_cache
from sim.engine.render.texture_cache import kept_textures
from sim.engine.render.textures import Textures


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path, textures):
    """An empty cache, and painting that costs nothing and is counted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    painted = []

    class Counted(Textures):
        def __init__(self, seed):
            painted.append(seed)
            self.seed, self.size, self.offset = seed, textures.size[:2], textures.offset[:2]
            self.texels = textures.texels[:999]

    monkeypatch.setattr(texture_cache, "Textures", Counted)
    return tmp_path / "vdap", painted


def test_the_second_look_reads_what_the_first_painted(folder):
    first, second = kept_textures(1), kept_textures(1)
    assert folder[1] == [1]
    for name in ("texels", "offset", "size"):
        one, other = getattr(first, name), getattr(second, name)
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype
        assert other.flags.writeable
        assert other.flags.c_contiguous


@pytest.mark.parametrize("keep", [0, 60, 2000, -4])
def test_a_broken_file_is_painted_anew(folder, keep):
    first = kept_textures(1)
    (file,) = folder[0].glob("textures-*.npy")
    file.write_bytes(file.read_bytes()[:keep])
    assert np.array_equal(kept_textures(1).texels, first.texels)
    assert folder[1] == [1, 1]
    kept_textures(1)
    assert folder[1] == [1, 1]


def test_a_flipped_bit_is_found(folder):
    kept_textures(1)
    (file,) = folder[0].glob("textures-*.npy")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    kept_textures(1)
    assert folder[1] == [1, 1]


def test_another_painter_is_another_file(folder, monkeypatch):
    kept_textures(1)
    monkeypatch.setattr(texture_cache, "_version", lambda: "other")
    kept_textures(1)
    assert folder[1] == [1, 1]


def test_few_files_are_kept_and_no_parts(folder):
    for seed in range(texture_cache.KEPT_FILES + 2):
        kept_textures(seed)
    assert len(list(folder[0].iterdir())) == texture_cache.KEPT_FILES


def test_without_a_place_to_write_it_paints(folder, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    kept_textures(1)
    kept_textures(1)
    assert folder[1] == [1, 1]
