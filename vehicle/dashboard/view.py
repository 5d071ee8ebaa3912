"""Draws what is known of a drive for a terminal of any size from 80 x 24 up."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from scheduler import paths
from scheduler.clock import NS_PER_S
from scheduler.config import Config
from scheduler.messages import Verdict
from scheduler.placement import split_name
from vehicle.dashboard.state import STALE_NS, LinkView, ServiceView, State

ANSWERS = {"offloaded": "#5b9bff", "onboard": "#f2a33a", "carried": "#8b95a1"}
GOOD, BAD, WARN, DIM = "#3fb68b", "#e5534b", "#e3b341", "#7d8590"
PROCESS_STYLES = {"running": GOOD, "starting": WARN, "restarting": WARN, "stopped": DIM}
SHORT = {"connecting": "wait"}
BLOCKS = "▁▂▃▄▅▆▇█"
STAGES = ("encode", "uplink", "queue", "decode", "infer", "downlink", "local")
FLATTERED_BELOW = 0.95  # real_time_factor
LEAST_SCALE_MBPS = 6.0  # full width of a rate bar, until a link is faster


def draw(state: State, config: Config, now_ns: int, width: int, height: int) -> RenderableType:
    """The whole dashboard, cut to the terminal; events take the rows that are left."""
    for is_tight in (False, True):
        lines: list[RenderableType] = [_header(state, config, now_ns, width)]
        for vehicle in config.vehicles:
            lines += _vehicle(state, config, vehicle.id, now_ns, width, is_tight)
        lines += [_section("processes"), _processes(state, width)]
        room = height - 2 - sum(2 if isinstance(each, Table) else 1 for each in lines)
        if room > 0:
            break
    events = _events(state, now_ns, room, width)
    if events:
        lines += [_section("events"), *events]
    return Group(*lines)


def _section(title: str) -> Rule:
    return Rule(Text(title, style=f"bold {DIM}"), align="left", style="#30363d", characters="─")


def _header(state: State, config: Config, now_ns: int, width: int) -> Text:
    seconds = (now_ns - state.started_ns) / NS_PER_S
    if state.world is not None:
        seconds = state.world.sim_ns / NS_PER_S
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f" {config.name} ", style="bold black on #5b9bff")
    text.append(f"  {seconds:.0f} of {config.duration_s:g} s", style="bold")
    if state.world is not None:
        factor = state.world.real_time_factor
        is_slow = factor < FLATTERED_BELOW
        text.append("  real time ", style=DIM)
        text.append(f"{factor:.2f}", style=f"bold {BAD}" if is_slow else GOOD)
        if is_slow:
            text.append(" latencies are flattered", style=BAD)
        text.append(f"  world {state.world.adapter}", style=DIM)
    return text


def _vehicle(
    state: State, config: Config, vehicle_id: str, now_ns: int, width: int, is_tight: bool
) -> list[RenderableType]:
    """A vehicle's rows; `is_tight` leaves out what a small terminal has no room for."""
    section = config.vehicle(vehicle_id)
    lines: list[RenderableType] = [_section(_vehicle_title(state, config, vehicle_id))]
    status = state.vehicles.get(vehicle_id)
    services = [view for key, view in state.services.items() if key[0] == vehicle_id]
    for view in services:
        lines.append(_service(view, now_ns, section.deadline_ms))
        if not is_tight:
            lines.append(_strip(view, now_ns, width))
    if not services:
        lines.append(Text(" waiting for frames", style=DIM))
    links = [(unit, view) for (owner, unit), view in state.links.items() if owner == vehicle_id]
    scale = max([LEAST_SCALE_MBPS, *(rate for _, view in links for rate in view.history)])
    lines += [_link(state, unit, view, scale, now_ns, width) for unit, view in sorted(links)]
    if status is not None:
        if not is_tight:
            lines.append(_stages(status.stages_ms))
        lines.append(_counters(state, vehicle_id))
    return lines


def _vehicle_title(state: State, config: Config, vehicle_id: str) -> str:
    section = config.vehicle(vehicle_id)
    status = state.vehicles.get(vehicle_id)
    parts = [vehicle_id]
    if status is not None:
        pose = state.speeds.get(vehicle_id)
        speed = pose.speed if pose is not None else status.speed
        parts += [f"{status.fps:.1f} fps", f"{speed:.1f} m/s", status.policy]
    parts.append(f"{section.deadline_ms:g} ms")
    compute = section.compute
    is_native = compute.slowdown == 1
    parts.append("compute native" if is_native else f"compute 1/{compute.slowdown:g}")
    return " · ".join([*parts, f"{compute.threads} thr, {compute.watts:g} W"])


def _service(view: ServiceView, now_ns: int, deadline_ms: float) -> Text:
    """Where, why and how old."""
    last = view.last
    style = ANSWERS[last.answer]
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f" {last.service}", style="bold")
    text.append(f" {last.camera_id}  ", style=DIM)
    text.append(_where(last), style=f"bold {style}")
    is_old = last.answer_age_ms > deadline_ms
    text.append(f"  {last.answer_age_ms:.0f} ms", style=WARN if is_old else GOOD)
    text.append(f"  {len(last.boxes)} objects", style="default")
    why = last.placed_reason if last.reason in ("", "as placed") else last.reason
    text.append(f"  {why}", style=DIM)
    if now_ns - view.heard_ns > STALE_NS:
        text.append("  silent", style=f"bold {BAD}")
    return text


def _where(last: Verdict) -> str:
    """Who answered, and by which pipeline where that is not plain."""
    if last.answer == "carried":
        return "carried"
    where = last.unit_id if last.answer == "offloaded" else "on board"
    if last.pipeline == "split" and last.answer == "offloaded":
        return f"{where}/{split_name(last.model)}"
    is_escalated = last.pipeline == "escalate" and last.answer == "offloaded"
    return f"{where}/{last.model}{' after a first look' if is_escalated else ''}"


def _strip(view: ServiceView, now_ns: int, width: int) -> Text:
    """Who answered, a mark per verdict, and the shares of the last ten seconds."""
    text = Text(" ", no_wrap=True, overflow="crop")
    shares = [(answer, view.share(answer, now_ns)) for answer in ANSWERS]
    tail = Text()
    for answer, share in shares:
        tail.append(f" {answer} ", style=ANSWERS[answer])
        tail.append(f"{share:.0%}")
    room = max(10, width - 2 - tail.cell_len - 1)
    for _, answer, _ in list(view.answers)[-room:]:
        text.append("▄" if answer != "carried" else "▁", style=ANSWERS[answer])
    text.append(" " * max(0, room - len(view.answers)))
    text.append_text(tail)
    return text


def _link(
    state: State, unit_id: str, view: LinkView, scale: float, now_ns: int, width: int
) -> Text:
    """State, rate bar, history, round trip, load and outcomes of one link."""
    status = view.status
    name = status.state if status is not None else "?"
    if now_ns - view.heard_ns > STALE_NS:
        name = "silent"
    style = {"up": GOOD, "connecting": WARN, "silent": BAD, "closed": DIM}.get(name, BAD)
    rate = view.rate_mbps()
    text = Text(no_wrap=True, overflow="crop")
    text.append(f" {unit_id:<8.8}", style="bold")
    text.append(f" {SHORT.get(name, name):<6.6} ", style=style)
    text.append_text(_bar(rate / scale, 6, style if rate > 0 else DIM))
    text.append(f" {rate:4.1f} Mb/s ")
    room = max(6, min(60, width - 75))
    text.append(f"{sparkline(view.history, room, scale):<{room}}", style=GOOD)
    if status is not None:
        text.append(f" rtt {status.rtt_ms:>3.0f} ms", style=DIM)
        text.append(f" {status.in_flight}/{status.credits} fly", style=DIM)
        text.append(f" {status.ok} ok", style="default")
        text.append(f" {status.late} late {status.rejected + status.lost} lost", style=DIM)
    unit = state.units.get(paths.unit_of(unit_id))
    if unit is not None and width >= 100:
        text.append(f" busy {unit.busy_share:.0%}", style=DIM)
    return text


def _bar(part: float, cells: int, style: str) -> Text:
    full = round(max(0.0, min(1.0, part)) * cells)
    return Text("━" * full, style=style) + Text("━" * (cells - full), style="#30363d")


def sparkline(values: Sequence[float] | Iterable[float], cells: int, top: float) -> str:
    """The newest `cells` values as blocks; nothing at all is a space."""
    shown = list(values)[-cells:]
    marks = []
    for value in shown:
        level = min(len(BLOCKS) - 1, int(value / top * len(BLOCKS))) if top > 0 else 0
        marks.append(BLOCKS[level] if value > 0 else " ")
    return "".join(marks)


def _stages(stages_ms: dict[str, tuple[float, float]]) -> Table:
    """Names over p50/p99 of the last ten seconds."""
    known = [name for name in STAGES if name in stages_ms]
    known += sorted(set(stages_ms) - set(known))
    table = Table.grid(padding=(0, 1, 0, 1))
    table.add_column(style=DIM)
    for _ in known:
        table.add_column(justify="right", no_wrap=True)
    table.add_row("stage", *(Text(name, style=DIM) for name in known))
    values = (f"{p50:.0f}/{p99:.0f}" for p50, p99 in (stages_ms[name] for name in known))
    table.add_row("p50/p99 ms", *values)
    return table


def _counters(state: State, vehicle_id: str) -> Text:
    status = state.vehicles[vehicle_id]
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    text.append(f"{status.captured}", style="bold").append(" frames ", style=DIM)
    text.append(f"{status.verdicts}", style="bold").append(" verdicts ", style=DIM)
    text.append(f"{status.late}", style=f"bold {BAD}" if status.late else "bold")
    text.append(" late", style=DIM)
    for answer, style in ANSWERS.items():
        text.append(f"  {answer} ", style=style).append(str(status.answers.get(answer, 0)))
    if status.missed_upstream:
        text.append(f"  missed {status.missed_upstream}", style=WARN)
    for fault, number in status.faults.items():
        if number:
            text.append(f"  {fault} {number}", style=WARN)
    return text


def _processes(state: State, width: int) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for process in state.processes.values():
        style = PROCESS_STYLES.get(process.state, BAD)
        text.append(" ●", style=style)
        text.append(f" {process.name}")
        if process.state != "running":
            text.append(f" {process.state}", style=style)
        if process.restarts:
            text.append(f" x{process.restarts + 1}", style=WARN)
    return text if state.processes else Text(" started elsewhere", style=DIM)


def _events(state: State, now_ns: int, rows: int, width: int) -> list[Text]:
    styles = {"info": "default", "warning": WARN, "error": BAD}
    lines: list[Text] = []
    if rows <= 0:
        return lines
    for heard_ns, event in list(state.events)[:rows]:
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f" {(now_ns - heard_ns) / NS_PER_S:3.0f} s ago ", style=DIM)
        text.append(f"{event.process} ", style="bold")
        text.append(event.text, style=styles[event.level])
        lines.append(text)
    return lines or [Text(" none yet", style=DIM)]


def line(state: State, config: Config, now_ns: int) -> str:
    """The drive in one line, for where there is no terminal."""
    seconds = state.world.sim_ns / NS_PER_S if state.world else (now_ns - state.started_ns) / 1e9
    parts = [f"{seconds:5.1f} s"]
    for vehicle in config.vehicles:
        status = state.vehicles.get(vehicle.id)
        if status is None:
            parts.append(f"{vehicle.id} waiting")
            continue
        answers = " ".join(f"{status.answers.get(answer, 0)} {answer}" for answer in ANSWERS)
        parts.append(
            f"{vehicle.id} {status.fps:.1f} fps, {status.verdicts} verdicts ({answers}), "
            f"{status.late} late"
        )
        for (owner, _, _), view in state.services.items():
            if owner == vehicle.id:
                last = view.last
                where = _where(last)
                parts.append(f"{where} {last.answer_age_ms:.0f} ms")
    for (_, unit), link in sorted(state.links.items()):
        name = link.status.state if link.status else "?"
        parts.append(f"{unit} {name} {link.rate_mbps():.1f} Mbit/s")
    if state.world is not None and state.world.real_time_factor < FLATTERED_BELOW:
        parts.append(f"real time {state.world.real_time_factor:.2f}!")
    return " | ".join(parts)
