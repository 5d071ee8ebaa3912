import sys
import threading
import time

from sim.engine.sensing import warm_up
from sim.engine.sensing.first_compiler import FirstCompiler, is_compiled


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
    warm_up.compile_all()
    assert is_compiled()
