"""CURVE keys, the allow-list and the ZAP authenticator; `vdap keygen` writes a site's keys.

A certificates folder holds `<name>.key` (public, z85, one line), `<name>.key_secret` (mode 600)
and `allowed.yaml`, which says who may connect and as what: `{name: {role, key}}`. Clients pin the
server's key from the same list, never from discovery (reference network.md 4.4).
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from scheduler.config import Config
from scheduler.errors import CertificateError, MissingPartError

ALLOWED_FILE = "allowed.yaml"
ROLES = ("vehicle", "roadside_unit", "bridge", "link", "launcher", "dashboard")


@dataclass(frozen=True, slots=True)
class Keys:
    """One CURVE key pair, z85 bytes."""

    public: bytes
    secret: bytes


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody the site knows."""

    name: str
    role: str
    key: bytes


def require_curve() -> None:
    """Refuse to run on a libzmq without CURVE."""
    if not zmq.has("curve"):
        raise MissingPartError(
            "expected a libzmq with CURVE, this pyzmq has none: pip install --force-reinstall pyzmq"
        )


class Site:
    """The certificates folder of one machine."""

    def __init__(self, folder: Path, *, look_every_ns: int = 0) -> None:
        """`look_every_ns`: how long a change of the allow-list may go unseen; 0 = not at all."""
        self.folder = folder
        self._look_every_ns, self._look_due_ns = look_every_ns, 0
        self._stamp = -1
        self._allowed = os.fspath(folder / ALLOWED_FILE)
        self._peers: dict[str, Peer] = {}
        self._by_key: dict[bytes, Peer] = {}

    def keys(self, name: str) -> Keys:
        """Our own key pair.

        Raises:
            CertificateError: no such pair, or the secret is readable by others.
        """
        secret_path = self.folder / f"{name}.key_secret"
        try:
            secret = secret_path.read_bytes().strip()
            public = (self.folder / f"{name}.key").read_bytes().strip()
        except OSError as error:
            raise CertificateError(
                f"expected a key pair for {name!r} in {self.folder}/ ({error.strerror}): "
                "make it with `vdap keygen CONFIG`"
            ) from None
        if len(secret) != 40 or len(public) != 40:
            raise CertificateError(f"expected 40 z85 characters in {secret_path} and its .key")
        if secret_path.stat().st_mode & 0o077:
            raise CertificateError(f"{secret_path} is readable by others: chmod 600 {secret_path}")
        if not _belong_together(public, secret):
            raise CertificateError(
                f"{secret_path} does not belong to {name}.key: put the right pair there, or remove "
                "both and make a new one with `vdap keygen CONFIG`"
            )
        return Keys(public, secret)

    def peer(self, name: str) -> Peer:
        """A peer of the allow-list.

        Raises:
            CertificateError: the list does not name it.
        """
        self._reload()
        if name not in self._peers:
            raise CertificateError(
                f"expected {name!r} in {self.folder / ALLOWED_FILE}, which lists "
                f"{', '.join(sorted(self._peers)) or 'nobody'}: add it with `vdap keygen CONFIG`"
            )
        return self._peers[name]

    def by_key(self, key: bytes) -> Peer | None:
        """Who holds this public key (z85), by the list as it stands now; None = nobody known."""
        self._reload()
        return self._by_key.get(key)

    def _reload(self) -> None:
        if self._look_every_ns:
            now_ns = time.monotonic_ns()
            if now_ns < self._look_due_ns:
                return
            self._look_due_ns = now_ns + self._look_every_ns
        try:
            # Path's own is ten times slower.
            stamp = os.stat(self._allowed).st_mtime_ns  # noqa: PTH116
            if stamp == self._stamp:
                return
            path = self.folder / ALLOWED_FILE
            listed = yaml.safe_load(path.read_text()) or {}
            peers = {
                str(name): Peer(str(name), str(entry["role"]), str(entry["key"]).encode())
                for name, entry in listed.items()
            }
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            if self._peers:
                return  # a half-written list: keep the one that was good
            raise CertificateError(
                f"expected {self._allowed} to map names to {{role, key}} ({error}): "
                "write it with `vdap keygen CONFIG`"
            ) from None
        self._by_key = {peer.key: peer for peer in peers.values()}
        self._peers = peers
        self._stamp = stamp  # last: the authenticator's thread looks here as well


def _belong_together(public: bytes, secret: bytes) -> bool:
    try:
        return bytes(zmq.curve_public(secret)) == public
    except (ValueError, zmq.ZMQError):  # not z85
        return False


class _AllowList:
    """pyzmq's credentials provider; it is handed the z85 key."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def callback(self, domain: str, key: bytes) -> bool:
        return self._site.by_key(bytes(key)) is not None


def is_guarded(config: Config, address: str) -> bool:
    """Whether a socket speaks CURVE: over TCP always, but for what `insecure_loopback` allows."""
    is_open = config.security.insecure_loopback and address.startswith("tcp://127.")
    return address.startswith("tcp://") and not is_open


def client_keys(
    config: Config, address: str, name: str, server: str
) -> tuple[Keys | None, bytes | None]:
    """Our pair and the server's key for a connection; None where it goes without CURVE.

    Args:
        config: Says where the certificates are.
        address: Unix sockets need none: their folder is private.
        name: Who we are.
        server: Who is there.

    Raises:
        CertificateError: one of them is missing.
    """
    if not is_guarded(config, address):
        return None, None
    site = Site(config.path(config.security.certificates))
    return site.keys(name), site.peer(server).key


def start_authenticator(
    context: "zmq.Context[zmq.Socket[bytes]]", site: Site
) -> ThreadAuthenticator:
    """Admit only the allow-list's keys; start it before any CURVE server binds."""
    require_curve()
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    # The domain is literal, not a wildcard: it must be the sockets' own `zap_domain`.
    authenticator.configure_curve_callback(domain="vdap", credentials_provider=_AllowList(site))
    return authenticator


def write_site(folder: Path, names: Iterable[tuple[str, str]]) -> list[str]:
    """Make the missing key pairs of `(name, role)` and list them; existing pairs are kept.

    Returns:
        The names for which a pair was made.
    """
    require_curve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / ALLOWED_FILE
    listed = (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}
    made = []
    for name, role in names:
        public_path, secret_path = folder / f"{name}.key", folder / f"{name}.key_secret"
        if not secret_path.exists():
            public, secret = zmq.curve_keypair()
            descriptor = os.open(secret_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secret + b"\n")
            public_path.write_bytes(public + b"\n")
            made.append(name)
        listed[name] = {"role": role, "key": public_path.read_text().strip()}
    scratch = path.with_suffix(".part")
    scratch.write_text(yaml.safe_dump(listed, sort_keys=True))
    scratch.replace(path)
    return made


def main(argv: list[str] | None = None) -> int:
    """`vdap keygen CONFIG`: keys for every vehicle, unit and process that the config names."""
    from scheduler import config_file, processes

    parser = argparse.ArgumentParser(prog="vdap keygen", description=main.__doc__)
    parser.add_argument("config", help="YAML file, or the name of a shipped one")
    parser.add_argument("--folder", type=Path, help="where to write (default: the config's)")
    arguments = parser.parse_args(argv)
    loaded = config_file.load(arguments.config)
    folder = arguments.folder or Path(loaded.security.certificates)
    names = processes.site_names(loaded)
    made = write_site(folder, names)
    kept = len(names) - len(made)
    sys.stdout.write(f"{folder}: made {', '.join(made) or 'no new key'}; kept {kept}\n")
    return 0


if __name__ == "__main__":
    from scheduler.processes import entry

    sys.exit(entry(main))
