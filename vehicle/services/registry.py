"""Finds a service by its name in the configuration: short name, entry point or module:Class."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import cast

from scheduler import config
from scheduler.errors import ConfigError, VdapError
from scheduler.plugins import find
from vehicle.services.base import AfterVerdict, EveryFrame, Service, Setup

ENTRY_POINT_GROUP = "vdap.services"
SHORT_NAMES = {
    "object_detection": "vehicle.services.object_detection:ObjectDetection",
    "collision_warning": "vehicle.services.collision_warning:CollisionWarning",
}
EVERY_FRAME = "every_frame"
AFTER = "after:"


def load_service(section: config.Service, setup: Setup) -> Service:
    """The service that a section names, for one camera.

    Raises:
        ConfigError: unknown, not a service, or its options are wrong.
    """
    who = f"service {section.name!r}"
    found = find("service", ENTRY_POINT_GROUP, SHORT_NAMES, section.name)
    try:
        made = cast(Callable[[Setup], object], found)(setup)
    except VdapError:
        raise
    except Exception as error:
        raise ConfigError(f"{who}: {error}") from error
    if isinstance(made, EveryFrame) and made.trigger == EVERY_FRAME:
        return made
    if isinstance(made, AfterVerdict) and made.trigger.startswith(AFTER):
        return made
    raise ConfigError(
        f"{who}: expected name, trigger every_frame with on_answer and boxes, "
        f"or trigger after:NAME with on_verdict; {type(made).__name__} has neither"
    )


def heads_of(service: Service) -> tuple[str, ...]:
    """The further results that a service asks for.

    Raises:
        ConfigError: It asks, and has no `on_heads` to take them.
    """
    heads = tuple(getattr(service, "heads", ()))
    if heads and not callable(getattr(service, "on_heads", None)):
        raise ConfigError(f"service {service.name!r} asks for heads and has no method on_heads")
    return heads


class ServiceSet:
    """The services of one camera.

    Attributes:
        every_frame: Those that owe a verdict for each frame, by name.
        heads: Further results that any of them asks for, each once.
    """

    def __init__(self, sections: Sequence[config.Service], vehicle_id: str, camera_id: str) -> None:
        """Loads all of them.

        Raises:
            ConfigError: one of them is wrong, or follows a service that is not there.
        """
        self.every_frame: dict[str, EveryFrame] = {}
        self._followers: dict[str, list[AfterVerdict]] = {}
        for section in sections:
            made = load_service(section, Setup(vehicle_id, camera_id, section.options))
            if isinstance(made, EveryFrame):
                if made.name in self.every_frame:
                    raise ConfigError(f"service {made.name!r} is listed twice")
                self.every_frame[made.name] = made
            else:
                followed = made.trigger.removeprefix(AFTER)
                self._followers.setdefault(followed, []).append(made)
        services: list[Service] = [*self.every_frame.values()]
        services += [follower for each in self._followers.values() for follower in each]
        self._asking = [(service, wanted) for service in services if (wanted := heads_of(service))]
        self.heads = tuple(dict.fromkeys(head for _, wanted in self._asking for head in wanted))
        missing = sorted(set(self._followers) - set(self.every_frame))
        if missing:
            name = self._followers[missing[0]][0].name
            raise ConfigError(
                f"service {name!r} follows {missing[0]!r}, which is not among the services"
            )

    def takers(self, results: Mapping[str, bytes]) -> Iterator[tuple[str, Callable[[int], None]]]:
        """The services that asked for any of these results: name, and what gives it its own."""
        for service, wanted in self._asking:
            own = {head: results[head] for head in wanted if head in results}
            if own:
                yield service.name, partial(service.on_heads, own)  # type: ignore[union-attr]

    def followers(self, name: str) -> list[AfterVerdict]:
        """Those that act on the verdicts of service `name`."""
        return self._followers.get(name, [])
