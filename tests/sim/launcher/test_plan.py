"""What a drive consists of: adapter, instances, ports, keys."""

import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from scheduler import config_file, processes
from scheduler.config import Bind, Config
from scheduler.errors import CertificateError, ConfigError, MissingPartError, PortInUseError
from scheduler.security import write_site
from sim.launcher import plan as planning
from sim.launcher.plan import make_plan


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


def unit_port(config: Config) -> int | None:
    return config.roadside_units[0].bind.port


def with_unit_port(config: Config, port: int) -> Config:
    unit = msgspec.structs.replace(config.roadside_units[0], bind=Bind(port=port))
    return msgspec.structs.replace(config, roadside_units=[unit])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_plan_lists_every_process_once(config: Config) -> None:
    plan = make_plan(config)
    names = [instance.name for instance in plan.instances]
    assert names == ["bridge", "rsu-rsu1", "link", "vehicle-ego", "dashboard"]
    assert plan.is_whole


def test_only_starts_a_part(config: Config, tmp_path: Path) -> None:
    write_site(tmp_path / "certificates", processes.site_names(config))
    plan = make_plan(config, only=["vehicle"])
    assert [instance.name for instance in plan.instances] == ["vehicle-ego"]
    assert not plan.is_whole


def test_only_refuses_what_is_no_process(config: Config) -> None:
    with pytest.raises(ConfigError, match="--only vehikel: expected some of world, bridge"):
        make_plan(config, only=["vehikel"])


def test_a_taken_port_gives_way_to_a_free_one(config: Config) -> None:
    wish = processes.port_of(config, "rsu", "rsu1", "control")
    try:
        with taken(wish):
            plan = make_plan(config)
    except OSError:
        plan = make_plan(config)  # somebody else holds it, which serves as well
    assert unit_port(plan.config) not in (None, wish)
    assert any(f"port {wish} is taken" in note for note in plan.notes)
    address = processes.address(plan.config, "rsu", "rsu1", "control")
    assert address == f"tcp://127.0.0.1:{unit_port(plan.config)}"


def test_a_fixed_port_that_is_taken_is_an_error(config: Config) -> None:
    port = free_port()
    with taken(port), pytest.raises(PortInUseError, match=f"127.0.0.1:{port} to be free for rsu"):
        make_plan(with_unit_port(config, port))


def test_no_two_processes_get_the_same_port(config: Config) -> None:
    units = [msgspec.structs.replace(config.roadside_units[0], id=name) for name in ("a", "b", "c")]
    plan = make_plan(msgspec.structs.replace(config, roadside_units=units))
    ports = [port for instance in plan.instances for port in instance.ports]
    assert len(ports) == len(set(ports)) == 3 * 2 + 3 * 2


def test_a_foreign_address_is_one_clear_line(config: Config) -> None:
    unit = msgspec.structs.replace(config.roadside_units[0], bind=Bind(host="192.0.2.1"))
    with pytest.raises(ConfigError, match=r"expected an address of this machine, got '192.0.2.1'"):
        make_plan(msgspec.structs.replace(config, roadside_units=[unit]))


def test_missing_keys_are_made_private_and_kept(config: Config, tmp_path: Path) -> None:
    first = make_plan(config)
    secret = tmp_path / "certificates" / "ego.key_secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert any(note.startswith("keys: made") for note in first.notes)
    before = secret.read_bytes()
    second = make_plan(config)
    assert secret.read_bytes() == before
    assert not any(note.startswith("keys") for note in second.notes)


def test_a_part_makes_no_keys_of_its_own(config: Config) -> None:
    with pytest.raises(CertificateError, match="vdap keygen"):
        make_plan(config, only=["vehicle"])


def test_auto_takes_carla_where_its_client_is(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = msgspec.structs.replace(config.world, adapter="auto")
    automatic = msgspec.structs.replace(config, world=world)
    monkeypatch.setattr(planning.importlib.util, "find_spec", lambda name: object())
    plan = make_plan(automatic)
    assert plan.of("world")
    assert plan.config.world is not None
    port = processes.port_of(plan.config, "world", "", "rpc")
    assert plan.config.world.address == f"127.0.0.1:{port}"
    assert plan.of("world")[0].ports == (port, port + 1)


def test_auto_without_the_client_runs_the_world_in_process(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = msgspec.structs.replace(config.world, adapter="auto")
    monkeypatch.setattr(planning.importlib.util, "find_spec", lambda name: None)
    plan = make_plan(msgspec.structs.replace(config, world=world))
    assert not plan.of("world")
    assert plan.config.world is not None and plan.config.world.adapter == "inprocess"
    assert "world: inside the bridge (auto: no carla wheel here)" in plan.notes


def test_carla_without_the_client_names_the_extra(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPartError, match=r"pip install 'vdap\[carla\]'"):
        make_plan(config, world="127.0.0.1:2000")


def test_a_running_world_is_used_and_none_is_started(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning.importlib.util, "find_spec", lambda name: object())
    plan = make_plan(config, world="simulator:2000")
    assert not plan.of("world")
    assert plan.config.world is not None
    assert (plan.config.world.adapter, plan.config.world.address) == ("carla", "simulator:2000")


def test_the_resolved_config_reads_back_the_same(config: Config, tmp_path: Path) -> None:
    plan = make_plan(config)
    (tmp_path / "resolved.yaml").write_text(config_file.dump(plan.config))
    assert config_file.load(str(tmp_path / "resolved.yaml"), environment={}) == plan.config
