import json

import cv2
import numpy as np
import pytest
from rectangle_finder import RectangleFinder

from scheduler.errors import ConfigError
from sim.evaluation.perception import answers as stored
from sim.evaluation.perception import candidates
from sim.evaluation.perception.__main__ import main
from sim.evaluation.perception.coco import CocoSet
from sim.evaluation.perception.slices import Scored, result

FINDER = "rectangle_finder:RectangleFinder=exact"


def evaluated(path, out, *more):
    assert main([str(path), "--detector", FINDER, "--out", str(out), *more]) == 0
    return json.loads((out / "evaluation.json").read_text())


def test_a_data_set_by_hand(coco_folder, tmp_path, capsys):
    told = evaluated(coco_folder, tmp_path / "out")
    (own,) = told["detectors"]
    # Six objects, one of them not painted: cars are perfect, one of two pedestrians is found.
    assert (own["pictures"], own["boxes"]) == (4, 6)
    assert own["by_class"]["car"]["ap50"] == 1.0
    assert own["by_class"]["pedestrian"]["ap50"] == pytest.approx(51 / 101, abs=1e-4)
    assert own["ap50"] == pytest.approx((1 + 51 / 101) / 2, abs=1e-4)
    assert own["f1"] == own["best_f1"] == pytest.approx(10 / 11, abs=1e-4)
    assert [own["by_size"][name]["boxes"] for name in own["by_size"]] == [0, 2, 2, 2]
    assert own["by_size"]["> 100 px"]["recall"] == 1.0
    assert own["by_weather"]["rain"]["recall"] == 1.0
    assert own["by_weather"]["clear"]["recall"] == pytest.approx(2 / 3, abs=1e-4)
    assert own["by_visibility"]["0.8-1"]["boxes"] == 6
    assert "AP50 by weather" in capsys.readouterr().out


def test_mistakes_and_curves_are_drawn(coco_folder, tmp_path):
    pytest.importorskip("matplotlib", reason="the curves need it")
    out = tmp_path / "out"
    evaluated(coco_folder, out)
    (missed,) = sorted((out / "worst_misses").iterdir())
    assert missed.name == "exact_missed.jpg"
    assert cv2.imread(str(missed)).shape[1] == 4 * 320
    for name in ("ap_by_height.png", "precision_recall.png"):
        assert cv2.imread(str(out / name)).std() > 5


def test_answers_are_kept_and_a_stopped_run_goes_on(coco_folder, tmp_path):
    out = tmp_path / "out"
    RectangleFinder.asked = 0
    first = evaluated(coco_folder, out)
    assert RectangleFinder.asked == 4
    assert evaluated(coco_folder, out) == first
    assert RectangleFinder.asked == 4
    (kept,) = (out / "detections").glob("*.npz")
    pictures = CocoSet(coco_folder / "annotations.json")
    chosen = candidates.parse(FINDER)
    whole = stored.answers(chosen, pictures, out / "detections")
    stored._store(kept, whole[:2])  # as it is left when the run is stopped halfway
    again = stored.answers(chosen, pictures, out / "detections")
    assert RectangleFinder.asked == 6
    assert [a.xyxy.tolist() for a in again] == [a.xyxy.tolist() for a in whole]
    kept.write_bytes(b"broken")
    assert len(stored.answers(chosen, pictures, out / "detections")) == 4


def test_boxes_of_classes_that_the_set_does_not_label_say_nothing(coco_folder, tmp_path):
    path = coco_folder / "annotations.json"
    table = json.loads(path.read_text())
    table["categories"] = table["categories"][:1]
    path.write_text(json.dumps(table))
    (own,) = evaluated(coco_folder, tmp_path / "out")["detectors"]
    assert (own["boxes"], own["precision"]) == (4, 1.0)


def test_a_sequence_is_also_scored_for_its_tracks(video, tmp_path, capsys):
    told = evaluated(video, tmp_path / "out")
    (own,) = told["detectors"]
    assert (own["boxes"], own["ap50"]) == (12, 1.0)
    scores = told["tracks"]["exact"]
    assert (scores["car"]["objects"], scores["car"]["tracks"]) == (1, 1)
    assert scores["all"]["idf1"] > 0.9
    assert scores["all"]["id_swaps"] == 0
    assert "tracks of exact" in capsys.readouterr().out


def test_what_a_drive_believed(make_run, tmp_path, capsys):
    run = make_run(ticks=30)
    last_word = {
        "adapter": "inprocess", "real_time_factor": 1.0, "collisions": {}, "min_ttc_s": {},
        "hard_brakes": {}, "town": "Carla/Maps/VdapTown01", "weather": "rain",
    }  # fmt: skip
    (run / "bridge.json").write_text(json.dumps(last_word))
    out = tmp_path / "out"
    assert main([str(run), "--out", str(out)]) == 0
    (drive,) = json.loads((out / "evaluation.json").read_text())["drives"]
    # Perfect answers with the true speed: moved to any instant they are still right.
    assert drive["f1"] == 1.0
    assert (drive["objects"], drive["tracks"]["id_swaps"]) == (1, 0)
    assert drive["tracks"]["hota"] == pytest.approx(1.0, abs=0.02)
    assert drive["by_class"]["car"]["f1"] == drive["by_weather"]["rain"]["f1"] == 1.0
    assert drive["by_size"]["50-100 px"]["boxes"] == drive["boxes"] > 100
    assert drive["by_visibility"]["0.8-1"]["recall"] == 1.0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"it rests on {drive['boxes']} boxes of 1 objects (VdapTown01, rain)" in printed


def test_the_drives_f1_is_the_summarys(make_run, make_verdict, tmp_path):
    from sim.evaluation.records import RunFolder
    from sim.evaluation.summary import judge

    said = [make_verdict(tick, valid_ns=make_verdict(tick - 3).valid_ns) for tick in range(24)]
    run = make_run(ticks=24, verdicts=said)
    out = tmp_path / "out"
    assert main([str(run), "--out", str(out)]) == 0
    (drive,) = json.loads((out / "evaluation.json").read_text())["drives"]
    (summed,) = judge(RunFolder(run), with_alone=False)
    assert drive["f1"] == pytest.approx(summed.f1.f1, abs=1e-4)
    assert drive["boxes"] == summed.f1.hits + summed.f1.missed


def test_detectors_see_the_recorded_pictures_of_a_drive(make_run, tmp_path):
    picture = np.full((384, 640, 3), 128, np.uint8)
    picture[100:160, 100:180] = (200, 40, 40)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    run = make_run(ticks=6, jpeg=jpeg)
    told = evaluated(run, tmp_path / "out", "--limit", "3")
    (own,) = told["detectors"]
    assert (own["pictures"], own["by_class"]["car"]["boxes"]) == (3, 3)
    assert own["recall"] == 1.0  # the car moves by 20 px at most: IoU 0.6
    with pytest.raises(ConfigError, match=r"no pictures were recorded"):
        evaluated(make_run(ticks=6), tmp_path / "out")


def test_a_path_without_labels_is_one_clear_line(tmp_path):
    with pytest.raises(ConfigError, match="no file or folder"):
        main([str(tmp_path / "none")])
    with pytest.raises(ConfigError, match="no labels there; expected a COCO data set"):
        main([str(tmp_path), "--detector", FINDER])
    with pytest.raises(ConfigError, match="expected THEIRS=OURS"):
        main([str(tmp_path), "--class-map", "person"])
    with pytest.raises(ConfigError, match="expected 1 or more"):
        main([str(tmp_path), "--limit", "0"])


def test_a_slice_of_few_boxes_has_no_mean(coco_folder):
    pictures = CocoSet(coco_folder / "annotations.json")
    finder = RectangleFinder(candidates.parse(FINDER).spec)
    found = [finder.detect(picture) for _, picture in pictures.pictures(range(4))]
    scored = result("exact", Scored(pictures.labels, found), 0.5)
    assert scored.by_weather["rain"].ap50 is None  # fewer than ten boxes of any class
    assert scored.by_height["35-50"].recall == 1.0
    assert scored.by_height["12-18"].boxes == 0
