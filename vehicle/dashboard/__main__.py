"""`vdap dashboard [RUN|CONFIG]`: watch a drive in the terminal."""

import argparse
import contextlib
import io
import re
import sys
import time
from pathlib import Path

import zmq
from rich.console import Console
from rich.live import Live

from scheduler import config_file, processes, telemetry, transport
from scheduler.clock import MonotonicClock
from scheduler.config import Config
from scheduler.errors import ConfigError, WireError
from vehicle.dashboard.state import State
from vehicle.dashboard.view import draw, line

REFRESH_S = 0.25
LINE_S = 1.0
PICTURE_ROWS = 26
TOPICS = {
    "bridge": ("world", "pose/", "event/"),
    "vehicle": ("verdict/", "link/", "status/", "event/"),
    "rsu": ("unit/", "event/"),
    "link": ("channel/", "event/"),
    "launcher": ("process/", "event/"),
}


def parser() -> argparse.ArgumentParser:
    """The flags of `vdap dashboard`."""
    made = argparse.ArgumentParser(prog="vdap dashboard", description=__doc__)
    made.add_argument("run", nargs="?", default="runs/latest", help="a run folder or its config")
    made.add_argument("--run-folder", type=Path, help="not used: the dashboard writes nothing")
    made.add_argument("--svg", type=Path, metavar="FILE", help="write one picture of it and end")
    made.add_argument("--after", type=float, default=10.0, metavar="S", help="when to take it")
    made.add_argument("--width", type=int, default=100, help="of that picture, characters")
    return made


def load(run: str) -> Config:
    """The resolved config of a run folder, or of a config that names its addresses.

    Raises:
        ConfigError: neither, or a drive that does not run on this machine.
    """
    path = Path(run)
    if path.is_dir():
        path = path / "config.yaml"
        if not path.is_file():
            raise ConfigError(f"expected a config.yaml in the run folder {run}, there is none")
    elif run == "runs/latest":
        raise ConfigError("expected a drive to watch, there is no runs/latest: start `vdap run`")
    config = config_file.expand(config_file.load(str(path)))
    if config.ipc_folder is not None and not Path(config.ipc_folder).is_dir():
        raise ConfigError(f"the drive of {run} has ended: `vdap summary {run}` sums it up")
    return config


def subscribe(
    context: "zmq.Context[zmq.Socket[bytes]]", config: Config
) -> list["zmq.Socket[bytes]"]:
    """A socket to each publisher of the config that can be reached from here."""
    sockets = []
    for process, instance_id in (*telemetry.publishers(config), ("launcher", "")):
        try:
            sockets.append(
                telemetry.subscribe(
                    context, config, process, instance_id, TOPICS[process], name="dashboard"
                )
            )
        except ConfigError:
            continue  # a unix socket of another machine
    if not sockets:
        raise ConfigError(
            "expected a run folder, or a config whose sections name their `bind.host`"
        )
    return sockets


class Watch:
    """Feeds a state from sockets until told to stop."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = MonotonicClock()
        self.state = State(self.clock.now_ns())
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._sockets = subscribe(self._context, config)

    def hear(self) -> None:
        """Take in what has arrived."""
        for socket in self._sockets:
            while (parts := transport.receive(socket)) is not None:
                with contextlib.suppress(WireError):
                    self.state.take(telemetry.read(parts)[1], self.clock.now_ns())

    def close(self) -> None:
        """Leave."""
        self._context.destroy(linger=0)

    def show(self, console: Console, stop: processes.Stop) -> None:
        """Redraw four times a second in a terminal."""
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while not stop:
                self.hear()
                size = console.size
                now_ns = self.clock.now_ns()
                picture = draw(self.state, self.config, now_ns, size.width, size.height)
                live.update(picture, refresh=True)
                time.sleep(REFRESH_S)

    def tell(self, console: Console, stop: processes.Stop) -> None:
        """A line a second, where there is no terminal."""
        told_ns = self.clock.now_ns()
        while not stop:
            self.hear()
            if self.clock.now_ns() - told_ns >= LINE_S * 1e9:
                told_ns += int(LINE_S * 1e9)
                text = line(self.state, self.config, self.clock.now_ns())
                console.print(text, markup=False, soft_wrap=True)
            time.sleep(REFRESH_S / 2)

    def picture(self, path: Path, width: int, after_s: float, stop: processes.Stop) -> None:
        """Watch for a while, then write the dashboard as SVG."""
        end_ns = self.clock.now_ns() + int(after_s * 1e9)
        while not stop and self.clock.now_ns() < end_ns:
            self.hear()
            time.sleep(REFRESH_S)
        console = Console(record=True, width=width, file=io.StringIO(), color_system="truecolor")
        console.print(draw(self.state, self.config, self.clock.now_ns(), width, PICTURE_ROWS))
        drawn = console.export_svg(title=f"vdap run {self.config.name}")
        # Without the fonts of a server: the reader's own monospace one serves.
        path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), "utf-8")


def main() -> int:
    """Watch until Ctrl-C or until the launcher ends us."""
    flags = parser().parse_args()
    watch = Watch(load(flags.run))
    stop = processes.Stop()
    console = Console(highlight=False)
    try:
        if flags.svg is not None:
            watch.picture(flags.svg, flags.width, flags.after, stop)
        elif console.is_terminal:
            watch.show(console, stop)
        else:
            watch.tell(console, stop)
    finally:
        watch.close()
    return 0


if __name__ == "__main__":
    sys.exit(processes.entry(main))
