import json

import cv2
import numpy as np
import pytest

from scheduler.errors import ConfigError, SourceError
from sim.evaluation.perception.coco import CocoSet, found_in
from sim.evaluation.perception.labels import class_ids
from sim.evaluation.perception.video import LabelledVideo, labels_of, read_mot


def test_other_names_of_our_classes_are_understood():
    names = {1: "Car", 2: "Traffic_Light", 3: "person", 4: "motorbike", 5: "sofa"}
    assert class_ids(names, {}, "here") == {1: 0, 2: 6, 3: 5, 4: 3}


def test_a_users_own_class_map_comes_first():
    assert class_ids({1: "SUV", 2: "truck"}, {"SUV": "car", "truck": "bus"}, "x") == {1: 0, 2: 2}


@pytest.mark.parametrize("own", [{"SUV": "tank"}, {"jeep": "car"}])
def test_a_class_map_with_unknown_names_says_what_was_expected(own):
    with pytest.raises(ConfigError, match=r"SUV.*car, truck, bus"):
        class_ids({1: "SUV"}, own, "the set")


def test_a_set_without_a_class_of_ours_says_what_it_has():
    with pytest.raises(ConfigError, match=r"cat, dog; expected some of car, .*--class-map"):
        class_ids({1: "dog", 2: "cat"}, {}, "the set")


def test_a_coco_folder_is_read_with_its_attributes(coco_folder):
    found = CocoSet(found_in(coco_folder))
    assert len(found.labels) == 4
    assert found.classes == {0, 5}
    assert found.labels[2].class_id.tolist() == [5, 0]
    assert found.labels[2].xyxy[0].tolist() == [100, 50, 120, 100]
    assert [label.weather for label in found.labels] == ["rain", "clear", "rain", "clear"]
    assert [(i, picture.shape) for i, picture in found.pictures([1, 3])] == [
        (1, (192, 320, 3)), (3, (192, 320, 3)),
    ]  # fmt: skip


def test_a_limit_spreads_over_the_set(coco_folder):
    found = CocoSet(coco_folder / "annotations.json", limit=2)
    assert [label.name for label in found.labels] == ["0.png", "2.png"]
    assert [index for index, _ in found.pictures([0, 1])] == [0, 1]


def test_the_usual_places_of_coco_files_are_found(coco_folder):
    (coco_folder / "annotations").mkdir()
    (coco_folder / "annotations.json").rename(coco_folder / "annotations" / "instances_val.json")
    assert len(CocoSet(found_in(coco_folder)).labels) == 4
    (coco_folder / "images").rename(coco_folder / "val")
    assert len(list(CocoSet(found_in(coco_folder)).pictures([0]))) == 1
    (coco_folder / "annotations" / "instances_train.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"name one.*instances_train.*instances_val"):
        found_in(coco_folder)


def test_crowds_and_hidden_objects_are_ignored(coco_folder):
    path = coco_folder / "annotations.json"
    table = json.loads(path.read_text())
    table["annotations"][0]["iscrowd"] = 1
    table["annotations"][1]["visibility"] = 0.2
    path.write_text(json.dumps(table))
    labels = CocoSet(path).labels
    assert labels[0].truth().is_ignored.tolist() == [True]
    assert labels[1].truth().is_ignored.tolist() == [True]
    assert labels[1].truth(visibility=(0.0, 0.3)).is_ignored.tolist() == [False]
    assert labels[2].truth((45.0, 60.0)).is_ignored.tolist() == [False, True]


def test_what_is_no_data_set_is_said(tmp_path, coco_folder):
    with pytest.raises(ConfigError, match=r"no labels there; expected a COCO data set"):
        found_in(tmp_path)
    broken = tmp_path / "broken.json"
    broken.write_text('{"images": []')
    with pytest.raises(SourceError, match="expected COCO annotations as JSON"):
        CocoSet(broken)
    broken.write_text('{"images": []}')
    with pytest.raises(SourceError, match="annotations, categories missing"):
        CocoSet(broken)
    (coco_folder / "images" / "0.png").unlink()
    with pytest.raises(SourceError, match=r"no picture '0.png'"):
        CocoSet(coco_folder / "annotations.json")


def test_motchallenge_labels_count_from_one_and_flags_are_kept(video):
    found = LabelledVideo(video, labels_of(video, None))
    assert (len(found.labels), found.fps) == (12, 10.0)
    first = found.labels[0]
    assert first.xyxy.tolist() == [[20, 30, 80, 70], [199, 99, 219, 149]]
    assert first.class_id.tolist() == [0, 5]
    assert first.is_crowd.tolist() == [False, True]
    assert first.object_id.tolist() == [7, 8]
    assert found.classes == {0}


def test_a_broken_line_of_labels_is_named(tmp_path):
    path = tmp_path / "gt.txt"
    path.write_text("1,1,2,3,4,5,1,1,1\n2,x,1\n")
    with pytest.raises(SourceError, match=r"gt.txt:2: expected MOTChallenge's"):
        read_mot(path, 3)
    path.write_text("1,1,2,3,4,5,0,11,1\n")
    with pytest.raises(ConfigError, match="no line is of a class to be scored"):
        read_mot(path, 3)


def test_labels_of_the_first_benchmark_have_no_class_column(tmp_path):
    path = tmp_path / "gt.txt"
    path.write_text("1,4,11,21,30,60,1,-1,-1,-1\n")
    labels, classes = read_mot(path, 2)
    assert (classes, labels[0].visibility.tolist(), len(labels[1].xyxy)) == ({5}, [1.0], 0)


def test_a_video_file_is_read_in_order(video, tmp_path):
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (320, 192))
    for index in range(12):
        writer.write(cv2.imread(str(video / "img1" / f"{index + 1:06d}.png")))
    writer.release()
    with pytest.raises(ConfigError, match=r"no labels beside it; expected COCO JSON"):
        labels_of(path, None)
    (tmp_path / "drive.txt").write_text((video / "gt" / "gt.txt").read_text())
    found = LabelledVideo(path, labels_of(path, None), limit=9)
    read = list(found.pictures([3, 8]))
    assert [index for index, _ in read] == [3, 8]
    painted = cv2.imread(str(video / "img1" / "000004.png")).astype(int)
    assert np.abs(read[0][1].astype(int) - painted).mean() < 3.0


def test_coco_labels_of_a_video_name_their_frames(video):
    path = video / "labels.json"
    path.write_text(
        json.dumps(
            {
                "images": [{"id": 1, "frame_index": 4}, {"id": 2, "frame_index": 0}],
                "annotations": [
                    {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "track_id": 5}
                ],
                "categories": [{"id": 3, "name": "car"}],
            }
        )
    )
    found = LabelledVideo(video, path)
    assert len(found.labels) == 12
    assert found.labels[4].object_id.tolist() == [5]
    assert len(found.labels[0].xyxy) == 0
