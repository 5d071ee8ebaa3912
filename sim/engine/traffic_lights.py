"""Traffic lights: their states and times, and the junction that lets one axis go after another."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sim.engine.geometry import Pose
from sim.engine.lanes import LaneId


class LightState(enum.IntEnum):
    """State of a traffic light; numbers as CARLA's, so that a client reads them unchanged."""

    RED = 0
    YELLOW = 1
    GREEN = 2
    OFF = 3


@dataclass(slots=True)
class TrafficLight:
    """One light, which governs one approach of a junction.

    Attributes:
        id: actor id; given by the engine, unique in a town.
        signal_id: id of its OpenDRIVE signal, CARLA's `sign_id`.
        pose: foot of its pole; x points to where the lamps look, at the arriving vehicles.
        stop_line: pose on the governed lane where one stops.
        lane_id: the governed lane, of several the outermost.
        lane_ids: all governed lanes.
        stop_s: metres along that lane.
        junction_id: OpenDRIVE junction id.
        group: lights of a junction with the same group are green together.
        state: what it shows.
        elapsed: seconds it has shown that.
        green_time: seconds.
        yellow_time: seconds.
        red_time: seconds for which all are red after this group's yellow.
        is_frozen: it keeps its state.
    """

    id: int
    signal_id: str
    pose: Pose
    stop_line: Pose
    lane_id: LaneId
    stop_s: float
    junction_id: int
    group: int
    lane_ids: tuple[LaneId, ...] = ()
    state: LightState = LightState.RED
    elapsed: float = 0.0
    green_time: float = 10.0
    yellow_time: float = 3.0
    red_time: float = 2.0
    is_frozen: bool = False


class LightCycle:
    """Runs one junction's lights: each group green, yellow, all red, then the pedestrians.

    Attributes:
        lights: the junction's, in any order.
        walk_time: seconds of the pedestrians' phase, in which all lights are red; raising it makes
            vehicles wait longer and lets slower people cross.
    """

    def __init__(self, lights: list[TrafficLight], walk_time: float = 11.0) -> None:
        self.lights = lights
        self.walk_time = walk_time
        self._groups = sorted({light.group for light in lights})
        self._phase = 0
        self._elapsed = 0.0
        self.reset()

    def reset(self) -> None:
        """Begin with the first group's green."""
        self._enter(0)

    @property
    def walk_left(self) -> float:
        """Seconds left of the pedestrians' phase; 0 outside it."""
        return max(self.walk_time - self._elapsed, 0.0) if self._is_walk else 0.0

    @property
    def is_frozen(self) -> bool:
        """One frozen light stops its junction's cycle."""
        return any(light.is_frozen for light in self.lights)

    def tick(self, delta_s: float) -> None:
        """Advance by `delta_s` seconds."""
        for light in self.lights:
            light.elapsed += delta_s
        if self.is_frozen:
            return
        self._elapsed += delta_s
        while self._elapsed >= (length := self._phase_time()) - 1e-9:
            left = self._elapsed - length
            self._enter((self._phase + 1) % (3 * len(self._groups) + 1))
            self._elapsed = left

    @property
    def _is_walk(self) -> bool:
        return self._phase == 3 * len(self._groups)

    def _phase_time(self) -> float:
        if self._is_walk:
            return self.walk_time
        group, step = divmod(self._phase, 3)
        light = next(one for one in self.lights if one.group == self._groups[group])
        return (light.green_time, light.yellow_time, light.red_time)[step]

    def _enter(self, phase: int) -> None:
        self._phase, self._elapsed = phase, 0.0
        group, step = divmod(phase, 3)
        for light in self.lights:
            state = LightState.RED
            if not self._is_walk and light.group == self._groups[group]:
                state = (LightState.GREEN, LightState.YELLOW, LightState.RED)[step]
            if light.state != state:
                light.state, light.elapsed = state, 0.0


class LightBoard:
    """All lights of a town, and what one may do to them."""

    def __init__(self, lights: list[TrafficLight]) -> None:
        self.lights = {light.id: light for light in lights}
        junctions = sorted({light.junction_id for light in lights})
        self.cycles = {
            junction: LightCycle([light for light in lights if light.junction_id == junction])
            for junction in junctions
        }
        self.freeze(None, False)

    def tick(self, delta_s: float) -> None:
        """Advance all cycles."""
        for cycle in self.cycles.values():
            cycle.tick(delta_s)

    def group(self, light_id: int) -> list[int]:
        """Ids of the lights of one light's junction, itself among them."""
        junction = self.lights[light_id].junction_id
        return [light.id for light in self.lights.values() if light.junction_id == junction]

    def freeze(self, light_id: int | None, is_frozen: bool) -> None:
        """Stop or restart one light's junction, or all."""
        for one in self.lights if light_id is None else self.group(light_id):
            self.lights[one].is_frozen = is_frozen

    def reset(self, light_id: int | None) -> None:
        """Begin anew the cycle of one light's junction, or of all."""
        for junction, cycle in self.cycles.items():
            if light_id is None or self.lights[light_id].junction_id == junction:
                cycle.reset()
