"""The frames of a run folder, a data set or a video, with all that is known of them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from scheduler.errors import SourceError
from sim import truth_file
from sim.dataset import stats
from sim.evaluation.records import RunFolder, recorded
from sim.ground_truth import CLASSES, TruthBox

UNKNOWN = float("nan")
DEFAULT_RATE_HZ = 25.0  # of a video that does not say
_Six = tuple[float, float, float, float, float, float]
NOWHERE: _Six = (UNKNOWN,) * 6
NO_LENS = (UNKNOWN,) * 4


@dataclass(frozen=True, slots=True, eq=False)
class DriveFrame:
    """One frame.

    Attributes:
        stamp_ns: On the vehicle's clock; of a data set or video the simulated or film time.
        bgr: (H, W, 3) uint8.
        intrinsics: fx, fy, cx, cy in pixels; not a number where unknown, as all below.
        camera_from_vehicle: x, y, z, roll, pitch, yaw.
        pose: Of the vehicle, the same in world axes.
        speed: m/s.
        yaw_rate: rad/s.
        truth: None where nobody knows it.
    """

    vehicle: str
    camera: str
    tick: int
    sim_ns: int
    stamp_ns: int
    bgr: NDArray[np.uint8]
    intrinsics: tuple[float, ...] = NO_LENS
    camera_from_vehicle: _Six = NOWHERE
    pose: _Six = NOWHERE
    speed: float = UNKNOWN
    yaw_rate: float = UNKNOWN
    truth: tuple[TruthBox, ...] | None = None


class Drive(Protocol):
    """Recorded frames in their order.

    Attributes:
        name: For people.
        kind: "run", "dataset" or "video".
        count: How many frames there are; a cut file may give fewer.
        vehicles: Ids.
        cameras: Ids.
        files: What it is read from; other contents are another drive.
    """

    name: str
    kind: str
    files: list[Path]
    count: int
    vehicles: list[str]
    cameras: list[str]

    def frames(self, start: int = 0) -> Iterator[DriveFrame]:
        """The frames from the `start`-th on.

        Raises:
            SourceError: One that cannot be read.
        """
        ...


def open_drive(path: Path) -> Drive:
    """The drive in a folder or file.

    Raises:
        SourceError: There is none that can be read.
    """
    if (path / "config.yaml").is_file():
        return RunDrive(path)
    if (path / "annotations.json").is_file():
        return SetDrive(path)
    if path.is_file():
        return VideoDrive(path)
    raise SourceError(
        f"expected a run folder (config.yaml), a data set (annotations.json) or a video at {path}"
    )


class _Recorded(msgspec.Struct):
    """What is needed of a recorded picture; `data` is base64."""

    vehicle_id: str
    camera_id: str
    tick: int
    sim_ns: int
    stamp_ns: int
    intrinsics: tuple[float, float, float, float]
    camera_from_vehicle: _Six
    data: str


class RunDrive:
    """A run folder that recorded its frames."""

    kind = "run"

    def __init__(self, path: Path) -> None:
        """Looks through the log.

        Raises:
            SourceError: It holds no frame.
        """
        run = RunFolder(path)
        self.name = path.resolve().name
        self._logs = [log for one in run.vehicles() for log in run.recordings(one)]
        self._logs = sorted(set(self._logs))
        heads = msgspec.json.Decoder(_Head)
        found = [heads.decode(data) for log in self._logs for _, data in recorded(log, "frame/")]
        if not found:
            raise SourceError(f"{path} holds no frames: record them with `record: {{frames: all}}`")
        self.count = len(found)
        self.vehicles = sorted({head.vehicle_id for head in found})
        self.cameras = sorted({head.camera_id for head in found})
        truth = path / "truth.mcap"
        self.files = [*self._logs, *([truth] if truth.is_file() else [])]
        self._truth = (
            {(t.vehicle_id, t.camera_id, t.tick): t.boxes for t in truth_file.read(truth)}
            if truth.is_file()
            else {}
        )
        posed = msgspec.json.Decoder(_Posed)
        poses = (posed.decode(data) for log in self._logs for _, data in recorded(log, "pose/"))
        self._poses = {(pose.vehicle_id, pose.tick): pose for pose in poses}

    def frames(self, start: int = 0) -> Iterator[DriveFrame]:
        """The recorded pictures in the order of the log."""
        decoder = msgspec.json.Decoder(_Recorded)
        number = 0
        for log in self._logs:
            for _, data in recorded(log, "frame/"):
                if number >= start:
                    yield self._frame(decoder.decode(data))
                number += 1

    def _frame(self, held: _Recorded) -> DriveFrame:
        pose = self._poses.get((held.vehicle_id, held.tick))
        jpeg = np.frombuffer(base64.b64decode(held.data), np.uint8)
        return DriveFrame(
            held.vehicle_id,
            held.camera_id,
            held.tick,
            held.sim_ns,
            held.stamp_ns,
            _decoded(jpeg, f"frame {held.tick} of {self.name}"),
            held.intrinsics,
            held.camera_from_vehicle,
            (*pose.position, *pose.rotation) if pose else NOWHERE,
            pose.speed if pose else UNKNOWN,
            pose.yaw_rate if pose else UNKNOWN,
            self._truth.get((held.vehicle_id, held.camera_id, held.tick)),
        )


class _Head(msgspec.Struct):
    vehicle_id: str
    camera_id: str


class _Posed(msgspec.Struct):
    """What is needed of a recorded pose."""

    vehicle_id: str
    tick: int
    position: tuple[float, float, float]
    rotation: tuple[float, float, float]
    speed: float
    yaw_rate: float


class SetDrive:
    """A data set: its pictures in the order of their ids, which are the ticks."""

    kind = "dataset"

    def __init__(self, path: Path) -> None:
        """Reads the annotations.

        Raises:
            SourceError: They are no COCO table, or of other classes.
        """
        table = stats.read(path)
        self._folder = path / "images"
        self.files = [path / "annotations.json"]
        self.name = path.resolve().name
        self._rows = sorted(table["images"], key=lambda row: int(row["id"]))
        self.count = len(self._rows)
        self.vehicles = sorted({str(row.get("vehicle", "vehicle")) for row in self._rows})
        self.cameras = sorted({str(row.get("camera", "front")) for row in self._rows})
        names = {row["id"]: str(row["name"]) for row in table["categories"]}
        unknown = sorted(set(names.values()) - set(CLASSES))
        if unknown:
            raise SourceError(f"{path}: expected classes {', '.join(CLASSES)}, got {unknown}")
        self._boxes: dict[int, list[TruthBox]] = {int(row["id"]): [] for row in self._rows}
        for row in table["annotations"]:
            self._boxes[int(row["image_id"])].append(_box(row, names))

    def frames(self, start: int = 0) -> Iterator[DriveFrame]:
        """The pictures."""
        for row in self._rows[start:]:
            file = self._folder / str(row["file_name"])
            jpeg = np.fromfile(file, np.uint8) if file.is_file() else np.zeros(0, np.uint8)
            yield DriveFrame(
                str(row.get("vehicle", "vehicle")),
                str(row.get("camera", "front")),
                int(row["id"]),
                int(row.get("sim_ns", 0)),
                int(row.get("sim_ns", 0)),
                _decoded(jpeg, str(file)),
                truth=tuple(self._boxes[int(row["id"])]),
            )


def _box(row: Mapping[str, Any], names: Mapping[int, str]) -> TruthBox:
    x, y, width, height = (float(v) for v in row["bbox"])
    nowhere = (UNKNOWN, UNKNOWN, UNKNOWN)
    return TruthBox(
        int(row.get("actor_id", row["id"])),
        CLASSES.index(names[row["category_id"]]),
        (x, y, x + width, y + height),
        float(row.get("visibility", 1.0)),
        float(row.get("distance_m", UNKNOWN)),
        nowhere,
        nowhere,
    )


class VideoDrive:
    """A video file: nothing is known but its pictures and their rate."""

    kind = "video"

    def __init__(self, path: Path) -> None:
        """Opens the file.

        Raises:
            SourceError: OpenCV finds no picture in it.
        """
        self.name, self._path, self.files = path.name, path, [path]
        self.vehicles, self.cameras = ["vehicle"], ["front"]
        film = cv2.VideoCapture(str(path))
        self._rate_hz = float(film.get(cv2.CAP_PROP_FPS)) or DEFAULT_RATE_HZ
        self.count = int(film.get(cv2.CAP_PROP_FRAME_COUNT)) if film.isOpened() else 0
        film.release()
        if self.count < 1:
            raise SourceError(f"expected a video at {path}, OpenCV finds no picture in it")

    def frames(self, start: int = 0) -> Iterator[DriveFrame]:
        """The pictures; the tick is their number."""
        film = cv2.VideoCapture(str(self._path))
        try:
            for number in range(self.count):
                if not film.grab():
                    return
                if number < start:
                    continue
                is_read, bgr = film.retrieve()
                if not is_read:
                    raise SourceError(f"{self._path}: picture {number} does not decode")
                at_ns = round(number / self._rate_hz * 1e9)
                yield DriveFrame("vehicle", "front", number, at_ns, at_ns, bgr)
        finally:
            film.release()


def _decoded(jpeg: NDArray[np.uint8], what: str) -> NDArray[np.uint8]:
    bgr: NDArray[np.uint8] | None = cv2.imdecode(jpeg, cv2.IMREAD_COLOR) if len(jpeg) else None
    if bgr is None:
        raise SourceError(f"{what} is missing or does not decode")
    return bgr
