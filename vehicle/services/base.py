"""The seam of onboard services (public seam): what looks at frames, and what acts on verdicts.

A service belongs to one camera. It either owes a verdict for every frame (`EveryFrame`, such as
object detection) or follows one that does (`AfterVerdict`, such as a warning). Main names none of
them: it loads what the configuration lists, and counts one that raises or takes over 10 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from scheduler.messages import Box, Pose, Verdict
from vehicle.camera.base import Frame as Frame  # part of this seam: what a scene holds
from vehicle.perception.detections import Detections

Options = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Setup:
    """What a service is made from: `Class(setup)`.

    Attributes:
        options: Of its section in the configuration; the service checks them.
    """

    vehicle_id: str
    camera_id: str
    options: Options


@dataclass(frozen=True, slots=True)
class Scene:
    """What a follower may look at besides the verdict.

    Attributes:
        frame: The one that the verdict is about.
        pose: The newest; None where nobody publishes poses (a video).
        pose_stamp_ns: Its instant on this vehicle's clock.
        route: Lane centres of the planned way in world metres, a closed line; empty when not
            known. The same object as long as it does not change.
    """

    frame: Frame
    pose: Pose | None
    pose_stamp_ns: int
    route: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Advisory:
    """What a follower asks of the vehicle.

    Attributes:
        brake: 0..1.
        valid_for_ms: After that without another one the vehicle drives on by itself.
        is_new: The first of a row, which watchers shall see as an event.
    """

    brake: float
    valid_for_ms: int
    reason: str
    is_new: bool = False


@runtime_checkable
class EveryFrame(Protocol):
    """Owes one verdict a frame; `trigger` is "every_frame".

    A service of either kind may ask for more by attributes that it need not have:

    - `heads`: names of further results that the model shall bring (`light_state`, `drivable`,
      `plates`), and `on_heads(results: Mapping[str, bytes], stamp_ns: int)`, which is called with
      those that came for the frame of `stamp_ns`, laid out as `vehicle.perception.heads.results`
      says. They come with one look at the frame, after the detections of that look.
    - `wants_motion`, of every-frame services: True when `on_motion(motion: Motion)` shall be called
      with how its boxes moved between two frames, where the inference worker had time for it.
    - `wants_scene`, of every-frame services: True when `on_scene(scene: Scene)` shall be called
      with each frame, before anything else of that frame.

    Attributes:
        name: In topics and reports: letters, digits, `_`, `-`.
    """

    name: str
    trigger: str

    def on_answer(self, detections: Detections, stamp_ns: int, accuracy: float) -> None:
        """A model looked at the frame of `stamp_ns`; it may come after newer frames.

        Args:
            detections: In pixels of the frame.
            stamp_ns: Of the frame.
            accuracy: Expected F1 of the model: of two answers for one frame the better stands.
        """
        ...

    def boxes(self, now_ns: int) -> list[Box]:
        """What the service believes at `now_ns`; under a millisecond, always possible."""
        ...


@runtime_checkable
class AfterVerdict(Protocol):
    """Follows another service; `trigger` is "after:NAME"."""

    name: str
    trigger: str

    def on_verdict(self, verdict: Verdict, scene: Scene) -> list[Advisory]:
        """The followed service gave this verdict."""
        ...


Service = EveryFrame | AfterVerdict


def number(setup: Setup, name: str, default: float) -> float:
    """A number among the options of a service.

    Raises:
        ValueError: It is there and not a number.
    """
    value = setup.options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name}: expected a number, got {value!r}")
    return float(value)


def only(setup: Setup, *names: str) -> None:
    """Refuse options that a service does not know.

    Raises:
        ValueError: There is one.
    """
    unknown = sorted(set(setup.options) - set(names))
    if unknown:
        raise ValueError(f"unknown option {unknown[0]!r}; known: {', '.join(names) or 'none'}")
