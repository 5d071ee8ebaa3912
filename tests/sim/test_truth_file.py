import pytest

from scheduler.errors import SourceError
from sim.ground_truth import TruthBox
from sim.truth_file import TruthFrame, TruthWriter, read

BOX = TruthBox(7, 0, (1.0, 2.0, 30.0, 40.0), 0.5, 12.25, (1.0, 2.0, 0.75), (3.0, 0.0, 0.0))


def frames(count):
    return [
        TruthFrame("ego", camera, tick, tick * 100_000_000, 640, 384, (BOX,) * (tick % 3))
        for tick in range(count)
        for camera in ("front", "rear")
    ]


def test_frames_come_back_as_written(tmp_path):
    with TruthWriter(tmp_path / "truth.mcap") as writer:
        for frame in frames(20):
            writer.write(frame)
    assert list(read(tmp_path / "truth.mcap")) == frames(20)
    rear = list(read(tmp_path / "truth.mcap", "ego", ["rear"]))
    assert [f.camera_id for f in rear] == ["rear"] * 20
    assert list(read(tmp_path / "truth.mcap", "other")) == []


def test_file_of_a_killed_run_is_readable(tmp_path):
    path = tmp_path / "truth.mcap"
    with TruthWriter(path) as writer:
        for frame in frames(10):
            writer.write(frame)
    whole = path.read_bytes()
    messages = [len(list(read(_cut(path, whole[:end])))) for end in range(1500, 6000, 61)]
    assert messages == sorted(messages)
    assert 0 < messages[0] < messages[-1] <= 20


def _cut(path, data):
    path.write_bytes(data)
    return path


def test_what_is_half_a_second_old_is_on_the_disk(tmp_path):
    writer = TruthWriter(tmp_path / "truth.mcap")
    for frame in frames(10):
        writer.write(frame)
    assert max(f.tick for f in read(tmp_path / "truth.mcap")) >= 5
    writer.close()
    writer.close()


@pytest.mark.parametrize("data", [b"", b"hello, this is no mcap file at all, but it is long"])
def test_another_file_is_one_clear_line(tmp_path, data):
    path = tmp_path / "truth.mcap"
    path.write_bytes(data)
    with pytest.raises(SourceError, match="expected a truth file"):
        list(read(path))
    with pytest.raises(SourceError, match=r"none\.mcap"):
        list(read(tmp_path / "none.mcap"))
