import json

import pytest

from scheduler.errors import SourceError
from vehicle.perception.training.held_out import shared


def write(folder, *rows):
    folder.mkdir()
    (folder / "annotations.json").write_text(json.dumps({"images": list(rows)}))
    return folder


@pytest.mark.parametrize(
    ("val", "expected"),
    [
        ({"town": "VdapTown01-101", "asset_seed": 101}, ""),
        ({"town": "VdapTown02-9", "asset_seed": 101}, "shares towns VdapTown02 with"),
        ({"town": "VdapTown01", "asset_seed": 3}, "shares asset seeds 3 with"),
        ({"town": "VdapTown02", "asset_seed": 2}, "shares towns VdapTown02 and asset seeds 2 with"),
        ({}, ""),
    ],
)
def test_what_train_and_val_share_is_one_line(tmp_path, val, expected):
    train = write(
        tmp_path / "train",
        {"town": "VdapTown02-2", "asset_seed": 2},
        {"town": "VdapTown03-3", "asset_seed": 3},
    )
    line = shared(train, write(tmp_path / "val", val))
    assert expected in line
    assert bool(line) is bool(expected)
    assert "\n" not in line


def test_a_folder_without_annotations_is_said(tmp_path):
    with pytest.raises(SourceError, match="expected"):
        shared(tmp_path, tmp_path)
