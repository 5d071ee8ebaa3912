"""The stored detections of a drive: what each rung finds in each frame, at each size and quality.

Plain arrays and no files, clocks or models: a driver in virtual time asks here what a detector
would have answered. `sim.evaluation.detect.archive` reads and writes them, and
`docs/perception/stored.md` says what every array holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from scheduler.errors import ConfigError, SourceError
from vehicle.perception.classes import CLASSES
from vehicle.perception.detections import Detections

FORMAT = "vdap stored detections"
VERSION = 1
RAW = "raw"  # the quality of a frame that was not encoded
SPLIT = "split"  # that of a frame whose features were sent, see `vehicle.perception.split`
PIXEL = 16.0  # steps of a stored coordinate per pixel: to 2048 pixels
SCORE = 65535.0  # steps of a stored score

Arrays = Mapping[str, NDArray[np.generic]]
Size = tuple[int, int]


class About(msgspec.Struct, frozen=True):
    """What the arrays are of.

    Attributes:
        format: `FORMAT`.
        version: `VERSION`.
        vdap: The version that wrote it.
        drive: What was run over: a run folder's, data set's or video's name.
        kind: "run", "dataset" or "video".
        drive_sha256: Of the run's logs, the data set's annotations or the video.
        vehicles: Ids; frames name them by index.
        cameras: Ids; frames name them by index.
        classes: Names; detections and truth name them by index.
        rungs: Detectors, in the order of the arrays; `NAME.int8` is the rung's int8 model.
        sizes: Width and height of their inputs, pixels.
        qualities: `RAW`, a JPEG quality as text, or `SPLIT`.
        splits: The rungs that come in two halves; only these have answers of quality `SPLIT`.
        score_threshold: Least score that was kept.
        models: SHA-256 of each rung's model file.
        backends: What computed each rung, in words.
    """

    format: str
    version: int
    vdap: str
    drive: str
    kind: str
    drive_sha256: str
    vehicles: list[str]
    cameras: list[str]
    classes: list[str]
    rungs: list[str]
    sizes: list[Size]
    qualities: list[str]
    splits: list[str]
    score_threshold: float
    models: dict[str, str]
    backends: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class StoredTruth:
    """What was really to be seen in one frame.

    Attributes:
        actor_id: (M,) int64, the same over frames.
        class_id: (M,) int16.
        xyxy: (M, 4) float32, pixels of the frame.
        visibility: (M,) float32, share that is not hidden.
        distance_m: (M,) float32.
        position: (M, 3) float32, world metres; not a number where unknown.
        velocity: (M, 3) float32, m/s in world axes; not a number where unknown.
    """

    actor_id: NDArray[np.int64]
    class_id: NDArray[np.int16]
    xyxy: NDArray[np.float32]
    visibility: NDArray[np.float32]
    distance_m: NDArray[np.float32]
    position: NDArray[np.float32]
    velocity: NDArray[np.float32]


# Array name: dtype, and shape behind the first axis. F frames, T true boxes, B stored boxes.
FRAME_ARRAYS: dict[str, tuple[str, tuple[int, ...]]] = {
    "vehicle": ("<u2", ()), "camera": ("<u2", ()), "tick": ("<i8", ()), "sim_ns": ("<i8", ()),
    "stamp_ns": ("<i8", ()), "width": ("<u2", ()), "height": ("<u2", ()),
    "intrinsics": ("<f8", (4,)), "camera_from_vehicle": ("<f8", (6,)), "pose": ("<f8", (6,)),
    "speed": ("<f8", ()), "yaw_rate": ("<f8", ()), "truth_count": ("<u2", ()),
    "has_truth": ("|b1", ()),
}  # fmt: skip
TRUTH_ARRAYS: dict[str, tuple[str, tuple[int, ...]]] = {
    "truth_actor": ("<i8", ()), "truth_class": ("|u1", ()), "truth_xyxy": ("<f4", (4,)),
    "truth_visibility": ("<f4", ()), "truth_distance": ("<f4", ()),
    "truth_position": ("<f4", (3,)), "truth_velocity": ("<f4", (3,)),
}  # fmt: skip
BOX_ARRAYS: dict[str, tuple[str, tuple[int, ...]]] = {
    "box_xyxy": ("<i2", (4,)), "box_score": ("<u2", ()), "box_class": ("|u1", ()),
}  # fmt: skip


class StoredDetections:
    """Answers what each detector found; every method takes a frame's number, 0 to `len` - 1."""

    def __init__(self, about: About, arrays: Arrays) -> None:
        """Checks that the arrays fit each other.

        Raises:
            SourceError: They do not.
        """
        self.about = about
        self._arrays = {name: np.asarray(arrays[name]) for name in _named(arrays)}
        self._check()
        counts = self._arrays["box_count"].astype(np.int64)
        self._starts = np.concatenate([[0], np.cumsum(counts.ravel())])
        self._truth_starts = np.concatenate(
            [[0], np.cumsum(self._arrays["truth_count"].astype(np.int64))]
        )
        self._cells = counts[0].size if len(counts) else 0
        self._numbers = {
            (about.vehicles[vehicle], about.cameras[camera], tick): number
            for number, (vehicle, camera, tick) in enumerate(
                zip(*(self._arrays[key].tolist() for key in ("vehicle", "camera", "tick")))  # noqa: B905
            )
        }

    def _check(self) -> None:
        arrays, about = self._arrays, self.about
        frames = len(arrays["tick"])
        shape = (len(about.rungs), len(about.sizes), len(about.qualities))
        expected: dict[str, tuple[str, tuple[int, ...]]] = {
            "box_count": ("<u2", (frames, *shape)),
            "jpeg_bytes": ("<u4", (frames, *shape[1:])),
            "payload_bytes": ("<u4", (frames, *shape[:2])),
        }
        counts = ((FRAME_ARRAYS, frames), (TRUTH_ARRAYS, int(arrays["truth_count"].sum())),
                  (BOX_ARRAYS, int(arrays["box_count"].sum(dtype=np.int64))))  # fmt: skip
        for table, length in counts:
            expected |= {name: (dtype, (length, *tail)) for name, (dtype, tail) in table.items()}
        for name, (dtype, wanted) in expected.items():
            held = arrays[name]
            if held.dtype != np.dtype(dtype) or held.shape != wanted:
                raise SourceError(
                    f"stored detections: {name} is {held.dtype} {held.shape}, expected "
                    f"{np.dtype(dtype)} {wanted}"
                )
        for name, most in (("vehicle", len(about.vehicles)), ("camera", len(about.cameras)),
                           ("box_class", len(CLASSES)), ("truth_class", len(CLASSES))):  # fmt: skip
            if len(arrays[name]) and int(arrays[name].max()) >= most:
                raise SourceError(f"stored detections: {name} {arrays[name].max()} of {most}")

    def __len__(self) -> int:
        return len(self._arrays["tick"])

    @property
    def rungs(self) -> Sequence[str]:
        """Names of the detectors."""
        return self.about.rungs

    @property
    def sizes(self) -> Sequence[Size]:
        """Width and height of the detectors' inputs, pixels."""
        return self.about.sizes

    @property
    def qualities(self) -> Sequence[str]:
        """`RAW`, a JPEG quality as text, or `SPLIT`."""
        return self.about.qualities

    def number(self, vehicle_id: str, camera_id: str, tick: int) -> int | None:
        """Which frame this is; None where the drive has none."""
        return self._numbers.get((vehicle_id, camera_id, tick))

    def frame(self, number: int) -> dict[str, object]:
        """Everything about a frame but its boxes, by the names of `FRAME_ARRAYS`.

        A pose is x, y, z, roll, pitch, yaw in world axes, not a number where unknown.
        """
        about = self.about
        found: dict[str, object] = {
            name: self._arrays[name][number].tolist() for name in FRAME_ARRAYS
        }
        found["vehicle"] = about.vehicles[int(self._arrays["vehicle"][number])]
        found["camera"] = about.cameras[int(self._arrays["camera"][number])]
        return found

    def detections(self, frame: int, rung: str, size: Size, quality: str | int = RAW) -> Detections:
        """What a detector found, in pixels of the frame, best first.

        Raises:
            ConfigError: Nothing is stored for this rung, size or quality.
        """
        at = frame * self._cells + self._cell(rung, size, quality)
        these = slice(int(self._starts[at]), int(self._starts[at + 1]))
        return Detections(
            self._arrays["box_xyxy"][these].astype(np.float32) / np.float32(PIXEL),
            self._arrays["box_score"][these].astype(np.float32) / np.float32(SCORE),
            self._arrays["box_class"][these].astype(np.int16),
        )

    def jpeg_bytes(self, frame: int, size: Size, quality: str | int) -> int:
        """Bytes of the frame as a JPEG that fits a size; 0 for `RAW` and `SPLIT`.

        Raises:
            ConfigError: Nothing is stored for this size or quality.
        """
        of_size = self._place("size", tuple(size), [tuple(one) for one in self.sizes])
        of_quality = self._place("quality", str(quality), self.qualities)
        return int(self._arrays["jpeg_bytes"][frame, of_size, of_quality])

    def payload_bytes(self, frame: int, rung: str, size: Size) -> int | None:
        """Bytes that the rung's encoder sends of the frame; None where none was asked.

        Raises:
            ConfigError: Nothing is stored for this rung or size.
        """
        of_rung = self._place("rung", rung, self.rungs)
        of_size = self._place("size", tuple(size), [tuple(one) for one in self.sizes])
        return int(self._arrays["payload_bytes"][frame, of_rung, of_size]) or None

    def truth(self, frame: int) -> StoredTruth | None:
        """What was really there; None where the drive does not say."""
        if not self._arrays["has_truth"][frame]:
            return None
        these = slice(int(self._truth_starts[frame]), int(self._truth_starts[frame + 1]))
        held = {name: self._arrays[name][these] for name in TRUTH_ARRAYS}
        return StoredTruth(
            held["truth_actor"].astype(np.int64),
            held["truth_class"].astype(np.int16),
            held["truth_xyxy"].astype(np.float32),
            held["truth_visibility"].astype(np.float32),
            held["truth_distance"].astype(np.float32),
            held["truth_position"].astype(np.float32),
            held["truth_velocity"].astype(np.float32),
        )

    def _cell(self, rung: str, size: Size, quality: str | int) -> int:
        of_rung = self._place("rung", rung, self.rungs)
        of_size = self._place("size", tuple(size), [tuple(one) for one in self.sizes])
        of_quality = self._place("quality", str(quality), self.qualities)
        if quality == SPLIT and rung not in self.about.splits:
            raise ConfigError(f"stored detections: rung {rung!r} comes in one piece, not split")
        return (of_rung * len(self.sizes) + of_size) * len(self.qualities) + of_quality

    @staticmethod
    def _place(what: str, wish: object, held: Sequence[object]) -> int:
        if wish not in held:
            raise ConfigError(f"stored detections: no {what} {wish!r}, there is {list(held)}")
        return held.index(wish)


def _named(arrays: Arrays) -> list[str]:
    names = [
        *FRAME_ARRAYS, *TRUTH_ARRAYS, *BOX_ARRAYS, "box_count", "jpeg_bytes", "payload_bytes",
    ]  # fmt: skip
    missing = [name for name in names if name not in arrays]
    if missing:
        raise SourceError(f"stored detections: no {', '.join(missing)}")
    return names
