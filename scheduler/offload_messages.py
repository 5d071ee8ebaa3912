"""What a vehicle and a roadside unit say to each other, through the link; see `messages`.

Fields with a default came later: an older peer leaves them out, and is asked for none of them.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from scheduler.messages import U63, Message, Metres3, Micros, Name, Share, Side, Text

ResultStatus = Literal["ok", "reject", "late", "bad"]
# A name that is only compared with names that we know: its letters need no check, which costs
# more than the rest of a header.
Known = Annotated[str, Meta(min_length=1, max_length=64)]
MOST_HEADS = 8  # further results beside one answer
MOST_HEAD_BYTES = 65_536  # of one head's result
HeadBytes = Annotated[int, Meta(ge=0, le=MOST_HEAD_BYTES)]
MOST_MODELS = 64  # that a unit tells the load of
Loads = Annotated[dict[Name, Micros], Meta(max_length=MOST_MODELS)]
PathName = Annotated[str, Meta(max_length=32, pattern=r"^[A-Za-z0-9_\-]*$")]


class Hello(Message, frozen=True):
    """Vehicle to unit, first on both sockets: binds control and frames to one session."""

    kind: ClassVar[bytes] = b"HELLO"
    version: int
    vehicle_id: Name
    session: U63  # random per opened link; results of another session are alien
    channel: Literal["control", "frames"]
    path: PathName = ""  # the radio, where several lead here: each path has a session of its own
    wants_beacons: bool = False


class Welcome(Message, frozen=True):
    """Unit to vehicle on control: what it serves and how many requests may be in flight."""

    kind: ClassVar[bytes] = b"WELCOME"
    version: int
    unit_id: Name
    session: U63
    credits: Annotated[int, Meta(ge=0, le=64)]
    models: list[Name]
    infer_us: list[Micros]  # typical inference per model, same order; 0 = not known yet
    splits: dict[Name, Micros] = field(
        default_factory=dict
    )  # models whose second half runs here, and how long that takes
    heads: dict[Name, list[Name]] = field(
        default_factory=dict
    )  # further results that a model brings when asked


class Request(Message, frozen=True):
    """Vehicle to unit on frames; the payload is one baseline JPEG, or a split model's features."""

    kind: ClassVar[bytes] = b"REQUEST"
    version: int
    vehicle_id: Name
    session: U63
    seq: U63  # one per send in a session
    camera_id: Known
    tick: U63
    sim_ns: U63
    service: Known
    model: Known
    age_us: Micros  # of the frame when it was sent, on the vehicle's clock
    budget_us: Micros  # from complete receipt to answer handed to the socket
    width: Side  # pixels of the encoded picture; may be below the frame's
    height: Side
    scale: Annotated[float, Meta(gt=0.0, le=16.0)]  # frame pixels per encoded pixel
    size: Annotated[int, Meta(ge=1, le=600_000)]  # bytes of payload
    # Of the payload; over CURVE, whose MAC covers it, 0 says that there is none.
    crc32: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    payload_kind: Known = "jpeg"  # or "features", where the welcome lists the model's split
    heads: Annotated[list[Name], Meta(max_length=MOST_HEADS)] = field(
        default_factory=list
    )  # of those in the welcome


class Result(Message, frozen=True):
    """Unit to vehicle on control; when ok the payload holds detections in encoded pixels.

    After them comes one part for each head, in the order of `heads`.
    """

    kind: ClassVar[bytes] = b"RESULT"
    version: int
    unit_id: Known
    session: U63
    seq: U63
    status: ResultStatus
    reason: Text
    model: Known
    budget_us: Micros  # repeated from the request
    queue_us: Micros
    decode_us: Micros
    infer_us: Micros
    queue_length: U63
    credits: Annotated[int, Meta(ge=0, le=64)]
    retry_after_us: Micros
    heads: Annotated[dict[Name, HeadBytes], Meta(max_length=MOST_HEADS)] = field(
        default_factory=dict
    )  # bytes of each


class Ping(Message, frozen=True):
    """Vehicle to unit on control, when nothing was heard for a while."""

    kind: ClassVar[bytes] = b"PING"
    version: int
    vehicle_id: Name
    session: U63
    number: U63


class Pong(Message, frozen=True):
    """Answer to a ping."""

    kind: ClassVar[bytes] = b"PONG"
    version: int
    unit_id: Name
    session: U63
    number: U63
    queue_length: U63
    clock_us: U63 = 0  # the unit's monotonic clock, for displays alone; 0 = not told


class Beacon(Message, frozen=True):
    """Unit to vehicle on control, 4 Hz, to sessions that asked for it: how busy the unit is."""

    kind: ClassVar[bytes] = b"BEACON"
    version: int
    unit_id: Name
    session: U63
    number: U63  # counts up; one that is overtaken is not believed
    queue_length: U63  # requests that wait or are in work
    busy_share: Share  # of its inference, since the beacon before
    wait_us: Micros  # mean wait of the requests answered since then
    credits: Annotated[int, Meta(ge=0, le=64)]
    models: Loads  # what each takes of late; 0 = not known
    splits: Loads
    position: Metres3 | None = None  # of the antenna, world; where the unit knows it


class Bye(Message, frozen=True):
    """Either side leaves; what is in flight is lost."""

    kind: ClassVar[bytes] = b"BYE"
    version: int
    name: Name
    session: U63
