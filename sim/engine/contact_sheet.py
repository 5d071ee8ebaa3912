"""`python -m sim.engine.contact_sheet OUT.jpg`: every road user from three sides, and the towns.

Each vehicle and some walkers are shown from the front, the side and behind, as pictures show them,
then a street of every town. The command is how `docs/world/road_users.jpg` was made.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sim.engine.actor_instances import ActorInstances
from sim.engine.actors import Actor
from sim.engine.blueprints import Blueprint
from sim.engine.catalogue import all_blueprints
from sim.engine.geometry import Pose
from sim.engine.render.mesh_builder import Material, MeshBuilder
from sim.engine.render.renderer import CameraView, Renderer
from sim.engine.render.scene import Instance, Scene
from sim.engine.render.textures import Textures
from sim.engine.simulation import Engine, SpawnCollision
from sim.engine.town import build_town, town_names

Image = NDArray[np.uint8]
VEHICLE_TILE, WALKER_TILE, STREET_TILE = (168, 100), (84, 124), (378, 240)  # pixels
COLUMNS = 3  # vehicles side by side, three views each
WALKERS_SHOWN = 18
VIEWS = (math.pi - 0.55, math.pi / 2, -0.62)  # yaw of what the camera, looking along x, sees
FINER = 2  # drawn that many times larger, then shrunk
JPEG_QUALITY = 72
VEHICLES, WALKERS, WARM_UP_TICKS = 90, 70, 60
CAR_TAG, LOW_CAR_M = 14, 1.6  # a camera 1.9 m up stands above its roof


class Studio:
    """A bare ground on which one actor at a time is shown."""

    def __init__(self, asset_seed: int = 1) -> None:
        self._scene = Scene(Textures(asset_seed))
        self._scene.static.append(_floor())
        self._shapes = ActorInstances(asset_seed)
        self._renderer = Renderer(self._scene, noise=0.0)
        self._frame = 0

    def view(self, actor: Actor, size: tuple[int, int], yaw: float) -> Image:
        """The actor turned by `yaw`, filling a picture of `size` (width, height)."""
        self._frame += 1
        z = actor.extent[2] if actor.kind == "walker" else 0.0
        actor.pose = Pose(0.0, 0.0, z, yaw)
        actor.steer_angle, actor.rolled = 0.2, 0.4
        self._shapes.update(self._scene.dynamic, {actor.id: actor})
        self._renderer.begin_tick(self._frame)
        long, wide, tall = (2 * half for half in actor.extent)
        across = abs(math.cos(yaw)) * wide + abs(math.sin(yaw)) * long
        deep = abs(math.cos(yaw)) * long + abs(math.sin(yaw)) * wide
        slope = math.tan(math.radians(20.0))
        need = max(across / 2 / slope, tall / 2 / slope * size[0] / size[1])
        eye = Pose(-0.98 * need - deep / 2, 0.0, 0.5 * tall + 0.2 * need, 0.0, -0.19)
        drawn = self._renderer.render(
            CameraView(size[0] * FINER, size[1] * FINER, 40.0, eye.matrix())
        )
        return _shrunk(drawn.bgr, size)


def _shrunk(bgr: Image, size: tuple[int, int]) -> Image:
    shrunk: Image = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    return shrunk


def _floor() -> Instance:
    builder = MeshBuilder()
    half = 120.0
    corners = [(-half, -half, 0.0), (half, -half, 0.0), (half, half, 0.0), (-half, half, 0.0)]
    builder.quad(corners, Material("asphalt"), (half / 3, half / 3))
    return Instance(builder.build("floor"), np.eye(4), semantic_tag=1)


def actor_of(number: int, blueprint: Blueprint) -> Actor:
    """An actor of a blueprint, painted with one of its colours in turn."""
    attributes = {one.id: one.value for one in blueprint.attributes}
    for one in blueprint.attributes:
        if one.id == "color" and one.recommended:
            attributes["color"] = one.recommended[number % len(one.recommended)]
    length, width, height = blueprint.size
    extent = (length / 2, width / 2, height / 2)
    return Actor(number, blueprint, attributes, Pose(), extent=extent)


def _labelled(tiles: list[Image], text: str) -> Image:
    strip: Image = np.hstack(tiles)
    place = (4, 11)
    cv2.putText(strip, text, place, cv2.FONT_HERSHEY_PLAIN, 0.75, (20, 20, 20), 1, cv2.LINE_AA)
    return strip


def road_users() -> Image:
    """Every vehicle and the first walkers, (H, W, 3) BGR."""
    studio = Studio()
    blueprints = [one for _, one in sorted(all_blueprints().items())]
    vehicles = [one for one in blueprints if one.kind == "vehicle"]
    vehicles.sort(key=lambda one: (one.semantic_tag, one.id))
    strips = []
    for number, blueprint in enumerate(vehicles, 1):
        actor = actor_of(number, blueprint)
        tiles = [studio.view(actor, VEHICLE_TILE, yaw) for yaw in VIEWS]
        strips.append(_labelled(tiles, blueprint.id.partition(".")[2]))
    while len(strips) % COLUMNS:
        strips.append(np.full_like(strips[0], 96))
    rows = [np.hstack(strips[k : k + COLUMNS]) for k in range(0, len(strips), COLUMNS)]
    walkers = [one for one in blueprints if one.kind == "walker"][:WALKERS_SHOWN]
    figures = []
    for number, blueprint in enumerate(walkers, 1):
        actor = actor_of(number, blueprint)
        if number % 3:  # walking, else standing
            actor.velocity, actor.walked = (1.4, 0.0, 0.0), 0.23 * number
        tiles = [studio.view(actor, WALKER_TILE, yaw) for yaw in VIEWS]
        figures.append(_labelled(tiles, blueprint.id[-4:]))
    per_row = rows[0].shape[1] // figures[0].shape[1]
    rows += [np.hstack(figures[k : k + per_row]) for k in range(0, len(figures), per_row)]
    sheet: Image = np.vstack(rows)
    return sheet


def street(town: str, size: tuple[int, int]) -> Image:
    """A street with traffic, seen from the roof of the car that sees most."""
    engine = Engine(build_town(town), seed=3)
    choose = random.Random(f"{town} sheet")
    drivers: list[Actor] = []
    for prefix, places, count in (
        ("vehicle.", engine.town.spawn_points, VEHICLES),
        ("walker.", engine.town.walker_spawn_points, WALKERS),
    ):
        names = [name for name in sorted(engine.blueprints) if name.startswith(prefix)]
        for place in choose.sample(places, min(count, len(places))):
            blueprint = engine.blueprints[choose.choice(names)]
            paints = [a.recommended for a in blueprint.attributes if a.id == "color"]
            paint = {"color": choose.choice(paints[0])} if paints and paints[0] else {}
            try:
                actor = engine.spawn(blueprint.id, place, paint)
            except SpawnCollision:
                continue
            if prefix == "vehicle.":
                engine.follow_lanes(actor.id)
                if blueprint.semantic_tag == CAR_TAG and blueprint.size[2] < LOW_CAR_M:
                    drivers.append(actor)
            else:
                engine.walk_pavement(actor.id)
    for _ in range(WARM_UP_TICKS):
        engine.tick(0.1)
    seat = Pose(0.4, 0.0, 1.9, 0.0, -0.03)
    best, most = drivers[0], -1
    for actor in choose.sample(drivers, min(30, len(drivers))):
        view = CameraView(160, 96, 90.0, actor.pose.compose(seat).matrix())
        ids, pixels = np.unique(engine.picture(view).instance, return_counts=True)
        others = (ids > 0) & (ids < 1 << 20) & (ids != actor.id) & (pixels < 1800)
        seen = int(np.sqrt(pixels[others]).sum())
        if seen > most:
            best, most = actor, seen
    width, height = size
    view = CameraView(width * FINER, height * FINER, 80.0, best.pose.compose(seat).matrix())
    return _labelled([_shrunk(engine.picture(view).bgr, size)], town)


def main(argv: list[str] | None = None) -> int:
    """Runs the command."""
    it = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    it.add_argument("out", type=Path, help="a .jpg or .png file")
    it.add_argument("--no-streets", action="store_true", help="road users alone")
    arguments = it.parse_args(argv)
    cv2.setNumThreads(1)
    rows = [road_users()]
    if not arguments.no_streets:
        wide = rows[0].shape[1]
        tiles = [street(town, STREET_TILE) for town in town_names()]
        while len(tiles) % (wide // STREET_TILE[0]):
            tiles.append(np.full_like(tiles[0], 96))
        per_row = wide // STREET_TILE[0]
        rows += [np.hstack(tiles[k : k + per_row]) for k in range(0, len(tiles), per_row)]
    sheet = np.vstack(rows)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.out), sheet, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    sys.stdout.write(f"{arguments.out}: {sheet.shape[1]} x {sheet.shape[0]} pixels\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
