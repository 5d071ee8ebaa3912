"""802.11p in a town, after TR 37.885 urban (or, by option, WINNER+ B1): `model: urban_80211p`."""

from sim.channel.environment import URBAN
from sim.channel.radio_80211p import Radio80211p


class Urban80211p(Radio80211p):
    """The radio between one vehicle and one roadside unit beside a street."""

    environment = URBAN
