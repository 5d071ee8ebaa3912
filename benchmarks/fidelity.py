"""How faithful both link emulators are: delay, queue, loss, goodput and CPU against theory.

    python benchmarks/fidelity.py [--emulators proxy,tun] [--rates 1,5,27,50,100,200] [--seconds 3]

Traffic is our own (no iperf3): timed UDP packets or TCP messages of one machine's clock, sent and
received by processes of their own. The proxy carries TCP alone: there a full queue stops the
sender, and loss is delay. A rate is TCP payload, so that a UDP packet of n bytes counts
(n + 28) x 1448 / 1500.
"""

import argparse
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scheduler import config_file, processes, tun_addresses
from scheduler.config import Config
from sim.channel import tun_devices

ROOT = Path(__file__).parents[1]
STAMP = struct.Struct("<qq")  # number, monotonic nanoseconds
MTU = 1500
PAYLOAD = 1448
QUEUE_KIB = 64
SILENT_S = 1.0  # after which a receiver of UDP is done


def main() -> int:
    """Print a table per emulator; as a role, carry traffic for it."""
    if sys.argv[1:2] == ["role"]:
        return role(sys.argv[2], json.loads(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--emulators", default="proxy,tun")
    parser.add_argument("--rates", default="1,5,27,100", help="Mbit/s of the TCP rows")
    parser.add_argument("--seconds", type=float, default=2.0, help="per row")
    flags = parser.parse_args()
    for kind in flags.emulators.split(","):
        missing = tun_devices.missing() if kind == "tun" else None
        if missing is not None:
            print(f"tun: needs root and a TUN device ({missing}): not measured")
            continue
        print(f"\n{kind}: measured (theory)")
        for line in rows(kind, [float(rate) for rate in flags.rates.split(",")], flags.seconds):
            print(line, flush=True)
    return 0


def rows(kind: str, rates: list[float], seconds: float):  # type: ignore[no-untyped-def]
    """The lines of one emulator's table."""
    proto = "udp" if kind == "tun" else "tcp"
    size = 1000
    count = int(2e6 / 8 / size * seconds)
    wire = bytes_counted(kind, size)
    with Emulated(kind, 5.0, 20.0) as link:
        delays = one_way(link, proto, size, 2.0, count)
        theory = 20 + wire * 8 / 5e3
        yield (
            f"one way, 2 on 5 Mbit/s, 20 ms    p1 {at(delays, 0.01):.2f}, p50 {at(delays, 0.5):.2f}"
            f", p99 {at(delays, 0.99):.2f} ms ({theory:.2f})"
        )
        late = [1e3 * (delay - theory) for delay in delays]
        yield (
            f"lateness of these                p50 {at(late, 0.5):.0f}, p99 {at(late, 0.99):.0f}, "
            f"p99.9 {at(late, 0.999):.0f} us (0; the receiver's wake-up is in it)"
        )
        trips = ping(link, proto, int(20 * seconds))
        theory = 40 + 2 * bytes_counted(kind, STAMP.size) * 8 / 5e3
        yield (
            f"ping, 2 x 20 ms                  min {min(trips):.2f}, mean "
            f"{sum(trips) / len(trips):.2f}, max {max(trips):.2f} ms ({theory:.2f})"
        )
    with Emulated(kind, 5.0, 20.0) as link:
        sent = int(8e6 / 8 / size * seconds)
        got = timed(link, proto, size, 8.0, sent)
        span_s = (got[-1][2] - got[0][2]) / 1e9
        rate = (len(got) - 1) * wire * 8 / span_s / 1e6
        filled = [(row[2] - row[1]) / 1e6 for row in got[len(got) // 2 :]]
        theory = 20 + (QUEUE_KIB * 1024 - wire / 2) * 8 / 5e3
        more = "" if kind == "tun" else " + what kernel and sender hold"
        yield (
            f"overload, 8 on 5 Mbit/s, 64 KiB  carried {rate:.3f} Mbit/s (5), then p50 delay "
            f"{at(filled, 0.5):.1f} ms ({theory:.1f}{more})"
        )
    with Emulated(kind, 50.0, 2.0, loss=0.05) as link:
        sent = int(200 * seconds)
        got = timed(link, proto, 500, 500 * 8 / 12e3, sent)  # one each 12 ms
        if kind == "tun":
            yield f"loss, 5 % asked                  {1 - len(got) / sent:.1%} of {sent} packets"
        else:
            late = [(row[2] - row[1]) / 1e6 - 2 for row in got]
            share = sum(delay > 8 for delay in late) / sent  # a repetition costs 10 ms
            yield f"loss, 5 % asked, as delay        {share:.1%} of {sent} messages come 8 ms late"
    yield "TCP, Mbit/s asked                goodput    share   CPU of the emulator"
    for mbps in rates:
        with Emulated(kind, mbps, 5.0) as link:
            goodput, cpu = bulk(link, seconds)
        yield f"{mbps:8.0f}                         {goodput:7.2f} {goodput / mbps:8.1%} {cpu:8.1%}"


def bytes_counted(kind: str, size: int) -> float:
    """What the link counts for one packet or message of the table."""
    return (size + 28) * PAYLOAD / MTU if kind == "tun" else size


class Emulated:
    """An emulator process at one steady state, and where traffic enters and leaves."""

    def __init__(self, kind: str, mbps: float, delay_ms: float, loss: float = 0.0) -> None:
        self.kind = kind
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        row = f"{mbps * 1e6:.0f},{delay_ms},{loss}"
        (folder / "steady.csv").write_text(f"0,{row},{row}\n1000,{row},{row}\n")
        (folder / "ipc").mkdir(mode=0o700)
        tree = {
            "vehicles": [{"id": "ego", "cameras": [{"source": "video:none"}]}],
            "roadside_units": [{"id": "rsu", "bind": {"port": free_ports()}}],
            "link": {
                "trace": "steady.csv", "bind": {"port": free_ports()}, "outage": "hold",
                "emulator": kind, "queue_kib": QUEUE_KIB,
            },
            "source_folder": str(folder),
            "ipc_folder": str(folder / "ipc"),
        }  # fmt: skip
        self.config: Config = config_file.decode(tree, "benchmark")
        (folder / "drive.yaml").write_text(config_file.dump(self.config))
        command = [sys.executable, "-m", "sim.link_emulator", str(folder / "drive.yaml")]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
        )
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"the {kind} emulator did not start")
        unit_port = processes.port_of(self.config, "rsu", "rsu", "frames")
        link_port = processes.port_of(self.config, "link", "ego.rsu", "frames")
        if kind == "tun":
            self.far = (tun_addresses.unit_host(0), unit_port)
            self.near = self.far
        else:
            self.far, self.near = ("127.0.0.1", unit_port), ("127.0.0.1", link_port)
        time.sleep(0.2)  # the first row

    def start(self, end: str, name: str, options: dict[str, object]) -> "subprocess.Popen[str]":
        """Run a role at the vehicle's or the unit's end."""
        host, port = self.near if end == "ego" else self.far
        command = [
            sys.executable, str(Path(__file__)), "role", name,
            json.dumps({"host": host, "port": port, **options}),
        ]  # fmt: skip
        if self.kind == "tun":
            command = tun_devices.inside(tun_addresses.namespace(self.config, end), command)
        started = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert started.stdout is not None
        if end != "ego" and started.stdout.readline() != "listens\n":
            raise SystemExit(f"{name} does not listen")
        return started

    def cpu_s(self) -> float:
        """User and system time of the emulator so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> "Emulated":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._folder.cleanup()


def timed(
    link: Emulated, proto: str, size: int, mbps: float, count: int
) -> list[tuple[int, int, int]]:
    """(number, sent, arrived) in nanoseconds of what arrived of a paced stream."""
    options: dict[str, object] = {"proto": proto, "size": size, "mbps": mbps, "count": count}
    receiver = link.start("rsu", "receive", options)
    sender = link.start("ego", "send", options)
    text, _ = receiver.communicate(timeout=120)
    sender.communicate(timeout=120)
    return [tuple(row) for row in json.loads(text)]


def one_way(link: Emulated, proto: str, size: int, mbps: float, count: int) -> list[float]:
    """Delays in ms of a paced stream."""
    return [(row[2] - row[1]) / 1e6 for row in timed(link, proto, size, mbps, count)]


def ping(link: Emulated, proto: str, count: int) -> list[float]:
    """Round trips in ms, one after the other."""
    echo = link.start("rsu", "echo", {"proto": proto})
    asker = link.start("ego", "ask", {"proto": proto, "count": count})
    text, _ = asker.communicate(timeout=120)
    echo.terminate()
    echo.communicate(timeout=10)
    trips: list[float] = json.loads(text)
    return trips


def bulk(link: Emulated, seconds: float) -> tuple[float, float]:
    """Goodput in Mbit/s of one TCP connection, after its beginning, and the emulator's CPU."""
    sink = link.start("rsu", "drain", {"seconds": seconds, "skip": 1.0})
    source = link.start("ego", "flood", {})
    assert sink.stdout is not None
    sink.stdout.readline()  # the beginning is over
    cpu = link.cpu_s()
    begin = time.monotonic()
    text, _ = sink.communicate(timeout=120)
    cpu = (link.cpu_s() - cpu) / (time.monotonic() - begin)
    source.communicate(timeout=120)
    return json.loads(text), cpu


def at(values: list[float], share: float) -> float:
    """The value at or below which this share of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def free_ports() -> int:
    """The first of three free ports in a row."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        try:
            for step in (1, 2):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + step))
        except (OSError, OverflowError):
            continue
        return port


def role(name: str, options: dict) -> int:  # type: ignore[type-arg]
    """One end of the traffic, in a process of its own."""
    address = (options.pop("host"), options.pop("port"))
    result = ROLES[name](address, **options)
    if result is not None:
        print(json.dumps(result))
    return 0


def _listen(address: tuple[str, int], proto: str) -> socket.socket:
    kind = socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM
    opened = socket.socket(socket.AF_INET, kind)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(address)
    if proto == "tcp":
        opened.listen()
    print("listens", flush=True)
    if proto == "tcp":
        accepted, _ = opened.accept()
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return accepted
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
    return opened


def _connect(address: tuple[str, int], proto: str) -> socket.socket:
    if proto == "udp":
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.connect(address)
        return opened
    opened = socket.create_connection(address, 10)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.settimeout(None)
    return opened


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            return b""
        data += part
    return data


def receive(address, proto, size, count, **_):  # type: ignore[no-untyped-def]
    """Note when each arrives."""
    source = _listen(address, proto)
    arrived = []
    source.settimeout(30.0)
    while len(arrived) < count:
        try:
            data = source.recv(size) if proto == "udp" else _exactly(source, size)
        except TimeoutError:
            break
        if not data:
            break
        number, sent = STAMP.unpack_from(data)
        arrived.append((number, sent, time.monotonic_ns()))
        if proto == "udp":
            source.settimeout(SILENT_S)
    return arrived


def send(address, proto, size, mbps, count):  # type: ignore[no-untyped-def]
    """Send at a rate, each with its time."""
    out = _connect(address, proto)
    begin = time.monotonic_ns()
    step = size * 8e3 / mbps
    for number in range(count):
        due = begin + int(number * step)
        while (left := due - time.monotonic_ns()) > 0:
            time.sleep(left / 1e9)
        # Of a sender that was late, the packet counts from when it really left.
        out.sendall(STAMP.pack(number, time.monotonic_ns()) + bytes(size - STAMP.size))
    if proto == "tcp":
        with contextlib.suppress(ConnectionResetError):  # as the proxy ends a connection
            out.shutdown(socket.SHUT_WR)
            out.recv(1)


def echo(address, proto):  # type: ignore[no-untyped-def]
    """Send back what comes."""
    source = _listen(address, proto)
    while True:
        if proto == "udp":
            data, sender = source.recvfrom(2000)
            source.sendto(data, sender)
        else:
            source.sendall(_exactly(source, STAMP.size) or sys.exit(0))


def ask(address, proto, count):  # type: ignore[no-untyped-def]
    """Round trips in ms."""
    out = _connect(address, proto)
    trips = []
    for number in range(count):
        begin = time.monotonic_ns()
        out.sendall(STAMP.pack(number, begin))
        _exactly(out, STAMP.size)
        trips.append((time.monotonic_ns() - begin) / 1e6)
        time.sleep(0.005)
    return trips


def drain(address, seconds, skip):  # type: ignore[no-untyped-def]
    """Take what comes; its rate after the beginning."""
    source = _listen(address, "tcp")
    begun = time.monotonic()
    total, begin = 0, 0.0
    while True:
        size = len(source.recv(262_144))
        now = time.monotonic()
        if begin:
            total += size
            if now - begin >= seconds:
                break
        elif now - begun >= skip:
            begin = now
            print("begins", flush=True)
    source.close()
    return total * 8 / (now - begin) / 1e6


def flood(address):  # type: ignore[no-untyped-def]
    """Send until the other end has enough."""
    out = _connect(address, "tcp")
    block = bytes(65_536)
    try:
        while True:
            out.sendall(block)
    except OSError:
        return


ROLES = {
    "receive": receive, "send": send, "echo": echo, "ask": ask, "drain": drain, "flood": flood,
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
