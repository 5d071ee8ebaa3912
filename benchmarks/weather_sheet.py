"""A sheet of one street in many weathers, for the docs and for whoever changes the shading.

python benchmarks/weather_sheet.py docs/world/weather.jpg [--town VdapTown02]
"""

import argparse
import math
from pathlib import Path

import cv2
import numpy as np
from render import HEAD_LAMPS, Variant, busy_town

from sim.engine.look import Look
from sim.engine.weather import Weather

SIZE = (640, 384)  # drawn so, shown at half of it
COLUMNS = 3
WEATHERS = {
    "noon": Weather(),
    "overcast": Weather(cloudiness=90.0),
    "sun at 8 degrees": Weather(sun_altitude=math.radians(8.0), cloudiness=20.0),
    "dusk": Weather(sun_altitude=0.0, cloudiness=30.0),
    "fog 60": Weather(fog_density=60.0, cloudiness=50.0),
    "dust 50": Weather(dust_storm=50.0),
    "rain 80": Weather(90.0, 80.0, 80.0, 40.0, wetness=80.0),
    "after the rain": Weather(precipitation_deposits=80.0, wetness=60.0),
    "night": Weather(sun_altitude=-0.5),
    "night, puddles": Weather(sun_altitude=-0.5, precipitation_deposits=70.0, wetness=70.0),
    "night, rain": Weather(80.0, 60.0, 70.0, 20.0, sun_altitude=-0.5, wetness=100.0),
    "night, fog": Weather(sun_altitude=-0.5, fog_density=40.0),
}


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--town", default="VdapTown02")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    engine = busy_town(args.town)
    for actor in list(engine.actors.values()):
        if actor.blueprint.id.startswith("vehicle."):
            engine.set_light_flags(actor.id, HEAD_LAMPS)
    camera = Variant(engine, SIZE, 1, ahead=2.6)
    tiles = []
    for name, weather in WEATHERS.items():
        engine.tick(0.05)
        camera.pictures.wear(Look(weather=weather))
        tile = cv2.resize(camera.draw()[0].bgr, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        for colour, width in ((0, 3), (255, 1)):
            cv2.putText(tile, name, (6, 16), 0, 0.45, (colour,) * 3, width, cv2.LINE_AA)
        tiles.append(tile)
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(args.out), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
