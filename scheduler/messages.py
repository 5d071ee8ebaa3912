"""Every message that crosses a process boundary; field order is the wire format.

Those between a vehicle and a roadside unit are in `offload_messages`.

Messages are MessagePack arrays whose first element is the version, but for those that a
subscriber in another language reads (`Verdict`, `LinkStatus`, `VehicleStatus`, `UnitStatus`,
`Event`): these are maps with the field names below. No message carries another host's clock:
ages and durations only (`*_us`, `*_ms`), and `stamp_ns`-like fields only where the reader is
told that they mean the writer's own monotonic clock.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

VERSION = 1
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+$")]
Text = Annotated[str, Meta(max_length=300)]
U63 = Annotated[int, Meta(ge=0, le=2**63 - 1)]  # msgspec bounds must fit int64
Micros = Annotated[int, Meta(ge=0, le=3_600_000_000)]
Side = Annotated[int, Meta(ge=16, le=8192)]  # pixels
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Metres3 = tuple[float, float, float]

VerdictKind = Literal["onboard", "offloaded", "carried"]
Encoding = Literal["bgr", "jpeg"]


class Message(Struct, frozen=True, array_like=True):
    """Base of the array-encoded messages; `kind` is the first part of the multipart message."""

    kind: ClassVar[bytes] = b""


class Record(Struct, frozen=True):
    """Base of the map-encoded messages, which other languages read."""

    kind: ClassVar[bytes] = b""


# --- world: bridge <-> vehicles, link, dashboard ------------------------------------------


class Frame(Message, frozen=True):
    """Bridge to vehicle; topic `frame/<vehicle>/<camera>`; the payload is the picture."""

    kind: ClassVar[bytes] = b"FRAME"
    version: int
    vehicle_id: Name
    camera_id: Name
    tick: U63
    sim_ns: U63
    age_us: Micros  # since the bridge had the picture
    width: Side
    height: Side
    encoding: Encoding
    intrinsics: tuple[float, float, float, float]  # fx, fy, cx, cy in pixels
    distortion: list[float]  # OpenCV's k1, k2, p1, p2, k3; empty = pinhole
    camera_from_vehicle: tuple[float, float, float, float, float, float]
    # where the camera sits in the vehicle frame: x, y, z in metres, roll, pitch, yaw in radians


class Pose(Message, frozen=True):
    """Bridge to vehicle, link and dashboard; topic `pose/<vehicle>`; world axes x east, y north."""

    kind: ClassVar[bytes] = b"POSE"
    version: int
    vehicle_id: Name
    tick: U63
    sim_ns: U63
    age_us: Micros
    position: Metres3
    rotation: Metres3  # roll, pitch, yaw in radians
    speed: float  # m/s along the vehicle's x axis
    yaw_rate: float  # rad/s
    brake: float  # 0..1 that the bridge applies now
    is_braked_by_feedback: bool


class Unit(Struct, frozen=True, array_like=True):
    """Where a roadside unit stands."""

    unit_id: Name
    position: Metres3


class Site(Message, frozen=True):
    """Bridge to link and dashboard, once a second; topic `site`: what does not move."""

    kind: ClassVar[bytes] = b"SITE"
    version: int
    town: Text
    units: list[Unit]
    buildings: list[list[tuple[float, float]]]  # footprints, world metres
    routes: dict[str, list[tuple[float, float]]]  # per ego, every few metres


class Obstacle(Struct, frozen=True, array_like=True):
    """A vehicle that may stand between two antennas: a box in the world, metres."""

    actor_id: int
    position: Metres3  # the middle of its box
    yaw: float  # radians, counter-clockwise from east
    extent: Metres3  # half length, half width, half height


class Traffic(Message, frozen=True):
    """Bridge to link, with every pose; topic `traffic`: who may stand in the radio's way.

    It is true knowledge of the world: no vehicle subscribes to it.
    """

    kind: ClassVar[bytes] = b"TRAFFIC"
    version: int
    sim_ns: U63
    obstacles: list[Obstacle]


class WorldStatus(Message, frozen=True):
    """Bridge to everybody, every second; topic `world`."""

    kind: ClassVar[bytes] = b"WORLD"
    version: int
    adapter: Text  # carla or inprocess, and where
    tick: U63
    sim_ns: U63
    real_time_factor: float
    collisions: dict[str, int]  # per ego
    min_ttc_s: dict[str, float]  # per ego; absent = nothing was ever ahead
    hard_brakes: dict[str, int]


class Feedback(Message, frozen=True):
    """Vehicle to bridge: brake the ego; the newest tick of a vehicle wins, and it expires."""

    kind: ClassVar[bytes] = b"FEEDBACK"
    version: int
    vehicle_id: Name
    tick: U63
    valid_for_ms: Annotated[int, Meta(ge=0, le=10_000)]
    brake: Share
    service: Name
    reason: Text


class Advance(Message, frozen=True):
    """Bridge to vehicle in `hold` mode: simulated time may go on to `sim_ns`."""

    kind: ClassVar[bytes] = b"ADVANCE"
    version: int
    sim_ns: U63


class Advanced(Message, frozen=True):
    """Vehicle to bridge in `hold` mode: it has done all that it will do by `sim_ns`."""

    kind: ClassVar[bytes] = b"ADVANCED"
    version: int
    vehicle_id: Name
    sim_ns: U63


# --- telemetry: read by dashboards, recorders and other languages -------------------------


class Box(Struct, frozen=True, omit_defaults=True):
    """One tracked object, in pixels of the source frame, at the verdict's `valid_ns`.

    What is not known is left out of the message. Metres are in the vehicle's axes, x ahead and y
    left, from its origin on the ground.
    """

    xyxy: tuple[float, float, float, float]
    velocity: tuple[float, float, float, float]  # px/s of each side
    score: float
    class_id: int
    track_id: int
    state: str = ""  # of a traffic light: red, yellow, green or off; empty = not known
    position_m: tuple[float, float] | None = None  # x of its near face, y of its middle
    velocity_mps: tuple[float, float] | None = None  # over ground; None without our own motion
    ttc_s: float | None = None  # until its distance ahead is used up; None = not closing


class Verdict(Record, frozen=True):
    """The one answer to a (frame, service); topic `verdict/<vehicle>/<camera>/<service>`.

    `stamp_ns`, `emitted_ns` and `valid_ns` are on the vehicle's own monotonic clock.
    """

    kind: ClassVar[bytes] = b"VERDICT"
    version: int
    vehicle_id: str
    camera_id: str
    tick: int
    sim_ns: int
    service: str
    answer: VerdictKind
    reason: str  # why this kind: as placed, or what went wrong
    placed: str  # what the policy chose, e.g. `rsu1/large@q70` or `onboard/small`
    placed_reason: str
    unit_id: str  # empty unless offloaded
    model: str  # empty when carried
    stamp_ns: int
    emitted_ns: int
    valid_ns: int  # the instant for which the boxes hold
    deadline_ns: int
    age_ms: float  # emitted - stamp
    answer_age_ms: float  # emitted - stamp of the frame that a model last looked at
    is_late: bool
    stages_ms: dict[str, float]  # encode, uplink, queue, decode, infer, downlink or local
    size_bytes: int  # sent for this frame; 0 when nothing was
    boxes: list[Box]
    pipeline: str = ""  # of `placed`: onboard, offload, split, escalate or carry


class LinkStatus(Record, frozen=True):
    """What a vehicle knows of its link to one unit; topic `link/<vehicle>/<unit>`, 10 Hz.

    With two radios there are two links, and `unit_id` is `rsu1/5g`: see `paths`.
    """

    kind: ClassVar[bytes] = b"LINK"
    version: int
    vehicle_id: str
    unit_id: str
    stamp_ns: int  # the vehicle's clock
    state: str  # connecting, up, or closed by handover
    rate_mbps: float  # median of the estimate
    rate_p20_mbps: float
    rtt_ms: float
    in_flight: int
    credits: int
    queue_ms: float  # the unit's queue as last reported
    sent: int
    ok: int
    late: int
    rejected: int
    lost: int
    reopened: int


class VehicleStatus(Record, frozen=True):
    """A vehicle's counters and stage times; topic `status/<vehicle>`, 2 Hz."""

    kind: ClassVar[bytes] = b"STATUS"
    version: int
    vehicle_id: str
    policy: str
    deadline_ms: float
    slowdown: float
    captured: int
    missed_upstream: int
    verdicts: int
    late: int
    answers: dict[str, int]  # onboard, offloaded, carried
    fps: float
    stages_ms: dict[str, tuple[float, float]]  # name -> p50, p99 over the last 10 s
    faults: dict[str, int]  # policy, service, worker, recorder_dropped, wire, ...
    pose_age_ms: float
    speed: float


class UnitStatus(Record, frozen=True):
    """A roadside unit's counters; topic `unit/<unit>`, 2 Hz."""

    kind: ClassVar[bytes] = b"UNIT"
    version: int
    unit_id: str
    vehicles: list[str]
    received: int
    ok: int
    rejected: int
    late: int
    bad: int
    aliens: int
    queue_length: int
    busy_share: float
    infer_ms: dict[str, float]


class LinkRow(Record, frozen=True):
    """One row of the emulated channel, every 100 ms; topic `channel/<vehicle>/<unit>`.

    The same columns as a trace file (`t_s, up_bps, up_delay_ms, ...`), so that a run's rows
    replay.
    """

    kind: ClassVar[bytes] = b"CHANNEL"
    version: int
    vehicle_id: str
    unit_id: str
    t_s: float  # since the link emulator's start
    sim_ns: int  # of the pose that it was computed from; 0 when replayed from a trace
    up_bps: float
    up_delay_ms: float
    up_loss: float
    dn_bps: float
    dn_delay_ms: float
    dn_loss: float
    snr_db: float
    state: str  # LOS, NLOSv, NLOS or trace
    up_queue_bytes: int
    dn_queue_bytes: int


class Event(Record, frozen=True):
    """Something a watcher wants to read; topic `event/<process>`."""

    kind: ClassVar[bytes] = b"EVENT"
    version: int
    process: str
    level: Literal["info", "warning", "error"]
    text: str


class ProcessStatus(Record, frozen=True):
    """The launcher's view of a process; topic `process/<name>`, 1 Hz and on change."""

    kind: ClassVar[bytes] = b"PROCESS"
    version: int
    name: str
    state: Literal["starting", "running", "restarting", "stopped", "failed"]
    pid: int
    restarts: int
