"""Connection, episode, map, settings, ticks."""

from __future__ import annotations

from scheduler.errors import VdapError
from sim.carla_server.actors import definitions
from sim.carla_server.axes import checked, transform_from_pose
from sim.carla_server.handlers.registry import rpc, unlocked_rpc
from sim.carla_server.layouts import (
    ActorDefinition,
    EpisodeSettings,
    OpendriveGenerationParameters,
    Transform,
)
from sim.carla_server.maps import UnknownMap
from sim.carla_server.navigation import navigation_file, navigation_mesh
from sim.carla_server.opendrive import OpenDriveError
from sim.carla_server.rpc import RpcFailure
from sim.carla_server.world import WORLD_STREAM, ServedWorld

LONGEST_STEP_S = 10.0  # physics goes on in small steps: an hour in one tick would hold up everyone
HIDDEN_KINDS = ("spectator", "traffic_light", "sign")  # of every episode, in no client's library


@unlocked_rpc
def version(world: ServedWorld) -> str:
    """Return the version that this server speaks."""
    return world.protocol.version


@rpc
def get_episode_info(world: ServedWorld) -> tuple[int, tuple[bytes]]:
    """Return the episode's number and the token of the snapshot stream."""
    return world.episode, (world.streams.token(WORLD_STREAM),)


@unlocked_rpc
def get_sensor_token(world: ServedWorld, stream_id: int) -> tuple[bytes]:
    """Return where a stream is; its subscriber is now under way."""
    if world.has_stream(stream_id):
        world.streams.expect(stream_id)
    return (world.streams.token(stream_id),)


@unlocked_rpc
def get_episode_settings(world: ServedWorld) -> EpisodeSettings:
    """Return the settings; an asynchronous Traffic Manager asks thousands of times a second."""
    return world.settings


@rpc
def set_episode_settings(world: ServedWorld, settings: EpisodeSettings) -> int:
    """Take new settings, which hold from the next tick; return the present frame."""
    if len(settings.fixed_delta_seconds) > 1:
        checked(float(settings.fixed_delta_seconds[1]), low=0.0, high=LONGEST_STEP_S)
    world.take_settings(settings)
    return world.engine.frame


@unlocked_rpc
def tick_cue(world: ServedWorld) -> int:
    """Make a frame and return its number."""
    return world.tick_when_subscribed()


@rpc
def get_map_info(world: ServedWorld) -> tuple[str, list[Transform]]:
    """Return the map's name and its spawn points."""
    town = world.engine.town
    return town.name, [transform_from_pose(pose) for pose in town.spawn_points]


@rpc
def get_map_data(world: ServedWorld) -> str:
    """Return the map as OpenDRIVE."""
    return world.engine.town.opendrive


@unlocked_rpc
def get_required_files(world: ServedWorld, folder: str) -> list[str]:
    """Return the file of the navigation mesh, which the client keeps in its cache folder."""
    if folder not in ("", "Nav"):
        return []  # the Traffic Manager makes its own lane graph
    name = navigation_file(world.engine.town)
    return [name] if name else []


@unlocked_rpc
def request_file(world: ServedWorld, name: str) -> bytes:
    """Return a file that `get_required_files` has named."""
    town = world.engine.town
    if not name or name != navigation_file(town):
        raise RpcFailure(f"file '{name}' not found")
    return navigation_mesh(town)


@unlocked_rpc
def get_navigation_mesh(world: ServedWorld) -> bytes:
    """Return the navigation mesh of pavements and crossings; empty where there is no pavement."""
    return navigation_mesh(world.engine.town)


@rpc
def get_available_maps(world: ServedWorld) -> list[str]:
    """Return the names that `load_world` takes."""
    return world.maps.names()


@unlocked_rpc
def load_new_episode(world: ServedWorld, name: str, reset_settings: bool, _layers: int) -> None:
    """Begin a new episode; "" reloads the map. Other clients are served meanwhile."""
    try:
        world.maps.load(world, name, reset_settings=reset_settings)
    except UnknownMap as error:
        raise RpcFailure(f"Map '{name}' not found") from error


@unlocked_rpc
def copy_opendrive_to_file(
    world: ServedWorld, xodr: str, parameters: OpendriveGenerationParameters
) -> None:
    """Check a client's OpenDRIVE and make a town of it; `load_new_episode` then begins there."""
    checked(parameters.wall_height, low=0.0)
    try:
        world.maps.offer(xodr, parameters.wall_height)
    except (OpenDriveError, VdapError) as error:
        raise RpcFailure(str(error)) from error


@rpc
def get_actor_definitions(world: ServedWorld) -> list[ActorDefinition]:
    """Return the blueprint library."""
    blueprints = world.engine.blueprints.values()
    return [
        definition
        for definition, blueprint in zip(definitions(blueprints), blueprints, strict=True)
        if blueprint.kind not in HIDDEN_KINDS
    ]
