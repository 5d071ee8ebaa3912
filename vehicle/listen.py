"""`vdap listen`: prints verdicts as JSON lines, for programs that speak no MessagePack."""

import argparse
import sys
from pathlib import Path

import msgspec
import zmq

from scheduler import config_file, messages, processes, telemetry, transport
from scheduler.config import Config
from scheduler.errors import ConfigError, WireError

LATEST = Path("runs/latest")


def config_of(argument: str | None, run_folder: Path | None) -> Config:
    """The resolved config of a drive: of a run folder, or a file that names its addresses.

    Raises:
        ConfigError: there is none, or it was never resolved.
    """
    if argument is not None and not Path(argument).is_dir():
        return config_file.expand(config_file.load(argument))
    folder = Path(argument) if argument is not None else run_folder or LATEST
    path = folder / "config.yaml"
    if not path.is_file():
        raise ConfigError(
            f"expected a drive's config at {path}: start one with `vdap run`, or name its folder"
        )
    return config_file.load(str(path))


def main(argv: list[str] | None = None) -> int:
    """Print until interrupted, or until `--count` verdicts have come."""
    parser = argparse.ArgumentParser(prog="vdap listen", description=__doc__)
    parser.add_argument("config", nargs="?", help="a run folder or a YAML; default: the last drive")
    parser.add_argument("--run-folder", type=Path, help=f"default: {LATEST}")
    parser.add_argument("--count", type=int, default=0, help="stop after so many verdicts")
    parser.add_argument("--vehicle", default="", help="only this one's")
    flags = parser.parse_args(argv)
    config = config_of(flags.config, flags.run_folder)
    stop = processes.Stop()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    topic = f"verdict/{flags.vehicle}/" if flags.vehicle else "verdict/"
    poller = zmq.Poller()
    sockets = [
        telemetry.subscribe(context, config, "vehicle", each.id, [topic], name="dashboard")
        for each in config.vehicles
    ]
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    printed = 0
    try:
        while not stop and not (flags.count and printed >= flags.count):
            for socket, _ in poller.poll(100):
                printed += _print(socket, flags.count - printed if flags.count else 0)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read has seen enough
    finally:
        for socket in sockets:
            socket.close()
        context.term()
    return 0


def _print(socket: "zmq.Socket[bytes]", at_most: int) -> int:
    """Prints what has come; 0 = all of it."""
    printed = 0
    while not at_most or printed < at_most:
        parts = transport.receive(socket)
        if parts is None:
            break
        try:
            _, message, _ = telemetry.read(parts)
        except WireError:
            continue
        if isinstance(message, messages.Verdict):
            sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
            printed += 1
    sys.stdout.flush()
    return printed


if __name__ == "__main__":
    sys.exit(processes.entry(main))
