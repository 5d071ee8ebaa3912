"""`vdap link`: the radio between vehicles and roadside units, on this machine.

A TCP proxy that needs no rights (`link.emulator: proxy`), or IP packets between network namespaces
(`link.emulator: tun`, or `--emulator tun`; needs root): both keep the times of `link_model`. Live,
each pair's rate, delay and outages follow from poses and buildings every 100 ms; with `link.trace`
(or `--trace FILE`; `{vehicle}` and `{unit}` in it stand for the ids) a recorded link is replayed.
Each run leaves `link-VEHICLE-UNIT.csv`, a trace, and `link.json`, what it came to.
"""

import argparse
import contextlib
import json
import logging
import os
import selectors
import sys
from collections.abc import Callable
from pathlib import Path

import zmq

from scheduler import processes, telemetry, transport, tun_addresses
from scheduler.clock import NS_PER_S, Clock, MonotonicClock
from scheduler.config import Config, Radio
from scheduler.errors import ConfigError, WireError
from scheduler.replay_start import ReplayStart
from scheduler.security import Site, start_authenticator
from sim.channel.tun_devices import Namespaces, inside
from sim.emulated_link import EmulatedLink, Surroundings, open_link

log = logging.getLogger(__name__)

ROW_NS = 100_000_000
LONGEST_WAIT_S = 0.1
PROCESS = "link"
SELECT_LIMIT = 1000  # descriptors, a little below what select() can watch
SOCKETS_PER_PAIR = 14  # two listeners, both ends of control and frames, and of those before them

Handler = Callable[[int, int], None]


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
        self._namespaces: Namespaces | None = None
        try:
            if config.link is not None and config.link.emulator == "tun":
                self._namespaces = Namespaces(tun_addresses.namespaces(config))
            for vehicle_id, unit_id in processes.pairs(config):
                self.links.append(
                    open_link(config, vehicle_id, unit_id, self._selector, self._run_folder)
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
        due = [at for link in self.links if (at := link.carrier.due_ns()) is not None]
        wait_s = max(0, min([self._row_due_ns, *due]) - now_ns) / NS_PER_S
        for key, mask in self._selector.select(min(wait_s, LONGEST_WAIT_S)):
            handler: Handler = key.data
            handler(mask, self._clock.now_ns())
        now_ns = self._clock.now_ns()
        if now_ns >= self._row_due_ns:
            self._hear()
            self._rows(now_ns)
        for link in self.links:
            link.carrier.pump(now_ns)

    def close(self) -> None:
        """Close every socket and record."""
        for link in self.links:
            link.close()
        self._selector.close()
        if self._namespaces is not None:
            self._namespaces.close()

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


def _be_punctual() -> None:
    """Go before ordinary processes, as a driver would: each sleep ends a packet's delay."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def _say_where(config: Config) -> None:
    """Tell who starts vehicles and units by hand how to."""
    for command, ids in (
        ("rsu", [unit.id for unit in config.roadside_units]),
        ("vehicle", [vehicle.id for vehicle in config.vehicles]),
    ):
        for instance_id in ids:
            start = inside(tun_addresses.namespace(config, instance_id), ["vdap", command, "..."])
            log.info("%s runs as: %s --id %s", instance_id, " ".join(start), instance_id)


def main(argv: list[str] | None = None) -> int:
    """Emulate the links of a config until told to stop."""
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--trace")
    own.add_argument("--emulator", choices=("proxy", "tun"))
    flags, rest = own.parse_known_args(argv)
    if flags.trace is not None:
        rest += ["--set", f"link.trace={json.dumps(str(Path(flags.trace).absolute()))}"]
    if flags.emulator is not None:
        rest += ["--set", f"link.emulator={flags.emulator}"]
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
            if config.link.emulator == "tun":
                _be_punctual()
                _say_where(config)
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
