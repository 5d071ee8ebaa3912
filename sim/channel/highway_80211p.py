"""802.11p beside a motorway, after TR 37.885 highway: `model: highway_80211p`.

Shadowing is correlated over 25 m instead of 10, and path loss in sight grows with the square of
the distance; options as of `urban_80211p`.
"""

from sim.channel.environment import HIGHWAY
from sim.channel.radio_80211p import Radio80211p


class Highway80211p(Radio80211p):
    """The radio between one vehicle and one roadside unit beside a motorway."""

    environment = HIGHWAY
