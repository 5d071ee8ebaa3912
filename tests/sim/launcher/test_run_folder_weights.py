"""The hashes of the models in `environment.json` are of the files that ran."""

import hashlib
from pathlib import Path

from scheduler.config import Config, Detector, Unit, Vehicle
from sim.launcher.run_folder import describe
from vehicle.perception.rungs import RUNGS

RUNG = next(iter(RUNGS))


def hashes(*detectors: Detector) -> object:
    unit = Unit(id="rsu", at=(0.0, 0.0, 5.0), detectors=list(detectors[1:]))
    vehicle = Vehicle(detectors=list(detectors[:1]))
    return describe(Config(vehicles=[vehicle], roadside_units=[unit]))["weights_sha256"]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_rung_is_hashed_by_its_name_whatever_it_is_called_and_in_its_precision(tmp_path):
    own = tmp_path / "own.onnx"
    own.write_bytes(b"a model of my own")
    found = hashes(
        Detector(id="near", weights=RUNG),
        Detector(id="own", kind="yolox", weights=str(own)),
        Detector(id=RUNG, options={"precision": "int8"}),
    )
    expected = {"near": sha256(RUNGS[RUNG].onnx), "own": sha256(own)}
    if RUNGS[RUNG].model("int8").is_file():
        expected[RUNG] = sha256(RUNGS[RUNG].model("int8"))
    assert found == expected
