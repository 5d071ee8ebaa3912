"""Workers of the recorder: replaced when they die or hang, and gone with the command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scheduler.errors import ConfigError, WorldError
from sim.dataset.crew import Crew

ROOT = Path(__file__).parents[2]


def steps(number, attempt, tell):
    for _ in range(number):
        tell()


def dies_once(number, attempt, tell):
    tell()
    if attempt == 1:
        os._exit(7)
    tell()


def hangs_once(number, attempt, tell):
    tell()
    if attempt == 1:
        signal.pause()


def dies_always(number, attempt, tell):
    os._exit(7)


def refuses(number, attempt, tell):
    raise ConfigError(f"no {number}")


def test_every_job_is_done_and_every_step_told():
    assert sum(Crew(steps, 2, 30.0).run([3, 1, 0, 4])) == 8


def test_a_job_whose_worker_died_is_begun_again():
    assert list(Crew(dies_once, 1, 30.0).run([5])) == [1, -1, 1, 1]


def test_a_job_whose_worker_is_stuck_is_begun_again():
    assert list(Crew(hangs_once, 1, 2.0).run([5])) == [1, -1, 1]


def test_a_job_that_always_dies_ends_in_one_line():
    with pytest.raises(WorldError, match="segment 2: its worker died, 3 times"):
        list(Crew(dies_always, 1, 30.0).run([2]))


def test_an_error_of_a_job_comes_out_as_it_is():
    with pytest.raises(ConfigError, match="no 6"):
        list(Crew(refuses, 1, 30.0).run([6]))


SCRIPT = """
import signal, sys
sys.path.insert(0, {here!r})
from sim.dataset.crew import Crew
from jobs import told
if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for _ in Crew(told, 2, 60.0).run([1, 2]):
            pass
    except KeyboardInterrupt:
        sys.exit(130)
"""
JOBS = """
import os, signal
from pathlib import Path
def told(number, attempt, tell):
    path = Path(__file__).parent / f"{number}.pid"
    path.with_suffix(".part").write_text(str(os.getpid()))
    path.with_suffix(".part").rename(path)
    signal.pause()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_workers_end_with_the_command(tmp_path, number, code):
    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "run.py").write_text(SCRIPT.format(here=str(tmp_path)))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = subprocess.Popen([sys.executable, tmp_path / "run.py"], env=environment)
    try:
        files = [tmp_path / "1.pid", tmp_path / "2.pid"]
        _until(lambda: all(file.exists() for file in files))
        command.send_signal(number)
        assert command.wait(10) == code
        _until(lambda: not any(_is_alive(int(file.read_text())) for file in files))
    finally:
        command.kill()


def _until(is_so):
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def _is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
