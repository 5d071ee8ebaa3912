from types import SimpleNamespace

import numpy as np
import pytest

from sim.carla_server.images import (
    FIRST_LEVEL_ID,
    depth_pixels,
    instance_pixels,
    rgb_pixels,
    semantic_pixels,
)


def picture():
    instance = np.array([[0, 7, 300], [70_000, FIRST_LEVEL_ID + 1, FIRST_LEVEL_ID + 2]], np.uint32)
    return SimpleNamespace(
        bgr=np.arange(18, dtype=np.uint8).reshape(2, 3, 3),
        depth=np.array([[0.5, 10.0, 123.456], [999.9, 1000.0, 5000.0]], np.float32),
        instance=instance,
        semantic=np.array([[1, 14, 12], [14, 3, 9]], np.uint8),
    )


def decoded_ids(pixels):
    return pixels[..., 1].astype(int) + 256 * pixels[..., 0].astype(int)


def test_rgb_is_bgra():
    pixels = rgb_pixels(picture(), "actor")
    assert pixels.shape == (2, 3, 4) and pixels.dtype == np.uint8
    assert np.array_equal(pixels[..., :3], picture().bgr)
    assert (pixels[..., 3] == 255).all()


def test_depth_decodes_by_the_documented_formula():
    code = depth_pixels(picture(), "actor").astype(np.float64)
    metres = 1000 * (code[..., 2] + 256 * code[..., 1] + 65536 * code[..., 0]) / (2**24 - 1)
    expected = np.minimum(picture().depth, 1000.0)
    assert np.abs(metres - expected).max() < 1e-4


def test_tags_are_in_red():
    for pixels in (semantic_pixels(picture(), "actor"), instance_pixels(picture(), "engine")):
        assert np.array_equal(pixels[..., 2], picture().semantic)


def test_actor_ids_are_written_in_their_low_16_bits():
    ids = decoded_ids(instance_pixels(picture(), "actor"))
    assert ids[0].tolist() == [0, 7, 300]
    assert ids[1, 0] == 70_000 & 0xFFFF
    assert ids[1, 1] != ids[1, 2]


@pytest.mark.parametrize("count", [30_000])
def test_engine_ids_are_other_ids_and_distinct(count):
    shot = picture()
    shot.instance = np.arange(1, count + 1, dtype=np.uint32).reshape(1, -1)
    shot.semantic = np.zeros((1, count), np.uint8)
    ids = decoded_ids(instance_pixels(shot, "engine"))[0]
    assert len(set(ids.tolist())) == count
    assert (ids != shot.instance[0]).mean() > 0.999
