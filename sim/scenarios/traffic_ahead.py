"""Somebody drives ahead in the ego's lane: a car that brakes hard, a cyclist that is slow."""

import math
from collections.abc import Callable, Sequence

from scheduler.errors import WorldError
from sim.ego_driver import EgoDriver
from sim.routes import Track
from sim.scenarios.places import beside, straight_place
from sim.world import Body, Ego, EgoState, World, WorldTick

CAR = "vehicle.audi.tt"
BICYCLE = "vehicle.bh.crossbike"
STEER = math.radians(60.0)  # that wheels of these blueprints turn at full steer
WHEELBASE = 0.55  # of the length


class Chauffeur:
    """Drives a placed vehicle along the ego's route, as the ego's own driver would."""

    def __init__(self, world: World, actor_id: int, ego: Ego, start_m: float, speed: float) -> None:
        self._world = world
        self._actor_id = actor_id
        self._ego = ego
        self._start_m = start_m
        self._speed = speed
        self._driver: EgoDriver | None = None
        self._seen_ns = 0
        self.is_braking = False

    @property
    def s(self) -> float:
        """Metres along the route."""
        return self._start_m if self._driver is None else self._driver.s

    def drive(self, seen: WorldTick) -> None:
        """Set the pedals for the next tick."""
        body = next((one for one in seen.bodies if one.actor_id == self._actor_id), None)
        if body is None:
            return
        delta_s = (seen.sim_ns - self._seen_ns) / 1e9 if self._seen_ns else 0.1
        self._seen_ns = seen.sim_ns
        if self._driver is None:
            self._driver = self._take_over(body)
        wish = self._driver.control(_state(body), {}, delta_s)
        if self.is_braking:
            self._world.apply_control(self._actor_id, 0.0, wish.steer, 1.0)
        else:
            self._world.apply_control(self._actor_id, wish.throttle, wish.steer, wish.brake)

    def _take_over(self, body: Body) -> EgoDriver:
        ego = self._ego
        wheelbase = 2.0 * body.extent[0] * WHEELBASE
        own = Ego(
            self._actor_id, "", ego.route, ego.is_loop, body.extent, wheelbase, STEER
        )  # fmt: skip
        driver = EgoDriver(own, [], self._speed)
        driver.s = self._start_m
        return driver


def _state(body: Body) -> EgoState:
    vx, vy, _ = body.velocity
    speed = vx * math.cos(body.pose.yaw) + vy * math.sin(body.pose.yaw)
    return EgoState(body.pose, body.velocity, speed, 0.0, 0.0, 0)


def lead_car_brakes(
    world: World, egos: Sequence[Ego], *, gap_m: float = 16.0, speed: float = 8.5,
    brakes_at_m: float = 60.0,
) -> Callable[[WorldTick], None]:  # fmt: skip
    """A car drives ahead and brakes as hard as it can.

    Args:
        gap_m: Between the middles at the start.
        speed: m/s of the car.
        brakes_at_m: Metres along the route at which it does.

    Raises:
        WorldError: no ego, or something stands there.
    """
    if not egos:
        raise WorldError("lead_car_brakes: expected an ego")
    track = Track(egos[0].route, is_loop=egos[0].is_loop)
    at_m = straight_place(track, brakes_at_m, 25.0, 15.0)
    car = world.place_vehicle(CAR, beside(track, gap_m, 0.0))
    chauffeur = Chauffeur(world, car, egos[0], gap_m, speed)

    def script(seen: WorldTick) -> None:
        chauffeur.is_braking = chauffeur.is_braking or chauffeur.s >= at_m
        chauffeur.drive(seen)

    return script


def slow_cyclist(
    world: World, egos: Sequence[Ego], *, ahead_m: float = 35.0, speed: float = 3.0
) -> Callable[[WorldTick], None]:
    """A cyclist rides ahead, slower than the ego.

    Args:
        ahead_m: Metres ahead of the ego at the start.
        speed: m/s of the cyclist.

    Raises:
        WorldError: no ego, or something stands there.
    """
    if not egos:
        raise WorldError("slow_cyclist: expected an ego")
    track = Track(egos[0].route, is_loop=egos[0].is_loop)
    bicycle = world.place_vehicle(BICYCLE, beside(track, ahead_m, 0.0))
    return Chauffeur(world, bicycle, egos[0], ahead_m, speed).drive
