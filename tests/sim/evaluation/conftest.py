"""A run folder with known content, written with the formats that the processes write."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from mcap.writer import Writer

from scheduler import config_file, messages
from sim.ground_truth import TruthBox
from sim.truth_file import TruthFrame, TruthWriter

FRAME_NS = 100_000_000
START_NS = 7_000_000_000_000  # of the vehicle's clock; no relation to simulated time
SPEED = 40.0  # px/s to the right of the one car
RunMaker = Callable[..., Path]

CONFIG = """
name: made
world: {adapter: inprocess}
vehicles:
  - id: ego
    cameras: [{id: front, width: 640, height: 384}]
    detectors: [{id: small}]
roadside_units: [{id: rsu}]
link: {}
"""


def car_at(seconds: float) -> tuple[float, float, float, float]:
    """The true box of the one car, pixels."""
    left = 100.0 + SPEED * seconds
    return left, 100.0, left + 80.0, 160.0


def _verdict(tick: int, **changes: object) -> messages.Verdict:
    """A perfect answer, 60 ms after its frame, unless changed."""
    stamp_ns = START_NS + tick * FRAME_NS
    known = car_at(tick * 0.1)
    answer = "offloaded" if tick % 20 < 10 else ("carried" if tick % 20 == 15 else "onboard")
    values: dict[str, object] = {
        "version": 1, "vehicle_id": "ego", "camera_id": "front", "tick": tick,
        "sim_ns": tick * FRAME_NS, "service": "object_detection", "answer": answer,
        "reason": "as placed", "placed": "rsu/large@q70", "placed_reason": "worth more",
        "unit_id": "rsu" if answer == "offloaded" else "", "model": "large",
        "stamp_ns": stamp_ns, "emitted_ns": stamp_ns + 60_000_000, "valid_ns": stamp_ns,
        "deadline_ns": stamp_ns + 100_000_000, "age_ms": 60.0, "answer_age_ms": 60.0,
        "is_late": False, "stages_ms": {"encode": 2.0, "infer": 15.0}, "size_bytes": 20_000,
        "boxes": [messages.Box(known, (SPEED, 0.0, SPEED, 0.0), 0.9, 0, 1)],
    }  # fmt: skip
    return messages.Verdict(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def make_verdict() -> Callable[..., messages.Verdict]:
    """Makes the verdict of a tick."""
    return _verdict


@pytest.fixture
def make_run(tmp_path: Path) -> RunMaker:
    """Makes a run folder; `ticks` frames at 10 fps, verdicts as given or perfect ones."""

    def make(
        ticks: int = 40,
        verdicts: list[messages.Verdict] | None = None,
        jpeg: bytes = b"",
        counters: bool = True,
    ) -> Path:
        config = config_file.expand(_load(tmp_path))
        (tmp_path / "config.yaml").write_text(config_file.dump(config))
        said = [_verdict(tick) for tick in range(ticks)] if verdicts is None else verdicts
        _record(tmp_path / "run.mcap", said, ticks, jpeg)
        _tell_truth(tmp_path / "truth.mcap", ticks)
        _telemetry(tmp_path / "telemetry.jsonl", ticks)
        if counters:
            (tmp_path / "vehicle-ego.json").write_text(json.dumps(_counters(said, ticks)))
        return tmp_path

    return make


def _load(folder: Path) -> config_file.Config:
    source = folder / "source.yaml"
    source.write_text(CONFIG)
    return config_file.load(str(source), environment={})


def _record(path: Path, said: list[messages.Verdict], ticks: int, jpeg: bytes) -> None:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        schema = writer.register_schema("any", "jsonschema", b'{"type": "object"}')
        topic = "verdict/ego/front/object_detection"
        channel = writer.register_channel(topic, "json", schema)
        for verdict in said:
            writer.add_message(
                channel, verdict.stamp_ns, msgspec.json.encode(verdict), verdict.stamp_ns
            )
        if jpeg:
            frames = writer.register_channel("frame/ego/front", "json", schema)
            data = base64.b64encode(jpeg).decode()
            for tick in range(ticks):
                body = json.dumps({"tick": tick, "format": "jpeg", "data": data}).encode()
                writer.add_message(frames, tick, body, tick)
        writer.finish()


def _tell_truth(path: Path, ticks: int) -> None:
    with TruthWriter(path) as writer:
        for tick in range(ticks):
            box = TruthBox(1, 0, car_at(tick * 0.1), 0.8, 20.0, (20.0, 0.0, 0.7), (0.0, -2.0, 0.0))
            writer.write(TruthFrame("ego", "front", tick, tick * FRAME_NS, 640, 384, (box,)))


def _telemetry(path: Path, ticks: int) -> None:
    with path.open("wb") as file:
        for tick in range(ticks):
            rate = 6e6 if tick % 4 else 0.0
            row = messages.LinkRow(
                1, "ego", "rsu", tick * 0.1, tick * FRAME_NS, rate, 5.0, 0.0, rate, 5.0, 0.0,
                20.0, "LOS", 0, 0,
            )  # fmt: skip
            line = (START_NS + tick * FRAME_NS, "CHANNEL", row)
            file.write(msgspec.json.encode(line) + b"\n")
        world = messages.WorldStatus(
            1, "inprocess", ticks, ticks * FRAME_NS, 0.99, {"ego": 0}, {"ego": 2.5}, {"ego": 1}
        )
        file.write(msgspec.json.encode((START_NS, "WORLD", world)) + b"\n")
        file.write(b'[7000, "WORLD", [1, "inpr')  # a killed launcher


def _counters(said: list[messages.Verdict], ticks: int) -> dict[str, object]:
    answers = [verdict.answer for verdict in said]
    return {
        "captured": ticks, "missed_upstream": 0, "verdicts": len(said), "late": 0,
        "answers": {kind: answers.count(kind) for kind in ("onboard", "offloaded", "carried")},
        "offload": {"sent": 25, "ok": 22, "late": 1, "rejected": 1, "lost": 1},
        "fps": 10.0, "faults": {}, "policy": "deadline",
    }  # fmt: skip
