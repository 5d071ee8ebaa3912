"""One emulated link: its channel, what carries its bytes or packets, and its record."""

import math
import os
import selectors
from collections import Counter
from pathlib import Path

from scheduler import messages, paths, processes, tun_addresses
from scheduler.config import Config, Radio
from scheduler.errors import ConfigError
from sim.channel import registry
from sim.channel.base import UNKNOWN, Channel, LinkState, Mover, SeesTraffic, outage_of
from sim.channel.link_model import LinkModel
from sim.channel.proxy import Proxy
from sim.channel.trace import Trace, TraceWriter
from sim.channel.tun import TunLink
from sim.channel.tun_devices import RULE_TABLE, open_tun

FLUSH_ROWS = 10  # a killed run loses a second of its trace at most


class Surroundings:
    """What the bridge last said about vehicles, units and buildings."""

    def __init__(self, units: dict[str, messages.Metres3]) -> None:
        self.site = messages.Site(messages.VERSION, "", [], [], {})
        self.has_site = False
        self.traffic: list[messages.Obstacle] | None = None  # not known
        self._units = units
        self._poses: dict[str, messages.Pose] = {}

    def hear(self, message: object) -> None:
        """Keep a pose, a site or the traffic."""
        if isinstance(message, messages.Pose):
            self._poses[message.vehicle_id] = message
        elif isinstance(message, messages.Traffic):
            self.traffic = message.obstacles
        elif isinstance(message, messages.Site):
            self.site = message
            self.has_site = True
            self._units.update({unit.unit_id: unit.position for unit in message.units})

    def between(
        self, vehicle_id: str, unit_id: str
    ) -> tuple[Mover, messages.Metres3, messages.Pose] | None:
        """Where both ends of a link are; None while that is not known."""
        pose, unit = self._poses.get(vehicle_id), self._units.get(unit_id)
        if pose is None or unit is None or not self.has_site:
            return None
        yaw = pose.rotation[2]
        velocity = (pose.speed * math.cos(yaw), pose.speed * math.sin(yaw))
        return Mover(*pose.position, *velocity), unit, pose


class EmulatedLink:
    """One (vehicle, unit) pair: its channel, what carries its bytes, its record."""

    def __init__(
        self,
        vehicle_id: str,
        unit_id: str,
        channel: Channel,
        carrier: Proxy | TunLink,
        record: TraceWriter | None,
    ) -> None:
        self.vehicle_id = vehicle_id
        self.unit_id = unit_id  # the link's, which names the radio where there are two
        self._unit = paths.unit_of(unit_id)
        self.carrier = carrier
        self._channel = channel
        self._state = UNKNOWN
        self._states: Counter[str] = Counter()
        self._outages: Counter[str] = Counter()
        self._expected = 0.0
        self._expected_rows = 0
        self._up_bits = 0.0
        self._writer = record

    def step(
        self, now_ns: int, t_s: float, around: Surroundings, trace_s: float | None
    ) -> messages.LinkRow:
        """Compute, apply and record the row that begins now.

        Args:
            trace_s: Where a trace is; None before its beginning.
        """
        pose = None
        state = UNKNOWN
        if isinstance(self._channel, Trace):
            state = self._channel.at(trace_s) if trace_s is not None else UNKNOWN
        elif (known := around.between(self.vehicle_id, self._unit)) is not None:
            mover, unit, pose = known
            if around.traffic is not None and isinstance(self._channel, SeesTraffic):
                self._channel.see(around.traffic)
            state = self._channel.row(t_s, mover, unit, around.site)
        self.carrier.apply(now_ns, state)
        self._count(state)
        if self._writer is not None:
            self._writer.write(t_s, state)
            if sum(self._states.values()) % FLUSH_ROWS == 0:
                self._writer.flush()
        return messages.LinkRow(
            messages.VERSION, self.vehicle_id, self.unit_id, t_s,
            pose.sim_ns if pose is not None else 0,
            state.up_bps, state.up_delay_ms, state.up_loss,
            state.dn_bps, state.dn_delay_ms, state.dn_loss,
            state.snr_db, state.state,
            self.carrier.up.waiting_bytes, self.carrier.dn.waiting_bytes,
        )  # fmt: skip

    def begin(self, begin_ns: int) -> None:
        """The link's trace, if it has one, begins at this instant; else the clock of its rows."""
        self.carrier.begin(begin_ns)

    def summary(self) -> dict[str, object]:
        """What the link was like, from the first row on that knew where the vehicle is.

        `outage_share` is what happened; `expected_outage_share` is the mean of the model's own
        probability along the way, null without a model.
        """
        known = {name: rows for name, rows in self._states.items() if name != UNKNOWN.state}
        rows = sum(known.values())
        outages = sum(self._outages[name] for name in known)
        return {
            "rows": rows,
            "unknown_rows": self._states[UNKNOWN.state],
            "outage_share": outages / rows if rows else None,
            "expected_outage_share": (
                self._expected / self._expected_rows if self._expected_rows else None
            ),
            "state_share": {name: count / rows for name, count in sorted(known.items())},
            "outage_share_by_state": {
                name: self._outages[name] / count for name, count in sorted(known.items())
            },
            "mean_up_mbps": self._up_bits / rows / 1e6 if rows else None,
            "bytes_up": self.carrier.bytes_up,
            "bytes_dn": self.carrier.bytes_dn,
            "resets": self.carrier.resets,
            **(self.carrier.counters() if isinstance(self.carrier, TunLink) else {}),
        }

    def close(self) -> None:
        """Close the connections and the record."""
        self.carrier.close()
        if self._writer is not None:
            self._writer.close()

    def _count(self, state: LinkState) -> None:
        self._states[state.state] += 1
        self._outages[state.state] += state.is_outage
        self._up_bits += state.up_bps
        if state.expected_outage is not None:
            self._expected += state.expected_outage
            self._expected_rows += 1


def open_link(
    config: Config,
    vehicle_id: str,
    unit_id: str,
    selector: selectors.BaseSelector,
    folder: Path | None,
) -> EmulatedLink:
    """Begin to carry one link.

    Raises:
        PortInUseError: somebody listens at an address of the proxy's.
        ConfigError: no such trace or channel, or no TUN device here.
    """
    radio, name = config.radio(unit_id), f"{vehicle_id}.{unit_id}"
    channel = _channel(config, radio, vehicle_id, unit_id)
    limit_bytes = round(radio.queue_kib * 1024)
    outage = outage_of(channel, radio.outage)
    model = LinkModel.of(
        channel if isinstance(channel, Trace) else None,
        limit_bytes=limit_bytes,
        outage=outage,
        seed=f"{config.seed}/{name}",
    )
    carrier: Proxy | TunLink
    if config.link is not None and config.link.emulator == "tun":
        devices = _devices(config, vehicle_id, unit_id)
        carrier = TunLink(selector, name, devices, model, limit_bytes=limit_bytes)
    else:
        routes = _routes(config, name, paths.unit_of(unit_id))
        carrier = Proxy(selector, name, routes, model, limit_bytes=limit_bytes)
    record: TraceWriter | None = None
    if folder is not None:
        path = folder / f"link-{vehicle_id}-{paths.file_name(unit_id)}.csv"
        record = TraceWriter(path, outage=outage)
    return EmulatedLink(vehicle_id, unit_id, channel, carrier, record)


def _routes(
    config: Config, name: str, unit_id: str
) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    """(listen at, forward to) of the proxy of a link."""
    return [
        (
            _endpoint(processes.address(config, "link", name, socket, is_bind=True)),
            _endpoint(processes.address(config, "rsu", unit_id, socket)),
        )
        for socket in ("control", "frames")
    ]


def _devices(config: Config, vehicle_id: str, unit_id: str) -> tuple[int, int]:
    """Both TUN devices of a link, in the namespaces of its ends."""
    index = processes.pairs(config).index((vehicle_id, unit_id))
    at_unit = paths.unit_of(unit_id)
    unit_index = [unit.id for unit in config.roadside_units].index(at_unit)
    unit_host, vehicle_host = tun_addresses.unit_host(unit_index), tun_addresses.vehicle_host(index)
    device = tun_addresses.device(index)
    unit_namespace = tun_addresses.namespace(config, at_unit)
    near = open_tun(
        tun_addresses.namespace(config, vehicle_id), device, vehicle_host, [unit_host],
        table=RULE_TABLE + index,
    )  # fmt: skip
    try:
        far = open_tun(unit_namespace, device, unit_host, [vehicle_host], table=None)
    except ConfigError:
        os.close(near)
        raise
    return near, far


def _channel(config: Config, radio: Radio, vehicle_id: str, unit_id: str) -> Channel:
    if radio.trace is not None:
        name = radio.trace.replace("{vehicle}", vehicle_id)
        name = name.replace("{unit}", paths.file_name(unit_id))
        return Trace(config.path(name))
    return registry.load(radio, seed=config.seed, vehicle_id=vehicle_id, unit_id=unit_id)


def _endpoint(address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return host, int(port)
