"""`vdap link`: the radio between vehicles and roadside units, as a TCP proxy on this machine.

Live, each pair's rate, delay and outages follow from poses and buildings every 100 ms; with
`link.trace` (or `--trace FILE`; `{vehicle}` and `{unit}` in it stand for the ids) a recorded link
is replayed. Each run leaves `link-VEHICLE-UNIT.csv`, a trace, and `link.json`, what it came to.
"""

import argparse
import json
import logging
import math
import selectors
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import zmq

from scheduler import messages, paths, processes, telemetry, transport
from scheduler.clock import NS_PER_S, Clock, MonotonicClock
from scheduler.config import Config, Radio
from scheduler.errors import ConfigError, WireError
from scheduler.replay_start import ReplayStart
from scheduler.security import Site, start_authenticator
from sim.channel import registry
from sim.channel.base import UNKNOWN, Channel, LinkState, Mover, SeesTraffic, outage_of
from sim.channel.link_model import LinkModel
from sim.channel.proxy import Proxy
from sim.channel.trace import Trace, TraceWriter

log = logging.getLogger(__name__)

ROW_NS = 100_000_000
FLUSH_ROWS = 10  # a killed run loses a second of its trace at most
LONGEST_WAIT_S = 0.1
PROCESS = "link"
SELECT_LIMIT = 1000  # descriptors, a little below what select() can watch
SOCKETS_PER_PAIR = 14  # two listeners, both ends of control and frames, and of those before them

Handler = Callable[[int, int], None]


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
    """One (vehicle, unit) pair: its channel, its proxy, its record."""

    def __init__(
        self, vehicle_id: str, unit_id: str, channel: Channel, proxy: Proxy, folder: Path | None
    ) -> None:
        self.vehicle_id = vehicle_id
        self.unit_id = unit_id  # the link's, which names the radio where there are two
        self._unit = paths.unit_of(unit_id)
        self.proxy = proxy
        self._channel = channel
        self._state = UNKNOWN
        self._states: Counter[str] = Counter()
        self._outages: Counter[str] = Counter()
        self._expected = 0.0
        self._expected_rows = 0
        self._up_bits = 0.0
        self._writer: TraceWriter | None = None
        if folder is not None:
            self._writer = TraceWriter(folder / f"link-{vehicle_id}-{paths.file_name(unit_id)}.csv")

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
        self.proxy.apply(now_ns, state)
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
            self.proxy.up.waiting_bytes, self.proxy.dn.waiting_bytes,
        )  # fmt: skip

    def begin(self, begin_ns: int) -> None:
        """The link's trace, if it has one, begins at this instant; else the clock of its rows."""
        self.proxy.begin(begin_ns)

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
            "bytes_up": self.proxy.bytes_up,
            "bytes_dn": self.proxy.bytes_dn,
            "resets": self.proxy.resets,
        }

    def close(self) -> None:
        """Close the connections and the record."""
        self.proxy.close()
        if self._writer is not None:
            self._writer.close()

    def _count(self, state: LinkState) -> None:
        self._states[state.state] += 1
        self._outages[state.state] += state.is_outage
        self._up_bits += state.up_bps
        if state.expected_outage is not None:
            self._expected += state.expected_outage
            self._expected_rows += 1


class Emulator:
    """All links of a config in one thread."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        publisher: telemetry.Publisher,
        bridge: "zmq.Socket[bytes] | None",
        run_folder: Path | None,
    ) -> None:
        self._selector = _selector(len(processes.pairs(config)))
        self._clock = clock
        self._publisher = publisher
        self._bridge = bridge
        self._run_folder = run_folder
        self._around = Surroundings(
            {u.id: place for u in config.roadside_units if (place := u.place) is not None}
        )
        self.links: list[EmulatedLink] = []
        try:
            for vehicle_id, unit_id in processes.pairs(config):
                self.links.append(
                    _link(config, vehicle_id, unit_id, self._selector, self._run_folder)
                )
        except Exception:
            self.close()
            raise
        if bridge is not None:
            # Its descriptor tells of a change once; what it misses is read with the next row.
            self._selector.register(
                int(bridge.fd), selectors.EVENT_READ, lambda mask, now_ns: self._hear()
            )
        self.started_ns = clock.now_ns()
        self._row_due_ns = self.started_ns
        replay = config.replay
        self._replay = None if replay is None else ReplayStart(config.path(replay.start))
        self._trace_ns: int | None = None  # when traces begin
        if replay is None:
            self._begin_traces(self.started_ns)

    def turn(self) -> None:
        """Wait for what comes first, and do all that is due."""
        now_ns = self._clock.now_ns()
        due = [at for link in self.links if (at := link.proxy.due_ns()) is not None]
        wait_s = max(0, min([self._row_due_ns, *due]) - now_ns) / NS_PER_S
        for key, mask in self._selector.select(min(wait_s, LONGEST_WAIT_S)):
            handler: Handler = key.data
            handler(mask, self._clock.now_ns())
        now_ns = self._clock.now_ns()
        if now_ns >= self._row_due_ns:
            self._hear()
            self._rows(now_ns)
        for link in self.links:
            link.proxy.pump(now_ns)

    def close(self) -> None:
        """Close every socket and record."""
        for link in self.links:
            link.close()
        self._selector.close()

    def summary(self) -> dict[str, dict[str, object]]:
        """Per pair (`VEHICLE.UNIT`), see `EmulatedLink.summary`."""
        return {f"{link.vehicle_id}.{link.unit_id}": link.summary() for link in self.links}

    def report(self) -> None:
        """Say and write what the links came to."""
        summary = self.summary()
        for name, values in summary.items():
            share = values["outage_share"]
            said = "no pose came" if share is None else f"outage {share:.1%} of the time"
            expected = values["expected_outage_share"]
            by_model = "" if expected is None else f" (the model expects {expected:.1%})"
            self._publisher.event("info", f"link {name}: {said}{by_model}")
        if self._run_folder is not None:
            text = json.dumps(summary, indent=1) + "\n"
            (self._run_folder / "link.json").write_text(text, encoding="utf-8")

    def _rows(self, now_ns: int) -> None:
        trace_s = self._trace_s()
        t_s = round((self._row_due_ns - self.started_ns) / NS_PER_S, 3)
        for link in self.links:
            row = link.step(now_ns, t_s, self._around, trace_s)
            self._publisher.publish(row, link.vehicle_id, link.unit_id)
        missed = (now_ns - self._row_due_ns) // ROW_NS
        self._row_due_ns += ROW_NS * (1 + missed)

    def _trace_s(self) -> float | None:
        """Where traces are at the row that is due; None before they begin."""
        if self._trace_ns is None and self._replay is not None:
            begin_ns = self._replay.ns()
            if begin_ns is not None:  # from now on rows change where the trace's do
                self._begin_traces(begin_ns)
                self._row_due_ns -= (self._row_due_ns - begin_ns) % ROW_NS
        if self._trace_ns is None or self._row_due_ns < self._trace_ns:
            return None
        return round((self._row_due_ns - self._trace_ns) / NS_PER_S, 3)

    def _begin_traces(self, begin_ns: int) -> None:
        self._trace_ns = begin_ns
        for link in self.links:
            link.begin(begin_ns)

    def _hear(self) -> None:
        while self._bridge is not None and (parts := transport.receive(self._bridge)) is not None:
            try:
                _, message, _ = telemetry.read(parts)
            except WireError as error:
                log.debug("from the bridge: %s", error)
                continue
            self._around.hear(message)


def _selector(pairs: int) -> selectors.BaseSelector:
    """Epoll's time-outs are whole milliseconds, too coarse for a delay of two; select's are not."""
    is_small = pairs * SOCKETS_PER_PAIR < SELECT_LIMIT
    return selectors.SelectSelector() if is_small else selectors.DefaultSelector()


def _link(
    config: Config,
    vehicle_id: str,
    unit_id: str,
    selector: selectors.BaseSelector,
    folder: Path | None,
) -> EmulatedLink:
    radio, name = config.radio(unit_id), f"{vehicle_id}.{unit_id}"
    routes = [
        (
            _endpoint(processes.address(config, "link", name, socket, is_bind=True)),
            _endpoint(processes.address(config, "rsu", paths.unit_of(unit_id), socket)),
        )
        for socket in ("control", "frames")
    ]
    channel = _channel(config, radio, vehicle_id, unit_id)
    limit_bytes = round(radio.queue_kib * 1024)
    model = LinkModel.of(
        channel if isinstance(channel, Trace) else None,
        limit_bytes=limit_bytes,
        outage=outage_of(channel, radio.outage),
        seed=f"{config.seed}/{name}",
    )
    proxy = Proxy(selector, name, routes, model, limit_bytes=limit_bytes)
    return EmulatedLink(vehicle_id, unit_id, channel, proxy, folder)


def _channel(config: Config, radio: Radio, vehicle_id: str, unit_id: str) -> Channel:
    if radio.trace is not None:
        name = radio.trace.replace("{vehicle}", vehicle_id)
        name = name.replace("{unit}", paths.file_name(unit_id))
        return Trace(config.path(name))
    return registry.load(radio, seed=config.seed, vehicle_id=vehicle_id, unit_id=unit_id)


def _endpoint(address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return host, int(port)


def _radios(config: Config) -> list[Radio]:
    return [config.radio(link_id) for _, link_id in processes.pairs(config)]


def _connect_bridge(
    config: Config, context: "zmq.Context[zmq.Socket[bytes]]"
) -> "zmq.Socket[bytes] | None":
    if config.world is None or all(radio.trace is not None for radio in _radios(config)):
        return None
    return telemetry.subscribe(
        context, config, "bridge", "", ["pose/", "site", "traffic"], name=PROCESS
    )


def main(argv: list[str] | None = None) -> int:
    """Emulate the links of a config until told to stop."""
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--trace")
    flags, rest = own.parse_known_args(argv)
    if flags.trace is not None:
        rest += ["--set", f"link.trace={json.dumps(str(Path(flags.trace).absolute()))}"]
    start = processes.parse("link", rest)
    config = start.config
    if config.link is None or not config.roadside_units:
        raise ConfigError("expected `link` and `roadside_units` in the config: nothing to emulate")
    if config.world is None and any(radio.trace is None for radio in _radios(config)):
        raise ConfigError("expected link.trace: without a world no pose tells where vehicles are")
    stop = processes.Stop()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
    first = ".".join(processes.pairs(config)[0])
    address = processes.address(config, "link", first, "telemetry", is_bind=True)
    keys, authenticator = None, None
    if address.startswith("tcp://") and not config.security.insecure_loopback:
        site = Site(config.path(config.security.certificates))
        keys, authenticator = site.keys(PROCESS), start_authenticator(context, site)
    try:
        publisher = telemetry.Publisher(transport.bind_publisher(context, address, keys), PROCESS)
        bridge = _connect_bridge(config, context)
        emulator = Emulator(config, MonotonicClock(), publisher, bridge, start.run_folder)
        try:
            processes.ready()
            while not stop:
                emulator.turn()
            emulator.report()
        finally:
            emulator.close()
    finally:
        if authenticator is not None:
            authenticator.stop()
        context.destroy(linger=0)
    return 0


if __name__ == "__main__":
    sys.exit(processes.entry(main))
