"""Cameras: pictures, normals, optical flow and events of light, from what the engine draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.carla_server.images import ImageCoder, normal_pixels
from sim.carla_server.layouts import IMAGE_HEADER
from sim.carla_server.sensors.instrument import Body, Still
from sim.engine.actors import Actor
from sim.engine.render.exposure import Exposure, exposure_gain
from sim.engine.sensing.attributes import Attributes, flag, number, whole
from sim.engine.sensing.light_events import EventSettings, LightEvents
from sim.engine.sensing.optical_flow import OpticalFlow

if TYPE_CHECKING:
    from sim.carla_server.world import ServedWorld
    from sim.engine.render.renderer import CameraView

MAX_SIDE = 4096  # pixels; a larger picture is a typing error
FOV_RANGE = (1.0, 170.0)  # degrees, where a pinhole makes sense
MOVERS = ("vehicle", "walker", "prop")  # kinds of actors whose pictures move by themselves


class Camera(Still):
    """What all cameras share: size, field of view, and that none works without rendering."""

    def __init__(self, attributes: Attributes) -> None:
        self.width = whole(attributes, "image_size_x", 1, MAX_SIDE)
        self.height = whole(attributes, "image_size_y", 1, MAX_SIDE)
        self.fov_deg = number(attributes, "fov", *FOV_RANGE)
        self.exposure = _exposure(attributes) if "iso" in attributes else Exposure()

    def measure(self, world: ServedWorld, actor: Actor) -> Iterator[Body]:
        """Yield one message, or none."""
        if world.settings.no_rendering_mode:
            return
        from sim.engine.render.renderer import CameraView  # numba is loaded with the first camera

        view = CameraView(self.width, self.height, self.fov_deg, actor.pose.matrix(), self.exposure)
        pixels = self.pixels(world, view)
        if pixels is not None:
            yield [IMAGE_HEADER.pack(self.width, self.height, self.fov_deg), pixels]

    def pixels(self, world: ServedWorld, view: CameraView) -> memoryview | None:
        """Return what comes after the header, or None for no message."""
        raise NotImplementedError


def _exposure(attributes: Attributes) -> Exposure:
    """Return what a camera that shows light does with it.

    Sensitivity, time and aperture count where the exposure is manual; in Unreal's histogram mode
    the exposure settles by itself and only its compensation shows.
    """
    settings = {
        "compensation": number(attributes, "exposure_compensation", -16.0, 16.0),
        "iso": number(attributes, "iso", 1.0, 1e6),
        "shutter_hz": number(attributes, "shutter_speed", 0.01, 1e6),
        "f_stop": number(attributes, "fstop", 0.1, 1000.0),
    }
    if attributes["exposure_mode"] != "manual":
        settings = {"compensation": settings["compensation"]}
    lens = {
        "circle_falloff": number(attributes, "lens_circle_falloff", 0.0, 10.0),
        "circle_multiplier": number(attributes, "lens_circle_multiplier", 0.0, 10.0),
        "lens_k": number(attributes, "lens_k", -10.0, 10.0),
        "lens_kcube": number(attributes, "lens_kcube", -10.0, 10.0),
    }
    gamma = number(attributes, "gamma", 0.1, 10.0)
    if not flag(attributes, "enable_postprocess_effects"):
        return Exposure(**lens)
    return Exposure(gain=exposure_gain(**settings), gamma=gamma, **lens)


class ImageCamera(Camera):
    """Colour, depth, semantic and instance segmentation: one coding each of one picture."""

    def __init__(self, attributes: Attributes, coder: ImageCoder) -> None:
        super().__init__(attributes)
        self._coder = coder

    def pixels(self, world: ServedWorld, view: CameraView) -> memoryview:
        """Return BGRA."""
        return self._coder(world.engine.picture(view), world.instance_ids).data.cast("B")


class NormalsCamera(Camera):
    """Where surfaces face."""

    def pixels(self, world: ServedWorld, view: CameraView) -> memoryview:
        """Return BGRA."""
        return normal_pixels(world.engine.normals(view)).data.cast("B")


class FlowCamera(Camera):
    """How pixels have moved since this camera's last message."""

    def __init__(self, attributes: Attributes) -> None:
        super().__init__(attributes)
        self._flow = OpticalFlow()

    def pixels(self, world: ServedWorld, view: CameraView) -> memoryview:
        """Return two float32 each."""
        actors = world.engine.actors.values()
        poses = {one.id: one.pose.matrix() for one in actors if one.kind in MOVERS}
        return self._flow.between(view, world.engine.picture(view), poses).data.cast("B")


class EventCamera(Camera):
    """Pixels that got brighter or darker since this camera's last message."""

    def __init__(self, attributes: Attributes) -> None:
        super().__init__(attributes)
        self._events = LightEvents(EventSettings.read(attributes))

    def pixels(self, world: ServedWorld, view: CameraView) -> memoryview | None:
        """Return packed events; no message where there are none."""
        time_ns = round(world.engine.elapsed_s * 1e9)
        events = self._events.between(world.engine.picture(view).bgr, time_ns)
        return memoryview(events.tobytes()) if len(events) else None
