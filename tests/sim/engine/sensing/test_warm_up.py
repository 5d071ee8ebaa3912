import numpy as np
import pytest

pytest.importorskip("numba", reason="rays need the engine extra")

from sim.engine.catalogue import all_blueprints
from sim.engine.geometry import Pose
from sim.engine.sensing import event_kernels, flow_kernel, tracing, warm_up
from sim.engine.sensing.lidar import Lidar, LidarSettings
from sim.engine.sensing.light_events import EventSettings, LightEvents

from .test_optical_flow import flow_of, picture


def test_what_was_compiled_beforehand_is_what_is_used(wall):
    warm_up.compile_all()
    blueprints = all_blueprints()

    def defaults(name):
        return {one.id: one.value for one in blueprints[name].attributes}

    settings = LidarSettings.read(defaults("sensor.lidar.ray_cast"), has_echo=True)
    Lidar(settings).sweep(Pose(), 0.05, wall)
    semantic = LidarSettings.read(defaults("sensor.lidar.ray_cast_semantic"), has_echo=False)
    Lidar(semantic).sweep(Pose(), 0.05, wall)
    flow_of(Pose(), Pose(x=1.0), picture(10.0))
    camera = LightEvents(EventSettings.read(defaults("sensor.camera.dvs")))
    for level in (50, 200):
        bgr = np.full((4, 4, 3), level, np.uint8)
        bgr.flags.writeable = False
        camera.between(bgr, level)
    kernels = (
        tracing.trace,
        tracing.incidence,
        tracing.turned,
        flow_kernel.write_flow,
        event_kernels.count_events,
        event_kernels.write_events,
        event_kernels.by_time,
    )
    assert {kernel.__name__: len(kernel.signatures) for kernel in kernels} == {
        kernel.__name__: 1 for kernel in kernels
    }
