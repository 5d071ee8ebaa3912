"""Plain CARLA client scripts, of the kind found in tutorials, unchanged against our server."""

import importlib.util
import signal
import time

import pytest

from .conftest import Server

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("carla") is None, reason="the carla wheel is not installed"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("numba") is None, reason="pictures need the engine extra"
    ),
]


def test_snapshot_and_world_queries(server_process):
    assert "ok" in server_process.run_script("snapshot_listing.py")


def test_spawn_autopilot_camera_save_image(server_process, free_port, tmp_path):
    port = free_port()
    out = server_process.run_script("tutorial.py", "--tm-port", port, "--out", tmp_path)
    assert "pictures" in out
    picture = sorted(tmp_path.glob("*.png"))[0]
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_synchronous_mode_with_five_cameras(server_process):
    assert "slow camera frames" in server_process.run_script("synchronous_mode.py")


def test_traffic_lights(server_process, free_port):
    assert "went on" in server_process.run_script("traffic_lights.py", "--tm-port", free_port())


def test_batch_of_traffic(server_process, free_port):
    assert "refused: Spawn failed" in server_process.run_script(
        "generate_traffic.py", "--tm-port", free_port()
    )


def test_instance_segmentation_and_collision(server_process):
    assert "hit vehicle.audi.tt" in server_process.run_script("instance_segmentation.py")


def test_calls_about_the_level_and_its_episodes(lazy_server):
    assert "ok" in lazy_server.run_script("world_calls.py")


@pytest.mark.slow
def test_engine_ids_are_not_actor_ids():
    server = Server("--instance-ids", "engine", "--no-shadows")
    try:
        assert "hit" in server.run_script("instance_segmentation.py", "--expect", "engine")
    finally:
        assert server.stop()[0] == 0


def test_stopped_client_with_a_camera_does_not_stop_the_world(server_process, free_port, tmp_path):
    flags = ("--tm-port", free_port(), "--out", tmp_path)
    stopped = server_process.start_script("tutorial.py", *flags)
    try:
        end = time.monotonic() + 30.0
        while not list(tmp_path.glob("*.png")) and time.monotonic() < end:
            time.sleep(0.01)
        stopped.send_signal(signal.SIGSTOP)
        assert "ok" in server_process.run_script("snapshot_listing.py")
        stopped.send_signal(signal.SIGCONT)
        out, log = stopped.communicate(timeout=30)
        assert stopped.returncode == 0, out + log
    finally:
        stopped.kill()
        stopped.communicate()
