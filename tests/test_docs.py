"""The code of docs/extending.md runs as it stands there."""

import math
import re
import sys
from pathlib import Path

import pytest
from virtual_drive import FakeLink, VirtualDrive

from scheduler.config import Link, Service
from scheduler.config_file import decode
from scheduler.messages import VERSION, Site
from scheduler.policies import load_policy
from sim import scenarios
from sim.channel import registry
from sim.channel.base import Mover
from sim.ground_truth import PEDESTRIAN
from sim.inprocess_world import InprocessWorld
from vehicle.services.base import Setup
from vehicle.services.registry import load_service

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each Python block of the page as the file that its first line names, importable."""
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        name = re.match(r"# (\w+\.py)\n", block)
        assert name is not None, "every Python block names its file in its first line"
        (tmp_path / name[1]).write_text(block)
        sys.modules.pop(name[1].removesuffix(".py"), None)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_policy_of_the_page_drives(files: Path) -> None:
    policy = load_policy("nearest:Nearest", {"rtt_ms": 15})
    near = VirtualDrive(policy, links={"rsu": FakeLink(delay_ms=3.0)})
    far = VirtualDrive(policy, links={"rsu": FakeLink(delay_ms=12.0)})
    for drive in (near, far):
        drive.frames(20)
        drive.run(4000.0)
        assert drive.dispatcher.counters.late == 0
    assert near.dispatcher.counters.offloaded == 20
    assert far.dispatcher.counters.onboard == 20


def test_the_service_of_the_page_loads(files: Path) -> None:
    section = Service(name="school_zone:SchoolZone", options={"height": 60})
    service = load_service(section, Setup("ego", "front", section.options))
    assert service.trigger == "after:object_detection"


def test_the_channel_of_the_page_answers(files: Path) -> None:
    link = Link(model="disc:Disc", options={"radius": 120})
    channel = registry.load(link, seed=1, vehicle_id="ego", unit_id="rsu")
    site = Site(VERSION, "town", [], [], {})
    assert channel.row(0.0, Mover(0, 0, 0, 0, 0), (100.0, 0.0, 5.0), site).up_bps == 20e6
    assert channel.row(0.1, Mover(0, 0, 0, 0, 0), (130.0, 0.0, 5.0), site).is_outage


def test_the_scenario_of_the_page_moves_its_actor(files: Path) -> None:
    world = InprocessWorld(fixed_delta_s=0.1)
    ego = world.spawn_ego("ego", 0)
    script = scenarios.load("crossing:dog_walker")(world, [ego])
    assert script is not None
    world.apply_control(ego.actor_id, 1.0, 0.0, 0.0)
    places = []
    for _ in range(30):
        seen = world.tick()
        script(seen)
        walker = next(body for body in seen.bodies if body.class_id == PEDESTRIAN)
        places.append((walker.pose.x, walker.pose.y))
    assert math.dist(places[0], places[-1]) > 0.5


def test_the_yaml_of_the_page_is_a_config() -> None:
    import yaml

    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        tree = yaml.safe_load(block)
        for vehicle in tree.get("vehicles", []):
            vehicle["cameras"] = [{"source": "video:x.mp4"}]
        decode(tree, "docs/extending.md")
