"""What `vdap run` prints: the table of processes once, and at the end the summary."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from scheduler import processes
from sim.evaluation.report import sum_up
from sim.launcher.plan import Instance, Plan


def show_plan(console: Console, plan: Plan, folder: Path) -> None:
    """Print who runs, where it listens, and what was decided."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("process", "listens at", "log"):
        table.add_column(column, no_wrap=True)
    for instance in plan.instances:
        listens = _listens(plan, instance)
        log = f"logs/{instance.name}.log"
        is_shown = instance.process.name == "dashboard"
        table.add_row(instance.name, listens, "this terminal" if is_shown else log)
    console.print(
        f"[bold]{plan.config.name}[/bold]: {plan.config.duration_s:g} s, run folder {folder}"
    )
    console.print(table)
    for note in plan.notes:
        console.print(note, markup=False)
    for vehicle in (plan.config.vehicle(own.instance_id) for own in plan.of("vehicle")):
        compute = vehicle.compute
        console.print(
            f"compute profile of {vehicle.id}: {compute.slowdown:g} times slower than this "
            f"machine, {compute.threads} thread(s), {compute.watts:g} W",
            markup=False,
        )


def _listens(plan: Plan, instance: Instance) -> str:
    if instance.process.name == "dashboard":
        return ""
    if instance.process.name == "world":
        return f"tcp {' '.join(map(str, instance.ports))}"
    found = []
    if instance.ports:
        low, high = min(instance.ports), max(instance.ports)
        found.append(f"tcp {low}" if low == high else f"tcp {low}-{high}")
    row = instance.process
    is_link = row.name == "link"
    pairs = processes.pairs(plan.config)
    some_id = ".".join(pairs[0]) if is_link and pairs else instance.instance_id
    if any(
        processes.address(plan.config, row.name, some_id, socket).startswith("ipc:")
        for socket in row.sockets
    ):
        found.append("unix sockets")
    return ", ".join(found)


def show_summary(
    console: Console, folder: Path, *, is_quick: bool = False, has_failed: bool = False
) -> None:
    """Sum the run folder up; a drive that failed before its first frame is not shown."""
    sum_up(folder, console, is_quick=is_quick, must_show=not has_failed)
