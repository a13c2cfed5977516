"""The frames of a burst are used for one purpose."""

import pytest

from trainer.data.bursts import burst_of
from trainer.errors import DataError
from trainer.images.read_data import read_data
from trainer.options import DataOptions

OPTIONS = DataOptions(image_size=16)


def name_of(burst, number):
    return f"20261127-0915{burst % 60:02}-{number:03}_b{burst:06x}_{number:08x}.png"


@pytest.fixture
def draw_bursts(draw_photo):
    """Give a function that draws bursts of frames of a class."""

    def draw(folder, label, bursts, frames=4):
        for burst in bursts:
            for number in range(frames):
                tint = (200, 60, 40) if label == "cat" else (40, 80, 200)
                draw_photo(folder / label / name_of(burst, number), burst * 100 + number + len(label) * 10**6, tint)

    return draw


@pytest.fixture
def bursts(draw_bursts, tmp_path):
    folder = tmp_path / "bursts"
    draw_bursts(folder, "cat", range(12))
    draw_bursts(folder, "dogs", range(100, 112))
    return folder


def splits_of_bursts(dataset):
    found = {}
    for photo in dataset.photos:
        found.setdefault(burst_of(photo.file.name) or photo.sha256, set()).add(photo.split)
    return found


def test_the_burst_is_in_the_name_of_the_file_and_not_of_its_folder():
    assert burst_of("cat/20261127-091500-123_b03f9c1_0123abcd.jpg") == "b03f9c1"
    assert burst_of("x_b03f9c1_y/cat.1.jpg") is None
    assert burst_of("cat/IMG_b1234_5678.jpg") is None


def test_the_frames_of_a_burst_have_one_split_and_every_class_has_all_splits(bursts):
    dataset = read_data(bursts, OPTIONS)
    found = splits_of_bursts(dataset)
    assert len(found) == 24
    assert all(len(splits) == 1 for splits in found.values())
    for label in dataset.spec.labels:
        assert {photo.split for photo in dataset.photos if photo.file.label == label} == {"train", "validation", "test"}


def test_frames_and_bursts_that_are_added_move_no_older_frame(bursts, draw_bursts, draw_set):
    draw_bursts(bursts, "cat", range(12, 40))
    draw_bursts(bursts, "dogs", range(112, 140))
    before = {photo.sha256: photo.split for photo in read_data(bursts, OPTIONS).photos}
    draw_bursts(bursts, "cat", range(40), frames=7)
    draw_bursts(bursts, "dogs", range(140, 150))
    draw_set(bursts, labels=("cat",), count=20)
    dataset = read_data(bursts, OPTIONS)
    after = {photo.sha256: photo.split for photo in dataset.photos}
    assert {digest: after[digest] for digest in before} == before
    assert all(len(splits) == 1 for splits in splits_of_bursts(dataset).values())


@pytest.mark.parametrize("seed", range(8))
def test_a_burst_with_frames_of_two_classes_has_one_split_even_in_small_sets(tmp_path, draw_bursts, seed):
    draw_bursts(tmp_path, "cat", range(5))
    draw_bursts(tmp_path, "dogs", [2, 11, 12, 13])
    found = splits_of_bursts(read_data(tmp_path, DataOptions(image_size=16, seed=seed)))
    assert all(len(splits) == 1 for splits in found.values())


def test_a_class_with_too_few_bursts_is_named(tmp_path, draw_bursts, draw_set):
    draw_bursts(tmp_path, "cat", [1, 2], frames=20)
    draw_bursts(tmp_path, "dogs", range(11, 16))
    with pytest.raises(DataError, match=r"class 'cat' has 40 usable photographs in 2 bursts.*3 in total"):
        read_data(tmp_path, OPTIONS)
    draw_set(tmp_path, labels=("cat",), count=1)
    assert len(read_data(tmp_path, OPTIONS).photos) == 61


def test_classes_that_share_their_bursts_are_named(tmp_path, draw_bursts):
    draw_bursts(tmp_path, "cat", range(3))
    draw_bursts(tmp_path, "dogs", range(3))
    with pytest.raises(DataError, match="shares most of its bursts with other classes"):
        read_data(tmp_path, OPTIONS)


def test_frames_for_training_whose_burst_is_also_in_the_test_folder_are_left_out(tmp_path, draw_bursts):
    for part, numbers in (("train", range(8)), ("test", range(20, 24))):
        draw_bursts(tmp_path / part, "cat", numbers)
        draw_bursts(tmp_path / part, "dogs", [number + 100 for number in numbers])
    moved = tmp_path / "train" / "cat" / name_of(1, 0)
    moved.rename(tmp_path / "test" / "cat" / moved.name)
    dataset = read_data(tmp_path, OPTIONS)
    reasons = {problem.path: problem.reason for problem in dataset.problems}
    assert {path.rpartition("/")[2] for path in reasons} == {name_of(1, number) for number in (1, 2, 3)}
    assert all("a leak: a frame of the same burst as test/cat/" in reason for reason in reasons.values())
    assert all(len(splits) == 1 for splits in splits_of_bursts(dataset).values())
