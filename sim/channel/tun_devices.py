"""Network namespaces, TUN devices in them, and their removal whatever becomes of us.

Linux, root and `/dev/net/tun` only; `ip` of iproute2 does the work.
"""

import ctypes
import fcntl
import logging
import os
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from scheduler.errors import ConfigError

log = logging.getLogger(__name__)

TUN = Path("/dev/net/tun")
NAMESPACES = Path("/var/run/netns")
TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN_NO_PI = 0x1001  # IP packets, without a header of the device's own
CLONE_NEWNET = 0x40000000  # linux/sched.h
MTU = 1500
RULE_TABLE = 1000  # of link 0; link k has its own routing table, this + k
COMMAND_S = 10.0


def missing() -> str | None:
    """What stands against TUN devices here; None where they work."""
    if not TUN.exists():
        return "expected /dev/net/tun (on Linux; in a container: --device /dev/net/tun)"
    if os.geteuid() != 0:
        return "expected root (or CAP_NET_ADMIN and CAP_SYS_ADMIN as root of a container)"
    if shutil.which("ip") is None:
        return "expected the `ip` command (iproute2)"
    return None


def inside(namespace: str, command: Sequence[str]) -> list[str]:
    """The command line that runs a command in a namespace."""
    return ["ip", "netns", "exec", namespace, *command]


class Namespaces:
    """Network namespaces that exist as long as this object, or at the longest this process.

    Those that exist already are somebody else's (the launcher's, when the link process opens its
    devices in them) and stay. Even when this process is killed its own are removed: a shell waits
    for the end of a pipe that only this process holds.
    """

    def __init__(self, hosts: Mapping[str, str | None]) -> None:
        """Makes the namespaces that do not exist yet, with their loopback up.

        Args:
            hosts: By name, the address at which somebody will listen there, if anybody.

        Raises:
            ConfigError: they cannot be made here.
        """
        if (why := missing()) is not None:
            raise ConfigError(f"link.emulator tun: {why}; `link.emulator: proxy` needs neither")
        self.own: list[str] = []
        self._guard: subprocess.Popen[bytes] | None = None
        wanted = [name for name in hosts if not (NAMESPACES / name).exists()]
        if not wanted:
            return
        self._guard = _guard(wanted)
        try:
            for name in wanted:
                _ip("netns", "add", name)
                self.own.append(name)
                _ip("-n", name, "link", "set", "lo", "up")
                if (host := hosts[name]) is not None:
                    _ip("-n", name, "addr", "add", f"{host}/32", "dev", "lo")
        except ConfigError:
            self.close()
            raise

    def close(self) -> None:
        """Remove those that this object made."""
        self.own.clear()
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()  # the shell's cue
            self._guard.wait(COMMAND_S)
            self._guard = None


def open_tun(
    namespace: str, device: str, address: str, peers: Sequence[str], table: int | None
) -> int:
    """A TUN device in a namespace; its descriptor, which holds it alive, does not block.

    Args:
        address: Of this end; `ip` does not mind if the namespace has it already.
        peers: Hosts that lie behind the device.
        table: The routing table of what is sent from `address`, where several devices lead to the
            same host; the main table leads through the first. None = no such table.

    Raises:
        ConfigError: it cannot be made.
    """
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(os.fspath(NAMESPACES / namespace))
        try:
            opened = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            request = struct.pack("16sH22s", device.encode(), IFF_TUN_NO_PI, b"")
            try:
                fcntl.ioctl(opened, TUNSETIFF, request)
            except OSError:
                os.close(opened)
                raise
        finally:
            _enter(f"/proc/self/fd/{home}")
    except OSError as error:
        raise ConfigError(f"link.emulator tun: no device in {namespace}: {error}") from None
    finally:
        os.close(home)
    at = ("-n", namespace)
    try:
        _ip(*at, "addr", "replace", f"{address}/32", "dev", device)
        _ip(*at, "link", "set", device, "addrgenmode", "none")  # no packets but the user's
        _ip(*at, "link", "set", device, "up", "mtu", str(MTU))
        for peer in peers:
            _ip(*at, "route", "append", peer, "dev", device, "src", address)
            if table is not None:
                _ip(*at, "route", "replace", peer, "dev", device, "src", address,
                    "table", str(table))  # fmt: skip
        if table is not None:
            _ip(*at, "rule", "add", "from", address, "table", str(table), "pref", str(table))
    except ConfigError:
        os.close(opened)
        raise
    return opened


def _guard(names: Sequence[str]) -> "subprocess.Popen[bytes]":
    removal = "; ".join(f"ip netns del {name} 2>/dev/null" for name in names)
    return subprocess.Popen(
        ["/bin/sh", "-c", f"trap '' INT TERM HUP; read line; {removal}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # whoever ends our group does not end it
    )


def _enter(path: str) -> None:
    """Take this thread to a namespace."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, f"setns: {os.strerror(number)}")
    finally:
        os.close(descriptor)


def _ip(*arguments: str) -> None:
    done = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, timeout=COMMAND_S, check=False
    )
    if done.returncode:
        raise ConfigError(
            f"link.emulator tun: `ip {' '.join(arguments)}` said: {done.stderr.strip()}"
        )
