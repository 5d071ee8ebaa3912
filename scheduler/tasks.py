"""What is placed: one frame of one camera for one service, due at one instant."""

from msgspec import Struct

SLOW_DEADLINE_NS = 400_000_000  # up to 10 m/s: a reaction each 4 m
LEAST_DEADLINE_NS = 50_000_000  # faster than any road allows; no pipeline is in time for less


def deadline_by_speed_ns(speed: float) -> int:
    """How long a verdict may take at this speed (m/s): 400 ms, 10 less for each m/s above 10."""
    less_ns = round(max(0.0, speed - 10.0) * 10_000_000)
    return max(LEAST_DEADLINE_NS, SLOW_DEADLINE_NS - less_ns)


class Task(Struct, frozen=True):
    """One (frame, every-frame service) that owes a verdict.

    Attributes:
        task_id: Unique within a vehicle process, increasing in order of arrival.
        stamp_ns: When the picture was taken, on the vehicle's monotonic clock.
        deadline_ns: Absolute, same clock; the verdict is emitted at or before it.
        width: Pixels of the source frame.
        height: Pixels of the source frame.
        stays_on_board: No pixel of it leaves the vehicle.
        heads: Further results that the camera's services ask for, from whichever model looks.
        change: How much of the picture changed since the last frame of this camera that a model
            looked at, 0..1; 1.0 = unknown.
    """

    task_id: int
    vehicle_id: str
    camera_id: str
    tick: int
    sim_ns: int
    service: str
    stamp_ns: int
    deadline_ns: int
    width: int
    height: int
    stays_on_board: bool = False
    heads: tuple[str, ...] = ()
    change: float = 1.0
