"""Frames are kept within a budget, by a thread of their own."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from edge_runtime.collection.keeper import Keeper, Limits, Model
from edge_runtime.collection.names import burst_of, is_picture_name
from edge_runtime.collection.records import read_record
from edge_runtime.collection.review.reviews import Group, Reviews
from edge_runtime.collection.store import picture_names, sidecar_of

MODEL = Model("ab" * 32, "int8.tflite", 0.5)
FAST = {"per_minute": 60_000.0, "random_share": 0.0, "min_free_bytes": 0}
CLOSE = (0.5, 0.45, 0.05)


@pytest.fixture
def keeper(tmp_path):
    """Return a function that opens a keeper, closed at the end of the test."""
    opened = []

    def make(**limits):
        opened.append(Keeper(tmp_path, MODEL, Limits(**{**FAST, **limits}), seed=1))
        return opened[-1]

    yield make
    for item in opened:
        item.close()


@pytest.fixture
def kept(tmp_path):
    """Return a function that returns the records of the kept frames by name, oldest first."""

    def read():
        folder = tmp_path / "kept"
        return {name: read_record(folder / f"{name[:-4]}.json") for name in sorted(picture_names(folder))}

    return read


def settled(keeper):
    """Wait until everything that was offered is written or dropped."""
    ends_s = time.monotonic() + 20
    while keeper.outbox.counts().waiting:
        assert time.monotonic() < ends_s
        time.sleep(0.002)


def offer(keeper, make_frame, make_prediction, numbers, **changes):
    for number in numbers:
        keeper.offer(make_frame(number), make_prediction(number, **changes))
        settled(keeper)


def test_hard_frames_are_kept_with_what_the_model_said(keeper, kept, make_frame, make_prediction, tmp_path):
    kind = keeper()
    offer(kind, make_frame, make_prediction, [0], stable="unknown")  # sure: not kept
    offer(kind, make_frame, make_prediction, [1], stable="unknown", scores=CLOSE)
    offer(kind, make_frame, make_prediction, [5], stable="red")  # the decision over frames changes
    offer(kind, make_frame, make_prediction, [9], stable="red", label="unknown", familiarity=0.1)
    records = list(kept().values())
    assert [(item.frame, item.reason) for item in records] == [(1, "close"), (5, "flipped"), (9, "unfamiliar")]
    assert (records[0].label, records[0].score, records[0].model) == ("red", 0.5, "ab" * 32)
    assert records[0].time == "2023-11-14T22:13:21.000+00:00"
    assert [item.label for item in records[0].top] == ["red", "green", "blue"]
    first = next(iter(kept()))
    assert (tmp_path / "kept" / first).read_bytes() == make_frame(1).image
    assert burst_of(first) == records[0].burst
    assert set(json.loads((tmp_path / "kept" / f"{first[:-4]}.json").read_text())) >= {"label", "reason", "burst"}
    assert [item.frame for item in kind.kept_after(1)] == [5, 9]


def test_frames_of_one_event_share_a_burst(keeper, kept, make_frame, make_prediction):
    kind = keeper()
    offer(kind, make_frame, make_prediction, [10, 20, 30], scores=CLOSE)
    offer(kind, make_frame, make_prediction, [40], scores=CLOSE, label="green")
    bursts = [item.burst for item in kept().values()]
    assert len(set(bursts[:3])) == 1
    assert bursts[3] != bursts[0]


def test_hard_frames_that_nearly_repeat_a_recent_one_are_not_kept_again(keeper, kept, make_frame, make_prediction):
    kind = keeper()
    image = make_frame(7).image
    for number in range(5):
        kind.offer(make_frame(number, image=image), make_prediction(number, scores=CLOSE))
        settled(kind)
    assert len(kept()) == 1
    assert kind.repeated == 4


def test_the_random_sample_is_drawn_from_all_frames_and_is_marked(keeper, kept, make_frame, make_prediction):
    kind = keeper(per_minute=6.0, random_share=1.0)
    offer(kind, make_frame, make_prediction, range(300), scores=CLOSE)
    records = kept().values()
    assert 15 < len(records) < 50
    assert {item.reason for item in records} == {"random"}


def test_the_rate_limits_hard_frames_and_not_the_random_ones(keeper, kept, make_frame, make_prediction):
    kind = keeper(per_minute=6.0, random_share=0.5)
    offer(kind, make_frame, make_prediction, range(300), scores=CLOSE)
    reasons = [item.reason for item in kept().values() if item.reason != "flipped"]
    assert 14 <= reasons.count("close") <= 17  # three per minute
    assert 7 <= reasons.count("random") <= 25


def test_the_oldest_go_first_when_the_budget_is_full(keeper, kept, make_frame, make_prediction, tmp_path):
    kind = keeper()
    offer(kind, make_frame, make_prediction, range(3), scores=CLOSE)
    total = sum(path.stat().st_size for path in (tmp_path / "kept").iterdir())
    kind.close()
    again = keeper(budget_bytes=total + 100)
    offer(again, make_frame, make_prediction, [7, 8], scores=CLOSE)
    assert sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) <= total + 100
    assert [item.frame for item in kept().values()][-2:] == [7, 8]
    assert 0 not in {item.frame for item in kept().values()}


def test_a_frame_that_looks_like_a_later_one_goes_before_an_older_one(
    keeper, kept, make_frame, make_prediction, make_scene, make_jpeg, tmp_path
):
    kind = keeper()
    similar = make_scene(1).copy()
    similar[:6, :56] = 255 - similar[:6, :56]  # differs in more bits than what counts as the same scene
    for number, pixels in enumerate((make_scene(0), make_scene(1), make_scene(2), similar)):
        kind.offer(make_frame(number, image=make_jpeg(pixels)), make_prediction(number, scores=CLOSE))
        settled(kind)
    assert len(kept()) == 4
    total = sum(path.stat().st_size for path in (tmp_path / "kept").iterdir())
    kind.close()
    offer(keeper(budget_bytes=total + 100), make_frame, make_prediction, [9], scores=CLOSE)
    assert [item.frame for item in kept().values()] == [0, 2, 3, 9]


def test_the_random_sample_is_thinned_by_age_alone(keeper, kept, make_frame, make_prediction):
    size = len(make_frame(0).image)
    kind = keeper(budget_bytes=10 * size, random_share=1.0, per_minute=60_000.0)
    image = make_frame(0).image
    for number in range(12):
        frame = make_frame(number, image=image if number < 6 else make_frame(number).image)
        kind.offer(frame, make_prediction(number))
        settled(kind)
    frames = [item.frame for item in kept().values()]
    assert frames == list(range(frames[0], 12))


def test_frames_that_were_reviewed_leave_room(keeper, kept, make_frame, make_prediction, tmp_path):
    kind = keeper(budget_bytes=8 * len(make_frame(0).image))
    offer(kind, make_frame, make_prediction, range(4), scores=CLOSE)
    first, *others = kept()
    for name in others:
        (tmp_path / "kept" / name).unlink()
        (tmp_path / "kept" / f"{name[:-4]}.json").unlink()
    offer(kind, make_frame, make_prediction, range(10, 13), scores=CLOSE)
    assert first in kept()


def test_frames_that_a_review_puts_back_count_again(keeper, make_frame, make_prediction, tmp_path):
    size = len(make_frame(0).image) + 700
    kind = keeper(budget_bytes=8 * size)
    offer(kind, make_frame, make_prediction, range(6), scores=CLOSE)
    reviews = Reviews(tmp_path, ["red"])
    reviews.decide([entry.name for entry in reviews.page(Group("kept"))], "label", "red")
    offer(kind, make_frame, make_prediction, range(10, 18), scores=CLOSE)
    reviews.undo()
    offer(kind, make_frame, make_prediction, range(20, 24), scores=CLOSE)
    assert sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) <= 8 * size


def test_a_disk_that_is_full_or_gone_costs_frames_and_not_the_loop(
    keeper, kept, make_frame, make_prediction, tmp_path, capfd
):
    kind = keeper(min_free_bytes=10**18)
    offer(kind, make_frame, make_prediction, range(5), scores=CLOSE)
    assert kind.outbox.counts().dropped == 5
    assert kept() == {}
    kind = keeper()
    shutil.rmtree(tmp_path / "kept")
    offer(kind, make_frame, make_prediction, range(5), scores=CLOSE)
    (tmp_path / "kept").mkdir()  # it is back
    offer(kind, make_frame, make_prediction, range(6, 8), scores=CLOSE)
    assert [item.frame for item in kept().values()] == [6, 7]
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if "free" in line] == [lines[0]]
    assert len([line for line in lines if "cannot be written: No such file" in line]) == 1


def test_a_full_queue_drops_the_oldest_candidates(keeper, make_frame, make_prediction):
    kind = keeper()
    image, prediction = make_frame(0).image, make_prediction(0, scores=CLOSE)
    for number in range(2000):
        kind.offer(make_frame(number, image=image), prediction)
    settled(kind)
    counts = kind.outbox.counts()
    assert counts.delivered + counts.dropped == 2000
    assert counts.dropped > 0


CHILD = """
import io, itertools, os, sys, time
from pathlib import Path
import numpy as np
from PIL import Image
from edge_runtime.classify.decision import Scored
from edge_runtime.collection.keeper import Keeper, Limits, Model
from edge_runtime.live.records import Frame, FramePrediction
folder, frames = Path(sys.argv[1]), int(sys.argv[2])
keeper = Keeper(folder, Model("ab" * 32, "int8.tflite"), Limits(400_000, 60_000.0, 0.1, 0), waits=True)
top = (Scored("red", 0.5), Scored("green", 0.45))
random = np.random.default_rng()
print("ready", flush=True)
def offer(number):
    stream = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (48, 64, 3), np.uint8)).save(stream, "JPEG")
    frame = Frame("cam", number, stream.getvalue(), 1.7e9 + number, float(number))
    keeper.offer(frame, FramePrediction("cam", number, 1.7e9, 1.0, 0, "red", 0.5, top, "red", 1.0, 1.0, 1.0))
for number in range(frames) if frames else itertools.count():
    offer(number)
"""


def test_a_kill_at_any_moment_leaves_only_whole_frames_with_what_the_model_said(tmp_path):
    generator = random.Random(6)
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", CHILD, tmp_path, "0"], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(generator.uniform(0.05, 0.3))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        names = list(picture_names(tmp_path / "kept"))
        for name in names:
            with Image.open(tmp_path / "kept" / name) as image:
                image.load()
            assert read_record(tmp_path / "kept" / sidecar_of(name)).frame >= 0
    assert len(names) > 5
    reviews = Reviews(tmp_path)
    assert reviews.counted().groups[Group("kept")] == len(names)


FULL = """
def settle():
    while keeper.outbox.counts().waiting:
        time.sleep(0.002)
settle()
full = keeper.outbox.counts()
ballast.unlink()  # there is room again
offer(frames)
settle()
os.chdir("/")
os.system("umount --lazy " + str(folder))  # the disk is gone
for number in range(frames + 1, 2 * frames):
    offer(number)
settle()
counts = keeper.outbox.counts()
print(full.delivered, full.dropped, counts.delivered, counts.dropped)
"""
BALLAST = """
ballast = Path(sys.argv[1], "ballast")
ballast.write_bytes(bytes(180_000))
"""


def test_a_real_disk_that_is_full_and_then_gone_costs_frames_alone(tmp_path):
    frames = 30
    script = tmp_path / "child.py"
    script.write_text(CHILD.replace("keeper = ", f"{BALLAST}keeper = ", 1) + FULL)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = (
        f"mount -t tmpfs -o size=200k tmpfs '{disk}' || exit 77; exec '{sys.executable}' '{script}' '{disk}' {frames}"
    )
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", mounting], capture_output=True, text=True, check=False
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("may not mount a file system of its own")
    assert done.returncode == 0, done.stderr
    delivered, dropped, delivered_later, dropped_later = map(int, done.stdout.split()[1:])
    assert delivered + dropped == frames
    assert dropped > 0
    assert delivered_later == delivered + 1
    assert dropped_later == dropped + frames - 1
    lines = done.stderr.splitlines()  # one for each minute and reason
    assert len(lines) <= 2, lines
    assert "No space left on device" in lines[0]


def test_damaged_sidecars_do_not_stop_it(keeper, kept, make_frame, make_prediction, tmp_path):
    kind = keeper()
    offer(kind, make_frame, make_prediction, range(2), scores=CLOSE)
    kind.close()
    first, _ = kept()
    (tmp_path / "kept" / f"{first[:-4]}.json").write_text("{}")
    again = keeper(budget_bytes=4 * len(make_frame(0).image))
    offer(again, make_frame, make_prediction, range(5, 9), scores=CLOSE)
    assert all(is_picture_name(name) for name in kept())
    assert first not in kept()


def test_changed_decisions_are_at_most_a_quarter_of_the_hard_frames(keeper, kept, make_frame, make_prediction):
    kind = keeper(per_minute=60.0)
    for number in range(200):  # one per second; every second one changes the decision, each tenth is close
        label = ("red", "green")[number // 2 % 2]
        scores = CLOSE if number % 10 == 5 else (0.9, 0.06, 0.04)
        kind.offer(make_frame(number), make_prediction(number, label, scores))
        settled(kind)
    reasons = [item.reason for item in kept().values()]
    assert reasons.count("close") == 20
    assert 40 <= reasons.count("flipped") <= 52
