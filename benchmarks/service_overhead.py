"""What the detection service costs on board beyond the model: CPU a frame from capture to verdict.

    python benchmarks/service_overhead.py [--rung small] [--rates 10 30] [--recording]

Runs the real vehicle (main and the inference worker) on pictures of a short drive that a thread
hands out, without a world and without a roadside unit: once with a model that answers at once with
ten fixed boxes, once with a rung. The table gives CPU milliseconds a frame. "model" is
the network's run alone; everything else in both processes counts as overhead: the copy to shared
memory, fitting the picture, boxes and their suppression, messages between the processes, tracker,
ranging, verdict. The worker's parts are per look: on a busy machine a frame may go without one
("looks a frame"). The thread that plays the camera is left out.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
SETTLE_S = 2.0  # before counting: first frames warm caches up
CONFIG = """
name: overhead
duration_s: 3600
vehicles:
  - id: ego
    cameras:
      - id: front
        source: "service_overhead:Stills"
        width: 640
        height: 384
        rate_hz: {rate}
        fov_deg: 90
    services: [{{name: object_detection}}]
    policy: {{name: local_only}}
    deadline_ms: 100
    compute: {{slowdown: 1, threads: 1, watts: 10}}
    detectors:
      - id: "{model}"
        kind: "service_overhead:{kind}"
        accuracy: 0.5
        options: {{report: {report}, rung: {rung}}}
ipc_folder: {ipc}
record: {{frames: all}}
"""
PICTURES = "overhead_pictures"  # in the folder of the run


class Stills:
    """A camera whose thread hands out pictures at its rate; its CPU time is its own business."""

    instance: Stills

    def __init__(self, setup: Any) -> None:
        import cv2

        from vehicle.camera import lens
        from vehicle.camera.slot import NewestSlot

        self.missed, self.is_finished, self.cpu_ns = 0, False, 0
        self._section, self._vehicle_id = setup.section, setup.vehicle.id
        files = sorted(Path(setup.config.path(PICTURES)).glob("*.jpg"))
        self._pictures = [cv2.imread(str(file)) for file in files]
        self._intrinsics = lens.pinhole(640, 384, 90.0)
        self._slot: Any = NewestSlot()
        self._stop = threading.Event()
        Stills.instance = self

    def open(self, now_ns: int) -> None:
        """Start the thread."""
        threading.Thread(target=self._play, daemon=True).start()

    def pollable(self) -> int:
        """What wakes main."""
        return int(self._slot.fileno())

    def read(self, now_ns: int) -> Any:
        """The newest picture."""
        from vehicle.camera.base import Frame

        item = self._slot.take()
        if item is None:
            return None
        tick, stamp_ns = item
        return Frame(
            self._vehicle_id, self._section.id, tick, stamp_ns, stamp_ns,
            self._pictures[tick % len(self._pictures)], self._intrinsics, (),
            (1.5, 0.0, 1.5, 0.0, 0.0, 0.0),
        )  # fmt: skip

    def close(self) -> None:
        """Stop."""
        self._stop.set()

    def _play(self) -> None:
        period, tick = 1.0 / self._section.rate_hz, 0
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            self._slot.put((tick, time.monotonic_ns()))
            self.cpu_ns = time.thread_time_ns()
            tick, due = tick + 1, due + period


class _Counted:
    """Adds up CPU time of the parts of a detector in a file that the other process reads."""

    def __init__(self, spec: Any, threads: int) -> None:
        self.name, self.stages_ns = spec.name, {}
        self._sums = np.memmap(spec.options["report"], np.float64, "r+", shape=(4,))

    def _count(self, **spent_ms: float) -> None:
        self._sums += [1.0, spent_ms["pre"], spent_ms["model"], spent_ms["post"]]


class Null(_Counted):
    """Answers ten boxes at once."""

    def __init__(self, spec: Any, threads: int) -> None:
        super().__init__(spec, threads)
        corner = np.random.default_rng(1).uniform(20, 300, (10, 2))
        self._xyxy = np.concatenate([corner, corner + 50], axis=1).astype(np.float32)

    def detect(self, frame: Any) -> Any:
        """The same boxes always."""
        from vehicle.perception.detections import Detections

        self._count(pre=0.0, model=0.0, post=0.0)
        score = np.full(10, 0.9, np.float32)
        return Detections(self._xyxy, score, np.zeros(10, np.int16))


class Real(_Counted):
    """A rung at 640x384 with its stages measured in CPU time."""

    def __init__(self, spec: Any, threads: int) -> None:
        from vehicle.perception.detector import DetectorSpec, load_detector

        super().__init__(spec, threads)
        self._inner: Any = load_detector(
            DetectorSpec(str(spec.options["rung"]), input_size=(640, 384)), threads
        )
        model = self._inner._model
        self._run, self._spans = model.run, (0.0, 0.0)
        model.run = self._timed_run

    def _timed_run(self, tensor: Any) -> Any:
        began = time.thread_time_ns()
        outputs = self._run(tensor)
        self._spans = began * 1e-6, time.thread_time_ns() * 1e-6
        return outputs

    def detect(self, frame: Any) -> Any:
        """Boxes of the rung."""
        began = time.thread_time_ns() * 1e-6
        found = self._inner.detect(frame)
        ended = time.thread_time_ns() * 1e-6
        start, end = self._spans
        self._count(pre=start - began, model=end - start, post=ended - end)
        return found


class Clocked:
    """CPU time of main's own calls by name."""

    def __init__(self) -> None:
        self.ns: dict[str, int] = defaultdict(int)

    def wrap(self, owner: Any, name: str, label: str) -> None:
        """Count what `owner.name` spends in this thread."""
        call: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(call)
        def counted(*arguments: Any) -> Any:
            began = time.thread_time_ns()
            try:
                return call(*arguments)
            finally:
                self.ns[label] += time.thread_time_ns() - began

        setattr(owner, name, counted)


def cpu_ns(pid: int) -> int:
    """CPU time of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks)


def measured(
    folder: Path, kind: str, rate: float, seconds: float, is_recording: bool, rung: str = "small"
) -> dict[str, float]:
    """One drive: CPU milliseconds a frame by part."""
    from scheduler import config_file
    from scheduler.clock import MonotonicClock
    from vehicle.app import VehicleApp
    from vehicle.assembly import Assembly

    report = folder / f"{kind}-{rate:g}.sums"
    np.zeros(4).tofile(report)
    ipc = folder / "ipc"
    ipc.mkdir(mode=0o700, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(
        CONFIG.format(rate=rate, model=kind.lower(), kind=kind, rung=rung, report=report, ipc=ipc)
    )
    run_folder = folder / "run" if is_recording else None
    if run_folder is not None:
        run_folder.mkdir(exist_ok=True)
    config = config_file.load(str(path))
    parts = Assembly(config, config.vehicles[0], run_folder, MonotonicClock())
    clocked = Clocked()
    marks: dict[str, Any] = {}
    begin = [0.0]

    def mark(app: VehicleApp) -> dict[str, Any]:
        return {
            "main": time.thread_time_ns(), "process": time.process_time_ns(),
            "camera": Stills.instance.cpu_ns, "worker": cpu_ns(app.worker.pid),
            "sums": np.fromfile(report, np.float64), "captured": app.driver.tally.captured,
            "stages": dict(clocked.ns),
        }  # fmt: skip

    try:
        app = VehicleApp(parts)
        clocked.wrap(app, "_on_camera", "frame in")
        clocked.wrap(app.driver, "on_answers", "answer")
        clocked.wrap(app.driver, "_emit", "verdict (in answer)")
        clocked.wrap(app.driver, "on_timer", "timer")

        def is_stopping() -> bool:
            now = time.monotonic()
            begin[0] = begin[0] or now
            if "start" not in marks and now > begin[0] + SETTLE_S:
                marks["start"] = mark(app)
            return now > begin[0] + SETTLE_S + seconds

        app.run(is_stopping)
        marks["end"] = mark(app)
        app.finish()
    finally:
        parts.close()
    return _row(marks["start"], marks["end"])


def _row(start: dict[str, Any], end: dict[str, Any]) -> dict[str, float]:
    frames = end["captured"] - start["captured"]
    spent = {
        key: (end[key] - start[key]) * 1e-6 / frames
        for key in ("main", "process", "camera", "worker")
    }
    sums = end["sums"] - start["sums"]
    looks = max(float(sums[0]), 1.0)
    pre, model, post = (sums[1:] / looks).tolist()
    rest = spent["worker"] * frames / looks - pre - model - post
    stages = {
        label: (ns - start["stages"].get(label, 0)) * 1e-6 / frames
        for label, ns in end["stages"].items()
    }
    others = spent["process"] - spent["main"] - spent["camera"]
    named = ("frame in", "answer", "verdict (in answer)", "timer")
    return {
        **{label: stages.get(label, 0.0) for label in named},
        "main": spent["main"],
        "main's other threads": max(0.0, others),
        "worker: fit picture": pre,
        "worker: boxes": post,
        "worker: rest": rest,
        "model": model,
        "overhead": spent["main"] + max(0.0, others) + pre + post + rest,
        "looks a frame": looks / frames,
    }


def pictures(folder: Path) -> None:
    """Pictures of a drive through the world, twenty a second, into the run's folder."""
    import tracking_drives

    drives = Path("runs") / "benchmark_drives"
    tracking_drives.record(tracking_drives.PLANS[0], drives / "overhead", 80)
    target = folder / PICTURES
    target.mkdir()
    for file in sorted((drives / "overhead").glob("*.jpg")):
        (target / file.name).symlink_to(file.resolve())


def main() -> int:
    """Runs the benchmark."""
    from rich.console import Console
    from rich.table import Table

    it = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    it.add_argument("--seconds", type=float, default=10.0, help="counted of each drive")
    it.add_argument(
        "--rates", type=float, nargs="+", default=[10.0, 30.0], help="pictures a second"
    )
    it.add_argument("--rung", default="small")
    it.add_argument("--rounds", type=int, default=1, help="the median of so many is printed")
    it.add_argument("--recording", action="store_true", help="with the recorder beside it")
    arguments = it.parse_args()
    columns: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="overhead-") as name:
        folder = Path(name)
        pictures(folder)
        for kind in ("Null", "Real"):
            for rate in arguments.rates:
                rows = [
                    measured(
                        folder, kind, rate, arguments.seconds, arguments.recording, arguments.rung
                    )
                    for _ in range(arguments.rounds)
                ]
                columns[f"{arguments.rung if kind == 'Real' else 'null'} {rate:g} Hz"] = {
                    key: statistics.median(row[key] for row in rows) for key in rows[0]
                }
    table = Table(title="640x384 on board, CPU ms a frame")
    table.add_column("part")
    for column in columns:
        table.add_column(column, justify="right")
    labels = list(dict.fromkeys(label for row in columns.values() for label in row))
    for label in labels:
        table.add_row(label, *(f"{row.get(label, 0.0):.2f}" for row in columns.values()))
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    import service_overhead  # as the configuration names it: one module, not two

    sys.exit(service_overhead.main())
