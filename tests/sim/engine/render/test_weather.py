"""What each weather does to the street of the golden picture, in numbers."""

import math

import numpy as np
import pytest

from sim.engine.render.assets.street import street_lamp_mesh
from sim.engine.render.assets.vehicles import vehicle_mesh
from sim.engine.render.daylight import daylight
from sim.engine.render.exposure import Exposure, exposure_gain, through_lens
from sim.engine.render.lamps import Lamps, is_burning
from sim.engine.render.renderer import CameraView, Renderer
from sim.engine.render.scene import LAMP_STATE, LEVEL_OBJECT_IDS, NIGHT_LAMP, Instance, LampSpot
from sim.engine.weather import Weather
from tests.sim.engine.render.conftest import pose
from tests.sim.engine.render.test_golden import street

POSITION, LOW_BEAM = 1, 2
NOON = Weather()
NIGHT = Weather(sun_altitude=math.radians(-25.0))
LAMP_AT = 14.0


def view(**more):
    return CameraView(192, 120, 80.0, pose(0, -1.75, 1.5), **more)


def lit_street(textures, head_lamps=0):
    """The golden street with a street lamp 14 m ahead, on the right."""
    scene = street(textures)
    at = pose(LAMP_AT, -4.2, 0.15)
    scene.static.append(Instance(street_lamp_mesh(), at, (1, 1, 1), LEVEL_OBJECT_IDS + 90, 6))
    del scene.dynamic[1]  # the car ahead, which hides the road
    scene.dynamic[2].lamps = head_lamps
    return scene


@pytest.fixture(scope="module")
def renderer(textures):
    return Renderer(lit_street(textures), noise=0)


def taken(renderer, weather, frame=1):
    renderer.set_weather(weather)
    renderer.begin_tick(frame)
    return renderer.render(view())


def grey(picture, where):
    return picture.bgr.astype(float).mean(2)[where]


def road(picture, near=0.0, far=60.0):
    return (picture.semantic == 1) & (picture.depth > near) & (picture.depth < far)


def test_night_is_darker_than_dusk_and_dusk_than_noon(renderer):
    dusk = Weather(sun_altitude=0.0)
    means = [taken(renderer, weather).bgr.mean() for weather in (NOON, dusk, NIGHT)]
    assert means[0] > 1.2 * means[1] > 1.8 * means[2] > 3.0


def test_a_street_lamp_lights_the_road_near_it_and_not_far_from_it(renderer):
    picture = taken(renderer, NIGHT)
    under, beyond = road(picture, 11, 17), road(picture, 25, 60)
    assert under.sum() > 50 < beyond.sum()
    assert grey(picture, under).mean() > 2.5 * grey(picture, beyond).mean()


def test_by_day_no_lamp_shows(renderer, textures):
    without = Renderer(street(textures), noise=0)
    del without._scene.dynamic[1]
    plain, lamp = taken(without, NOON), taken(renderer, NOON)
    far_from_post = road(lamp, 0, 9)
    same = plain.bgr[far_from_post] == lamp.bgr[far_from_post]
    assert same.mean() > 0.98


def test_head_lamps_light_the_road_before_them_and_glow(textures):
    dark = taken(Renderer(lit_street(textures), noise=0), NIGHT)
    beam = taken(Renderer(lit_street(textures, POSITION | LOW_BEAM), noise=0), NIGHT)
    ahead = road(dark, 4, 9)  # the van at 17 m looks at the camera
    assert grey(beam, ahead).mean() > grey(dark, ahead).mean() + 4
    van = dark.instance == 2
    assert np.percentile(grey(beam, van), 99) > np.percentile(grey(dark, van), 99) + 60


def test_some_windows_have_light_at_night(renderer):
    picture = taken(renderer, NIGHT)
    houses = grey(picture, picture.semantic == 3)
    assert 0.02 < (houses > 80).mean() < 0.5
    assert np.median(houses) < 50


def test_fog_takes_far_contrast_and_leaves_near(renderer):
    clear, fog = taken(renderer, NOON), taken(renderer, Weather(fog_density=70.0))

    def contrast(picture, low, high):
        inside = (picture.depth > low) & (picture.depth < high)
        return picture.bgr.astype(float).mean(2)[inside].std()

    assert contrast(fog, 40, 90) < 0.45 * contrast(clear, 40, 90)
    assert contrast(fog, 0, 9) > 0.6 * contrast(clear, 0, 9)
    sky = clear.semantic == 11
    assert clear.bgr[sky][:, 0].mean() - clear.bgr[sky][:, 2].mean() > 30
    assert abs(fog.bgr[sky][:, 0].mean() - fog.bgr[sky][:, 2].mean()) < 25  # fog is grey


def test_clouds_take_the_shadows(renderer):
    def spread(weather):
        picture = taken(renderer, weather)
        return grey(picture, road(picture, 0, 40)).std()

    assert spread(Weather(cloudiness=100.0)) < 0.8 * spread(NOON)


def test_wet_ground_is_darker_near_and_mirrors_far(renderer):
    dry = taken(renderer, NOON)
    wet = taken(renderer, Weather(wetness=100.0, precipitation_deposits=100.0))
    near, far = road(dry, 0, 4), road(dry, 25, 60)
    assert grey(wet, near).mean() < 0.9 * grey(dry, near).mean()
    changed = np.abs(wet.bgr.astype(int) - dry.bgr).max(2) > 12
    assert changed[far].mean() > 0.5
    assert changed[dry.semantic == 3].mean() < 0.01  # houses stay, but at edges to the ground


def test_wet_ground_mirrors_a_traffic_light_at_night(renderer):
    wetness = {"wetness": 100.0, "precipitation_deposits": 100.0}
    dry = taken(renderer, NIGHT)
    wet = taken(renderer, Weather(sun_altitude=NIGHT.sun_altitude, **wetness))
    near = road(dry, 4, 20)

    def greenness(picture):
        colours = picture.bgr.astype(int)
        return (colours[..., 1] - colours[..., 2])[near].max()

    assert greenness(wet) > greenness(dry) + 40


def test_rain_streaks_move_and_ids_stay(renderer):
    weather = Weather(precipitation=100.0, cloudiness=90.0)
    one, two = taken(renderer, weather, 1), taken(renderer, weather, 2)
    sky = one.semantic == 11
    assert (one.bgr[sky] != two.bgr[sky]).any(1).mean() > 0.005
    clear = taken(renderer, NOON)
    for name in ("instance", "semantic", "depth"):
        np.testing.assert_array_equal(getattr(one, name), getattr(clear, name))


@pytest.mark.parametrize(
    "weather", [NIGHT, Weather(precipitation=90.0, wetness=90.0)], ids=["night", "rain"]
)
def test_equal_seeds_are_equal_bytes_whatever_the_threads(textures, weather):
    pictures = []
    for threads in (1, 3):
        renderer = Renderer(lit_street(textures, POSITION | LOW_BEAM), threads=threads)
        pictures.append(taken(renderer, weather, 5).bgr)
    np.testing.assert_array_equal(*pictures)


def test_the_sun_gets_warmer_as_it_sinks():
    noon, low = daylight(NOON), daylight(Weather(sun_altitude=math.radians(8.0)))
    assert low.air[0] / low.air[2] > 1.3 * noon.air[0] / noon.air[2]
    assert noon.has_shadows
    assert not daylight(NIGHT).has_shadows
    assert not daylight(Weather(cloudiness=100.0)).has_shadows


def test_which_lamps_burn():
    def spot(lamp):
        return LampSpot((0, 0, 0), (1, 0, 0), (1, 1, 1), lamp)

    assert is_burning(spot(0), 0, is_night=False)
    assert is_burning(spot(NIGHT_LAMP), 0, is_night=True)
    assert not is_burning(spot(NIGHT_LAMP), 0, is_night=False)
    assert is_burning(spot(2), 0b10, is_night=False)
    assert not is_burning(spot(2), 0b101, is_night=False)
    assert is_burning(spot(LAMP_STATE + 2), 2, is_night=False)
    assert not is_burning(spot(LAMP_STATE + 2), 0, is_night=False)


def test_a_lamp_behind_the_camera_lights_nothing():
    lamp = Instance(street_lamp_mesh(), pose(-60, 0))
    lens = np.linalg.inv(np.array([[0, 0, 1.0], [-1 / 96, 0, 1.0], [0, -1 / 96, 0.6]]))
    lamps = Lamps([lamp])
    assert len(lamps.lights(np.zeros(3), lens, (120, 192))) == 0
    lamps = Lamps([Instance(street_lamp_mesh(), pose(20, 0))])
    assert len(lamps.lights(np.zeros(3), lens, (120, 192))) == 1


def test_a_vehicle_has_lamps_to_shine_with():
    spots = vehicle_mesh("car_sedan", 1).spots
    assert any(spot.lamp == LOW_BEAM and spot.reach_m > 20 for spot in spots)


def test_gain_follows_the_settings_of_a_camera():
    assert exposure_gain() == 1.0
    assert exposure_gain(compensation=1.0) == 2.0
    assert exposure_gain(iso=200.0, shutter_hz=400.0) == 1.0
    assert exposure_gain(f_stop=2.8) == pytest.approx(0.25)


def test_exposure_brightens_a_picture_and_gamma_its_middle(renderer):
    renderer.set_weather(NOON)
    plain = renderer.render(view()).bgr.mean()
    assert renderer.render(view(exposure=Exposure(gain=0.5))).bgr.mean() < 0.7 * plain
    bright = renderer.render(view(exposure=Exposure(gamma=3.0))).bgr.mean()
    assert bright > 1.15 * plain


def test_a_lens_darkens_corners_and_bends_lines():
    white = np.full((60, 100, 3), 200, np.uint8)
    dark = through_lens(white, Exposure(circle_multiplier=10.0, circle_falloff=2.0))
    assert dark[30, 50, 0] >= 199
    assert dark[0, 0, 0] < 20
    striped = white.copy()
    striped[:, 80:] = 0
    bent = through_lens(striped, Exposure(lens_k=0.3))
    edge = [int(np.argmin(bent[row, :, 0])) for row in (0, 30)]
    assert edge[0] < edge[1] < 80
