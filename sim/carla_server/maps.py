"""The maps a client may load, and the engines made of them while the present world goes on."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import threading
import time
from collections.abc import Callable

from sim.carla_server.opendrive import town_from_opendrive
from sim.carla_server.world import ServedWorld
from sim.engine.level_scene import forget_levels
from sim.engine.simulation import Engine
from sim.engine.town import Town, build_town, forget_towns
from sim.engine.town_names import UnknownTown, town_names

EngineMaker = Callable[[Town], Engine]

logger = logging.getLogger(__name__)

LAST_SNAPSHOT_S = 0.05  # until a client has read what was sent before; see `world.QUIET_S`
FOREIGN_NAME = "OpenDriveMap"  # what CARLA calls a world that was generated from OpenDRIVE
# CARLA's towns by the one of ours that has the like: for scripts that name theirs.
STAND_INS = {
    "Town01": "VdapTown01",
    "Town02": "VdapTown01",
    "Town03": "VdapTown02",
    "Town04": "VdapTown03",
    "Town05": "VdapTown02",
    "Town06": "VdapTown03",
    "Town07": "VdapTown04",
    "Town10HD": "VdapTown02",
    "Town12": "VdapTown04",
    "Town13": "VdapTown04",
    "Town15": "VdapTown04",
}


class UnknownMap(KeyError):  # noqa: N818 - named for what happened
    """There is no map of that name."""


class Maps:
    """Loads towns into a served world, one at a time, in the thread of the client that asks.

    Everything that takes time is done before the world's lock is taken: other clients get their
    answers, and the old world ticks, until the new one stands.
    """

    def __init__(self, make_engine: EngineMaker, *, has_stand_ins: bool = False) -> None:
        """With `has_stand_ins`, a town of ours is loaded where a client names one of CARLA's."""
        self._make_engine = make_engine
        self._stand_ins = STAND_INS if has_stand_ins else {}
        self._loading = threading.Lock()
        self._foreign: Town | None = None

    def names(self) -> list[str]:
        """Return what `load_world` takes, as CARLA writes it."""
        names = [f"/Game/Carla/Maps/{name}" for name in (*town_names(), *self._stand_ins)]
        return names if self._foreign is None else [*names, f"/Game/Carla/Maps/{FOREIGN_NAME}"]

    def offer(self, xodr: str, wall_height: float) -> None:
        """Make a town of a client's OpenDRIVE, to be loaded as `FOREIGN_NAME`.

        Raises:
            OpenDriveError: no town can be made of it; nothing has changed.
            MissingPartError: the parser, a part of the carla wheel, is not installed.
        """
        with self._loading:
            self._foreign = town_from_opendrive(xodr, FOREIGN_NAME, wall_height=wall_height)

    def load(self, world: ServedWorld, name: str, *, reset_settings: bool) -> None:
        """Begin a new episode in the named town; "" is the present one.

        Raises:
            UnknownMap: there is no such map; nothing has changed.
        """
        with self._loading:
            town = self._town(world, name.rsplit("/", 1)[-1])
            engine = self._make_engine(town)
            with world.between_frames():
                engine.give_ids_from(world.engine.next_id)
                has_moved = world.engine.town is not town
                world.begin_episode(engine, reset_settings=reset_settings)
            del engine, town
            time.sleep(LAST_SNAPSHOT_S)
            if has_moved:
                forget_towns()
                forget_levels()
            _free()

    def _town(self, world: ServedWorld, name: str) -> Town:
        if name == FOREIGN_NAME and self._foreign is not None:
            return self._foreign
        stand_in = self._stand_ins.get(name.removesuffix("_Opt"))
        if stand_in is not None:
            logger.warning("%s was asked for: %s stands in for it", name, stand_in)
            name = stand_in
        if name in ("", world.engine.town.name.rsplit("/", 1)[-1]):
            return world.engine.town
        try:
            return build_town(name)
        except UnknownTown as error:
            raise UnknownMap(name) from error


def _free() -> None:
    """Let go of the engine before: it, its actors and its renderer refer to each other."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc keeps freed memory otherwise; others lack the call
