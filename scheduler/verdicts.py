"""The published verdict of a frame, from what the dispatcher decided and the service believes."""

from __future__ import annotations

from scheduler import messages
from scheduler.effects import Emit

MS = 1e6  # ns


def verdict_of(
    effect: Emit, boxes: list[messages.Box], valid_ns: int, emitted_ns: int, looked_ns: int
) -> messages.Verdict:
    """The message.

    Args:
        effect: The decision.
        boxes: As they hold at `valid_ns`.
        valid_ns: On the vehicle's clock, as are the next two.
        emitted_ns: Now.
        looked_ns: When the newest frame that a model looked at was taken.
    """
    task, placement = effect.task, effect.placement
    return messages.Verdict(
        version=messages.VERSION,
        vehicle_id=task.vehicle_id,
        camera_id=task.camera_id,
        tick=task.tick,
        sim_ns=task.sim_ns,
        service=task.service,
        answer=effect.kind,
        reason=effect.reason,
        placed=placement.label,
        placed_reason=placement.reason,
        unit_id=effect.unit_id,
        model=effect.model,
        stamp_ns=task.stamp_ns,
        emitted_ns=emitted_ns,
        valid_ns=valid_ns,
        deadline_ns=task.deadline_ns,
        age_ms=(emitted_ns - task.stamp_ns) / MS,
        answer_age_ms=(emitted_ns - looked_ns) / MS,
        is_late=effect.is_late or emitted_ns > task.deadline_ns,
        stages_ms={name: ns / MS for name, ns in effect.stages_ns.items()},
        size_bytes=effect.size_bytes,
        boxes=boxes,
        pipeline=placement.place,
    )
