"""Content: what counts as a change, and since which look."""

import numpy as np
import pytest
from numpy.typing import NDArray

from vehicle.perception.content import Content, changed, thumb

pytest.importorskip("cv2")


def street(boxes: list[tuple[int, int, int, int]] = [], noise: int = 0) -> NDArray[np.uint8]:  # noqa: B006
    """A grey picture with white boxes (x1, y1, x2, y2)."""
    image = np.full((384, 640, 3), 90, np.uint8)
    if noise:
        image = image + np.random.default_rng(noise).integers(0, 8, image.shape).astype(np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = 230
    return image


def test_noise_is_no_change_and_a_car_is_its_share_of_the_picture() -> None:
    still = thumb(street(noise=1))
    assert changed(still, thumb(street(noise=2))) == 0.0
    car = changed(still, thumb(street([(160, 160, 320, 256)], noise=3)))
    assert car == pytest.approx(160 * 96 / (640 * 384), rel=0.1)


def test_a_pedestrian_far_away_is_seen() -> None:
    assert changed(thumb(street()), thumb(street([(300, 200, 312, 232)]))) > 0.0


def test_change_is_counted_since_the_last_look_whatever_came_between() -> None:
    content, car = Content(), (160, 160, 320, 256)
    assert content.change("front", 1, street()) == 1.0  # nobody has looked yet
    content.on_look("front", 1)
    assert content.change("front", 2, street()) == 0.0
    first = content.change("front", 3, street([car]))
    assert first > 0.0
    assert content.change("front", 4, street([car])) == first  # still not looked at
    content.on_look("front", 3)
    assert content.change("front", 5, street([car])) == 0.0
    content.on_look("front", 2)  # an older answer, late
    assert content.change("front", 6, street([car])) == 0.0


def test_cameras_are_apart_and_little_is_kept() -> None:
    content = Content()
    for stamp in range(200):
        content.change("front", stamp, street())
    content.on_look("front", 3)  # long forgotten
    assert content.change("front", 300, street()) == 1.0
    assert content.change("rear", 1, street()) == 1.0


def test_pictures_of_any_size_make_thumbs_of_one() -> None:
    assert thumb(np.zeros((1080, 1920, 3), np.uint8)).shape == thumb(street()).shape
