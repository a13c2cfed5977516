"""Collect labelled pictures: whole files, no repeats, within limits, and taken back on request."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from edge_runtime.collection.collector import CollectLimits, Collector
from edge_runtime.collection.errors import CollectionError
from edge_runtime.collection.names import burst_of, is_picture_name
from edge_runtime.errors import SourceError

NO_LIMIT = CollectLimits(min_free_bytes=0)


@pytest.fixture
def collector(tmp_path):
    return Collector(tmp_path / "out", ["cat", "dog"], NO_LIMIT)


def files(collector):
    return sorted(path.relative_to(collector.folder).as_posix() for path in collector.folder.glob("[a-z]*/*"))


def test_a_picture_is_stored_in_the_folder_of_its_class_with_the_cameras_bytes(collector, make_frame):
    frame = make_frame(1)
    taken = collector.take(frame, "cat")
    assert taken.result == "stored"
    assert (collector.folder / "cat" / taken.picture.name).read_bytes() == frame.image
    assert files(collector) == [f"cat/{taken.picture.name}"]
    assert collector.counts() == {"cat": 1, "dog": 0}
    assert is_picture_name(taken.picture.name)


def test_near_repeats_of_the_last_picture_are_counted_and_not_stored(collector, make_frame):
    image = make_frame(5).image
    results = [collector.take(make_frame(number, image=image), "cat").result for number in range(3)]
    assert results == ["stored", "repeated", "repeated"]
    assert collector.repeated == 2
    assert collector.take(make_frame(4, image=image), "dog").result == "stored"  # another label is no repeat
    assert collector.take(make_frame(5), "dog").result == "repeated"


def test_pictures_of_a_hold_are_one_burst_and_are_taken_back_together(collector, make_frame):
    collector.take(make_frame(0), "cat")
    for number in range(4):
        collector.take(make_frame(50 + number, 100 + number / 4), "dog", is_first=number == 0)
    names = [item.name for item in collector.latest() if item.label == "dog"]
    assert len({burst_of(name) for name in names}) == 1
    assert len(collector.undo()) == 4
    assert collector.counts() == {"cat": 1, "dog": 0}
    assert len(collector.undo()) == 1
    assert collector.undo() == []
    assert files(collector) == []


def test_a_deleted_picture_comes_back(collector, make_frame):
    picture = collector.take(make_frame(1), "cat").picture
    assert collector.delete("cat", picture.name)
    assert not collector.delete("cat", picture.name)
    assert (files(collector), collector.latest()) == ([], [])
    assert collector.undo() == [picture]
    assert files(collector) == [f"cat/{picture.name}"]
    assert collector.latest() == [picture]
    assert collector.take(make_frame(1), "cat").result == "stored"


@pytest.mark.parametrize("name", ["../dog/x", "", "x.jpg", "../../etc/passwd"])
def test_other_names_and_labels_delete_nothing(collector, name, tmp_path):
    assert not collector.delete("cat", name)
    with pytest.raises(CollectionError):
        collector.delete("../cat", name)


def test_the_region_is_stored(tmp_path, make_frame, make_scene):
    collector = Collector(tmp_path, ["cat"], NO_LIMIT, roi=(10, 5, 30, 20))
    taken = collector.take(make_frame(1, image=make_scene(1)), "cat")
    with Image.open(tmp_path / "cat" / taken.picture.name) as image:
        assert image.size == (30, 20)


def test_the_labels_of_an_existing_folder_are_used_and_its_pictures_counted(tmp_path, photo):
    photo("red", name="data/tomato/one.png")
    photo("red", name="data/tomato/two.JPG")
    (tmp_path / "data/pepper").mkdir()
    collector = Collector(tmp_path / "data", [], NO_LIMIT)
    assert collector.counts() == {"pepper": 0, "tomato": 2}


def test_a_folder_without_classes_needs_labels(tmp_path):
    with pytest.raises(CollectionError, match="--labels"):
        Collector(tmp_path, [])


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CollectionError, match=r"file/out: cannot be used"):
        Collector(tmp_path / "file" / "out", ["cat"])


def test_limits_are_reported_and_nothing_more_is_stored(tmp_path, make_frame):
    size = len(make_frame(1).image)
    collector = Collector(tmp_path / "a", ["cat"], CollectLimits(budget_bytes=2 * size, min_free_bytes=0))
    collector.take(make_frame(1), "cat")
    with pytest.raises(CollectionError, match="--budget"):
        any(collector.take(make_frame(number), "cat") is None for number in range(2, 9))
    full = Collector(tmp_path / "b", ["cat"], CollectLimits(min_free_bytes=10**18))
    with pytest.raises(CollectionError, match="are free"):
        full.take(make_frame(1), "cat")
    assert files(full) == []


def test_a_frame_that_cannot_be_decoded_is_not_stored(collector, make_frame):
    with pytest.raises(SourceError):
        collector.take(make_frame(1, image=b"\xff\xd8 no picture"), "cat")
    assert files(collector) == []


CHILD = """
import io, sys, itertools
from pathlib import Path
import numpy as np
from edge_runtime.collection.collector import Collector, CollectLimits
from edge_runtime.live.records import Frame
collector = Collector(Path(sys.argv[1]), ["cat", "dog"], CollectLimits(min_free_bytes=0))
random = np.random.default_rng()
print("ready", flush=True)
for number in itertools.count():
    pixels = random.integers(0, 256, (240, 320, 3), np.uint8)
    collector.take(Frame("cam", number, pixels, 1.7e9 + number, float(number)), ("cat", "dog")[number % 2])
    if number % 5 == 4:
        collector.undo()
"""


def test_a_kill_at_any_moment_leaves_only_whole_pictures_each_once(tmp_path):
    generator = random.Random(5)
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", CHILD, tmp_path], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(generator.uniform(0.05, 0.3))
        child.send_signal(signal.SIGKILL)
        child.communicate()
    paths = [path for path in tmp_path.rglob("*.jpg") if is_picture_name(path.name)]
    assert len(paths) > 5
    assert len({path.name for path in paths}) == len(paths)
    for path in paths:
        with Image.open(path) as image:
            image.load()
            assert image.size == (320, 240)
    counts = Collector(tmp_path, []).counts()
    assert sum(counts.values()) == sum(path.parent.parent == tmp_path for path in paths)
