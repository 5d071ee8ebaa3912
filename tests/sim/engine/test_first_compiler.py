import sys
import threading
import time

import numpy as np
import pytest

from sim.engine.first_compiler import FirstCompiler, compile_weathers, is_compiled

pytest.importorskip("numba")


def command(code):
    return (sys.executable, "-c", code)


def test_it_says_whether_it_compiled_to_the_end():
    assert FirstCompiler(command("")).run()
    assert not FirstCompiler(command("raise SystemExit(3)")).run()
    assert not FirstCompiler(("/no/such/python",)).run()


def test_whoever_needs_a_kernel_does_not_wait_for_it():
    compiler = FirstCompiler(command("import time; time.sleep(60)"))
    said = []
    thread = threading.Thread(target=lambda: said.append(compiler.run()))
    thread.start()
    while compiler._process is None:
        time.sleep(0.01)
    compiler.stop()
    thread.join(10)
    assert said == [False]
    assert not compiler.run()  # nor is it begun again


def test_it_ends_with_the_process_that_began_it():
    compiler = FirstCompiler(command("import sys; sys.stdin.read(); raise SystemExit(5)"))
    thread = threading.Thread(target=compiler.run)
    thread.start()
    while compiler._process is None:
        time.sleep(0.01)
    compiler._process.stdin.close()  # as the system does when a process ends
    thread.join(10)
    assert compiler._process.returncode == 5


def test_what_was_compiled_is_known():
    from sim.engine.sensing import warm_up

    warm_up.compile_all()
    assert is_compiled()


@pytest.mark.slow
def test_rain_and_night_are_compiled_as_pictures_use_them():
    from sim.engine.first_compiler import NIGHT, RAIN
    from sim.engine.geometry import Pose
    from sim.engine.render.kernels import rain, shade
    from sim.engine.render.renderer import CameraView
    from sim.engine.simulation import Engine
    from sim.engine.town import build_town

    compile_weathers()
    kernels = (rain.lay_wetness, rain.draw_streaks, shade.shade)
    before = [len(kernel.signatures) for kernel in kernels]
    assert all(before)
    engine = Engine(build_town("VdapTown02"), seed=1, asset_seed=3)
    view = CameraView(96, 64, 70.0, Pose(z=2.0).matrix())
    pictures = []
    for weather in (RAIN, NIGHT):
        engine.set_weather(weather)
        pictures.append(engine.picture(view).bgr.astype(int))
    assert np.mean(pictures[0]) > np.mean(pictures[1]) + 20
    assert [len(kernel.signatures) for kernel in kernels] == before
