"""The protocol as tables, one set per version: RPC names with their shapes, commands, sensors."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import msgspec

from sim.carla_server import layouts as wire
from sim.carla_server.layouts import U8, U16, U32, U64

Result = Literal["value", "void", "batch"]


@dataclass(frozen=True, slots=True)
class Rpc:
    """Shape of one call: argument types after the metadata, result, and why it is missing."""

    arguments: tuple[object, ...] = ()
    result: Result = "value"
    missing: str = ""


def _value(*arguments: object) -> Rpc:
    return Rpc(arguments)


def _void(*arguments: object) -> Rpc:
    return Rpc(arguments, "void")


def _no(reason: str, result: Result = "value") -> Rpc:
    return Rpc((), result, reason)


_CORE = {
    "version": _value(),
    "get_episode_info": _value(),
    "get_sensor_token": _value(U32),
    "get_episode_settings": _value(),
    "set_episode_settings": _value(wire.EpisodeSettings),
    "tick_cue": _value(),
    "get_map_info": _value(),
    "get_map_data": _value(),
    "get_required_files": _value(str),
    "request_file": _value(str),
    "get_navigation_mesh": _value(),
    "get_available_maps": _value(),
    "load_new_episode": _void(str, bool, U16),
    "copy_opendrive_to_file": _void(str, wire.OpendriveGenerationParameters),
    "get_actor_definitions": _value(),
    "get_weather_parameters": _value(),
    "set_weather_parameters": _void(list[float]),
    "draw_debug_shape": _void(msgspec.Raw),
    "clear_debug_shape": _void(),
    "clear_debug_string": _void(),
    "query_lights_state": _value(str),
    "update_lights_state": _void(str, list[wire.StreetLight], bool),
    "update_day_night_cycle": _void(str, bool),
    "is_traffic_manager_running": _value(U16),
    "get_traffic_manager_running": _value(U16),
    "add_traffic_manager_running": _value(tuple[str, U16]),
    "destroy_traffic_manager": _void(U16),
    "apply_batch": Rpc((list[tuple[tuple[U8, msgspec.Raw]]], bool), "batch"),
}

_ACTORS = {
    "get_spectator": _value(),
    "get_actors_by_id": _value(list[U32]),
    "spawn_actor": _value(wire.ActorDescription, wire.Transform),
    "spawn_actor_with_parent": _value(wire.ActorDescription, wire.Transform, U32, U8, str),
    "destroy_actor": _value(U32),
    "get_actor_bounding_box": _value(U32),
    "set_actor_transform": _void(U32, wire.Transform),
    "set_actor_location": _void(U32, wire.Vector3D),
    "set_actor_target_velocity": _void(U32, wire.Vector3D),
    "set_actor_target_angular_velocity": _void(U32, wire.Vector3D),
    "enable_actor_constant_velocity": _void(U32, wire.Vector3D),
    "disable_actor_constant_velocity": _void(U32),
    "set_actor_simulate_physics": _void(U32, bool),
    "set_actor_collisions": _void(U32, bool),
    "set_actor_enable_gravity": _void(U32, bool),
    "set_actor_dead": _void(U32),
    "set_actor_autopilot": _void(U32, bool),
    "add_actor_impulse": _void(U32, wire.Vector3D),
    "add_actor_force": _void(U32, wire.Vector3D),
    "add_actor_angular_impulse": _void(U32, wire.Vector3D),
    "add_actor_torque": _void(U32, wire.Vector3D),
    "add_actor_impulse_at_location": _void(U32, wire.Vector3D, wire.Vector3D),
    "add_actor_force_at_location": _void(U32, wire.Vector3D, wire.Vector3D),
    "apply_control_to_walker": _void(U32, wire.WalkerControl),
    "send": _void(U32, str),
}

_VEHICLES = {
    "apply_control_to_vehicle": _void(U32, wire.VehicleControl),
    "apply_ackermann_control_to_vehicle": _void(U32, wire.AckermannControl),
    "get_ackermann_controller_settings": _value(U32),
    "apply_ackermann_controller_settings": _void(U32, wire.AckermannSettings),
    "get_physics_control": _value(U32),
    "apply_physics_control": _void(U32, wire.PhysicsControl),
    "get_vehicle_light_state": _value(U32),
    "set_vehicle_light_state": _void(U32, wire.LightFlags),
    "get_vehicle_light_states": _value(),
    "get_telemetry_data": _value(U32),
    "show_vehicle_debug_telemetry": _void(U32, bool),
    "get_wheel_steer_angle": _value(U32, U8),
    "get_wheel_pitch_angle": _value(U32, U8),
    "set_wheel_steer_direction": _void(U32, U8, float),
    "set_wheel_pitch_angle": _void(U32, U8, float),
    "open_vehicle_door": _void(U32, U8),
    "close_vehicle_door": _void(U32, U8),
}

_TRAFFIC_LIGHTS = {
    "set_traffic_light_state": _void(U32, U8),
    "set_traffic_light_green_time": _void(U32, float),
    "set_traffic_light_yellow_time": _void(U32, float),
    "set_traffic_light_red_time": _void(U32, float),
    "freeze_traffic_light": _void(U32, bool),
    "freeze_all_traffic_lights": _void(bool),
    "reset_traffic_light_group": _void(U32),
    "reset_all_traffic_lights": _void(),
    "get_group_traffic_lights": _value(U32),
    "get_light_boxes": _value(U32),
}

_QUERIES = {
    "project_point": _value(wire.Vector3D, wire.Vector3D, float),
    "cast_ray": _value(wire.Vector3D, wire.Vector3D),
    "get_all_level_BBs": _value(U8),
    "get_environment_objects": _value(U8),
    "enable_environment_objects": _void(list[U64], bool),
    "get_names_of_all_objects": _value(),
    "load_map_layer": _void(U16),
    "unload_map_layer": _void(U16),
    "get_actor_component_names": _value(U32),
    "get_actor_component_world_transform": _value(U32, str),
    "get_actor_component_relative_transform": _value(U32, str),
    "get_imui_gravity": _value(),
    "set_imui_gravity": _void(float),
    "set_annotations_traverse_translucency": _void(bool),
    "is_sensor_enabled_for_ros": _value(U32),
    "enable_sensor_for_ros": _void(U32),
    "disable_sensor_for_ros": _void(U32),
    "are_gbuffers_enabled": _value(U32),
    "set_ignored_vehicles": _void(U32, list[U32]),
}

_RECORDER = "this world has no recorder"
_BONES = "this world's actors have no skeleton"
_GBUFFERS = "this world's cameras have no g-buffers"
_TEXTURES = "this world's textures cannot be changed"
_DYNAMICS = "this world has one vehicle model"

_MISSING = {
    **dict.fromkeys(
        (
            "start_recorder",
            "show_recorder_file_info",
            "show_recorder_collisions",
            "show_recorder_actors_blocked",
            "replay_file",
        ),
        _no(_RECORDER),
    ),
    **dict.fromkeys(
        (
            "stop_recorder",
            "set_replayer_time_factor",
            "set_replayer_ignore_hero",
            "set_replayer_ignore_spectator",
            "stop_replayer",
        ),
        _no(_RECORDER, "void"),
    ),
    **dict.fromkeys(
        (
            "get_actor_bone_world_transforms",
            "get_actor_bone_relative_transforms",
            "get_vehicle_bone_world_transforms",
            "get_actor_socket_world_transforms",
            "get_actor_socket_relative_transforms",
            "get_actor_bone_names",
            "get_actor_socket_names",
            "get_bones_transform",
        ),
        _no(_BONES),
    ),
    **dict.fromkeys(
        ("set_bones_transform", "blend_pose", "get_pose_from_animation"), _no(_BONES, "void")
    ),
    "get_gbuffer_token": _no(_GBUFFERS),
    "enable_gbuffers": _no(_GBUFFERS, "void"),
    **dict.fromkeys(
        ("apply_color_texture_to_objects", "apply_float_color_texture_to_objects"),
        _no(_TEXTURES, "void"),
    ),
    **dict.fromkeys(
        ("enable_carsim", "use_carsim_road", "enable_chrono_physics", "restore_physx_physics"),
        _no(_DYNAMICS, "void"),
    ),
}


@dataclass(frozen=True, slots=True)
class Command:
    """One batch command: the handler that runs it and its fields after the variant's index."""

    handler: str
    arguments: tuple[object, ...]


def _as_rpc(name: str, table: dict[str, Rpc]) -> Command:
    return Command(name, table[name].arguments)


_RPCS_0_9_16: dict[str, Rpc] = {
    **_CORE,
    **_ACTORS,
    **_VEHICLES,
    **_TRAFFIC_LIGHTS,
    **_QUERIES,
    **_MISSING,
}

_SPAWN_FIELDS = (
    wire.ActorDescription,
    wire.Transform,
    list[bool | U32],  # optional parent
    U8,  # attachment type: garbage without a parent, ignored
    str,  # socket
    list[tuple[tuple[U8, msgspec.Raw]]],  # do_after
)

_COMMANDS_0_9_16 = (
    Command("spawn", _SPAWN_FIELDS),
    _as_rpc("destroy_actor", _RPCS_0_9_16),
    _as_rpc("apply_control_to_vehicle", _RPCS_0_9_16),
    _as_rpc("apply_ackermann_control_to_vehicle", _RPCS_0_9_16),
    _as_rpc("apply_control_to_walker", _RPCS_0_9_16),
    _as_rpc("apply_physics_control", _RPCS_0_9_16),
    _as_rpc("set_actor_transform", _RPCS_0_9_16),
    Command("apply_walker_state", (U32, wire.Transform, float)),
    _as_rpc("set_actor_target_velocity", _RPCS_0_9_16),
    _as_rpc("set_actor_target_angular_velocity", _RPCS_0_9_16),
    _as_rpc("add_actor_impulse", _RPCS_0_9_16),
    _as_rpc("add_actor_force", _RPCS_0_9_16),
    _as_rpc("add_actor_angular_impulse", _RPCS_0_9_16),
    _as_rpc("add_actor_torque", _RPCS_0_9_16),
    _as_rpc("set_actor_simulate_physics", _RPCS_0_9_16),
    _as_rpc("set_actor_enable_gravity", _RPCS_0_9_16),
    _as_rpc("set_actor_autopilot", _RPCS_0_9_16),
    _as_rpc("show_vehicle_debug_telemetry", _RPCS_0_9_16),
    Command("set_light_flags", (U32, U32)),
    _as_rpc("set_actor_location", _RPCS_0_9_16),
    Command("console_command", (str,)),
    _as_rpc("set_traffic_light_state", _RPCS_0_9_16),
)

_SENSORS_0_9_16 = {
    "sensor.other.collision": 0,
    "sensor.camera.depth": 1,
    "sensor.camera.normals": 2,
    "sensor.camera.dvs": 3,
    "sensor.other.gnss": 4,
    "sensor.other.imu": 5,
    "sensor.other.obstacle": 7,
    "sensor.camera.optical_flow": 8,
    "sensor.other.radar": 9,
    "sensor.lidar.ray_cast_semantic": 10,
    "sensor.lidar.ray_cast": 11,
    "sensor.camera.rgb": 13,
    "sensor.camera.semantic_segmentation": 14,
    "sensor.camera.instance_segmentation": 15,
}


@dataclass(frozen=True, slots=True)
class Protocol:
    """Everything that differs between CARLA versions."""

    version: str
    rpcs: MappingProxyType[str, Rpc]
    commands: tuple[Command, ...]
    sensor_types: MappingProxyType[str, int]
    """Blueprint id to the type number in a message's header: sensors that this server streams."""
    snapshot_type: int


NEWEST = "0.9.16"
NEW_IN_0_9_16 = (
    "get_actor_bounding_box",
    "enable_gbuffers",
    "are_gbuffers_enabled",
    "set_ignored_vehicles",
    "set_wheel_pitch_angle",
    "get_wheel_pitch_angle",
    "get_vehicle_bone_world_transforms",
    "clear_debug_shape",
    "clear_debug_string",
    "set_annotations_traverse_translucency",
)
"""Calls that a client of 0.9.15 does not know; `replay_file` also has one argument less there."""

PROTOCOLS = {
    "0.9.16": Protocol(
        version="0.9.16",
        rpcs=MappingProxyType(_RPCS_0_9_16),
        commands=_COMMANDS_0_9_16,
        sensor_types=MappingProxyType(_SENSORS_0_9_16),
        snapshot_type=17,
    ),
    "0.9.15": Protocol(
        version="0.9.15",
        rpcs=MappingProxyType(
            {name: rpc for name, rpc in _RPCS_0_9_16.items() if name not in NEW_IN_0_9_16}
        ),
        commands=_COMMANDS_0_9_16,
        sensor_types=MappingProxyType(_SENSORS_0_9_16),  # the numbers part after 15
        snapshot_type=16,
    ),
}
