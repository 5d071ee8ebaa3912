"""What one may do to the traffic lights of an engine, by actor id."""

from __future__ import annotations

from sim.engine.actor_calls import UnknownActor
from sim.engine.traffic_lights import LightBoard, LightState, TrafficLight


class LightCalls:
    """The part of `Engine` that sets traffic lights; calls raise `UnknownActor` for other ids."""

    _lights: LightBoard
    _version: int

    def set_light_state(self, actor_id: int, state: LightState) -> None:
        """Show a state on a traffic light until its junction goes on."""
        light = self._light(actor_id)
        light.state, light.elapsed = state, 0.0
        self._version += 1

    def set_light_times(
        self,
        actor_id: int,
        *,
        green: float | None = None,
        yellow: float | None = None,
        red: float | None = None,
    ) -> None:
        """Change a traffic light's times, seconds."""
        light = self._light(actor_id)
        light.green_time = light.green_time if green is None else green
        light.yellow_time = light.yellow_time if yellow is None else yellow
        light.red_time = light.red_time if red is None else red

    def freeze_light(self, actor_id: int, is_frozen: bool) -> None:
        """Stop or restart the cycle of a traffic light's junction."""
        self._light(actor_id)
        self._lights.freeze(actor_id, is_frozen)

    def freeze_all_lights(self, is_frozen: bool) -> None:
        """Stop or restart all cycles."""
        self._lights.freeze(None, is_frozen)

    def reset_lights(self, actor_id: int | None = None) -> None:
        """Begin the cycle anew, of one light's junction or of all."""
        self._lights.reset(actor_id)

    def light_group(self, actor_id: int) -> list[int]:
        """Ids of all lights of that light's junction, itself among them, as CARLA's groups."""
        self._light(actor_id)
        return self._lights.group(actor_id)

    def _light(self, actor_id: int) -> TrafficLight:
        if actor_id not in self._lights.lights:
            raise UnknownActor(actor_id)
        return self._lights.lights[actor_id]
