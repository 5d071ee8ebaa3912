"""What vehicles on simulated time leave in the run folder: as deployed ones, without pictures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
from mcap.writer import CompressionType, Writer

from scheduler.messages import LinkRow, Verdict
from sim.channel.base import LinkState
from sim.channel.link_model import Outage
from sim.channel.trace import TraceWriter
from sim.lockstep.held import HeldVehicle


class HeldLog:
    """One vehicle's `run.mcap`: its verdicts; times are simulated nanoseconds."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._writer = Writer(self._file, compression=CompressionType.ZSTD)
        self._writer.start(profile="", library="vdap")
        self._encoder = msgspec.json.Encoder()
        self._channels: dict[str, int] = {}
        self._schema = self._writer.register_schema(
            name="Verdict", encoding="jsonschema", data=b'{"title":"Verdict","type":"object"}'
        )

    def write(self, verdict: Verdict) -> None:
        """Append one."""
        topic = f"verdict/{verdict.vehicle_id}/{verdict.camera_id}/{verdict.service}"
        if topic not in self._channels:
            self._channels[topic] = self._writer.register_channel(
                topic=topic, message_encoding="json", schema_id=self._schema
            )
        at_ns = verdict.emitted_ns
        self._writer.add_message(
            self._channels[topic], log_time=at_ns, publish_time=at_ns,
            data=self._encoder.encode(verdict),
        )  # fmt: skip

    def close(self) -> None:
        """Finish the file."""
        self._writer.finish()
        self._file.close()


class HeldLink:
    """One link's rows as a trace, and what the link came to."""

    def __init__(self, path: Path | None, outage: Outage) -> None:
        self._writer = TraceWriter(path, outage=outage) if path is not None else None
        self._rows = 0
        self._out = 0
        self._bits = 0.0

    def write(self, t_s: float, state: LinkState) -> None:
        """Append one row."""
        if self._writer is not None:
            self._writer.write(t_s, state)
        if state.state != "unknown":
            self._rows += 1
            self._out += state.is_outage
            self._bits += state.up_bps

    def summary(self) -> dict[str, object]:
        """As the link emulator's."""
        known = max(1, self._rows)
        return {
            "rows": self._rows,
            "outage_share": self._out / known if self._rows else None,
            "mean_up_mbps": self._bits / known / 1e6 if self._rows else None,
        }

    def close(self) -> None:
        """Write the rest."""
        if self._writer is not None:
            self._writer.close()


def row_of(vehicle_id: str, link_id: str, sim_ns: int, t_s: float, state: LinkState) -> LinkRow:
    """The message of a row."""
    return LinkRow(
        1, vehicle_id, link_id, t_s, sim_ns, state.up_bps, state.up_delay_ms, state.up_loss,
        state.dn_bps, state.dn_delay_ms, state.dn_loss, state.snr_db, state.state, 0, 0,
    )  # fmt: skip


def counters(held: HeldVehicle, verdicts: list[Verdict]) -> dict[str, object]:
    """The final counters of a vehicle, as `vehicle-<id>.json` has them."""
    counts = held.dispatcher.counters
    offload = counts.offload
    span_ns = verdicts[-1].stamp_ns - verdicts[0].stamp_ns if verdicts else 0
    frames = len({(verdict.camera_id, verdict.tick) for verdict in verdicts})
    return {
        "captured": frames,
        "missed_upstream": 0,
        "verdicts": counts.verdicts,
        "late": sum(verdict.is_late for verdict in verdicts),
        "answers": dict(Counter(verdict.answer for verdict in verdicts)),
        "offload": {
            name: getattr(offload, name) for name in ("sent", "ok", "late", "rejected", "lost")
        },
        "fps": (frames - 1) / (span_ns / 1e9) if span_ns else 0.0,
        "faults": {"policy": counts.policy_faults, "worker": counts.local_faults},
        "models": dict.fromkeys((model.model for model in held.spec.onboard), "in simulated time"),
    }
