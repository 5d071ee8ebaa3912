"""The cameras of all egos: what each is mounted like, its frame messages and its truth."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scheduler.config import Camera, Config, Vehicle
from scheduler.errors import ConfigError, MissingPartError
from scheduler.messages import VERSION, Encoding, Frame
from scheduler.telemetry import Publisher
from sim import calibration
from sim.engine.geometry import Pose
from sim.ground_truth import GroundTruth
from sim.truth_file import TruthFrame, TruthWriter
from sim.world import CameraMount, Ego, Picture, World, WorldTick

JPEG_QUALITY = 95  # across hosts; 4:2:0 at 95 costs a detector nothing that we could measure


@dataclass(slots=True)
class BridgeCamera:
    """One camera and what goes with its frames.

    Attributes:
        handle: of the world.
        truth: its ground truth over time.
        seen: its picture of this tick, until the truth of it is written.
    """

    vehicle_id: str
    config: Camera
    mount: CameraMount
    handle: int
    truth: GroundTruth
    seen: Picture | None = field(default=None)

    def frame(self, seen: WorldTick, encoding: Encoding, age_us: int) -> Frame:
        """The header of its frame in a tick."""
        k, pose = self.mount.intrinsics, self.mount.camera_from_vehicle
        return Frame(
            version=VERSION,
            vehicle_id=self.vehicle_id,
            camera_id=self.config.id,
            tick=seen.tick,
            sim_ns=seen.sim_ns,
            age_us=age_us,
            width=k.width,
            height=k.height,
            encoding=encoding,
            intrinsics=(k.fx, k.fy, k.cx, k.cy),
            distortion=list(k.distortion),
            camera_from_vehicle=(pose.x, pose.y, pose.z, pose.roll, pose.pitch, pose.yaw),
        )


def mount_of(config: Config, camera: Camera, delta_s: float) -> CameraMount:
    """Where and how often a camera looks.

    Raises:
        ConfigError: its rate does not divide the world's, or its calibration is wrong.
    """
    place = camera.camera_from_vehicle
    every = 1 if camera.rate_hz is None else round(1.0 / (camera.rate_hz * delta_s))
    if camera.rate_hz is not None and abs(every * delta_s * camera.rate_hz - 1.0) > 0.01:
        raise ConfigError(
            f"camera {camera.id!r}: the world ticks at {1.0 / delta_s:g} Hz, so rate_hz must be "
            f"that or a whole part of it, got {camera.rate_hz:g}"
        )
    turn = np.radians([place.yaw_deg, place.pitch_deg, place.roll_deg]).tolist()
    return CameraMount(
        Pose(place.x, place.y, place.z, *turn), calibration.of_camera(config, camera), every
    )


def attach_all(
    config: Config, world: World, vehicle: Vehicle, ego: Ego, delta_s: float
) -> Iterator[BridgeCamera]:
    """Attach those of a vehicle's cameras that the bridge feeds."""
    for camera in vehicle.cameras:
        if camera.source == "bridge":
            mount = mount_of(config, camera, delta_s)
            handle = world.attach_camera(ego, mount)
            truth = GroundTruth(mount.intrinsics, ego.actor_id)
            yield BridgeCamera(vehicle.id, camera, mount, handle, truth)


class FramePublisher:
    """Sends pictures as frames, and writes their truth once all are on their way.

    Args:
        publisher: of the bridge.
        writer: of the truth file; None writes none.
        encoding: `bgr` on one host, `jpeg` across hosts.
    """

    def __init__(
        self, publisher: Publisher, writer: TruthWriter | None, encoding: Encoding
    ) -> None:
        self._publisher = publisher
        self._writer = writer
        self._encoding = encoding
        if encoding == "jpeg":
            _load_cv2()

    def send(self, world: World, camera: BridgeCamera, seen: WorldTick) -> None:
        """Take a camera's picture of this tick, where it made one, and publish it."""
        camera.seen = world.picture(camera.handle)
        if camera.seen is None:
            return
        had_ns = time.monotonic_ns()
        payload = _payload(camera.seen.bgr, self._encoding)
        age_us = (time.monotonic_ns() - had_ns) // 1000
        frame = camera.frame(seen, self._encoding, age_us)
        self._publisher.publish(frame, camera.vehicle_id, camera.config.id, payload=payload)

    def write_truth(self, camera: BridgeCamera, seen: WorldTick) -> None:
        """Find and write the truth of what `send` has sent."""
        if camera.seen is None or self._writer is None:
            return
        boxes = camera.truth.boxes(camera.seen, seen.bodies)
        k = camera.mount.intrinsics
        self._writer.write(
            TruthFrame(
                camera.vehicle_id, camera.config.id, seen.tick, seen.sim_ns, k.width, k.height,
                tuple(boxes),
            )
        )  # fmt: skip
        camera.seen = None


def _payload(bgr: NDArray[np.uint8], encoding: Encoding) -> bytes | memoryview:
    if encoding == "bgr":
        return np.ascontiguousarray(bgr).data.cast("B")
    import cv2

    is_fine, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert is_fine  # a uint8 BGR picture always encodes
    encoded: bytes = data.tobytes()
    return encoded


def _load_cv2() -> None:
    try:
        import cv2
    except ImportError:
        raise MissingPartError(
            "frames go out as JPEG across hosts, which needs OpenCV: "
            "pip install 'vdap[headless]' or 'vdap[vision]'"
        ) from None
    cv2.setNumThreads(1)
