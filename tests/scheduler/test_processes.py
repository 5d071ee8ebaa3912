"""The table of processes: addresses, ports, the `vdap` command."""

import importlib.util
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from scheduler import config_file, processes
from scheduler.config import Bind, Config
from scheduler.errors import ConfigError

REPOSITORY = Path(__file__).parents[2]
RUN = "import sys; from scheduler.processes import main; sys.exit(main())"  # the console script


@pytest.fixture
def config(tmp_path: Path) -> Config:
    tree = {
        "world": {},
        "vehicles": [{"id": "a"}, {"id": "b"}],
        "roadside_units": [{"id": "r"}, {"id": "s"}],
        "link": {},
        "ipc_folder": str(tmp_path),
    }
    return config_file.decode(tree, "here")


def vdap(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_every_command_has_its_module() -> None:
    for name, module, _ in processes.COMMANDS:
        assert importlib.util.find_spec(module) is not None, name


def test_every_module_of_a_process_runs_as_main() -> None:
    for name, module, _ in processes.COMMANDS:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        if spec.submodule_search_locations is not None:
            assert importlib.util.find_spec(f"{module}.__main__") is not None, name


def test_ports_of_all_instances_differ(config: Config) -> None:
    ports = [
        processes.port_of(config, "rsu", unit, socket)
        for unit in ("r", "s")
        for socket in processes.by_name("rsu").sockets
    ]
    ports += [
        processes.port_of(config, "link", f"{vehicle}.{unit}", socket)
        for vehicle, unit in processes.pairs(config)
        for socket in processes.by_name("link").sockets
    ]
    assert len(set(ports)) == len(ports) == 6 + 12
    assert processes.port_of(config, "vehicle", "b", "telemetry") == 5620


def test_local_sockets_are_unix_and_offload_is_tcp(config: Config, tmp_path: Path) -> None:
    assert processes.address(config, "bridge", "", "frames") == f"ipc://{tmp_path}/bridge-frames"
    assert processes.address(config, "rsu", "r", "control") == "tcp://127.0.0.1:5700"
    assert processes.address(config, "rsu", "r", "telemetry").startswith("ipc://")


def test_a_host_makes_it_tcp_and_connect_is_what_others_use(config: Config) -> None:
    bind = Bind(host="127.0.0.2", port=7000, connect="198.51.100.4")
    bridge = msgspec.structs.replace(config.bridge, bind=bind)
    config = msgspec.structs.replace(config, bridge=bridge)
    listens = processes.address(config, "bridge", "", "feedback", is_bind=True)
    assert listens == "tcp://127.0.0.2:7001"
    assert processes.address(config, "bridge", "", "feedback") == "tcp://198.51.100.4:7001"


def test_the_world_takes_the_port_of_its_section(config: Config) -> None:
    assert processes.port_of(config, "world", "", "rpc") == 2000
    world = msgspec.structs.replace(config.world, bind=Bind(port=2100))
    config = msgspec.structs.replace(config, world=world)
    assert processes.port_of(config, "world", "", "streaming") == 2101


def test_unix_sockets_need_a_resolved_config(config: Config) -> None:
    config = msgspec.structs.replace(config, ipc_folder=None)
    with pytest.raises(ConfigError, match="ipc_folder"):
        processes.address(config, "bridge", "", "frames")


def test_resolve_gives_a_private_folder_once(config: Config) -> None:
    resolved = processes.resolve(msgspec.structs.replace(config, ipc_folder=None))
    assert resolved.ipc_folder is not None
    folder = Path(resolved.ipc_folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert processes.resolve(resolved) == resolved
    folder.rmdir()


def test_the_private_folder_goes_with_its_process() -> None:
    code = (
        "from scheduler import config, processes as p; print(p.resolve(config.Config()).ipc_folder)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("/"), done.stderr
    assert not Path(done.stdout.strip()).exists()


def test_everybody_who_needs_a_key_is_named_once(config: Config) -> None:
    names = [name for name, _ in processes.site_names(config)]
    assert sorted(names) == ["a", "b", "bridge", "dashboard", "launcher", "link", "r", "s"]


def test_help_lists_every_command() -> None:
    done = vdap("--help")
    assert done.returncode == 0
    assert all(f"  {name}" in done.stdout for name, _, _ in processes.COMMANDS)


def test_an_unknown_command_is_one_clear_line() -> None:
    done = vdap("rnu")
    assert done.returncode == 2
    assert done.stderr.startswith("vdap: expected one of run, world")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["run", "dashboard", "bridge", "vehicle", "rsu", "link"])
def test_help_of_a_command_says_how_to_use_it(command: str) -> None:
    done = vdap(command, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: vdap {command}")


@pytest.mark.parametrize(("handler", "expected"), [("SIG_DFL", "True"), ("SIG_IGN", "False")])
def test_a_closed_terminal_stops_a_process_unless_it_was_told_to_go_on(handler, expected):
    code = (
        "import os, signal; from scheduler.processes import Stop; "
        f"signal.signal(signal.SIGHUP, signal.{handler}); stop = Stop(); "
        "os.kill(os.getpid(), signal.SIGHUP); print(bool(stop))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == expected, done.stderr
