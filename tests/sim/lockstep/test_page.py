"""The example of the page on lockstep runs as it stands there."""

import re
from pathlib import Path

PAGE = Path("docs/scheduling/lockstep.md")


def test_the_pages_example_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    found: dict[str, object] = {}
    short = blocks[0].replace("duration_s=60.0", "duration_s=3.0")
    assert short != blocks[0]
    exec(compile(short, str(PAGE), "exec"), found)
    outcome = found["outcome"]
    assert len(outcome.verdicts) == 30  # type: ignore[attr-defined]
