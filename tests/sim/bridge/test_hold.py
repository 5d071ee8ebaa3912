"""Hold mode at the bridge: time goes on only when every vehicle has answered."""

import sys
import threading
from pathlib import Path

import pytest
import zmq

from scheduler import config_file, messages, processes, telemetry, transport, wire
from scheduler.errors import ConfigError, WorldError
from sim.bridge.hold import PATIENCE_NS, Holder
from sim.bridge.sockets import BridgeSockets

sys.path.insert(0, str(Path(__file__).parent))
from fake_world import FakeWorld

from sim.bridge.app import run


def config_of(tmp_path, encoding: str = "auto"):
    tree = {
        "duration_s": 1.0,
        "world": {"adapter": "inprocess", "fixed_delta_s": 0.1},
        "bridge": {"pace": "hold", "encoding": encoding},
        "vehicles": [
            {"id": name, "cameras": [{"id": "front", "width": 64, "height": 64}]}
            for name in ("ego", "second")
        ],
        "source_folder": str(tmp_path),
    }
    return processes.resolve(config_file.decode(tree, "test"))


class Vehicles:
    """Answer as the held process does, in a thread; brake from the fifth tick on."""

    def __init__(self, config, silent: str = "") -> None:
        self.heard: list[tuple[str, int]] = []
        self._silent = silent
        self._context = zmq.Context()
        self._bridge = telemetry.subscribe(
            self._context, config, "bridge", "", [""], name="ego", limit=1_000_000, high_water=1000
        )
        address = processes.address(config, "bridge", "", "feedback")
        self._answers = transport.connect_dealer(self._context, address, None, None)
        self._is_over = False
        self._thread = threading.Thread(target=self._live)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._is_over = True
        self._thread.join(10.0)
        self._context.destroy(linger=0)

    def _live(self) -> None:
        ticks, newest_ns = 0, -1
        while not self._is_over:
            if not self._bridge.poll(50):
                continue
            parts = transport.receive(self._bridge)
            _, message, _ = telemetry.read(parts)
            if isinstance(message, messages.Frame | messages.Pose):
                self.heard.append((type(message).__name__, message.sim_ns))
                ticks = max(ticks, message.tick)
            if not isinstance(message, messages.Advance):
                continue
            if message.sim_ns > newest_ns:
                newest_ns = message.sim_ns
                self.heard.append(("Advance", message.sim_ns))
                if ticks >= 5:
                    brake = messages.Feedback(
                        messages.VERSION, "ego", ticks, 300, 1.0, "test", "a wall"
                    )
                    transport.send(self._answers, wire.pack(brake))
            for name in {"ego", "second"} - {self._silent}:
                advanced = messages.Advanced(messages.VERSION, name, message.sim_ns)
                transport.send(self._answers, wire.pack(advanced))


def test_each_tick_waits_for_all_and_its_feedback_acts_in_the_next(tmp_path) -> None:
    config = config_of(tmp_path)
    world = FakeWorld(0.1)
    with Vehicles(config) as vehicles:
        summary = run(config, lambda c, w: world, tmp_path / "run", lambda: False, lambda: None)
    assert summary.sim_s == 1.0
    advances = [at for what, at in vehicles.heard if what == "Advance"]
    assert advances == sorted(advances)
    assert len(advances) == 1 + 10  # who is there, then each tick
    frames = [at for what, at in vehicles.heard if what == "Frame"]
    assert len(frames) == 2 * 10  # nobody misses one
    order = [what for what, _ in vehicles.heard]
    for index, what in enumerate(order):
        if what == "Advance" and index:
            assert {"Frame", "Pose"} & set(order[max(0, index - 4) : index])
    assert world.controls[1][2] == 1.0  # braked as asked
    assert world.controls[2][2] < 1.0


class Jumping:
    """A clock that leaps a tenth of the patience at each look."""

    def __init__(self) -> None:
        self._now_ns = 0

    def now_ns(self) -> int:
        self._now_ns += PATIENCE_NS // 10
        return self._now_ns


def test_a_vehicle_that_does_not_answer_is_named(tmp_path) -> None:
    config = config_of(tmp_path)
    with BridgeSockets(config) as sockets, Vehicles(config, silent="second"):
        holder = Holder(sockets, ["ego", "second"], Jumping())
        with pytest.raises(WorldError, match=r"expected .*second"):
            holder.advance(100, lambda: False)
        assert holder.advance(200, lambda: True) == []  # told to stop


def test_hold_mode_is_for_one_machine(tmp_path) -> None:
    config = config_of(tmp_path, encoding="jpeg")
    with BridgeSockets(config) as sockets, pytest.raises(ConfigError, match="one machine"):
        Holder(sockets, ["ego"], Jumping())


def test_a_held_drive_runs_one_process_in_place_of_vehicles_links_and_units() -> None:
    config = config_file.load("demo", ["bridge.pace=hold"], environment={})
    wanted = {process.name for process in processes.PROCESSES if process.is_wanted(config)}
    assert wanted == {"world", "bridge", "held", "dashboard"}
    usual = config_file.load("demo", environment={})
    assert "held" not in {p.name for p in processes.PROCESSES if p.is_wanted(usual)}
