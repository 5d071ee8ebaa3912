"""Between the driver and services that take measured motion: their boxes out, its answer in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scheduler.messages import Box
from scheduler.tasks import Task
from vehicle.perception.motion import Motion, MotionRequest
from vehicle.services.base import EveryFrame
from vehicle.services.registry import ServiceSet


def wants_motion(service: EveryFrame) -> bool:
    """Whether a service takes how its boxes moved (`wants_motion` and `on_motion`)."""
    return bool(getattr(service, "wants_motion", False))


def has_motion(services: Mapping[str, ServiceSet]) -> bool:
    """Whether any service of any camera takes measured motion."""
    return any(wants_motion(s) for each in services.values() for s in each.every_frame.values())


def motion_request(stream: int, task: Task, boxes: Sequence[Box]) -> bytes:
    """Asks how these boxes moved up to the task's frame; `stream` is the camera's number."""
    xyxy = np.array([box.xyxy for box in boxes], np.float32).reshape(-1, 4)
    return MotionRequest(stream, task.stamp_ns, xyxy).to_bytes()


def take_motion(service: Any, payload: bytes) -> None:
    """Gives the worker's answer to a service that wants it.

    Raises:
        WireError: It is none.
    """
    service.on_motion(Motion.from_bytes(payload))
