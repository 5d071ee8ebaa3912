"""`vdap listen`: prints verdicts as JSON lines, for programs that speak no MessagePack."""

import argparse
import sys
from pathlib import Path

import msgspec
import zmq

from scheduler import config_file, messages, processes, telemetry, transport
from scheduler.config import Config
from scheduler.errors import ConfigError, WireError
from scheduler.security import Keys, Site

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


def subscribe(
    context: "zmq.Context[zmq.Socket[bytes]]", config: Config, topic: str
) -> "list[zmq.Socket[bytes]]":
    """A SUB socket to each vehicle's telemetry (each has its own key where it is on TCP).

    Raises:
        CertificateError: there is no key to speak with.
    """
    sockets = []
    for vehicle in config.vehicles:
        address = processes.address(config, "vehicle", vehicle.id, "telemetry")
        keys: Keys | None = None
        server_key: bytes | None = None
        if address.startswith("tcp://") and not config.security.insecure_loopback:
            site = Site(config.path(config.security.certificates))
            keys, server_key = site.keys("dashboard"), site.peer(vehicle.id).key
        sockets.append(transport.connect_subscriber(context, [address], [topic], keys, server_key))
    return sockets


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
    sockets = subscribe(context, config, topic)
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
