import re
from importlib.util import find_spec

import numpy as np
import pytest

from sim.engine.geometry import Pose
from sim.engine.plates import GLYPHS, LETTERS, plate_code, plate_text
from sim.engine.render.assets.vehicles import vehicle_asset
from sim.engine.render.glyphs import CELL_PIXELS, CELLS, glyph_sheet
from sim.engine.render.textures import TEXTURE_INDEX


def test_a_plate_follows_from_id_and_seed():
    assert plate_text(7, 1) == plate_text(7, 1)
    assert plate_text(7, 1) != plate_text(7, 2)
    form = re.compile(rf"[{LETTERS}]{{2}} \d{{3}} [{LETTERS}]{{2}}")
    texts = [plate_text(number, 3) for number in range(20_000)]
    assert len(set(texts)) == len(texts)
    assert all(form.fullmatch(text) for text in texts)


def test_neighbours_look_unlike():
    one, following = (plate_text(number, 1).replace(" ", "") for number in (40, 41))
    assert sum(a != b for a, b in zip(one, following, strict=True)) >= 4


def test_a_code_holds_every_sign_in_its_place():
    code = plate_code("AB 123 CD")
    signs = [GLYPHS[(code >> (6 * k)) & 63] for k in range(7)]
    assert "".join(signs) == "AB123CD"
    assert code < 1 << 42  # beside 20 bits of lamps in 63
    with pytest.raises(ValueError, match="not found"):
        plate_code("A-1")


def test_every_sign_has_a_shape_of_its_own():
    sheet = glyph_sheet()[..., 0]
    cells = [cell(sheet, k) for k, sign in enumerate(GLYPHS) if sign not in "IOQ"]
    for k, one in enumerate(cells):
        assert one.min() < 60 < 200 < one.max()
        for other in cells[:k]:
            assert np.abs(one - other).mean() > 4


def cell(sheet, code):
    row, column = divmod(code, CELLS)
    n = CELL_PIXELS
    return sheet[row * n : (row + 1) * n, column * n : (column + 1) * n]


@pytest.mark.skipif(find_spec("numba") is None, reason="needs the extra `engine`")
@pytest.mark.parametrize(("actor_id", "kind", "yaw"), [(31, "car_sedan", 0.0), (412, "truck", 0.1)])
def test_a_plate_over_60_px_wide_can_be_read(actor_id, kind, yaw):
    """Signs are told apart by correlation with the font, as a simple reader would."""
    from sim.engine.render.renderer import CameraView, Renderer
    from sim.engine.render.scene import Instance, Scene
    from sim.engine.render.textures import Textures

    text = plate_text(actor_id, 5)
    mesh = vehicle_asset(kind, 1).body
    scene = Scene(Textures(1))
    at = Pose(mesh.vertices[:, 0].max() + 2.1, 0.0, 0.0, yaw)
    scene.dynamic[1] = Instance(
        mesh, at.matrix(), (0.3, 0.3, 0.3), 1, 14, True, plate=plate_code(text)
    )
    camera = Pose(0.0, 0.0, 0.8)
    view = CameraView(640, 384, 90.0, camera.matrix())
    picture = Renderer(scene, noise=0).render(view).bgr.mean(2)

    on_glyphs = np.unique(mesh.triangles[mesh.texture == TEXTURE_INDEX["glyphs"]])
    rear = on_glyphs[mesh.vertices[on_glyphs, 0] < 0]
    world = at.matrix() @ np.column_stack([mesh.vertices[rear], np.ones(len(rear))]).T
    pixel = np.stack([320 - 320 * world[1] / world[0], 192 - 320 * (world[2] - 0.8) / world[0]], 1)
    assert np.ptp(pixel[:, 0]) > 60
    read = "".join(
        best_sign(picture, corners, k / count, (k + 1) / count)
        for corners, count in zip(pixel.reshape(3, 4, 2), (2, 3, 2), strict=True)
        for k in range(count)
    )
    assert read == text.replace(" ", "")


def best_sign(picture, corners, left, right):
    """The sign whose shape correlates best with the part of a quad between two shares of it."""
    n = 16
    u = left + (right - left) * (np.arange(n) + 0.5) / n
    v = (np.arange(n) + 0.5) / n
    low = corners[0] + u[:, None] * (corners[1] - corners[0])
    high = corners[3] + u[:, None] * (corners[2] - corners[3])
    at = high[None] + v[:, None, None] * (low - high)[None] - 0.5
    x, y = np.floor(at).astype(int).transpose(2, 0, 1)
    a, b = (at - np.floor(at)).transpose(2, 0, 1)
    seen = (picture[y, x] * (1 - a) + picture[y, x + 1] * a) * (1 - b) + (
        picture[y + 1, x] * (1 - a) + picture[y + 1, x + 1] * a
    ) * b
    sheet = glyph_sheet()[..., 0]
    scores = {}
    for code, sign in enumerate(GLYPHS):
        if sign in "IOQ":
            continue
        shape = cell(sheet, code).reshape(n, CELL_PIXELS // n, n, CELL_PIXELS // n).mean((1, 3))
        scores[sign] = np.corrcoef(seen.ravel(), shape.ravel())[0, 1]
    return max(scores, key=scores.get)
