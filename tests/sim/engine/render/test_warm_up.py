"""The first picture: what is compiled beforehand and beside."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("numba", reason="pictures need the engine extra")

from sim.engine.render import second_compiler, warm_up
from sim.engine.render.kernels import finish, shade
from sim.engine.render.renderer import CameraView, Renderer
from sim.engine.render.second_compiler import SecondCompiler


def test_what_was_compiled_beforehand_is_what_draws(scene):
    warm_up.compile_shading()
    Renderer(scene).render(CameraView(16, 8, 90.0, np.eye(4)))
    assert len(finish.finish.signatures) == 1
    by_day = [one for one in shade.shade.signatures if "none" in {str(kind) for kind in one}]
    assert len(by_day) == 1


class _Child:
    """Stands for the other process."""

    started = 0

    def __init__(self, *_args, **_kwargs):
        type(self).started += 1


@pytest.mark.parametrize(
    ("cores", "is_compiled", "started"), [(2, False, 1), (1, False, 0), (2, True, 0)]
)
def test_a_second_process_starts_once_where_it_helps(monkeypatch, cores, is_compiled, started):
    _Child.started = 0
    monkeypatch.setattr(second_compiler, "_cores", lambda: cores)
    monkeypatch.setattr(second_compiler, "_is_compiled", lambda: is_compiled)
    monkeypatch.setattr(subprocess, "Popen", _Child)
    compiler = SecondCompiler()
    compiler.start()
    compiler.start()
    assert _Child.started == started


def run(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)


def test_one_that_fails_is_not_waited_for_twice(caplog):
    compiler = SecondCompiler()
    compiler._process = run("raise SystemExit(3)")
    compiler.wait()
    compiler.wait()
    assert [record.getMessage() for record in caplog.records] == [
        "kernels were not compiled beside (exit code 3): compiling here"
    ]


def test_one_that_hangs_is_ended(monkeypatch, caplog):
    monkeypatch.setattr(second_compiler, "LONGEST_S", 0.05)
    compiler = SecondCompiler()
    process = compiler._process = run("import sys; sys.stdin.read()")
    compiler.wait()
    assert process.poll() is not None
    assert len(caplog.records) == 1


def test_it_ends_with_its_parent():
    child = run(
        "import time\n"
        "from sim.engine.render import second_compiler\n"
        "second_compiler.compile_beside(lambda: time.sleep(60.0))\n"
    )
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(timeout=30.0) == second_compiler.PARENT_GONE
