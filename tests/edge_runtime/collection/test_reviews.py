"""Review kept frames: each gets one label, can be taken back, and is in one folder at every moment."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.classify.decision import Scored
from edge_runtime.collection.errors import CollectionError
from edge_runtime.collection.listing import Listing
from edge_runtime.collection.names import folder_labels, is_picture_name, picture_name
from edge_runtime.collection.records import KeptFrame, parse_record
from edge_runtime.collection.review.accuracy import wilson_interval
from edge_runtime.collection.review.reviews import Group, Reviews
from edge_runtime.collection.store import picture_names, sidecar_of
from edge_runtime.storage.digest import sha256_of_bytes

RECORD = KeptFrame(
    label="cat",
    score=0.6,
    top=(Scored("cat", 0.6), Scored("dog", 0.4)),
    familiarity=None,
    stable="cat",
    reason="close",
    model="ab" * 32,
    artifact="int8.tflite",
    time="2026-11-25T05:40:53.982+00:00",
    burst="b000000",
    source="cam",
    frame=1,
    average_hash="0" * 16,
)


@pytest.fixture
def keep(tmp_path):
    """Return a function that puts a frame among those that wait for a review, and returns its name."""
    (tmp_path / "kept").mkdir()

    def put(number, **changes):
        content = f"picture {number}".encode()
        name = picture_name(1.7e9 + number, f"b{number:06x}", content, "jpg")
        (tmp_path / "kept" / name).write_bytes(content)
        (tmp_path / "kept" / sidecar_of(name)).write_bytes(replace(RECORD, **changes).to_json())
        return name

    return put


def places(folder, name):
    """Return the folders that contain a picture."""
    return sorted(path.parent.relative_to(folder).as_posix() for path in folder.rglob(name))


def test_a_label_moves_the_frame_with_what_the_model_said(keep, tmp_path):
    name = keep(1)
    reviews = Reviews(tmp_path)
    outcome = reviews.decide([name], "label", "dog")
    assert (outcome.moved, outcome.missing) == ({name: "dog"}, [])
    assert places(tmp_path, name) == ["reviewed/dog"]
    assert places(tmp_path, sidecar_of(name)) == ["reviewed/dog"]
    assert parse_record((tmp_path / "reviewed/dog" / sidecar_of(name)).read_bytes(), "") == RECORD


def test_confirm_takes_the_models_label_and_nothing_for_an_unknown_frame(keep, tmp_path):
    names = [keep(1, label="cat"), keep(2, label="dog"), keep(3, label="unknown")]
    outcome = Reviews(tmp_path).decide(names, "confirm")
    assert list(outcome.moved.values()) == ["cat", "dog", "nothing"]
    assert [places(tmp_path, name) for name in names] == [["reviewed/cat"], ["reviewed/dog"], ["reviewed/nothing"]]


def test_every_action_can_be_taken_back_in_reverse_order(keep, tmp_path):
    one, two = keep(1), keep(2)
    reviews = Reviews(tmp_path)
    reviews.decide([one, two], "label", "dog")
    reviews.decide([one], "delete")
    reviews.decide([two], "label", "nothing")
    assert (places(tmp_path, one), places(tmp_path, two)) == (["reviewed/.deleted"], ["reviewed/nothing"])
    assert reviews.undo().moved == {two: "dog"}
    assert reviews.undo().moved == {one: "dog"}
    assert reviews.undo().moved == {one: "", two: ""}
    assert reviews.undo().moved == {}
    assert places(tmp_path, one) == places(tmp_path, two) == ["kept"]
    assert len(list(tmp_path.rglob("*.json"))) == 2


def test_a_label_can_be_corrected_later_and_after_a_restart(keep, tmp_path):
    name = keep(1)
    Reviews(tmp_path).decide([name], "label", "dog")
    again = Reviews(tmp_path, ["dog", "cat", "bird"])
    assert [entry.label for entry in again.page(Group("reviewed"))] == ["dog"]
    again.decide([name], "label", "bird")
    assert places(tmp_path, name) == ["reviewed/bird"]
    again.decide([name], "return")
    assert places(tmp_path, name) == ["kept"]


def test_deleted_frames_are_removed_at_the_next_start(keep, tmp_path):
    name = keep(1)
    Reviews(tmp_path).decide([name], "delete")
    assert places(tmp_path, name) == ["reviewed/.deleted"]
    Reviews(tmp_path)
    assert places(tmp_path, name) == []


def test_labels_come_from_the_options_and_from_what_the_model_named(keep, tmp_path):
    keep(1)
    assert Reviews(tmp_path).labels() == ["cat", "dog", "nothing"]
    assert Reviews(tmp_path, ["bird", "dog"]).labels() == ["bird", "dog", "cat", "nothing"]
    assert Reviews(tmp_path, ["background", "dog"]).labels() == ["dog", "cat", "background"]


@pytest.mark.parametrize("label", ["", "horse", "../cat", ".deleted", "cat/../dog"])
def test_other_labels_and_names_are_refused(keep, tmp_path, label):
    name = keep(1)
    reviews = Reviews(tmp_path)
    with pytest.raises(CollectionError):
        reviews.decide([name], "label", label)
    assert reviews.decide(["../../etc/passwd", "x", ""], "delete").missing == ["../../etc/passwd", "x", ""]
    assert places(tmp_path, name) == ["kept"]


def test_two_reviewers_of_one_folder_give_a_frame_one_label(keep, tmp_path):
    name = keep(1)
    one, two = Reviews(tmp_path), Reviews(tmp_path)
    assert two.labels() == one.labels()  # both have read the folder
    assert one.decide([name], "label", "dog").missing == []
    assert two.decide([name], "label", "cat").missing == [name]
    assert places(tmp_path, name) == ["reviewed/dog"]
    assert places(tmp_path, sidecar_of(name)) == ["reviewed/dog"]


def test_groups_count_what_the_model_said_and_the_random_sample(keep, tmp_path):
    names = [keep(1, label="cat"), keep(2, label="dog"), keep(3, label="dog", reason="random")]
    reviews = Reviews(tmp_path)
    assert reviews.counted().groups == {
        Group("kept"): 3, Group("kept", "cat"): 1, Group("kept", "dog"): 2, Group("random"): 1,
    }  # fmt: skip
    assert [entry.name for entry in reviews.page(Group("kept"), limit=2)] == [names[2], names[1]]
    assert [entry.name for entry in reviews.page(Group("kept"), before=names[1])] == [names[0]]
    assert [entry.name for entry in reviews.page(Group("random"))] == [names[2]]


def test_frames_that_arrive_later_are_found(keep, tmp_path):
    reviews = Reviews(tmp_path)
    name = keep(1)
    assert reviews.decide([name], "label", "nothing").moved == {name: "nothing"}


def test_the_accuracy_in_the_field_is_that_of_the_reviewed_random_sample_of_the_newest_model(keep, tmp_path):
    reviews = Reviews(tmp_path, ["cat", "dog"])
    assert reviews.counted().accuracy is None
    old = [keep(number, reason="random", model="cd" * 32) for number in range(5)]
    right = [keep(10 + number, reason="random") for number in range(8)]
    empty = keep(20, reason="random", label="unknown")
    wrong = keep(21, reason="random")
    hard = keep(22, reason="close")
    keep(23, reason="random")  # waits for its review
    reviews.decide([*old, wrong, hard], "label", "dog")
    reviews.decide([*right, empty], "confirm")
    accuracy = reviews.counted().accuracy
    assert (accuracy.right, accuracy.total, accuracy.artifact) == (9, 10, "int8.tflite")
    assert (accuracy.low, accuracy.high) == pytest.approx((0.5958, 0.9821), abs=1e-4)


def test_wilson_interval_of_published_values():
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_frames_without_a_readable_sidecar_can_be_labelled(keep, tmp_path):
    name, other = keep(1), keep(2)
    (tmp_path / "kept" / sidecar_of(name)).unlink()
    (tmp_path / "kept" / sidecar_of(other)).write_text('{"label": "cat"}')
    reviews = Reviews(tmp_path, ["cat"])
    confirmed = reviews.decide([name, other], "confirm")  # would be a guess
    assert (confirmed.moved, confirmed.unclear) == ({}, [name, other])
    outcome = reviews.decide([name, other], "label", "cat")
    assert outcome.missing == []
    assert places(tmp_path, name) == places(tmp_path, other) == ["reviewed/cat"]


def test_a_model_with_a_thousand_labels_and_names_that_are_no_folders_can_be_reviewed(keep, tmp_path):
    labels = folder_labels([*(f"class {number}" for number in range(1000)), "a/b", "dog", "DOG"])
    assert len(labels) == 1001
    good, bad = keep(1, label="dog"), keep(2, label="a/b")
    reviews = Reviews(tmp_path, labels)
    assert reviews.labels()[:2] == ["dog", "class 0"]  # those that the model named come first
    assert reviews.labels()[-1] == "nothing"
    outcome = reviews.decide([good, bad], "confirm")
    assert (outcome.moved, outcome.unclear) == ({good: "dog"}, [bad])
    assert Group("kept", "a/b") in reviews.counted().groups


def test_ten_thousand_frames_are_counted_and_paged(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "sidecar").write_bytes(RECORD.to_json())
    for number in range(10_000):
        path = tmp_path / "kept" / picture_name(1.7e9 + number, f"b{number:06x}", b"", "jpg")
        os.link(tmp_path / "sidecar", path)
        os.link(tmp_path / "sidecar", path.with_suffix(".json"))
    reviews = Reviews(tmp_path)
    reviews.counted()
    reviews._read_s = float("-inf")
    assert reviews.counted().groups[Group("kept", "cat")] == 10_000
    page = reviews.page(Group("kept"), limit=60)
    assert len(page) == 60


CHILD = """
import sys, itertools
from pathlib import Path
from edge_runtime.collection.review.reviews import Reviews
from edge_runtime.collection.store import picture_names
folder = Path(sys.argv[1])
reviews = Reviews(folder, ["cat", "dog"])
print("ready", flush=True)
names = sorted(picture_names(folder / "kept")) or [entry.name for entry in reviews.page(("reviewed", ""))]
for label in itertools.cycle(["cat", "dog", "nothing"]):
    reviews.decide(names, "label", label)
    reviews.decide(names[::2], "return")
    reviews.undo()
"""


def test_a_kill_at_any_moment_loses_no_frame_and_no_label_and_doubles_none(keep, tmp_path):
    names = {keep(number) for number in range(6)}
    generator = random.Random(4)
    for _ in range(6):
        child = subprocess.Popen([sys.executable, "-c", CHILD, tmp_path], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(generator.uniform(0, 0.15))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        found = [path for path in tmp_path.rglob("*.jpg") if is_picture_name(path.name)]
        assert sorted(path.name for path in found) == sorted(names)
        for path in found:  # each with what the model said
            assert parse_record(path.with_name(sidecar_of(path.name)).read_bytes(), "") == RECORD
    for path in tmp_path.rglob("*.json"):
        os.utime(path, (1, 1))  # an hour later
    Reviews(tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 6


def test_the_list_has_names_sizes_and_digests_in_pages(keep, tmp_path):
    names = [keep(number) for number in range(5)]
    reviews = Reviews(tmp_path)
    reviews.decide(names[:3], "label", "dog")
    reviews.decide(names[3:], "label", "cat")
    listing = Listing(reviews.folder)
    first, cursor = listing.page(limit=3)
    assert [(item.label, item.name) for item in first] == [("cat", names[3]), ("cat", names[4]), ("dog", names[0])]
    assert cursor == f"dog/{names[0]}"
    rest, end = listing.page(cursor, limit=3)
    assert [item.name for item in rest] == names[1:3]
    assert end is None
    for item in (*first, *rest):
        content = listing.read(item.label, item.name)
        assert (item.size, item.sha256) == (len(content), sha256_of_bytes(content))
        assert item.name.endswith(f"_{item.sha256[:8]}.jpg")


def test_the_list_offers_only_pictures_with_valid_names_and_follows_no_link(keep, tmp_path):
    name = keep(1)
    reviews = Reviews(tmp_path)
    reviews.decide([name], "label", "dog")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "reviewed/dog/notes.txt").write_text("notes")
    link = picture_name(0, "b000001", b"", "jpg")
    (tmp_path / "reviewed/dog" / link).symlink_to(tmp_path / "secret")
    (tmp_path / "reviewed/linked").symlink_to(tmp_path, target_is_directory=True)
    listing = Listing(reviews.folder)
    assert [item.name for item in listing.page()[0]] == [name]
    for label, asked in (("dog", link), ("dog", "../../secret"), ("..", "secret"), ("dog", "notes.txt"), ("", name)):
        assert listing.read(label, asked) is None
    with zipfile.ZipFile(io.BytesIO(b"".join(listing.archive()))) as archive:
        assert archive.namelist() == [f"dog/{name}", f"dog/{sidecar_of(name)}"]
        assert archive.testzip() is None


def test_an_archive_of_nothing_is_a_valid_archive(tmp_path):
    with zipfile.ZipFile(io.BytesIO(b"".join(Listing(tmp_path / "none").archive()))) as archive:
        assert archive.namelist() == []
    assert Listing(Path("none")).page() == ([], None)
    assert list(picture_names(tmp_path / "none")) == []
