"""The engine: one world with its clock, its actors and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.engine.actors import Actor, VehicleControl, WalkerControl
from sim.engine.blueprints import Blueprint
from sim.engine.geometry import Pose, Vector
from sim.engine.town import Town
from sim.engine.traffic_lights import LightState, TrafficLight

if TYPE_CHECKING:
    from sim.engine.render.renderer import CameraView, Picture


class UnknownBlueprint(KeyError):  # noqa: N818 - named for what happened
    """No blueprint has that id."""


class SpawnCollision(RuntimeError):  # noqa: N818 - named for what happened
    """Something already stands where an actor should spawn."""


class UnknownActor(KeyError):  # noqa: N818 - named for what happened
    """No living actor has that id."""


@dataclass(frozen=True, slots=True)
class Collision:
    """One contact in this tick, told once for each actor in it.

    Attributes:
        actor_id: who was hit.
        other_id: by whom; 0 for the level (buildings, trees, poles).
        impulse: N s on `actor_id`, world axes.
        level_tag: CityObjectLabel of what was hit where `other_id` is 0.
    """

    actor_id: int
    other_id: int
    impulse: Vector
    level_tag: int = 0


class Engine:
    """One world. Everything in it follows from (town, seed, asset_seed, the calls made).

    Attributes:
        town: where it plays.
        frame: number of ticks so far.
        elapsed_s: simulated seconds so far.
        actors: living actors by id; the town's traffic lights are actors from the start.
        traffic_lights: the town's lights by actor id.
        collisions: contacts of the last tick.
        blueprints: what can be spawned, by id.
    """

    town: Town
    frame: int
    elapsed_s: float
    actors: dict[int, Actor]
    traffic_lights: dict[int, TrafficLight]
    collisions: list[Collision]
    blueprints: dict[str, Blueprint]

    def __init__(
        self,
        town: Town,
        *,
        seed: int = 1,
        asset_seed: int = 1,
        shadows: bool = True,
        threads: int = 1,
    ) -> None: ...

    def tick(self, delta_s: float) -> int:
        """Advance the world by `delta_s` seconds; returns the number of the new frame."""

    def spawn(
        self,
        blueprint_id: str,
        pose: Pose,
        attributes: Mapping[str, str] | None = None,
        parent_id: int | None = None,
    ) -> Actor:
        """Bring an actor to life; with a parent, `pose` is in the parent's axes.

        Raises:
            UnknownBlueprint: no such blueprint.
            UnknownActor: no such parent.
            SpawnCollision: its body would stand in another's.
        """

    def destroy(self, actor_id: int) -> bool:
        """End an actor and whatever is attached to it; False if there is none."""

    def set_pose(self, actor_id: int, pose: Pose) -> None:
        """Put an actor elsewhere; of an attached one, `pose` is in the parent's axes."""

    def set_velocity(self, actor_id: int, velocity: Vector) -> None:
        """Give an actor a velocity, m/s, world axes; physics goes on from there."""

    def set_angular_velocity(self, actor_id: int, angular_velocity: Vector) -> None:
        """Give an actor an angular velocity, rad/s, world axes."""

    def add_impulse(self, actor_id: int, impulse: Vector) -> None:
        """Push an actor at its middle, N s, world axes."""

    def enable_constant_velocity(self, actor_id: int, velocity: Vector) -> None:
        """Hold a velocity in the actor's own axes, m/s, whatever its control says."""

    def disable_constant_velocity(self, actor_id: int) -> None:
        """End that."""

    def apply_vehicle_control(self, actor_id: int, control: VehicleControl) -> None:
        """Set a vehicle's pedals and wheel, steer left positive; they hold until the next call."""

    def apply_walker_control(self, actor_id: int, control: WalkerControl) -> None:
        """Set where a walker goes; it holds until the next call."""

    def set_simulate_physics(self, actor_id: int, is_on: bool) -> None:
        """Let physics move an actor, or leave it where it is put."""

    def set_collides(self, actor_id: int, is_on: bool) -> None:
        """Let an actor hit others, or pass through them."""

    def set_light_flags(self, actor_id: int, flags: int) -> None:
        """Set a vehicle's lights, CARLA's bits."""

    def follow_lanes(self, actor_id: int, is_on: bool = True) -> None:
        """Let the engine's own traffic drive a vehicle: lane, limit, distance, lights, turns."""

    def walk_pavement(self, actor_id: int, is_on: bool = True) -> None:
        """Let the engine's own pedestrians guide a walker along pavements and crossings."""

    def set_light_state(self, actor_id: int, state: LightState) -> None:
        """Show a state on a traffic light until its junction goes on."""

    def set_light_times(
        self,
        actor_id: int,
        *,
        green: float | None = None,
        yellow: float | None = None,
        red: float | None = None,
    ) -> None:
        """Change a traffic light's times, seconds."""

    def freeze_light(self, actor_id: int, is_frozen: bool) -> None:
        """Stop or restart the cycle of a traffic light's junction."""

    def freeze_all_lights(self, is_frozen: bool) -> None:
        """Stop or restart all cycles."""

    def reset_lights(self, actor_id: int | None = None) -> None:
        """Begin the cycle anew, of one light's junction or of all."""

    def light_group(self, actor_id: int) -> list[int]:
        """Ids of all lights of that light's junction, itself among them, as CARLA's groups."""

    def picture(self, view: CameraView) -> Picture:
        """What a camera sees now; the same view in the same tick is drawn once."""

    def ray_hits_building(self, a: Vector, b: Vector) -> bool:
        """A building stands in the straight line between two points, metres."""
