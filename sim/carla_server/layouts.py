"""Layouts of what travels: MessagePack structs (arrays, in field order) and packed records."""

from __future__ import annotations

import struct
from typing import Annotated

import msgspec

U8 = Annotated[int, msgspec.Meta(ge=0, le=0xFF)]
U16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
U32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
U64 = Annotated[int, msgspec.Meta(ge=0)]
I32 = Annotated[int, msgspec.Meta(ge=-(1 << 31), le=(1 << 31) - 1)]

# ---- MessagePack structs, in 0.9.16's order. Trailing fields a client adds are ignored.


class Vector2D(msgspec.Struct, array_like=True):
    """Two floats."""

    x: float = 0.0
    y: float = 0.0


class Vector3D(msgspec.Struct, array_like=True):
    """CARLA axes: x forward or east, y right or south, z up."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0


class Rotation(msgspec.Struct, array_like=True):
    """Degrees; yaw clockwise seen from above."""

    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0


class Transform(msgspec.Struct, array_like=True):
    """Location in metres, then rotation."""

    location: Vector3D = msgspec.field(default_factory=Vector3D)
    rotation: Rotation = msgspec.field(default_factory=Rotation)


class BoundingBox(msgspec.Struct, array_like=True):
    """`extent` holds half sizes; `location` is the actor's own, or the world's for the level."""

    location: Vector3D
    extent: Vector3D
    rotation: Rotation = msgspec.field(default_factory=Rotation)
    actor_id: U32 = 0


class EpisodeSettings(msgspec.Struct, array_like=True):
    """`carla.WorldSettings`; seconds and metres."""

    synchronous_mode: bool = False
    no_rendering_mode: bool = False
    fixed_delta_seconds: list[bool | float] = msgspec.field(default_factory=lambda: [False])
    substepping: bool = True
    max_substep_delta_time: float = 0.01
    max_substeps: I32 = 10
    max_culling_distance: float = 0.0
    deterministic_ragdolls: bool = True
    tile_stream_distance: float = 3000.0
    actor_active_distance: float = 2000.0
    spectator_as_ego: bool = True


class ActorAttribute(msgspec.Struct, array_like=True):
    """One attribute of a blueprint; `type`: 1 bool, 2 int, 3 float, 4 string, 5 colour."""

    id: str
    type: int
    value: str
    recommended_values: list[str]
    is_modifiable: bool
    restrict_to_recommended: bool


class ActorDefinition(msgspec.Struct, array_like=True):
    """A blueprint; `tags` comma separated."""

    uid: U32
    id: str
    tags: str
    attributes: list[ActorAttribute]


class AttributeValue(msgspec.Struct, array_like=True):
    """One attribute of an actor."""

    id: str
    type: int
    value: str


class ActorDescription(msgspec.Struct, array_like=True):
    """What a client asks to spawn, and what an actor says it is."""

    uid: U32
    id: str
    attributes: list[AttributeValue]


class WireActor(msgspec.Struct, array_like=True):
    """An actor as every call answers it; `stream_token` is empty but for sensors that stream."""

    id: int
    parent_id: int
    description: ActorDescription
    bounding_box: BoundingBox
    semantic_tags: bytes
    stream_token: bytes


class VehicleControl(msgspec.Struct, array_like=True):
    """Pedals and wheel; `steer` -1 left to 1 right."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: I32 = 0


class AckermannControl(msgspec.Struct, array_like=True):
    """Steer in radians (right positive), speed in m/s, and their rates."""

    steer: float = 0.0
    steer_speed: float = 0.0
    speed: float = 0.0
    acceleration: float = 0.0
    jerk: float = 0.0


class AckermannSettings(msgspec.Struct, array_like=True):
    """Gains of the two controllers that follow an `AckermannControl`; CARLA's defaults."""

    speed_kp: float = 0.15
    speed_ki: float = 0.0
    speed_kd: float = 0.25
    accel_kp: float = 0.01
    accel_ki: float = 0.0
    accel_kd: float = 0.01


class WalkerControl(msgspec.Struct, array_like=True):
    """A direction in the world and a speed in m/s."""

    direction: Vector3D = msgspec.field(default_factory=Vector3D)
    speed: float = 0.0
    jump: bool = False


class LightFlags(msgspec.Struct, array_like=True):
    """`carla.VehicleLightState`."""

    flags: U32 = 0


class Gear(msgspec.Struct, array_like=True):
    """One forward gear."""

    ratio: float
    down_ratio: float
    up_ratio: float


class Wheel(msgspec.Struct, array_like=True):
    """One wheel; `position` in centimetres in the world, as CARLA has it."""

    tire_friction: float = 3.5
    damping_rate: float = 0.25
    max_steer_angle: float = 70.0
    radius: float = 35.0
    max_brake_torque: float = 1500.0
    max_handbrake_torque: float = 3000.0
    lat_stiff_max_load: float = 2.0
    lat_stiff_value: float = 17.0
    long_stiff_value: float = 1000.0
    position: Vector3D = msgspec.field(default_factory=Vector3D)


class PhysicsControl(msgspec.Struct, array_like=True):
    """`carla.VehiclePhysicsControl`."""

    torque_curve: list[Vector2D]
    max_rpm: float
    moi: float
    damping_rate_full_throttle: float
    damping_rate_zero_throttle_clutch_engaged: float
    damping_rate_zero_throttle_clutch_disengaged: float
    use_gear_autobox: bool
    gear_switch_time: float
    clutch_strength: float
    final_ratio: float
    forward_gears: list[Gear]
    mass: float
    drag_coefficient: float
    center_of_mass: Vector3D
    steering_curve: list[Vector2D]
    wheels: list[Wheel]
    use_sweep_wheel_collision: bool


class EnvironmentObject(msgspec.Struct, array_like=True):
    """A thing of the level; `type` is a semantic tag."""

    transform: Transform
    bounding_box: BoundingBox
    id: int
    name: str
    type: int


class LabelledPoint(msgspec.Struct, array_like=True):
    """Where a ray met something, and that thing's semantic tag."""

    location: Vector3D
    label: int


class OpendriveGenerationParameters(msgspec.Struct, array_like=True):
    """How CARLA meshes a client's OpenDRIVE; metres. Of these only the walls exist here."""

    vertex_distance: float = 2.0
    max_road_length: float = 50.0
    wall_height: float = 1.0
    additional_width: float = 0.6
    smooth_junctions: bool = True
    enable_mesh_visibility: bool = True
    enable_pedestrian_navigation: bool = True


class StreetLight(msgspec.Struct, array_like=True):
    """CARLA's LightState: a lamp of the level; lumens, `carla.LightGroup`, red green blue."""

    id: U32
    location: Vector3D
    intensity: float
    group: U8
    color: tuple[U8, U8, U8]
    active: bool


# ---- Packed little-endian records of the streams.

TOKEN = struct.Struct("<IHBB16s")
"""stream id, port, protocol (1 TCP), address type (0: the host the client dialled), address."""
STREAM_ID = struct.Struct("<I")
LENGTH = struct.Struct("<I")
MESSAGE_HEADER = struct.Struct("<QQd6f")
"""sensor type, frame, simulated seconds, sensor transform x y z pitch yaw roll."""
SNAPSHOT_HEADER = struct.Struct("<Qdf3iI")
"""episode, platform seconds, delta seconds, map origin, state bits."""
ACTOR_RECORD = struct.Struct("<IB6f3f3f3f")
"""id, state, transform, velocity m/s, angular velocity deg/s, acceleration; a union follows."""
VEHICLE_UNION = struct.Struct("<fff???ifB?IB24x")
"""throttle steer brake, hand_brake reverse manual, gear, limit km/h, light, failure."""
VEHICLE_RECORD = struct.Struct(ACTOR_RECORD.format + VEHICLE_UNION.format[1:])
"""Both in one."""
SIGN_UNION = struct.Struct("<32s22x")
WALKER_UNION = struct.Struct("<4f?37x")
LIGHT_UNION = struct.Struct("<32s4fI?B")
"""sign id, green, yellow, red, elapsed seconds, pole index, frozen, state."""
NO_UNION = bytes(54)
IMAGE_HEADER = struct.Struct("<IIf")

ACTOR_STATE_ACTIVE = 1
MAP_CHANGED, LIGHTS_CHANGED = 1, 2
"""Bits of a snapshot: fetch the map anew, ask for the street lamps anew."""


def stream_token(stream_id: int, port: int) -> bytes:
    """Return the 24 bytes that tell a client where a stream is; its host is the one it dialled."""
    return TOKEN.pack(stream_id, port, 1, 0, b"")
