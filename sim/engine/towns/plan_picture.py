"""Draws a town from above: `python -m sim.engine.towns.plan_picture VdapTown02 town02.png`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sim.engine.surfaces import MARKING_TAG, PAVEMENT_TAG, ROAD_TAG, Strip
from sim.engine.town import Town, build_town

COLOUR = {ROAD_TAG: (96, 92, 90), PAVEMENT_TAG: (176, 180, 182), MARKING_TAG: (250, 250, 250)}
LAND, BUILDING, TREE = (146, 190, 158), (126, 148, 190), (88, 140, 96)  # BGR
LIGHT, SIGN, LOOP = (40, 40, 230), (200, 90, 30), (30, 150, 250)
FURNITURE = {"parked_car": (150, 70, 60), "street_lamp": (60, 60, 60)}
MARGIN = 30.0  # m
FINE = 16  # drawn in 1/16 pixels
SHIFT = 4


def draw(town: Town, size: int) -> NDArray[np.uint8]:
    """The plan of a town, north up, (H, W, 3) uint8 BGR, its longer side `size` pixels."""
    points = np.concatenate([lane.centre[:, :2] for lane in town.lanes.lanes.values()])
    low, high = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
    scale = size / float((high - low).max())
    width, height = ((high - low) * scale).astype(int)
    picture = np.full((height, width, 3), LAND, np.uint8)

    def pixels(line: NDArray[np.float64]) -> NDArray[np.int32]:
        x, y = (line[:, 0] - low[0]) * scale, (high[1] - line[:, 1]) * scale
        return np.round(np.stack([x, y], 1) * FINE).astype(np.int32)

    for one in sorted(town.surfaces, key=lambda one: one.tag == MARKING_TAG):
        if one.tag in COLOUR:
            ring = (
                np.concatenate([one.left, one.right[::-1]])
                if isinstance(one, Strip)
                else one.outline
            )
            cv2.fillPoly(picture, [pixels(ring)], COLOUR[one.tag], cv2.LINE_AA, SHIFT)
    for building in town.buildings:
        cv2.fillPoly(picture, [pixels(building.footprint)], BUILDING, cv2.LINE_AA, SHIFT)
    for thing in town.furniture:
        at = pixels(np.array([[thing.pose.x, thing.pose.y]]))[0]
        if thing.kind in ("tree", "bush"):
            cv2.circle(picture, at, int(1.9 * scale * FINE), TREE, -1, cv2.LINE_AA, SHIFT)
        elif thing.kind in FURNITURE:
            body = pixels(np.array(thing.box().corners()))
            cv2.fillPoly(picture, [body], FURNITURE[thing.kind], cv2.LINE_AA, SHIFT)
    for lane_id in town.loop:
        line = pixels(town.lanes[lane_id].centre)
        cv2.polylines(picture, [line], False, LOOP, 1, cv2.LINE_AA, SHIFT)
    for colour, poses in (
        (LIGHT, [light.pose for light in town.traffic_lights]),
        (SIGN, [sign.pose for sign in town.signs]),
    ):
        for pose in poses:
            at = pixels(np.array([[pose.x, pose.y]]))[0]
            cv2.circle(picture, at, int(1.2 * scale * FINE), colour, -1, cv2.LINE_AA, SHIFT)
    return picture


def main() -> int:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("town")
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=900, help="pixels of the longer side")
    flags = parser.parse_args()
    cv2.imwrite(
        str(flags.out), draw(build_town(flags.town), flags.size), [cv2.IMWRITE_PNG_COMPRESSION, 9]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
