"""`vdap vehicle CONFIG [--camera SOURCE]`: onboard services and scheduler.

`--camera replay:RUN` or `--camera video:PATH` takes the place of the source of the vehicle's first
camera, so that a recorded drive runs again without a simulator.
"""

import argparse
import sys

from msgspec.structs import replace

from scheduler import processes
from scheduler.config import Config, Vehicle


def split_camera(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The source after `--camera`, and the flags that all processes share."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--camera")
    known, others = parser.parse_known_args(arguments)
    return known.camera, others


def with_source(config: Config, vehicle: Vehicle, source: str) -> Config:
    """The config with another source for the vehicle's first camera."""
    first, *rest = vehicle.cameras
    changed = replace(vehicle, cameras=[replace(first, source=source), *rest])
    vehicles = [changed if each is vehicle else each for each in config.vehicles]
    return replace(config, vehicles=vehicles)


def main(argv: list[str] | None = None) -> int:
    """Parse the flags, then import the rest and drive."""
    source, arguments = split_camera(sys.argv[1:] if argv is None else argv)
    start = processes.parse("vehicle", arguments)
    config, vehicle_id = start.config, start.instance_id or start.config.vehicles[0].id
    if source is not None:
        config = with_source(config, config.vehicle(vehicle_id), source)
    from vehicle.app import run

    return run(config, vehicle_id, start.run_folder)


if __name__ == "__main__":
    sys.exit(processes.entry(main))
