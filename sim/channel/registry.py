"""Finds a channel by short name, entry point or module:Class, as the link's config names it."""

from typing import cast

from scheduler import plugins
from scheduler.config import Radio
from scheduler.errors import ConfigError
from sim.channel.base import Channel, outage_of
from sim.channel.link_model import Outage

ENTRY_POINT_GROUP = "vdap.channels"
BUILT_IN = {
    "urban_80211p": "sim.channel.urban_80211p:Urban80211p",
    "highway_80211p": "sim.channel.highway_80211p:Highway80211p",
    "nr_uu": "sim.channel.nr_uu:NrUu",
    "nr_uma": "sim.channel.nr_uma:NrUma",
    "lte_cloud": "sim.channel.lte_cloud:LteCloud",
}


def outage(radio: Radio) -> Outage:
    """What becomes of packets in an outage of a live channel: as the config says, else its class.

    Raises:
        ConfigError: unknown name, or a class that cannot be imported.
    """
    return outage_of(
        plugins.find("channel", ENTRY_POINT_GROUP, BUILT_IN, radio.model), radio.outage
    )


def load(radio: Radio, *, seed: int, vehicle_id: str, unit_id: str) -> Channel:
    """The channel of one pair.

    Raises:
        ConfigError: unknown name, a class that cannot be imported, or wrong options.
    """
    build = plugins.find("channel", ENTRY_POINT_GROUP, BUILT_IN, radio.model)
    try:
        channel = build(radio.options, seed=seed, vehicle_id=vehicle_id, unit_id=unit_id)
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"link.options of {radio.model!r}: {error}") from None
    if not callable(getattr(channel, "row", None)):
        raise ConfigError(f"link.model {radio.model!r}: expected an object with `row`, it has none")
    return cast(Channel, channel)
