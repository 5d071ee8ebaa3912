"""The one YAML file of a drive, as typed structs; a comment on each field holds its unit.

`config_file` reads it; a misspelt key fails at start, with its path.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypeVar

from msgspec import Meta, Struct, field

from scheduler import paths
from scheduler.errors import ConfigError
from scheduler.placement import Pipeline

Name = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9_\-]+$")]
Positive = Annotated[float, Meta(gt=0)]
ImageSide = Annotated[int, Meta(ge=64, le=1920)]  # pixels
NotNegative = Annotated[float, Meta(ge=0)]
Port = Annotated[int, Meta(ge=1, le=65_500)]
Scalar: TypeAlias = str | int | float | bool | None
Options: TypeAlias = dict[str, Scalar | list[Scalar]]


# Processes that have keys of their own: no vehicle or roadside unit may bear such a name.
SITE_PROCESSES = ("bridge", "link", "launcher", "dashboard")


CLOUD_MAST = (0.0, 0.0, 25.0)  # m; a macro cell (TR 38.901 UMa) over the middle of the town


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections: immutable, and a misspelt key is an error."""


class Bind(Section, frozen=True):
    """Where a process listens.

    With no host, frames, feedback and telemetry are unix sockets and offload is on 127.0.0.1.
    """

    host: str | None = None  # an address of this machine; set it to serve other machines
    port: Port | None = None  # base of the process's ports; default: the table in processes.py
    connect: str | None = None  # the address that others use, where it differs (NAT)


class Mount(Section, frozen=True):
    """The camera's pose in the vehicle frame (x forward, y left, z up); `camera_from_vehicle`."""

    x: float = 1.5  # m
    y: float = 0.0  # m
    z: float = 1.5  # m
    roll_deg: float = 0.0
    pitch_deg: float = 0.0  # positive looks up
    yaw_deg: float = 0.0  # positive looks left


class Camera(Section, frozen=True):
    """One camera of a vehicle."""

    id: Name = "front"
    source: str = "bridge"  # bridge | video:PATH | replay:RUN | an entry point | module:Class
    width: Annotated[int, Meta(ge=64, le=1920)] = 640  # pixels
    height: Annotated[int, Meta(ge=64, le=1080)] = 384  # pixels
    rate_hz: Positive | None = None  # default: the world's or the video's own
    fov_deg: Annotated[float, Meta(gt=5, lt=170)] | None = None  # horizontal; default 90
    calibration: str | None = None  # a file with K and distortion, instead of fov_deg
    camera_from_vehicle: Mount = Mount()


class Service(Section, frozen=True):
    """One onboard service: a short name, an entry point or module:Class."""

    name: str
    options: Options = {}


class Policy(Section, frozen=True):
    """Who decides where a frame is computed."""

    name: str = "deadline"
    options: Options = {}


class Compute(Section, frozen=True):
    """The declared compute profile of a vehicle; every report shows it."""

    slowdown: Annotated[float, Meta(ge=1)] = 1.0  # 1 = this machine as it is (native)
    threads: Annotated[int, Meta(ge=1, le=64)] = 1
    watts: Positive = 10.0  # declared draw while a model runs


class DeadlineRule(Section, frozen=True):
    """When a verdict is due after its picture was taken."""

    mode: Literal["fixed", "speed"] = "fixed"
    # fixed: deadline_ms; speed: 400 ms up to 10 m/s, 10 ms less for each further m/s, while the
    # speed is known, else deadline_ms


class Detector(Section, frozen=True):
    """One detector that a vehicle or unit can run."""

    id: Name  # its name in placements: small, large, ...
    kind: str = "vdap"  # vdap | yolox | yolov8 | an entry point of vdap.detectors | module:Class
    weights: str | None = None  # a file; default for vdap: the shipped rung of this id
    score_threshold: Annotated[float, Meta(gt=0, lt=1)] | None = None
    # least score of a box; default: where the shipped rung's F1 is best, of other models 0.35
    accuracy: Annotated[float, Meta(ge=0, le=1)] | None = None
    # expected F1 alone; default: the shipped rung's own, measured. Policies weigh it.
    options: Options = {}
    # input_size: [640, 384], precision: fp32 | int8, backend: auto | onnxruntime | openvino | ...


class Vehicle(Section, frozen=True):
    """One vehicle: its cameras, services, policy and onboard detectors."""

    id: Name = "ego"
    cameras: Annotated[list[Camera], Meta(min_length=1)] = field(default_factory=lambda: [Camera()])
    services: list[Service] = field(
        default_factory=lambda: [
            Service(name="object_detection"),
            Service(name="collision_warning"),
        ]
    )
    policy: Policy = Policy()
    deadline_ms: Annotated[float, Meta(ge=20, le=5000)] = 100.0
    deadline: DeadlineRule = DeadlineRule()
    window: Annotated[int, Meta(ge=1, le=8)] = 2  # requests in flight per link
    radio_map: str | None = None
    # a file: where links broke and what they carried, learned over drives; None = not learned
    max_links: Annotated[int, Meta(ge=1, le=16)] = 3  # open at once; of more, only the best are
    qualities: list[Annotated[int, Meta(ge=5, le=95)]] = field(default_factory=lambda: [80, 60, 40])
    # JPEG qualities an offload may use, best first
    resolutions: list[tuple[ImageSide, ImageSide]] = []
    # width and height that an offload may send a frame at, its proportions kept; [] = as it is
    compute: Compute = Compute()
    detectors: list[Detector] = field(default_factory=lambda: [Detector(id="small")])
    pipelines: Annotated[list[Pipeline], Meta(min_length=1)] = field(
        default_factory=lambda: ["onboard", "offload"]
    )
    # ways that a frame may take; onboard is always open. split: a model's first half here, its
    # second at a unit; escalate: the frame is sent only when the rung on board is unsure of it
    doubt_above: NotNegative = 2.0  # bits; escalate sends frames with more; raising it sends fewer
    stays_on_board: bool = False  # never sends a pixel; features only where `split` is listed
    spawn_index: Annotated[int, Meta(ge=0)] = 0  # which spawn point of the town
    route: Literal["loop", "random"] = "loop"
    speed: Positive = 8.0  # m/s that its own driver aims for
    bind: Bind = Bind()


class AlongRoute(Section, frozen=True):
    """Roadside units by rule, so that one config fits every town."""

    of: Name = "ego"  # whose route
    every_m: Positive = 300.0
    count: Annotated[int, Meta(ge=1, le=50)] = 2
    first_m: NotNegative = 60.0  # along the route from its start
    lateral_m: float = -3.5  # to the left of the route; negative = on the right pavement
    height: Positive = 5.0  # m of the antenna


class Unit(Section, frozen=True):
    """One roadside unit, or several by rule (`along`): ids get 1, 2, ... appended."""

    id: Name = "rsu"
    kind: Literal["roadside", "cloud"] = "roadside"  # a cloud is far away and never out of range
    at: tuple[float, float, float] | None = None  # world, m; of a cloud: the mast of its cell
    along: AlongRoute | None = None
    radios: Annotated[list[Name], Meta(max_length=4)] = []
    # names of `link.radios` that lead to it, each a path of its own; none: the link's own model
    range_m: Positive | None = None  # of its radio; default: learned while driving
    detectors: list[Detector] = field(default_factory=lambda: [Detector(id="large")])
    threads: Annotated[int, Meta(ge=1, le=64)] = 1  # of its inference worker
    slowdown: Annotated[float, Meta(ge=1)] = 1.0  # 1 = this machine as it is (native)
    credits: Annotated[int, Meta(ge=1, le=8)] = 2  # requests in flight per vehicle and radio
    bind: Bind = Bind()

    @property
    def place(self) -> tuple[float, float, float] | None:
        """Where its antenna is, as far as the file says; of a cloud the mast that reaches it."""
        return CLOUD_MAST if self.at is None and self.kind == "cloud" else self.at


class Radio(Section, frozen=True):
    """One kind of radio between vehicles and units."""

    model: str = "urban_80211p"  # a channel: short name, entry point or module:Class
    trace: str | None = None  # a CSV to replay instead of the model
    outage: Literal["hold", "drop"] | None = None  # what is sent then waits, or is lost; default:
    # as the trace or channel says (cellular networks hold, 802.11p drops), else drop
    queue_kib: Positive = 64.0  # per direction, all connections of a pair together
    options: Options = {}  # of the channel: tx_power_dbm, share, ...


class Link(Radio, frozen=True):
    """The emulated radio between vehicles and units, and further ones by name."""

    radios: dict[Name, Radio] = {}  # that units name in their own `radios`
    emulator: Literal["proxy", "tun"] = "proxy"  # tun: IP packets between namespaces; needs root
    bind: Bind = Bind()


class Traffic(Section, frozen=True):
    """Other road users."""

    vehicles: Annotated[int, Meta(ge=0, le=200)] = 20
    pedestrians: Annotated[int, Meta(ge=0, le=200)] = 10


class World(Section, frozen=True):
    """The simulated world; leave the section out to drive from a video or a real camera."""

    adapter: Literal["auto", "carla", "inprocess"] = "auto"
    address: str | None = None  # HOST:PORT of a running CARLA server; then none is started
    town: str | None = None  # default: the server's own
    fixed_delta_s: Annotated[float, Meta(gt=0, le=0.5)] = 0.1
    traffic: Traffic = Traffic()
    scenario: str | None = None  # a short name or module:function in place of free traffic
    shadows: bool = True
    instance_ids: Literal["actor", "engine"] = "actor"
    asset_seed: int = 1  # looks of the embedded world
    bind: Bind = Bind(port=2000)


class Bridge(Section, frozen=True):
    """The only user of the carla client."""

    bind: Bind = Bind()
    encoding: Literal["auto", "bgr", "jpeg"] = "auto"  # auto: bgr on one host, jpeg across hosts
    feedback: bool = True  # false: advisories are published, nothing is controlled
    pace: Literal["realtime", "hold"] = "realtime"


class Record(Section, frozen=True):
    """What the run folder keeps."""

    frames: Literal["auto", "all", "none"] = "auto"  # auto: all if simulated, none if real cameras
    max_gib: Positive = 4.0
    folder: str = "runs"


class Security(Section, frozen=True):
    """Keys."""

    certificates: str = "certificates"  # folder; the launcher fills it where it is missing
    insecure_loopback: bool = False  # no CURVE on 127.0.0.1 (debugging only)


class Replay(Section, frozen=True):
    """A recorded run that is driven again; `vdap run --compare` fills it."""

    origin_ns: int  # of the recording, by its vehicles' clock: the instant that it begins from
    start: str  # file that the launcher writes when everybody is ready: when that instant is


class Config(Section, frozen=True):
    """A drive."""

    name: Name = "drive"
    seed: int = 1
    duration_s: Positive = 60.0
    world: World | None = None
    bridge: Bridge = Bridge()
    vehicles: Annotated[list[Vehicle], Meta(min_length=1)] = field(
        default_factory=lambda: [Vehicle()]
    )
    roadside_units: list[Unit] = []
    link: Link | None = None
    record: Record = Record()
    security: Security = Security()
    # Filled by the launcher; a user leaves them alone.
    replay: Replay | None = None
    ipc_folder: str | None = None
    source_folder: str | None = None  # of the YAML: paths and module:Class are looked up there

    def vehicle(self, vehicle_id: str) -> Vehicle:
        """The vehicle of this id."""
        return _by_id(self.vehicles, vehicle_id, "vehicles")

    def unit(self, unit_id: str) -> Unit:
        """The roadside unit of this id (after `expand`)."""
        return _by_id(self.roadside_units, unit_id, "roadside_units")

    def radio(self, link_id: str) -> Radio:
        """What carries a link (see `paths`): the unit's named radio, else the link section's own.

        Raises:
            ConfigError: the config has no link, or no such unit or radio.
        """
        if self.link is None:
            raise ConfigError("expected a `link` section: nothing reaches a vehicle past it")
        unit = self.unit(paths.unit_of(link_id))
        if not unit.radios:
            return self.link
        name = paths.radio_of(link_id) or unit.radios[0]
        if name not in self.link.radios:
            known = ", ".join(self.link.radios) or "none"
            raise ConfigError(f"expected {name!r} among link.radios, which has {known}")
        return self.link.radios[name]

    def path(self, name: str) -> Path:
        """A path of the file: absolute, relative to the file's folder, or to where we run."""
        path = Path(name).expanduser()
        if path.is_absolute() or self.source_folder is None:
            return path
        beside = Path(self.source_folder) / path
        return beside if beside.exists() or not path.exists() else path


Item = TypeVar("Item", Vehicle, Unit)


def _by_id(items: Sequence[Item], wanted: str, section: str) -> Item:
    for item in items:
        if item.id == wanted:
            return item
    known = ", ".join(item.id for item in items) or "none"
    raise ConfigError(f"expected {wanted!r} among {section}, which has {known}")
