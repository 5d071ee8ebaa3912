"""A study's YAML as typed structs; a comment on each field holds its unit.

What a study shares with a drive is written as in a drive's file: `vehicle`, `roadside_units` and
each policy are the very sections of `scheduler.config`.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta, Struct, field

from scheduler.config import Name, NotNegative, Options, Positive, Unit, Vehicle
from scheduler.errors import ConfigError

Share = Annotated[float, Meta(ge=0, le=1)]
Times = Annotated[list[Positive], Meta(min_length=1, max_length=2)]  # median, 99th percentile; ms
Span = tuple[float, float]  # least and most; drawn evenly between them


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all sections: immutable, and a misspelt key is an error."""


HOME = "local_only"  # what the oracle's gain is counted from


class Contender(Section, frozen=True):
    """A policy of the study, as a vehicle's config names it."""

    name: str  # short name, entry point or module:Class
    options: Options = {}
    label: Annotated[str, Meta(max_length=40)] = ""  # in tables; default: the name
    content: bool = True  # false: it is not told how much of the picture has changed

    @property
    def title(self) -> str:
        """How tables call it."""
        return self.label or self.name


class Steady(Section, frozen=True):
    """A link that never changes."""

    mbps: Positive = 20.0  # each way
    delay_ms: NotNegative = 2.0  # each way
    loss: Share = 0.0  # of packets


class Leg(Section, frozen=True):
    """The way to one unit: a radio model along the road, a trace, or a steady link."""

    model: str | None = None  # a channel: short name, entry point or module:Class
    trace: str | None = None  # a CSV instead, entered at a seeded instant; shipped ones by name
    steady: Steady | None = None
    along: float = 0.5  # where the unit stands beside the road: share of the way that is driven
    at: tuple[float, float, float] | None = None  # instead: its antenna, m
    options: Options = {}  # of the channel
    draws: dict[str, Span] = {}  # of these options: drawn anew for each seed
    outage: Literal["hold", "drop"] | None = None  # default: as the trace or channel says
    queue_kib: Positive = 64.0  # per direction


class Road(Section, frozen=True, kw_only=True):
    """One setting of the links; each seed is another drive through it."""

    name: Name
    shape: Literal["straight", "blocks"] = "straight"  # an open road, or streets between houses
    speed: Positive = 30.0  # m/s
    legs: Annotated[dict[Name, Leg], Meta(min_length=1)]  # by unit id


class Bursts(Section, frozen=True):
    """What other vehicles ask of a unit: spells in which its worker is taken again and again."""

    per_minute: NotNegative = 2.0  # on average
    length_s: Span = (1.5, 4.0)
    busy_ms: Span = (40.0, 150.0)  # at a time; one length per spell
    free_ms: NotNegative = 25.0  # between two such times


class Goal(Section, frozen=True, kw_only=True):
    """A figure that the study is held to; its line says met or missed.

    With `against`, the figure is compared with the same one of another policy or link.
    """

    figure: str  # a column of the table: share, utility, f1, in_time, misses, megabytes, ...
    policy: str = ""  # label; default: the first
    link: str = ""  # default: all
    deadline_ms: float | None = None  # default: all
    drive: str = ""  # default: all
    against: dict[Literal["policy", "link"], str] = {}
    by: Literal["value", "difference", "ratio"] = "value"
    least: float | None = None
    most: float | None = None
    over: Literal["mean", "worst"] = "mean"  # of drives


class Study(Section, frozen=True, kw_only=True):
    """Policies x links x seeds x deadlines x drives."""

    name: Name
    about: str = ""
    policies: Annotated[list[Contender], Meta(min_length=1)]  # the first is held against the rest
    links: Annotated[list[Road], Meta(min_length=1)]
    seeds: Annotated[list[int], Meta(min_length=1)] | Annotated[int, Meta(ge=1, le=1000)] = 12
    deadlines_ms: Annotated[list[Positive], Meta(min_length=1)] = field(
        default_factory=lambda: [100.0]
    )
    by_link: bool = False  # a table for each link, instead of one for the drives of all of them
    drives: list[str] = []  # recorded ones; none: placement alone, without pictures
    duration_s: Positive = 58.0  # at most the drive's own
    lead_s: Positive = 0.5  # links are opened so long before the first frame
    vehicle: Vehicle = Vehicle()
    roadside_units: Annotated[list[Unit], Meta(min_length=1)]
    stages_ms: dict[str, Times] = {}
    # ID: a detector on board; UNIT/ID: one at a unit; encode; decode. Default: as measured of the
    # shipped rung on one core, times the vehicle's slowdown on board
    bursts: dict[Name, Bursts] = {}  # by unit id
    age_tau_s: Positive = 2.0  # an answer's worth falls as exp(-age / tau)
    carry_accuracy: Share = 0.2  # F1 of tracks moved without a model
    oracle: bool = True
    states: Annotated[int, Meta(ge=1, le=5000)] = 600  # that the DP oracle keeps per frame
    goals: list[Goal] = []

    @property
    def seed_list(self) -> list[int]:
        """The seeds."""
        return list(range(1, self.seeds + 1)) if isinstance(self.seeds, int) else self.seeds


def shipped() -> list[Path]:
    """Where the package's own studies lie: in a wheel, in a checkout."""
    here = Path(__file__).resolve().parents[2]
    return [here / "scheduler" / "configs" / "experiments", here / "configs" / "experiments"]


def find(name: str) -> Path:
    """The file of a study: a path, or the name of a shipped one.

    Raises:
        ConfigError: there is no such file.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    for folder in shipped():
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = ", ".join(names())
    raise ConfigError(f"expected a YAML file or one of {known}; {name!r} is neither")


def names() -> list[str]:
    """Of all shipped studies."""
    return sorted({file.stem for folder in shipped() for file in folder.glob("*.yaml")})


def load(path: Path) -> Study:
    """Reads and checks a study.

    Raises:
        ConfigError: not YAML, a misspelt key, a value out of bounds, or parts that do not fit.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        study = msgspec.convert(tree, Study)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: expected YAML: {' '.join(str(error).split())}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from None
    _check(study, str(path))
    return study


def _check(study: Study, origin: str) -> None:
    titles = [contender.title for contender in study.policies]
    units = [unit.id for unit in study.roadside_units]
    roads = [road.name for road in study.links]
    for what, names in (("policies", titles), ("roadside_units", units), ("links", roads)):
        if len(set(names)) != len(names):
            raise ConfigError(f"{origin}: {what}: expected each once, got {', '.join(names)}")
    for road in study.links:
        _known(set(road.legs), units, f"{origin}: links: {road.name}: legs")
        for unit_id, leg in road.legs.items():
            if sum(one is not None for one in (leg.model, leg.trace, leg.steady)) != 1:
                where = f"{origin}: links: {road.name}: {unit_id}"
                raise ConfigError(f"{where}: expected a model or a trace or steady")
    _known(set(study.bursts), units, f"{origin}: bursts")
    jobs = [detector.id for detector in study.vehicle.detectors]
    jobs += [f"{unit.id}/{d.id}" for unit in study.roadside_units for d in unit.detectors]
    _known(set(study.stages_ms), [*jobs, "encode", "decode"], f"{origin}: stages_ms")
    for goal in study.goals:
        _known({goal.policy} - {""}, titles, f"{origin}: goals: policy")
        _known({goal.link} - {""}, roads, f"{origin}: goals: link")
        if (goal.by == "value") != (not goal.against) or (goal.least is None) == (
            goal.most is None
        ):
            raise ConfigError(
                f"{origin}: goals: {goal.figure}: expected least or most, and `by` difference or "
                "ratio where it stands against another"
            )
    if len(study.vehicle.cameras) != 1:
        raise ConfigError(f"{origin}: vehicle: expected one camera")


def _known(names: set[str], known: list[str], where: str) -> None:
    if wrong := names - set(known):
        raise ConfigError(
            f"{where}: expected some of {', '.join(known)}, got {', '.join(sorted(wrong))}"
        )


def quick(study: Study) -> Study:
    """The same study with two seeds and short drives: to see that it runs."""
    return msgspec.structs.replace(
        study,
        seeds=study.seed_list[:2],
        duration_s=min(study.duration_s, 8.0),
        states=min(study.states, 100),
        goals=[],
    )


def only(study: Study, titles: list[str]) -> Study:
    """The study with some of its policies, in the order given; without what then has no pair.

    Raises:
        ConfigError: one that it does not have.
    """
    known = {contender.title: contender for contender in study.policies}
    _known(set(titles), list(known), "--only")
    return msgspec.structs.replace(study, policies=[known[title] for title in titles], goals=[])
