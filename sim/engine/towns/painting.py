"""Paints the roads of a network: lines, stop lines, give-way triangles, zebras, arrows, bays."""

from __future__ import annotations

import math

import numpy as np

from sim.engine.surfaces import MARKING_HEIGHT, MARKING_TAG, Strip
from sim.engine.towns.junctions import Arm, Junction
from sim.engine.towns.marks import lane_mark, middle_mark
from sim.engine.towns.network import Network
from sim.engine.towns.paving import ARC_STEP, stations
from sim.engine.towns.plan import (
    CROSSING_WIDTH,
    LIGHT_TYPE,
    STOP_TYPE,
    YIELD_TYPE,
    stop_distance,
)
from sim.engine.towns.roads import Road, Signal

LINE_WIDTH = 0.14  # m
DASHES = {"motorway": (6.0, 18.0), "rural": (4.0, 12.0)}  # m painted, m from dash to dash
TOWN_DASHES = (3.0, 9.0)
AFTER_STOP = 3.0  # m from a stop line to the first dash
EDGE_INSET = 0.2  # m from the kerb to the middle of the edge line
STOP_LINE_WIDTH = 0.4  # m along the road
TEETH, TOOTH_LENGTH = 0.75, 0.6  # m from tooth to tooth of a give-way line, m along the road
ZEBRA_BAR, ZEBRA_PERIOD = 0.5, 1.0  # m across the road
ARROWS_BEFORE = 9.0  # m from the stop line to the foot of the arrows
BAY_LENGTH = 6.0  # m of a parking bay
BENT = 1e-6  # rad


def paint(network: Network) -> list[Strip]:
    """Everything painted on a network's roads."""
    found: list[Strip] = []
    trims = _trims(network)
    for road in network.roads.values():
        if road.junction_id < 0:
            found += _lines(
                road, trims.get((road.id, "start"), 0.0), trims.get((road.id, "end"), 0.0)
            )
            found += _bays(road)
            for s in road.crossings:
                found += _zebra(road, s)
            for signal in road.signals:
                found += _stop_line(road, signal)
    for junction in network.junctions:
        for k, arm in enumerate(junction.arms):
            if len(arm.lanes_in()) > 1 and junction.ring is None and arm.control:
                found += _arrows(junction, k, arm)
    return found


def _trims(network: Network) -> dict[tuple[int, str], float]:
    """Metres at the ends of roads that dashes leave free: up to where one stops."""
    return {
        (arm.road.id, arm.contact): stop_distance(junction, arm)
        for junction in network.junctions
        for arm in junction.arms
        if junction.has_crossings and arm.has_crossing
    }


def _patch(road: Road, along: tuple[float, float], across: tuple[float, float]) -> Strip:
    """A mark between two stations and two offsets (left first)."""
    ways = road.along(np.array(along))
    if abs(ways[2][0] - ways[2][1]) > BENT:
        steps = max(2, int((along[1] - along[0]) / ARC_STEP) + 1)
        ways = road.along(np.linspace(*along, steps))
    left, right = (road.beside(ways, t, MARKING_HEIGHT) for t in across)
    return Strip(left, right, "marking_white", MARKING_TAG)


def _lines(road: Road, first: float, last: float) -> list[Strip]:
    """Lines between lanes and at the road's edges."""
    found: list[Strip] = []
    borders = [(0.0, middle_mark(road)[0], 0)]
    borders += [(road.edges(n)[1], lane_mark(road, n)[0], n) for n in road.lanes]
    for t, style, number in borders:
        side = 1.0 if number > 0 else -1.0
        if style == "solid":
            outer = number + int(side)
            is_kerb = number == 0 or outer not in road.lanes or road.form(outer).kind != "shoulder"
            if number == 0:
                inset = -EDGE_INSET if not road.left or road.form(1).kind != "shoulder" else 0.0
            else:
                inset = -side * EDGE_INSET if is_kerb else 0.0
            at = stations(road)
            left = road.line(t + inset + LINE_WIDTH / 2, MARKING_HEIGHT, at)
            right = road.line(t + inset - LINE_WIDTH / 2, MARKING_HEIGHT, at)
            found.append(Strip(left, right, "marking_white", MARKING_TAG))
        elif style == "broken":
            dash, period = DASHES.get(road.character, TOWN_DASHES)
            half = LINE_WIDTH / 2
            found += [
                _patch(road, (s, s + dash), (t + half, t - half))
                for s in np.arange(first + AFTER_STOP, road.length - last - dash, period).tolist()
            ]
    return found


def _stop_line(road: Road, signal: Signal) -> list[Strip]:
    """The line at which a light or sign stops one: a bar, or teeth to give way."""
    if signal.type not in (LIGHT_TYPE, STOP_TYPE, YIELD_TYPE):
        return []
    edges = [t for number in signal.lanes for t in road.edges(number)]
    low, high = min(edges), max(edges)
    inset = EDGE_INSET if signal.lanes[0] < 0 else LINE_WIDTH / 2
    low, high = low + inset, high - (LINE_WIDTH / 2 + EDGE_INSET - inset)
    if signal.type != YIELD_TYPE:
        return [_patch(road, (signal.s, signal.s + STOP_LINE_WIDTH), (high, low))]
    way = 1.0 if signal.lanes[0] < 0 else -1.0
    found = []
    for t in np.arange(low + 0.1, high - 0.4, TEETH).tolist():
        base, tip = signal.s + way * TOOTH_LENGTH, signal.s  # the tip points at who arrives
        left = [road.at(base, t + 0.5), road.at(tip, t + 0.25)]
        right = [road.at(base, t), road.at(tip, t + 0.25)]
        pair = [
            np.array([(w.x, w.y, road.relief.height(w.x, w.y) + MARKING_HEIGHT) for w in line])
            for line in ((left, right) if way < 0 else (right, left))
        ]
        found.append(Strip(pair[0], pair[1], "marking_white", MARKING_TAG))
    return found


def _zebra(road: Road, s: float) -> list[Strip]:
    along = (s - CROSSING_WIDTH / 2, s + CROSSING_WIDTH / 2)
    bars = np.arange(road.kerb(-1) + 0.5, road.kerb(1) - 0.2, ZEBRA_PERIOD).tolist()
    spans = [road.edges(n) for n in road.numbers("median")]
    return [
        _patch(road, along, (t + ZEBRA_BAR / 2, t - ZEBRA_BAR / 2))
        for t in bars
        if not any(min(span) - 0.2 < t < max(span) + 0.2 for span in spans)
    ]


def _bays(road: Road) -> list[Strip]:
    """Lines across parking lanes."""
    found = []
    for number in road.numbers("parking"):
        inner, outer = sorted(road.edges(number))
        first, last = parking_room(road)
        bays = np.arange(first, last + 0.1, BAY_LENGTH).tolist()
        found += [_patch(road, (s, s + 0.1), (outer, inner)) for s in bays]
    return found


def parking_room(road: Road) -> tuple[float, float]:
    """The stations between which parking lanes have bays, a whole number of them."""
    first, last = 14.0, road.length - 14.0
    count = max(0, math.floor((last - first) / BAY_LENGTH))
    return first, first + count * BAY_LENGTH


def _arrows(junction: Junction, k: int, arm: Arm) -> list[Strip]:
    """An arrow on every arriving lane for every way it may go."""
    found: list[Strip] = []
    for lane in arm.lanes_in():
        ways = {
            road.turn
            for turn, road in zip(junction.turns, junction.roads, strict=False)
            if (turn.arrives, turn.lane_in) == (k, lane)
        }
        foot = arm.station(stop_distance(junction, arm) + ARROWS_BEFORE)
        found += _arrow(arm, foot, arm.road.middle(lane), ways)
    return found


def _arrow(arm: Arm, foot: float, middle: float, ways: set[str]) -> list[Strip]:
    """A shaft with heads; `u` runs towards the junction, `v` to the left of who arrives."""
    towards = 1.0 if arm.contact == "end" else -1.0
    road = arm.road

    def point(u: float, v: float) -> tuple[float, float, float]:
        way = road.at(foot + towards * u, middle + towards * v)
        return way.x, way.y, road.relief.height(way.x, way.y) + MARKING_HEIGHT

    def quad(*corners: tuple[float, float]) -> Strip:
        a, b, c, d = (point(*corner) for corner in corners)
        return Strip(np.array([a, d]), np.array([b, c]), "marking_white", MARKING_TAG)

    parts = [quad((0.0, 0.08), (0.0, -0.08), (2.6, -0.08), (2.6, 0.08))]
    if "straight" in ways:
        parts.append(quad((2.6, 0.08), (2.6, -0.08), (3.0, -0.08), (3.0, 0.08)))
        parts.append(quad((3.0, 0.4), (3.0, -0.4), (4.6, 0.0), (4.6, 0.0)))
    for name, side in (("left", 1.0), ("right", -1.0)):
        if name in ways:
            bar = [(2.6, side * 0.08), (2.2, side * 0.08), (2.8, side * 0.6), (3.2, side * 0.6)]
            head = [(2.3, side * 0.55), (3.6, side * 0.55), (3.3, side * 1.1), (3.3, side * 1.1)]
            parts += [quad(*(bar if side > 0 else bar[::-1]))]
            parts += [quad(*(head[::-1] if side > 0 else head))]
    return parts
