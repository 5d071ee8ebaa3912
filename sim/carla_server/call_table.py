"""The table of calls in docs/protocol.md, made from the same tables that the server works by.

    python -m sim.carla_server.call_table docs/protocol.md

writes it between the file's two marks.
"""

from __future__ import annotations

import sys
from pathlib import Path

import sim.carla_server.handlers  # noqa: F401 - fills the registry
from sim.carla_server.handlers.accepted import ACCEPTED
from sim.carla_server.handlers.registry import HANDLERS
from sim.carla_server.protocol import NEW_IN_0_9_16, NEWEST, PROTOCOLS, Rpc

BEGIN, END = "<!-- calls: begin -->", "<!-- calls: end -->"


def standing(name: str, rpc: Rpc) -> tuple[str, str]:
    """Return whether a call works here, and what it does, what it lacks or why it is refused."""
    if rpc.missing:
        return "refused", f"{name} is not available: {rpc.missing}"
    handler = HANDLERS[name]
    if handler.__name__ == "accept":
        return "accepted", ACCEPTED[name]
    return "works", (handler.__doc__ or "").split("\n")[0].rstrip(".")


def call_table() -> str:
    """Return the table as Markdown: every call of the newest version, in order of the alphabet."""
    rows = ["| call | | what it does here, or why not |", "| --- | --- | --- |"]
    for name, rpc in sorted(PROTOCOLS[NEWEST].rpcs.items()):
        state, text = standing(name, rpc)
        mark = " (0.9.16)" if name in NEW_IN_0_9_16 else ""
        rows.append(f"| `{name}`{mark} | {state} | {text} |")
    return "\n".join(rows)


def filled(page: str) -> str:
    """Return a page with the table of today between its marks."""
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n{call_table()}\n{END}{tail}"


def main() -> None:
    """Fill the page that is named."""
    page = Path(sys.argv[1])
    page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
