"""A finished run as a drive of its own: its pictures, its link's trace, another policy.

World and bridge do not run: what the camera saw and what the radio did stay as they were, whatever
the policy decides. Everything else is as deployed: vehicle, link emulator, roadside units.
"""

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scheduler import paths, processes
from scheduler.clock import NS_PER_S
from scheduler.config import Bind, Config, Link, Policy, Record, Replay, Vehicle
from scheduler.errors import ConfigError
from scheduler.messages import LinkRow
from sim.channel.trace import COLUMNS
from sim.evaluation.records import RunFolder, recorded

ROW_S = 0.1  # between the rows of a run's own trace
EVER_S = 100_000.0  # after the run the last row holds: a trace that ends would begin anew
PATIENCE_S = 60.0  # beyond the run's own time; the replay ends with its last picture
START_FILE = "replay_start"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a run folder gives to replay.

    Attributes:
        origin_ns: Where the recording begins, on its vehicles' clock: with a row of the link.
        pairs: (vehicle, link) of each recorded link.
    """

    path: Path
    config: Config
    origin_ns: int
    begin_ns: dict[tuple[str, str], int]  # when each link's trace began, on that clock
    pairs: tuple[tuple[str, str], ...]


def find(path: Path) -> Recorded:
    """What can be replayed of a run.

    Raises:
        ConfigError: it is no run folder, or one without pictures or without its link's rows.
    """
    if not (path / "config.yaml").is_file():
        raise ConfigError(f"expected a run folder with a config.yaml, {path} is none")
    folder = RunFolder(path)
    config = folder.config
    first_ns = min(_first_stamp_ns(folder, vehicle.id) for vehicle in config.vehicles)
    pairs = tuple(processes.pairs(config)) if config.link is not None else ()
    heard = _began_ns(folder)
    for vehicle_id, link_id in pairs:
        if (vehicle_id, link_id) not in heard or not trace_of(path, vehicle_id, link_id).is_file():
            raise ConfigError(
                f"{path} has no rows of the link {vehicle_id} to {link_id}: a run is compared on "
                "the machine on which all of it ran"
            )
    origin_ns = first_ns
    if heard:
        first_row_ns = min(heard.values())
        rows = max(0, math.floor((first_ns - first_row_ns) / (ROW_S * NS_PER_S)))
        origin_ns = min(first_ns, first_row_ns + round(rows * ROW_S * NS_PER_S))
    return Recorded(path, config, origin_ns, heard, pairs)


def trace_of(path: Path, vehicle_id: str, link_id: str) -> Path:
    """Where a run keeps the rows of one link."""
    return path / f"link-{vehicle_id}-{paths.file_name(link_id)}.csv"


def _first_stamp_ns(folder: RunFolder, vehicle_id: str) -> int:
    for path in folder.recordings(vehicle_id):
        for _, data in recorded(path, f"frame/{vehicle_id}/"):
            return int(json.loads(data)["stamp_ns"])
    raise ConfigError(
        f"{folder.path} holds no pictures of {vehicle_id}: a run that is compared keeps them "
        "(`record.frames: all`)"
    )


def _began_ns(folder: RunFolder) -> dict[tuple[str, str], int]:
    """When the first row of each link held; of all hearings of its rows the least delayed tells."""
    began: dict[tuple[str, str], int] = {}
    for t_ns, row in folder.heard(LinkRow):
        key = row.vehicle_id, row.unit_id
        at_ns = t_ns - round(row.t_s * NS_PER_S)
        began[key] = min(began.get(key, at_ns), at_ns)
    return began


def prepare(run: Recorded, folder: Path, policy: Policy) -> Config:
    """An empty folder's traces and truth, and the config of the replay in it.

    Args:
        run: What is replayed.
        folder: Of the replay; what an earlier one left there goes.
        policy: Of every vehicle.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for vehicle_id, link_id in run.pairs:
        source = trace_of(run.path, vehicle_id, link_id)
        offset_s = (run.origin_ns - run.begin_ns[vehicle_id, link_id]) / NS_PER_S
        text = cut(source.read_text(encoding="utf-8"), round(offset_s, 1))
        (folder / f"trace-{vehicle_id}-{paths.file_name(link_id)}.csv").write_text(text, "utf-8")
    truth = run.path / "truth.mcap"
    if truth.is_file():
        (folder / truth.name).symlink_to(truth.resolve())
    return _config(run, folder.resolve(), policy)


def cut(trace: str, offset_s: float) -> str:
    """The rows of a trace from `offset_s` on, which becomes 0; the last one then holds for ever."""
    rows: list[tuple[float, str]] = []
    comments = [line for line in trace.splitlines() if line.startswith("#")]
    for line in trace.splitlines():
        if line.strip() and not line.startswith(("#", COLUMNS[0])):
            t_s, _, rest = line.partition(",")
            at = round(float(t_s) - offset_s, 3)
            if at <= 0.0:
                rows.clear()
            rows.append((max(0.0, at), rest))
    if rows and rows[0][0] > 0.0:
        rows.insert(0, (0.0, rows[0][1]))
    if rows:
        rows.append((rows[-1][0] + EVER_S, rows[-1][1]))
    lines = [*comments, ",".join(COLUMNS), *(f"{t_s:.3f},{rest}" for t_s, rest in rows)]
    return "\n".join(lines) + "\n"


def _config(run: Recorded, folder: Path, policy: Policy) -> Config:
    replace = msgspec.structs.replace
    config = run.config
    return replace(
        config,
        world=None,
        duration_s=config.duration_s + PATIENCE_S,
        bridge=type(config.bridge)(),
        vehicles=[_vehicle(vehicle, run.path.resolve(), policy) for vehicle in config.vehicles],
        roadside_units=[replace(unit, bind=Bind()) for unit in config.roadside_units],
        link=None if config.link is None else _link(config.link, folder),
        record=Record(frames="none", folder=str(folder.parent)),
        replay=Replay(origin_ns=run.origin_ns, start=str(folder / START_FILE)),
        ipc_folder=None,
    )


def _vehicle(vehicle: Vehicle, run: Path, policy: Policy) -> Vehicle:
    replace = msgspec.structs.replace
    cameras = [replace(camera, source=f"replay:{run}") for camera in vehicle.cameras]
    return replace(vehicle, cameras=cameras, policy=policy, bind=Bind())


def _link(link: Link, folder: Path) -> Link:
    replace = msgspec.structs.replace
    trace = str(folder / "trace-{vehicle}-{unit}.csv")
    radios = {name: replace(radio, trace=trace) for name, radio in link.radios.items()}
    return replace(link, trace=trace, radios=radios, bind=Bind())
