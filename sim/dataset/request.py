"""From the command line to the plan of a set: every wrong wish is one clear line."""

from __future__ import annotations

import argparse
import sys

from scheduler.errors import ConfigError
from sim.dataset.plan import Plan
from sim.dataset.recording import DELTA_S
from sim.dataset.rig import MOST, MOUNTED, rig_of, sizes_of
from sim.dataset.splits import SPLITS, towns_of_server
from sim.dataset.worlds import server_towns
from sim.worlds import town_of

SIDES = (64, 1920)  # pixels of a picture, either way


def plan_of(arguments: argparse.Namespace) -> Plan:
    """The plan that the flags of `vdap dataset` mean.

    Raises:
        ConfigError: A flag that cannot be, or two that do not go together.
        WorldError: The CARLA server of `--world` does not answer.
    """
    split = SPLITS[arguments.split]
    if arguments.images < 1 or arguments.workers < 1:
        raise ConfigError("--images and --workers: expected at least 1")
    if not 1 <= arguments.quality <= 100:
        raise ConfigError(f"--quality: expected 1 to 100, got {arguments.quality}")
    every = round(arguments.spacing / DELTA_S)
    if every < 1 or abs(every * DELTA_S - arguments.spacing) > 1e-6:
        raise ConfigError(f"--spacing: expected a multiple of {DELTA_S} s, got {arguments.spacing}")
    if arguments.world:
        towns, looks = _of_server(arguments), (0,)
    else:
        towns = tuple(town_of(town, 1) for town in arguments.towns or split.towns)
        looks = tuple(arguments.asset_seeds or split.asset_seeds)
    cameras, rig = _cameras(arguments.cameras)
    width, height = sizes_of(rig)[0] if rig else (arguments.width, arguments.height)
    if not all(SIDES[0] <= side <= SIDES[1] for side in (width, height)):
        raise ConfigError(
            f"--width and --height: expected {SIDES[0]} to {SIDES[1]} pixels, got {width}x{height}"
        )
    return Plan(
        arguments.images,
        towns,
        looks,
        arguments.seed,
        width,
        height,
        arguments.weather,
        split.per_segment,
        cameras=cameras,
        rig=rig,
        every_ticks=every,
        quality=arguments.quality,
        min_height=arguments.min_height,
        world="carla" if arguments.world else "embedded",
    )


def _of_server(arguments: argparse.Namespace) -> tuple[str, ...]:
    if arguments.workers > 1:
        raise ConfigError("--workers: one client drives a CARLA server; start more of them instead")
    if arguments.asset_seeds:
        sys.stderr.write("vdap dataset: a CARLA server has its own looks; no --asset-seeds\n")
    return tuple(arguments.towns or towns_of_server(server_towns(arguments.world), arguments.split))


def _cameras(wish: str) -> tuple[int, MOUNTED]:
    if not wish.isdigit():
        return 1, rig_of(wish)
    if not 1 <= int(wish) <= MOST:
        raise ConfigError(f"--cameras: expected 1 to {MOST} or a drive's config, got {wish}")
    return int(wish), ()
