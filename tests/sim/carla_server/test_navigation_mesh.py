import math
import struct
from dataclasses import replace

import numpy as np
import pytest

from sim.carla_server.navigation import navigation_file, navigation_mesh
from sim.carla_server.navigation.detour import (
    CROSSWALK,
    DETAIL,
    LINK_SIZE,
    MOST_POLYGONS,
    NODE,
    POLYGON,
    ROAD,
    SIDEWALK,
    Polygon,
    encode,
)
from sim.engine.lanes import LaneGraph
from sim.engine.town import Town, build_town

HEAD, HEADER = struct.Struct("<3i3f2f2iIi"), struct.Struct("<5iI9i10f")


class Mesh:
    """A mesh read back: the fields by Detour's own names where a test needs them."""

    def __init__(self, data):
        head = HEAD.unpack_from(data)
        self.magic, self.version, self.tiles = head[:3]
        self.origin, self.size, self.most_polygons = head[3:6], head[6:8], head[9]
        self.reference, size = head[10:]
        assert len(data) == HEAD.size + size
        header = HEADER.unpack_from(data, HEAD.size)
        self.tile_magic, self.tile_version = header[:2]
        polygons, vertices, links, details, _, triangles, nodes, _, base = header[6:15]
        assert base == details == polygons
        at = HEAD.size + HEADER.size
        self.low, self.high, self.quant = header[18:21], header[21:24], header[24]
        self.vertices = np.frombuffer(data, "<f4", vertices * 3, at).reshape(-1, 3)
        at += self.vertices.nbytes
        self.polygons = np.frombuffer(data, POLYGON, polygons, at)
        at += self.polygons.nbytes + links * LINK_SIZE
        self.details = np.frombuffer(data, DETAIL, details, at)
        at += self.details.nbytes
        self.triangles = np.frombuffer(data, "u1", triangles * 4, at).reshape(-1, 4)
        at += self.triangles.nbytes
        self.nodes = np.frombuffer(data, NODE, nodes, at)
        assert at + self.nodes.nbytes == len(data)
        assert links == self.polygons["count"].sum()
        counts = self.polygons["count"].tolist()
        places = np.stack([self.vertices[:, 0], -self.vertices[:, 2], self.vertices[:, 1]], 1)
        rows = zip(self.polygons["corners"].tolist(), counts, strict=True)
        self.corners = [places[row[:count]] for row, count in rows]  # the engine's axes
        self.lows = np.array([one.min(axis=0) for one in self.corners])
        self.highs = np.array([one.max(axis=0) for one in self.corners])
        rows = zip(self.polygons["neighbours"].tolist(), counts, strict=True)
        self.neighbours = [[one - 1 for one in row[:count] if one] for row, count in rows]

    def area_of(self, x, y):
        """Which area lies at a point, or None."""
        near = (self.lows[:, :2] <= (x, y)).all(axis=1) & (self.highs[:, :2] >= (x, y)).all(axis=1)
        for k in np.flatnonzero(near):
            if is_inside(self.corners[k], x, y):
                return int(self.polygons[k]["area"])
        return None


def is_inside(corners, x, y):
    ahead = np.roll(corners, -1, axis=0) - corners
    side = ahead[:, 0] * (y - corners[:, 1]) - ahead[:, 1] * (x - corners[:, 0])
    return bool((side >= -1e-4).all())


def twice_area(corners):
    x, y = corners[:, 0], corners[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


@pytest.fixture(scope="module")
def town():
    return build_town()


@pytest.fixture(scope="module")
def mesh(town):
    return Mesh(navigation_mesh(town))


def test_two_squares_in_bytes():
    square = np.array([(0, 0, 0), (2, 0, 0), (2, 2, 0), (0, 2, 0), (4, 0, 1), (4, 2, 1)], float)
    made = Mesh(encode(square, [Polygon((0, 1, 2, 3), SIDEWALK), Polygon((1, 4, 5, 2), CROSSWALK)]))
    assert struct.pack(">i", made.magic) == b"MSET"
    assert struct.pack(">i", made.tile_magic) == b"DNAV"
    assert (made.version, made.tiles, made.tile_version) == (1, 1, 7)
    assert made.reference == 2  # salt 1, tile 0, polygon 0 of two
    assert made.polygons["flags"].tolist() == [2, 4]
    assert made.polygons["area"].tolist() == [1, 2]
    assert made.polygons["neighbours"][:, :4].tolist() == [[0, 2, 0, 0], [0, 0, 0, 1]]
    assert made.vertices[5].tolist() == [4.0, 1.0, -2.0]
    assert made.details["triangles"].tolist() == [2, 2]
    assert made.triangles.tolist() == [[0, 1, 2, 5], [0, 2, 3, 20]] * 2
    assert made.nodes["index"].tolist() == [-3, 0, 1]
    assert made.nodes["low"][0].tolist() == [10, 10, 10]  # a metre of margin in steps of 0.1 m
    assert made.nodes["high"][0].tolist() == [50, 20, 30]


@pytest.mark.parametrize("count", [0, MOST_POLYGONS + 1])
def test_what_a_tile_cannot_hold_is_refused(count):
    with pytest.raises(ValueError, match="polygons"):
        encode(np.zeros((3, 3)), [Polygon((0, 1, 2), SIDEWALK)] * count)


def test_polygons_are_convex_and_wind_one_way(mesh):
    for k in range(len(mesh.polygons)):
        corners = mesh.corners[k]
        assert twice_area(corners) > 0.0
        ahead = np.roll(corners, -1, axis=0) - corners
        after = np.roll(ahead, -1, axis=0)
        turns = ahead[:, 0] * after[:, 1] - ahead[:, 1] * after[:, 0]
        assert turns.min() > -1e-3


def test_neighbours_know_each_other(mesh):
    for k in range(len(mesh.polygons)):
        assert all(k in mesh.neighbours[other] for other in mesh.neighbours[k])


def test_every_pavement_is_reached_on_foot_by_pavements_and_crossings(mesh):
    areas = mesh.polygons["area"]
    assert set(areas.tolist()) == {SIDEWALK, CROSSWALK, ROAD}
    walkable = [k for k in range(len(areas)) if areas[k] != ROAD]
    found, left = {walkable[0]}, [walkable[0]]
    while left:
        for other in mesh.neighbours[left.pop()]:
            if areas[other] != ROAD and other not in found:
                found.add(other)
                left.append(other)
    assert found == set(walkable)


def test_areas_lie_where_the_town_has_them(mesh, town):
    for way in town.pavements:
        for k in range(10):
            at = way.at(way.length * (k + 0.37) / 10)
            assert mesh.area_of(at.x, at.y) == SIDEWALK
    for crossing in town.crossings:
        (x0, y0, _), (x1, y1, _) = crossing.ends
        assert mesh.area_of((x0 + x1) / 2, (y0 + y1) / 2) == CROSSWALK
    assert ROAD in mesh.polygons["area"]
    for building in town.buildings:
        assert mesh.area_of(building.centre.x, building.centre.y) is None


def test_heights_are_those_of_the_pavements(mesh):
    assert mesh.vertices[:, 1] == pytest.approx(0.15)


def test_the_search_tree_holds_every_polygon_in_its_box(mesh):
    leaves = mesh.nodes[mesh.nodes["index"] >= 0]
    assert sorted(leaves["index"].tolist()) == list(range(len(mesh.polygons)))
    low = np.array(mesh.low)
    for leaf in leaves:
        row = mesh.polygons[leaf["index"]]
        steps = (mesh.vertices[row["corners"][: row["count"]]] - low) * mesh.quant
        assert (steps >= leaf["low"] - 1e-2).all()
        assert (steps <= leaf["high"] + 1e-2).all()
    for k, node in enumerate(mesh.nodes):
        if node["index"] < 0:
            inner = mesh.nodes[k + 1 : k - node["index"]]
            assert (inner["low"] >= node["low"]).all()
            assert (inner["high"] <= node["high"]).all()


def test_a_way_leads_round_what_stands_on_the_pavement(mesh, town):
    standing = [
        one for one in town.furniture if town.lanes.is_near(one.pose.x, one.pose.y, 1.2, "pavement")
    ]
    assert len(standing) > 20
    blocked = [one for one in standing if mesh.area_of(one.pose.x, one.pose.y) == SIDEWALK]
    assert len(blocked) < 0.05 * len(standing)


def test_a_file_name_stands_for_its_content(town):
    name = navigation_file(town)
    assert name.startswith("Carla/Maps/Nav/VdapTown01-")
    assert name == navigation_file(town)
    other = replace(town, furniture=[])
    assert navigation_file(other) != name


def test_a_town_without_pavements_has_no_mesh(town):
    driving = {name: lane for name, lane in town.lanes.lanes.items() if lane.kind == "driving"}
    bare = Town("Carla/Maps/Bare", 1, "", LaneGraph(driving), [], [])
    assert navigation_mesh(bare) == b""
    assert navigation_file(bare) == ""


def test_a_path_holds_few_polygons(mesh, town):
    """The client's paths hold 256: enough for a walk across a quarter."""
    walked = sum(way.length for way in town.pavements)
    pieces = int((mesh.polygons["area"] == SIDEWALK).sum())
    assert walked / pieces > 3.0
    assert math.isfinite(walked)
