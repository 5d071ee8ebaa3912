"""`python -m sim.carla_server.opendrive`: see `surveyor`."""

import sys

from sim.carla_server.opendrive.surveyor import main

sys.exit(main())
