"""Names and addresses where links are TUN devices between network namespaces.

Every vehicle and every unit has a namespace of its own. A unit listens at one address there; each
link has an address at the vehicle's end, by which replies find their way back through it, and by
which two links to one unit are told apart.
"""

from scheduler.config import Config

PER_OCTET = 250
MOST_LINKS = PER_OCTET * PER_OCTET


def namespace(config: Config, instance_id: str) -> str:
    """The network namespace of a vehicle or unit; drives side by side differ by the link's port."""
    port = config.link.bind.port if config.link is not None else None
    return f"vdap{port if port is not None else ''}-{instance_id}"


def namespaces(config: Config) -> dict[str, str | None]:
    """Of all vehicles and units, with the address at which a unit listens."""
    ends: dict[str, str | None] = {namespace(config, v.id): None for v in config.vehicles}
    for index, unit in enumerate(config.roadside_units):
        ends[namespace(config, unit.id)] = unit_host(index)
    return ends


def device(link_index: int) -> str:
    """The TUN device at both ends of a link."""
    return f"link{link_index}"


def vehicle_host(link_index: int) -> str:
    """The vehicle's address on a link."""
    return f"10.77.{link_index // PER_OCTET}.{link_index % PER_OCTET + 1}"


def unit_host(unit_index: int) -> str:
    """Where a unit listens, in its namespace."""
    return f"10.78.{unit_index // PER_OCTET}.{unit_index % PER_OCTET + 1}"
