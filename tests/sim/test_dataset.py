import json
import math
from dataclasses import replace

import numpy as np
import pytest

from scheduler.errors import ConfigError
from sim.dataset import stats
from sim.dataset.plan import Plan, segment_of
from sim.dataset.recording import Shot, is_blocked
from sim.dataset.storage import record_all
from sim.engine.geometry import Pose
from sim.ground_truth import CLASSES, TRAFFIC_LIGHT, TruthBox
from sim.world import Body, Ego, EgoState, Picture, WorldTick

EGO, CAR = 7, 9
# As high as half the car, so that it can be seen in these small pictures.
PLATE = ((-2.2, 0.4, -0.4), (-2.2, -0.4, -0.4), (-2.2, -0.4, 0.4), (-2.2, 0.4, 0.4))
ROUTE = np.stack([np.arange(0.0, 400.0), np.zeros(400), np.zeros(400)], 1)


class PaintedWorld:
    """A plain whose only other car keeps 20 m ahead of each ego, painted as a red rectangle."""

    name, town = "painted", "plain"

    def __init__(self) -> None:
        self.x, self.speed, self.ticks = 0.0, 8.0, 0
        self.mounts = {}
        self.is_closed = False

    def spawn_ego(self, vehicle_id, spawn_index=0, route="loop"):
        return Ego(EGO, vehicle_id, ROUTE, False, (2.0, 0.9, 0.8), 2.7, 0.6)

    def place_vehicle(self, blueprint_id, pose):
        raise NotImplementedError

    def attach_camera(self, ego, mount):
        self.mounts[len(self.mounts)] = mount
        return len(self.mounts) - 1

    def traffic(self, vehicles, pedestrians, seed, shares=None):
        return vehicles, pedestrians

    def set_weather(self, weather):
        self.weather = weather

    def apply_control(self, actor_id, throttle, steer, brake):
        assert 0 <= throttle <= 1
        assert 0 <= brake <= 1

    def tick(self):
        self.ticks += 1
        self.x += self.speed * 0.1
        state = EgoState(Pose(self.x), (self.speed, 0, 0), self.speed, 0.0, 14.0, 0)
        self.car = Body(CAR, 0, Pose(self.x + 20, 0, 0.75), (2.2, 0.9, 0.75), plates=(PLATE,))
        return WorldTick(self.ticks, self.ticks * 10**8, {EGO: state}, [self.car], {})

    def picture(self, camera):
        mount = self.mounts[camera]
        lens = mount.intrinsics
        bgr = np.full((lens.height, lens.width, 3), 120, np.uint8)
        instance = np.zeros((lens.height, lens.width), np.uint16)
        semantic = np.zeros((lens.height, lens.width), np.uint8)
        world_from_camera = Pose(self.x).compose(mount.camera_from_vehicle).matrix()
        corners = np.array(
            [
                [self.x + 20 + 2.2 * i, 0.9 * j, 0.75 + 0.75 * k, 1.0]
                for i in (-1, 1)
                for j in (-1, 1)
                for k in (-1, 1)
            ]
        )
        local = (np.linalg.inv(world_from_camera) @ corners.T).T[:, :3]
        if (local[:, 0] > 0.1).all():
            pixels = lens.project(local)
            low = np.clip(np.floor(pixels.min(0)), 0, [lens.width, lens.height]).astype(int)
            high = np.clip(np.ceil(pixels.max(0)), 0, [lens.width, lens.height]).astype(int)
            where = (slice(low[1], high[1]), slice(low[0], high[0]))
            bgr[where], instance[where], semantic[where] = (0, 0, 220), CAR, 14
        return Picture(bgr, instance, semantic, world_from_camera)

    def buildings(self):
        return []

    def stop_lines(self):
        return []

    def close(self):
        self.is_closed = True


PLAN = Plan(
    10, ("VdapTown01", "VdapTown01-2"), (1, 2), seed=4, width=320, height=192, per_segment=4, egos=2
)


def recorded(out, plan=PLAN, fail_at=None):
    worlds, reports = [], []

    def open_world(segment, attempt):
        if segment.index == fail_at:
            raise KeyboardInterrupt
        worlds.append(PaintedWorld())
        return worlds[-1]

    table = record_all(plan, out, open_world, reports.append)
    assert all(world.is_closed for world in worlds)
    return table, reports, len(worlds)


def test_a_set_holds_what_was_seen_in_coco_form(tmp_path):
    told, reports, worlds = recorded(tmp_path)
    assert (worlds, reports) == (3, list(range(11)))
    table = json.loads((tmp_path / "annotations.json").read_text())
    assert table == json.loads(json.dumps(told))
    assert [category["name"] for category in table["categories"]] == list(CLASSES)
    assert len(table["images"]) == len({image["file_name"] for image in table["images"]}) == 10
    assert len(table["annotations"]) > 5
    first = {key: table["images"][0][key] for key in ("town", "asset_seed", "vehicle", "camera")}
    assert first == {"town": "VdapTown01", "asset_seed": 1, "vehicle": "ego0", "camera": "front"}
    assert table["images"][0]["sim_ns"] == 3 * 10**9
    sizes = {image["id"]: (image["width"], image["height"]) for image in table["images"]}
    for annotation in table["annotations"]:
        x, _y, width, height = annotation["bbox"]
        assert annotation["category_id"] == 1
        assert width > 0
        assert height > 0
        assert x + width <= sizes[annotation["image_id"]][0]
        assert 0.5 < annotation["visibility"] <= 1.0
        assert annotation["distance_m"] == pytest.approx(19, abs=2.5)


def test_plates_have_a_key_of_their_own(tmp_path):
    recorded(tmp_path)
    table = json.loads((tmp_path / "annotations.json").read_text())
    boxes = {a["image_id"]: a["bbox"] for a in table["annotations"]}
    assert table["plates"]
    for plate in table["plates"]:
        x, y, width, height = boxes[plate["image_id"]]
        left, top, wide, tall = plate["bbox"]
        assert x < left < left + wide < x + width
        assert y < top < top + tall < y + height
        assert plate["actor_id"] == CAR
        assert plate["readable"] == (tall >= 8)
        assert len(plate["quad"]) == 8


def test_boxes_lie_on_the_painted_car(tmp_path):
    cv2 = pytest.importorskip("cv2")
    recorded(tmp_path)
    table = json.loads((tmp_path / "annotations.json").read_text())
    names = {image["id"]: image["file_name"] for image in table["images"]}
    for annotation in table["annotations"]:
        pixels = cv2.imread(str(tmp_path / "images" / names[annotation["image_id"]])).astype(int)
        x, y, width, height = (round(v) for v in annotation["bbox"])
        inside = pixels[y + 1 : y + height - 1, x + 1 : x + width - 1]
        assert (inside[..., 2] - inside[..., 0]).min() > 80


def test_masks_hold_the_tags_of_every_second_pixel(tmp_path):
    cv2 = pytest.importorskip("cv2")
    table, _, _ = recorded(tmp_path)
    first = table["images"][0]
    tags = cv2.imread(str(tmp_path / "masks" / "s0000_0000.png"), cv2.IMREAD_UNCHANGED)
    assert tags.shape == (first["height"] // 2, first["width"] // 2)
    assert set(np.unique(tags)) == {0, 14}  # CARLA's CityObjectLabel of a car
    (box,) = [box["bbox"] for box in table["annotations"] if box["image_id"] == first["id"]]
    rows, columns = np.nonzero(tags == 14)
    assert 2 * columns.min() == pytest.approx(box[0], abs=1)
    assert 2 * rows.max() == pytest.approx(box[1] + box[3], abs=2)


def test_a_stopped_recording_goes_on_and_ends_the_same(tmp_path):
    recorded(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        recorded(tmp_path / "broken", fail_at=1)
    assert not (tmp_path / "broken" / "annotations.json").exists()
    _, reports, worlds = recorded(tmp_path / "broken")
    assert (reports[0], reports[-1], worlds) == (4, 10, 2)
    for name in ("annotations.json", "images/s0002_0001.jpg"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_another_plan_in_the_same_folder_is_refused(tmp_path):
    recorded(tmp_path)
    other = Plan(
        10, ("VdapTown01", "VdapTown01-2"), (3,), seed=4, width=320, height=192, per_segment=4
    )
    with pytest.raises(ConfigError, match=r"other options \(asset_seeds, egos\)"):
        recorded(tmp_path, other)


def test_a_set_of_an_older_version_goes_on(tmp_path):
    recorded(tmp_path)
    path = tmp_path / "plan.json"
    held = json.loads(path.read_text())
    for name in ("cameras", "rig", "every_ticks", "quality", "min_height", "world"):
        del held[name]
    path.write_text(json.dumps(held))
    assert recorded(tmp_path)[2] == 0


def test_several_cameras_look_from_one_vehicle_at_one_time(tmp_path):
    table, _, _ = recorded(tmp_path, replace(PLAN, cameras=3))
    images = table["images"][:4]
    assert [image["camera"] for image in images] == ["front", "left", "right", "front"]
    assert len({image["sim_ns"] for image in images}) == 1
    plan = Plan(12, ("VdapTown01",), (1,), seed=4, per_segment=12, egos=2, cameras=4)
    one = segment_of(replace(plan, cameras=1), 0)
    for (_, _, rig), (_, _, alone) in zip(segment_of(plan, 0).egos, one.egos, strict=True):
        assert rig[0] == alone[0]
        yaws = {name: mount.camera_from_vehicle.yaw for name, mount in rig}
        assert math.degrees(yaws["left"]) == pytest.approx(60)
        assert math.degrees(yaws["right"]) == pytest.approx(-60)
        assert math.degrees(yaws["rear"]) == pytest.approx(180)


def test_low_boxes_can_be_left_out(tmp_path):
    table, _, _ = recorded(tmp_path / "all")
    heights = sorted(box["bbox"][3] for box in table["annotations"])
    bound = heights[len(heights) // 2]
    table, _, _ = recorded(tmp_path / "tall", replace(PLAN, min_height=bound))
    assert [box["bbox"][3] for box in table["annotations"] if box["bbox"][3] < bound] == []
    assert len(table["annotations"]) == sum(height >= bound for height in heights)


@pytest.mark.parametrize(
    ("xyxy", "visibility", "class_id", "expected"),
    [
        ((10, 10, 14, 20), 1.0, TRAFFIC_LIGHT, "red"),
        ((10, 0, 14, 9), 1.0, TRAFFIC_LIGHT, None),  # cut off by the picture's edge
        ((10, 10, 14, 20), 0.4, TRAFFIC_LIGHT, None),
        ((10, 10, 14, 20), 1.0, 0, None),
    ],
)
def test_a_lights_state_is_told_where_its_lamps_can_be_seen(xyxy, visibility, class_id, expected):
    pixels = np.zeros((40, 60, 3), np.uint8)
    shot = Shot("ego", "front", 0, pixels, pixels[..., 0], [], {77: "red"}, [])
    box = TruthBox(77 + (2 << 20), class_id, xyxy, visibility, 9.0, (0, 0, 0), (0, 0, 0))
    assert shot.light_of(box) == expected


def test_counts_and_readme_say_what_is_there(tmp_path):
    table, _, _ = recorded(tmp_path)
    found = stats.stats_of(stats.read(tmp_path))
    assert found.pictures == 10
    assert found.boxes == len(table["annotations"])
    assert found.by_class["bus"] == (0, 0, 0, 0)
    tall = sum(box["bbox"][3] >= 25 for box in table["annotations"])
    assert found.scored["car"] == tall
    assert found.groups["town"] == {"VdapTown01": 6, "VdapTown01-2": 4}
    text = stats.readme(found, "vdap dataset OUT", "split val", table["info"])
    assert f"10 pictures, {found.boxes} boxes" in text
    assert "| car |" in text
    assert "`vdap dataset OUT` (split val; world: embedded)" in text


def test_segments_take_turns_through_towns_and_looks():
    plan = Plan(1000, ("VdapTown01", "VdapTown01-2"), (5, 6), seed=1, per_segment=100)
    seeds = [(s.town, s.asset_seed) for s in (segment_of(plan, i) for i in range(4))]
    assert seeds == [
        ("VdapTown01", 5),
        ("VdapTown01-2", 6),
        ("VdapTown01", 5),
        ("VdapTown01-2", 6),
    ]
    assert segment_of(plan, 3) == segment_of(plan, 3)
    assert segment_of(plan, 3).egos != segment_of(plan, 2).egos


@pytest.mark.parametrize(
    ("x", "y", "expected"), [(10, 0, True), (10, 3, False), (-10, 0, False), (30, 0, False)]
)
def test_only_what_stands_in_the_lane_ahead_blocks(x, y, expected):
    heading = math.pi / 2
    state = EgoState(Pose(5, 5, 0, heading), (0, 8, 0), 8.0, 0.0, 14.0, 0)
    body = Body(CAR, 0, Pose(5 - y, 5 + x), (2, 1, 1))
    assert is_blocked(EGO, state, [body]) is expected
    assert not is_blocked(CAR, state, [body])
