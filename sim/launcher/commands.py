"""The command line of each instance of a plan."""

from pathlib import Path

from scheduler import processes, tun_addresses
from scheduler.config import Config
from sim.channel.tun_devices import inside
from sim.launcher.plan import Instance
from sim.launcher.supervisor import Child, python
from sim.worlds import town_of


def child_of(instance: Instance, config: Config, folder: Path) -> Child:
    """The child process of an instance, which reads the resolved config in the run folder."""
    name = instance.process.name
    module = instance.process.module
    if name == "world":
        command = python(module, *_world_flags(instance, config))
    else:
        command = python(module, str(folder / "config.yaml"), "--run-folder", str(folder))
        if instance.instance_id:
            command += ["--id", instance.instance_id]
    if name in ("vehicle", "rsu") and processes.is_tun(config):
        command = inside(tun_addresses.namespace(config, instance.instance_id), command)
    return Child(
        instance.name,
        command,
        folder / "logs" / f"{instance.name}.log",
        is_restarted=instance.process.is_restarted,
        has_terminal=name == "dashboard",
    )


def _world_flags(instance: Instance, config: Config) -> list[str]:
    assert config.world is not None
    flags = [
        "--host", config.world.bind.host or "127.0.0.1",
        "--port", str(instance.ports[0]),
        "--streaming-port", str(instance.ports[1]),
        "--town", town_of(config.world.town, config.seed),
        "--seed", str(config.seed),
        "--asset-seed", str(config.world.asset_seed),
        "--instance-ids", config.world.instance_ids,
    ]  # fmt: skip
    return flags if config.world.shadows else [*flags, "--no-shadows"]
