"""Run a client script and leave without interpreter teardown, where the carla client may abort."""

import os
import runpy
import sys
import traceback

code = 0
try:
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as leave:
    code = leave.code if isinstance(leave.code, int) else 1
except Exception:  # noqa: BLE001 - the edge of the process
    traceback.print_exc()
    code = 1
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
