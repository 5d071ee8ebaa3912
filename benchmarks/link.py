"""How faithful the link emulator is: message delay against theory, rate, and its own CPU time.

`python benchmarks/link.py` measures over real TCP through `sim.link_emulator` on this machine.
"""

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scheduler import config_file, processes

ROOT = Path(__file__).parents[1]
MESSAGE_BYTES = 30_000


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


class Emulated:
    """An emulator process at one steady state, with a plain TCP peer behind it."""

    def __init__(self, folder: Path, mbps: float, delay_ms: float) -> None:
        row = f"{mbps * 1e6:.0f},{delay_ms},0"
        (folder / "steady.csv").write_text(f"0,{row},{row}\n1000,{row},{row}\n")
        tree = {
            "vehicles": [{"id": "ego", "cameras": [{"source": "video:none"}]}],
            "roadside_units": [{"id": "rsu", "bind": {"port": free_ports()}}],
            "link": {"trace": "steady.csv", "bind": {"port": free_ports()}},
            "source_folder": str(folder),
        }
        self.config = config_file.decode(tree, "benchmark")
        (folder / "drive.yaml").write_text(config_file.dump(self.config))
        command = [sys.executable, "-m", "sim.link_emulator", str(folder / "drive.yaml")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        self.far_listener = socket.create_server(
            ("127.0.0.1", processes.port_of(self.config, "rsu", "rsu", "frames"))
        )
        time.sleep(0.2)  # the first row

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """Both ends of a connection through the link."""
        port = processes.port_of(self.config, "link", "ego.rsu", "frames")
        near = socket.create_connection(("127.0.0.1", port))
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far, _ = self.far_listener.accept()
        return near, far

    def close(self) -> None:
        """End the process."""
        self.far_listener.close()
        self.process.terminate()
        self.process.wait(5)


def read_exactly(source: socket.socket, size: int) -> None:
    """Take so many bytes."""
    while size:
        size -= len(source.recv(min(size, 65_536)))


def percentile(values: list[float], share: float) -> float:
    """The value at or below which this share of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(mbps: float, delay_ms: float, messages: int) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as name:
        link = Emulated(Path(name), mbps, delay_ms)
        try:
            near, far = link.connect()
            delays = []
            for _ in range(messages):
                begin = time.monotonic()
                near.sendall(bytes(MESSAGE_BYTES))
                read_exactly(far, MESSAGE_BYTES)
                delays.append((time.monotonic() - begin) * 1e3)
                time.sleep(0.01)
            seconds = 3.0
            volume = int(mbps * 1e6 / 8 * seconds)
            begin, cpu_before = time.monotonic(), cpu_s(link.process.pid)
            sender = subprocess.Popen(
                [sys.executable, "-c", f"import os\nfor _ in range({volume // 10_000}): "
                 "os.write(0, bytes(10_000))"],
                stdin=near.fileno(),
            )  # fmt: skip
            read_exactly(far, volume // 10_000 * 10_000)
            took = time.monotonic() - begin
            cpu = (cpu_s(link.process.pid) - cpu_before) / took
            sender.wait(5)
            idle_before = cpu_s(link.process.pid)
            time.sleep(3.0)
            idle = (cpu_s(link.process.pid) - idle_before) / 3.0
            near.close()
            far.close()
        finally:
            link.close()
    theory = MESSAGE_BYTES * 8 / (mbps * 1e6) * 1e3 + delay_ms
    # The first bytes of the volume fly one delay longer than the last are served.
    rate = volume // 10_000 * 80_000 / (took - delay_ms / 1e3) / 1e6
    return (
        f"{mbps:6.1f} {delay_ms:6.1f} {theory:8.2f} {statistics.median(delays):8.2f} "
        f"{percentile(delays, 0.95):8.2f} {max(delays):8.2f} {rate:8.2f} {cpu:7.1%} {idle:7.1%}"
    )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100)
    flags = parser.parse_args()
    print(f"{MESSAGE_BYTES} B messages; delays in ms, rates in Mbit/s, CPU of one core")
    print("  rate  delay   theory      p50      p95      max  carried    cpu    idle")
    for mbps, delay_ms in ((1.0, 5.0), (5.0, 20.0), (15.0, 2.0), (50.0, 1.0)):
        print(measure(mbps, delay_ms, flags.messages if mbps > 1 else 20), flush=True)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"children in all: {usage.ru_utime + usage.ru_stime:.1f} s of CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
