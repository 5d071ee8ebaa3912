import os
import socket
import stat
import time
from pathlib import Path

import pytest
import yaml
import zmq

from scheduler import security, transport
from scheduler.config import Config, Security
from scheduler.errors import CertificateError
from scheduler.security import Keys, Site, client_keys, start_authenticator, write_site

from .sockets import keeping_context

NAMES = [("rsu", "roadside_unit"), ("ego", "vehicle")]
WAIT_MS = 2000


@pytest.fixture
def site(tmp_path):
    write_site(tmp_path / "certificates", NAMES)
    return Site(tmp_path / "certificates")


@pytest.fixture
def context():
    with keeping_context() as made:
        yield made


@pytest.fixture
def server(site, context):
    """A CURVE server and its address."""
    authenticator = start_authenticator(context, site)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    yield transport.bind_router(context, address, site.keys("rsu")), address
    authenticator.stop()


def gets_through(context, server, keys, server_key):
    router, address = server
    dealer = transport.connect_dealer(context, address, keys, server_key)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        if transport.send(dealer, [b"hello"]):
            return bool(router.poll(WAIT_MS))
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("address", "is_insecure", "is_guarded"),
    [
        ("ipc:///tmp/x/bridge-frames", False, False),
        ("tcp://127.0.0.1:5700", False, True),
        ("tcp://127.0.0.1:5700", True, False),
        ("tcp://192.0.2.1:5700", True, True),
    ],
)
def test_only_loopback_can_go_without_curve(tmp_path, site, address, is_insecure, is_guarded):
    section = Security(certificates=str(tmp_path / "certificates"), insecure_loopback=is_insecure)
    keys, server_key = client_keys(Config(security=section), address, "ego", "rsu")
    assert (keys is not None, server_key is not None) == (is_guarded, is_guarded)


def test_known_key_gets_through(context, server, site):
    assert gets_through(context, server, site.keys("ego"), site.peer("rsu").key)


def test_identity_is_the_key_in_z85(context, server, site):
    assert gets_through(context, server, site.keys("ego"), site.peer("rsu").key)
    frames = server[0].recv_multipart(copy=False)
    assert site.by_key(frames[-1].get("User-Id").encode()).name == "ego"


def test_unknown_key_is_refused(context, server, site):
    assert not gets_through(context, server, Keys(*zmq.curve_keypair()), site.peer("rsu").key)


def test_wrong_server_key_is_refused(context, server, site):
    assert not gets_through(context, server, site.keys("ego"), zmq.curve_keypair()[0])


def test_peer_without_curve_is_refused(context, server):
    assert not gets_through(context, server, None, None)


def test_oversized_handshake_is_cut_off(server):
    """Before authentication: MAXMSGSIZE must bound what a stranger makes the server hold."""
    host, port = server[1].removeprefix("tcp://").split(":")
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(15) + b"\x00" + bytes(31)
    with socket.create_connection((host, int(port)), 3) as stranger:
        stranger.settimeout(3)
        stranger.sendall(greeting)
        huge = b"\x06" + (300_000_000).to_bytes(8, "big")  # a command of 300 MB
        sent = 0
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            stranger.sendall(huge)
            while sent < 50_000_000:
                sent += stranger.send(bytes(65_536))
        assert sent < 20_000_000


def test_good_client_connects_while_others_stall(context, server, site):
    host, port = server[1].removeprefix("tcp://").split(":")
    idle = [socket.create_connection((host, int(port)), 3) for _ in range(100)]
    try:
        assert gets_through(context, server, site.keys("ego"), site.peer("rsu").key)
    finally:
        for stranger in idle:
            stranger.close()


def test_secrets_are_private_and_keys_are_kept(tmp_path):
    folder = tmp_path / "certificates"
    assert write_site(folder, NAMES) == ["rsu", "ego"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "ego.key_secret").stat().st_mode) == 0o600
    before = Site(folder).keys("ego")
    assert write_site(folder, [*NAMES, ("new", "vehicle")]) == ["new"]
    assert Site(folder).keys("ego") == before
    assert Site(folder).peer("new").role == "vehicle"
    assert before.public == Site(folder).peer("ego").key


def test_readable_secret_is_refused(site):
    path = site.folder / "ego.key_secret"
    path.chmod(0o644)
    with pytest.raises(CertificateError, match="chmod 600"):
        site.keys("ego")


def test_missing_or_broken_key_says_what_to_do(site):
    with pytest.raises(CertificateError, match="vdap keygen"):
        site.keys("nobody")
    with pytest.raises(CertificateError, match="lists ego, rsu"):
        site.peer("nobody")
    (site.folder / "ego.key_secret").write_text("short")
    with pytest.raises(CertificateError, match="40 z85"):
        site.keys("ego")


def test_missing_list_is_one_clear_line(tmp_path):
    with pytest.raises(CertificateError, match=r"allowed\.yaml"):
        Site(tmp_path).peer("ego")


def test_revocation_works_at_once_and_a_half_written_list_does_not_lock_out(site):
    key = site.keys("ego").public
    path = site.folder / security.ALLOWED_FILE
    assert site.by_key(key).name == "ego"
    listed = yaml.safe_load(path.read_text())
    path.write_text("ego: {role: vehi")
    os.utime(path, ns=(1, 1))
    assert site.by_key(key).name == "ego"
    del listed["ego"]
    path.write_text(yaml.safe_dump(listed))
    os.utime(path, ns=(2, 2))
    assert site.by_key(key) is None


def test_keygen_makes_every_key_of_a_config(tmp_path, capsys):
    config = tmp_path / "drive.yaml"
    config.write_text(
        "vehicles: [{id: ego, cameras: [{source: 'video:x.mp4'}]}]\n"
        "roadside_units: [{id: rsu, along: {count: 2}}]\nlink: {}\n"
    )
    folder = tmp_path / "keys"
    assert security.main([str(config), "--folder", str(folder)]) == 0
    assert "made ego, rsu1, rsu2" in capsys.readouterr().out
    listed = yaml.safe_load((folder / security.ALLOWED_FILE).read_text())
    roles = {name: entry["role"] for name, entry in listed.items()}
    assert roles["ego"] == "vehicle" and roles["rsu2"] == "roadside_unit"
    assert {"bridge", "link", "launcher", "dashboard"} < set(roles)
    assert security.main([str(config), "--folder", str(folder)]) == 0
    assert "made no new key; kept 7" in capsys.readouterr().out
    assert all(Site(folder).keys(name).public for name in roles)


def test_allow_list_names_no_secret(site):
    text = Path(site.folder / security.ALLOWED_FILE).read_text()
    assert site.keys("ego").secret.decode() not in text
