"""`verdicts.csv` and `links.csv`: the run as rows, columns as docs/run_folder.md lists them."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from scheduler.messages import LinkRow, Verdict

STAGES = ("encode", "uplink", "queue", "decode", "infer", "downlink", "local")
VERDICT_COLUMNS = (
    "vehicle_id", "camera_id", "tick", "sim_s", "service", "answer", "reason", "placed",
    "placed_reason", "unit_id", "model", "stamp_s", "age_ms", "answer_age_ms", "deadline_ms",
    "is_late", "size_bytes", "boxes", *(f"{stage}_ms" for stage in STAGES), "pipeline",
)  # fmt: skip
LINK_COLUMNS = (
    "vehicle_id", "unit_id", "t_s", "sim_s", "up_bps", "up_delay_ms", "up_loss", "dn_bps",
    "dn_delay_ms", "dn_loss", "snr_db", "state", "up_queue_bytes", "dn_queue_bytes",
)  # fmt: skip


def write_verdicts(path: Path, verdicts: Sequence[Verdict]) -> None:
    """One row per verdict, in the order of their frames."""
    origin_ns = min((verdict.stamp_ns for verdict in verdicts), default=0)
    _write(path, VERDICT_COLUMNS, (_verdict_row(verdict, origin_ns) for verdict in verdicts))


def _verdict_row(verdict: Verdict, origin_ns: int) -> list[object]:
    stages = [
        f"{verdict.stages_ms[stage]:.3f}" if stage in verdict.stages_ms else "" for stage in STAGES
    ]
    return [
        verdict.vehicle_id, verdict.camera_id, verdict.tick, f"{verdict.sim_ns / 1e9:.3f}",
        verdict.service, verdict.answer, verdict.reason, verdict.placed, verdict.placed_reason,
        verdict.unit_id, verdict.model, f"{(verdict.stamp_ns - origin_ns) / 1e9:.6f}",
        f"{verdict.age_ms:.3f}", f"{verdict.answer_age_ms:.3f}",
        f"{(verdict.deadline_ns - verdict.stamp_ns) / 1e6:.3f}", int(verdict.is_late),
        verdict.size_bytes, len(verdict.boxes), *stages, verdict.pipeline,
    ]  # fmt: skip


def write_links(path: Path, rows: Iterable[LinkRow]) -> None:
    """One row per link and 100 ms."""
    _write(path, LINK_COLUMNS, (_link_row(row) for row in rows))


def _link_row(row: LinkRow) -> list[object]:
    return [
        row.vehicle_id, row.unit_id, f"{row.t_s:.3f}", f"{row.sim_ns / 1e9:.3f}",
        f"{row.up_bps:.0f}", f"{row.up_delay_ms:.3f}", f"{row.up_loss:.4f}", f"{row.dn_bps:.0f}",
        f"{row.dn_delay_ms:.3f}", f"{row.dn_loss:.4f}", f"{row.snr_db:.2f}", row.state,
        row.up_queue_bytes, row.dn_queue_bytes,
    ]  # fmt: skip


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
