"""The sensors that can be spawned, under CARLA's ids, with CARLA's attributes and defaults."""

from __future__ import annotations

from typing import Final

from sim.engine.blueprints import Attribute, AttributeType, Blueprint

Row = tuple[str, AttributeType, str]  # id, type, default

PLACES: Final = (
    "front", "back", "left", "right", "front_left", "front_right", "back_left", "back_right",
)  # fmt: skip
SIZE: Final[tuple[Row, ...]] = (
    ("image_size_x", "int", "800"),
    ("image_size_y", "int", "600"),
    ("fov", "float", "90.0"),
)
LENS: Final[tuple[Row, ...]] = (
    ("lens_circle_falloff", "float", "5.0"),
    ("lens_circle_multiplier", "float", "0.0"),
    ("lens_k", "float", "-1.0"),
    ("lens_kcube", "float", "0.0"),
    ("lens_x_size", "float", "0.08"),
    ("lens_y_size", "float", "0.08"),
)
# Unreal's post-process settings, on the cameras that show light.
FILM: Final[tuple[Row, ...]] = (
    ("enable_postprocess_effects", "bool", "true"),
    ("exposure_compensation", "float", "0.0"),
    ("shutter_speed", "float", "200.0"),
    ("iso", "float", "100.0"),
    ("fstop", "float", "1.4"),
    ("gamma", "float", "2.2"),
    ("motion_blur_intensity", "float", "0.45"),
    ("motion_blur_max_distortion", "float", "0.35"),
    ("motion_blur_min_object_screen_size", "float", "0.1"),
    ("lens_flare_intensity", "float", "0.1"),
    ("bloom_intensity", "float", "0.675"),
    ("exposure_min_bright", "float", "10.0"),
    ("exposure_max_bright", "float", "12.0"),
    ("exposure_speed_up", "float", "3.0"),
    ("exposure_speed_down", "float", "1.0"),
    ("calibration_constant", "float", "16.0"),
    ("focal_distance", "float", "1000.0"),
    ("min_fstop", "float", "1.2"),
    ("blade_count", "int", "5"),
    ("blur_amount", "float", "1.0"),
    ("blur_radius", "float", "0.0"),
    ("slope", "float", "0.88"),
    ("toe", "float", "0.55"),
    ("shoulder", "float", "0.26"),
    ("black_clip", "float", "0.0"),
    ("white_clip", "float", "0.04"),
    ("temp", "float", "6500.0"),
    ("tint", "float", "0.0"),
    ("chromatic_aberration_intensity", "float", "0.0"),
    ("chromatic_aberration_offset", "float", "0.0"),
)
EXPOSURE_MODES: Final = ("histogram", "manual")
EVENTS: Final[tuple[Row, ...]] = (
    ("positive_threshold", "float", "0.3"),
    ("negative_threshold", "float", "0.3"),
    ("sigma_positive_threshold", "float", "0.0"),
    ("sigma_negative_threshold", "float", "0.0"),
    ("refractory_period_ns", "int", "0"),
    ("use_log", "bool", "true"),
    ("log_eps", "float", "0.001"),
)
SWEEP: Final[tuple[Row, ...]] = (
    ("channels", "int", "32"),
    ("range", "float", "10.0"),
    ("points_per_second", "int", "56000"),
    ("rotation_frequency", "float", "10.0"),
    ("upper_fov", "float", "10.0"),
    ("lower_fov", "float", "-30.0"),
    ("horizontal_fov", "float", "360.0"),
)
ECHO: Final[tuple[Row, ...]] = (
    ("atmosphere_attenuation_rate", "float", "0.004"),
    ("noise_seed", "int", "0"),
    ("dropoff_general_rate", "float", "0.45"),
    ("dropoff_intensity_limit", "float", "0.8"),
    ("dropoff_zero_intensity", "float", "0.4"),
    ("noise_stddev", "float", "0.0"),
)
RADAR: Final[tuple[Row, ...]] = (
    ("horizontal_fov", "float", "30"),
    ("vertical_fov", "float", "30"),
    ("range", "float", "100"),
    ("points_per_second", "int", "1500"),
    ("noise_seed", "int", "0"),
)
OBSTACLE: Final[tuple[Row, ...]] = (
    ("distance", "float", "5.0"),
    ("hit_radius", "float", "0.5"),
    ("only_dynamics", "bool", "false"),
    ("debug_linetrace", "bool", "false"),
)
GNSS: Final[tuple[Row, ...]] = (
    ("noise_seed", "int", "0"),
    *(
        (f"noise_{a}_{b}", "float", "0.0")
        for a in ("lat", "lon", "alt")
        for b in ("stddev", "bias")
    ),
)
IMU: Final[tuple[Row, ...]] = (
    ("noise_seed", "int", "0"),
    *(
        (f"noise_{name}_{axis}", "float", "0.0")
        for name in ("accel_stddev", "gyro_stddev", "gyro_bias")
        for axis in "xyz"
    ),
)
V2X: Final[tuple[Row, ...]] = (
    ("noise_seed", "int", "0"),
    ("transmit_power", "float", "21.5"),
    ("receiver_sensitivity", "float", "-99.0"),
    ("frequency_ghz", "float", "5.9"),
    ("filter_distance", "float", "500.0"),
)

CAMERAS: Final[dict[str, tuple[Row, ...]]] = {
    "rgb": FILM,
    "depth": (),
    "semantic_segmentation": (),
    "instance_segmentation": (),
    "normals": (),
    "optical_flow": (),
    "dvs": (*FILM, *EVENTS),
    "cosmos_visualization": (),
}
LIDARS: Final[dict[str, tuple[Row, ...]]] = {
    "ray_cast": (*SWEEP, *ECHO),
    "ray_cast_semantic": SWEEP,
}
OTHERS: Final[dict[str, tuple[Row, ...]]] = {
    "collision": (),
    "lane_invasion": (),
    "obstacle": OBSTACLE,
    "radar": RADAR,
    "gnss": GNSS,
    "imu": IMU,
    "rss": (),
    "v2x": V2X,
    "v2x_custom": V2X,
}
WITHOUT_RHYTHM: Final = (
    "collision",
    "lane_invasion",
    "rss",
)  # they tell what happens, when it does
PLACED: Final = ("obstacle", "collision", "lane_invasion")  # the others have no place by default


def sensor_blueprints() -> list[Blueprint]:
    """All sensors, also those whose spawn says that they are missing here (RSS, V2X)."""
    return [
        *(_sensor("camera", name, (*SIZE, *LENS, *rows)) for name, rows in CAMERAS.items()),
        *(_sensor("lidar", name, rows) for name, rows in LIDARS.items()),
        *(_sensor("other", name, rows) for name, rows in OTHERS.items()),
    ]


def _sensor(group: str, name: str, rows: tuple[Row, ...]) -> Blueprint:
    sensor_id = f"sensor.{group}.{name}"
    is_placed = group != "other" or name in PLACED
    role = ("front", PLACES) if is_placed else ("default", ("default",))
    attributes = [
        Attribute("role_name", "string", *role),
        Attribute("ros_name", "string", sensor_id, (sensor_id,)),
        *(Attribute(id_, type_, value, (value,)) for id_, type_, value in rows),
    ]
    if FILM[0] in rows:
        attributes.append(
            Attribute(
                "exposure_mode", "string", EXPOSURE_MODES[0], EXPOSURE_MODES, is_restricted=True
            )
        )
    if name not in WITHOUT_RHYTHM:
        attributes.append(Attribute("sensor_tick", "float", "0.0", ("0.0",)))
    return Blueprint(sensor_id, ("sensor", group, name), "sensor", tuple(attributes))
