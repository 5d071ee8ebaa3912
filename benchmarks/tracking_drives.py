"""Short drives through the embedded world, with pictures and truth: what trackers are measured on.

A drive is a folder: pictures as JPEG, `drive.json` with the ego's motion and the true boxes, each
with its nearest face in metres. Recorded once, 20 pictures a second of simulated time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sim.calibration import Intrinsics
from sim.dataset.recording import is_blocked
from sim.ego_driver import EgoDriver
from sim.engine.geometry import Pose
from sim.engine.weather import Weather
from sim.ground_truth import GroundTruth, TruthBox
from sim.inprocess_world import InprocessWorld
from sim.projection import box_corners, rigid_inverse
from sim.world import Body, CameraMount, EgoState

DELTA_S = 0.05
WIDTH, HEIGHT = 640, 384
MOUNT = Pose(1.5, 0.0, 1.5)
WARM_UP_TICKS = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """One drive: where, among whom, under which sky."""

    name: str
    town: str
    spawn_index: int
    speed: float
    vehicles: int = 70
    pedestrians: int = 60
    sun_altitude_deg: float = 50.0
    cloudiness: float = 20.0
    asset_seed: int = 1


PLANS = (
    Plan("small town", "VdapTown01", 54, 9.0, 40, 40),
    Plan("dense town", "VdapTown04", 12, 9.0),
    Plan("motorway", "VdapTown03-101", 3, 22.0, 90, 0),
    Plan("rain, low sun", "VdapTown02-101", 20, 10.0, sun_altitude_deg=14.0, cloudiness=90.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One picture and its truth; arrays have a row for each visible object.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        speed: m/s of the ego.
        yaw_rate: rad/s of the ego.
        actor_id: (M,) int64.
        class_id: (M,) int16.
        xyxy: (M, 4) float32 pixels.
        visibility: (M,) float32.
        place: (M, 2) float64, metres: the nearest point of its 3D box ahead (x from the
            vehicle's origin) and the middle's y to the left.
        velocity: (M, 2) float64, m/s over ground in the vehicle's axes.
    """

    stamp_ns: int
    image: NDArray[np.uint8]
    speed: float
    yaw_rate: float
    position: tuple[float, float, float]
    rotation: tuple[float, float, float]
    actor_id: NDArray[np.int64]
    class_id: NDArray[np.int16]
    xyxy: NDArray[np.float32]
    visibility: NDArray[np.float32]
    place: NDArray[np.float64]
    velocity: NDArray[np.float64]


def record(plan: Plan, folder: Path, pictures: int) -> None:
    """Drives and writes; a folder that has its `drive.json` is left as it is."""
    if (folder / "drive.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    world = InprocessWorld(
        town=plan.town, asset_seed=plan.asset_seed, seed=3, fixed_delta_s=DELTA_S
    )
    intrinsics = Intrinsics.from_fov(WIDTH, HEIGHT, 90.0)
    ego = world.spawn_ego("ego", plan.spawn_index, "random")
    camera = world.attach_camera(ego, CameraMount(MOUNT, intrinsics))
    world.traffic(plan.vehicles, plan.pedestrians, 3)
    world.set_weather(
        Weather(
            cloudiness=plan.cloudiness,
            precipitation=60.0 if plan.cloudiness > 80 else 0.0,
            wetness=60.0 if plan.cloudiness > 80 else 0.0,
            sun_altitude=math.radians(plan.sun_altitude_deg),
        )
    )
    driver = EgoDriver(ego, world.stop_lines(), plan.speed)
    truth = GroundTruth(intrinsics, ego.actor_id)
    rows = []
    for tick in range(WARM_UP_TICKS + pictures):
        seen = world.tick()
        state = seen.egos[ego.actor_id]
        control = driver.control(state, seen.lights, DELTA_S)
        is_stopping = is_blocked(ego.actor_id, state, seen.bodies)
        world.apply_control(
            ego.actor_id,
            0.0 if is_stopping else control.throttle,
            control.steer,
            1.0 if is_stopping else control.brake,
        )
        if tick < WARM_UP_TICKS:
            continue
        picture = world.picture(camera)
        assert picture is not None
        name = f"{tick - WARM_UP_TICKS:05d}.jpg"
        cv2.imwrite(str(folder / name), picture.bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
        bodies = {body.actor_id: body for body in seen.bodies}
        found = truth.boxes(picture, seen.bodies)
        rows.append(
            {
                "stamp_ns": seen.sim_ns,
                "speed": state.speed,
                "yaw_rate": state.yaw_rate,
                "position": (state.pose.x, state.pose.y, state.pose.z),
                "rotation": (state.pose.roll, state.pose.pitch, state.pose.yaw),
                "boxes": [_row(box, bodies[box.actor_id], state) for box in found],
            }
        )
    world.close()
    (folder / "drive.json").write_text(json.dumps(rows), encoding="utf-8")


def _row(box: TruthBox, body: Body, state: EgoState) -> dict[str, object]:
    vehicle_from_world = rigid_inverse(state.pose.matrix())
    corners = box_corners([body.pose], [body.extent], vehicle_from_world)[0]
    middle = vehicle_from_world @ np.array([*box.position, 1.0])
    velocity = vehicle_from_world[:3, :3] @ np.array(box.velocity)
    return {
        "actor_id": box.actor_id,
        "class_id": box.class_id,
        "xyxy": box.xyxy,
        "visibility": box.visibility,
        "place": (float(corners[:, 0].min()), float(middle[1])),
        "velocity": velocity[:2].tolist(),
    }


def steps(folder: Path, every: int = 1) -> Iterator[Step]:
    """The pictures of a drive in order, each `every`-th."""
    rows = json.loads((folder / "drive.json").read_text(encoding="utf-8"))
    for index, row in enumerate(rows):
        if index % every:
            continue
        boxes = row["boxes"]
        image = cv2.imread(str(folder / f"{index:05d}.jpg"), cv2.IMREAD_COLOR)
        assert image is not None
        yield Step(
            row["stamp_ns"],
            image.astype(np.uint8, copy=False),
            row["speed"],
            row["yaw_rate"],
            tuple(row["position"]),
            tuple(row["rotation"]),
            np.array([box["actor_id"] for box in boxes], np.int64),
            np.array([box["class_id"] for box in boxes], np.int16),
            np.array([box["xyxy"] for box in boxes], np.float32).reshape(-1, 4),
            np.array([box["visibility"] for box in boxes], np.float32),
            np.array([box["place"] for box in boxes], np.float64).reshape(-1, 2),
            np.array([box["velocity"] for box in boxes], np.float64).reshape(-1, 2),
        )
