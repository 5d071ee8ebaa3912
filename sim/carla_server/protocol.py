"""The protocol as tables, one set per version: RPC names with their shapes, commands, sensors."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import msgspec

from sim.carla_server import layouts as wire

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
    "get_sensor_token": _value(int),
    "get_episode_settings": _value(),
    "set_episode_settings": _value(wire.EpisodeSettings),
    "tick_cue": _value(),
    "get_map_info": _value(),
    "get_map_data": _value(),
    "get_required_files": _value(str),
    "request_file": _value(str),
    "get_navigation_mesh": _value(),
    "get_available_maps": _value(),
    "load_new_episode": _void(str, bool, int),
    "copy_opendrive_to_file": _no("this world builds its own town and takes no OpenDRIVE", "void"),
    "get_actor_definitions": _value(),
    "get_weather_parameters": _value(),
    "set_weather_parameters": _void(list[float]),
    "draw_debug_shape": _void(msgspec.Raw),
    "clear_debug_shape": _void(),
    "clear_debug_string": _void(),
    "query_lights_state": _value(str),
    "update_lights_state": _void(str, msgspec.Raw, bool),
    "update_day_night_cycle": _void(str, bool),
    "is_traffic_manager_running": _value(int),
    "get_traffic_manager_running": _value(int),
    "add_traffic_manager_running": _value(tuple[str, int]),
    "destroy_traffic_manager": _void(int),
    "apply_batch": Rpc((list[tuple[tuple[int, msgspec.Raw]]], bool), "batch"),
}

_ACTORS = {
    "get_spectator": _value(),
    "get_actors_by_id": _value(list[int]),
    "spawn_actor": _value(wire.ActorDescription, wire.Transform),
    "spawn_actor_with_parent": _value(wire.ActorDescription, wire.Transform, int, int, str),
    "destroy_actor": _value(int),
    "get_actor_bounding_box": _value(int),
    "set_actor_transform": _void(int, wire.Transform),
    "set_actor_location": _void(int, wire.Vector3D),
    "set_actor_target_velocity": _void(int, wire.Vector3D),
    "set_actor_target_angular_velocity": _void(int, wire.Vector3D),
    "enable_actor_constant_velocity": _void(int, wire.Vector3D),
    "disable_actor_constant_velocity": _void(int),
    "set_actor_simulate_physics": _void(int, bool),
    "set_actor_collisions": _void(int, bool),
    "set_actor_enable_gravity": _void(int, bool),
    "set_actor_dead": _void(int),
    "set_actor_autopilot": _void(int, bool),
    "add_actor_impulse": _void(int, wire.Vector3D),
    "add_actor_force": _void(int, wire.Vector3D),
    "add_actor_angular_impulse": _void(int, wire.Vector3D),
    "add_actor_torque": _void(int, wire.Vector3D),
    "add_actor_impulse_at_location": _void(int, wire.Vector3D, wire.Vector3D),
    "add_actor_force_at_location": _void(int, wire.Vector3D, wire.Vector3D),
    "apply_control_to_walker": _void(int, wire.WalkerControl),
    "send": _void(int, str),
}

_VEHICLES = {
    "apply_control_to_vehicle": _void(int, wire.VehicleControl),
    "apply_ackermann_control_to_vehicle": _void(int, wire.AckermannControl),
    "get_ackermann_controller_settings": _value(int),
    "apply_ackermann_controller_settings": _void(int, wire.AckermannSettings),
    "get_physics_control": _value(int),
    "apply_physics_control": _void(int, wire.PhysicsControl),
    "get_vehicle_light_state": _value(int),
    "set_vehicle_light_state": _void(int, wire.LightFlags),
    "get_vehicle_light_states": _value(),
    "get_telemetry_data": _value(int),
    "show_vehicle_debug_telemetry": _void(int, bool),
    "get_wheel_steer_angle": _value(int, int),
    "get_wheel_pitch_angle": _value(int, int),
    "set_wheel_steer_direction": _void(int, int, float),
    "set_wheel_pitch_angle": _void(int, int, float),
    "open_vehicle_door": _void(int, int),
    "close_vehicle_door": _void(int, int),
}

_TRAFFIC_LIGHTS = {
    "set_traffic_light_state": _void(int, int),
    "set_traffic_light_green_time": _void(int, float),
    "set_traffic_light_yellow_time": _void(int, float),
    "set_traffic_light_red_time": _void(int, float),
    "freeze_traffic_light": _void(int, bool),
    "freeze_all_traffic_lights": _void(bool),
    "reset_traffic_light_group": _void(int),
    "reset_all_traffic_lights": _void(),
    "get_group_traffic_lights": _value(int),
    "get_light_boxes": _value(int),
}

_QUERIES = {
    "project_point": _value(wire.Vector3D, wire.Vector3D, float),
    "cast_ray": _value(wire.Vector3D, wire.Vector3D),
    "get_all_level_BBs": _value(int),
    "get_environment_objects": _value(int),
    "enable_environment_objects": _void(list[int], bool),
    "get_names_of_all_objects": _value(),
    "load_map_layer": _void(int),
    "unload_map_layer": _void(int),
    "get_imui_gravity": _value(),
    "set_imui_gravity": _void(float),
    "set_annotations_traverse_translucency": _void(bool),
    "is_sensor_enabled_for_ros": _value(int),
    "enable_sensor_for_ros": _void(int),
    "disable_sensor_for_ros": _void(int),
    "are_gbuffers_enabled": _value(int),
    "set_ignored_vehicles": _void(int, list[int]),
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
            "get_actor_component_world_transform",
            "get_actor_component_relative_transform",
            "get_actor_bone_world_transforms",
            "get_actor_bone_relative_transforms",
            "get_vehicle_bone_world_transforms",
            "get_actor_socket_world_transforms",
            "get_actor_socket_relative_transforms",
            "get_actor_component_names",
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
    list[bool | int],  # optional parent
    int,  # attachment type: garbage without a parent, ignored
    str,  # socket
    list[tuple[tuple[int, msgspec.Raw]]],  # do_after
)

_COMMANDS_0_9_16 = (
    Command("spawn", _SPAWN_FIELDS),
    _as_rpc("destroy_actor", _RPCS_0_9_16),
    _as_rpc("apply_control_to_vehicle", _RPCS_0_9_16),
    _as_rpc("apply_ackermann_control_to_vehicle", _RPCS_0_9_16),
    _as_rpc("apply_control_to_walker", _RPCS_0_9_16),
    _as_rpc("apply_physics_control", _RPCS_0_9_16),
    _as_rpc("set_actor_transform", _RPCS_0_9_16),
    Command("apply_walker_state", (int, wire.Transform, float)),
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
    Command("set_light_flags", (int, int)),
    _as_rpc("set_actor_location", _RPCS_0_9_16),
    Command("console_command", (str,)),
    _as_rpc("set_traffic_light_state", _RPCS_0_9_16),
)

_SENSORS_0_9_16 = {
    "sensor.other.collision": 0,
    "sensor.camera.depth": 1,
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

PROTOCOLS = {
    "0.9.16": Protocol(
        version="0.9.16",
        rpcs=MappingProxyType(_RPCS_0_9_16),
        commands=_COMMANDS_0_9_16,
        sensor_types=MappingProxyType(_SENSORS_0_9_16),
        snapshot_type=17,
    )
}
