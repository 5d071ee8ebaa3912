"""A survey of an OpenDRIVE file, made in a process of its own: no file can end the server."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys

import msgspec

from sim.carla_server.opendrive.errors import OpenDriveError
from sim.carla_server.opendrive.survey import Survey
from sim.carla_server.opendrive.surveyor import REFUSED
from sim.carla_server.opendrive.validation import LARGEST_FILE

LONGEST_READING_S = 60.0  # of the client's patience; 1,000 km of lanes take about 10

logger = logging.getLogger(__name__)


def read_opendrive(xodr: str, patience_s: float = LONGEST_READING_S) -> Survey:
    """Return what a file holds; takes a quarter of a second and about 1 s per 100 km of lanes.

    Raises:
        OpenDriveError: no town can be made of it, or the carla client's parser is not installed.
    """
    if importlib.util.find_spec("carla") is None:
        raise OpenDriveError("CARLA's map parser is missing here; install vdap[carla]")
    if len(xodr) > LARGEST_FILE:
        raise OpenDriveError(f"at most {LARGEST_FILE >> 20} MiB expected, got {len(xodr) >> 20}")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "sim.carla_server.opendrive"],
            input=xodr.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=patience_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OpenDriveError(f"a map within {patience_s:g} s expected, got none") from None
    if done.returncode == REFUSED:
        raise OpenDriveError(done.stdout.decode("utf-8", "replace"))
    if done.returncode != 0:
        logger.warning("the map parser ended: %s", done.stderr.decode("utf-8", "replace")[-2000:])
        raise OpenDriveError(f"CARLA's map parser failed on it (status {done.returncode})")
    return msgspec.msgpack.decode(done.stdout, type=Survey)
