from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import threading
import time

import pytest

from edge_runtime.classify.many import MIN_PARALLEL_IMAGES, Outcome, classify_many
from edge_runtime.command_line.progress import Progress
from edge_runtime.errors import InferenceError, SourceError

EDGE_RUN = [sys.executable, "-m", "edge_runtime.cli"]


def outcomes(items, classify, workers):
    opened = []

    def open_classifier(in_parallel):
        opened.append(in_parallel)
        return len(opened)

    return list(classify_many(items, open_classifier, classify, workers)), opened


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_outcomes_have_the_order_of_the_items(workers):
    def classify(classifier, path):
        time.sleep(0.002 if int(path) % 3 else 0.01)
        if path == "7":
            raise SourceError("damaged")
        return f"prediction {path}"

    failed = Outcome("argument", None, SourceError("nothing here"))
    found, opened = outcomes([*map(str, range(20)), failed, "20"], classify, workers)
    assert [outcome.path for outcome in found] == [*map(str, range(20)), "argument", "20"]
    assert [str(outcome.problem) for outcome in found if outcome.problem] == ["damaged", "nothing here"]
    assert found[3].prediction == "prediction 3"
    assert opened == [workers > 1] * workers


def test_no_classifier_is_used_by_two_threads_at_the_same_time():
    busy = set()

    def classify(classifier, path):
        assert classifier not in busy
        busy.add(classifier)
        time.sleep(0.001)
        busy.remove(classifier)

    assert len(outcomes(map(str, range(100)), classify, 4)[0]) == 100


def test_paths_are_consumed_only_as_needed():
    consumed = []

    def items():
        for index in range(1000):
            consumed.append(index)
            yield str(index)

    results = classify_many(items(), lambda _: None, lambda *_: None, 2)
    for _ in range(10):
        next(results)
    assert len(consumed) < 30
    results.close()


def test_few_images_use_one_worker_and_many_use_all_cores():
    cores = len(os.sched_getaffinity(0))
    assert outcomes(["1"] * (MIN_PARALLEL_IMAGES - 1), lambda *_: None, None)[1] == [False]
    assert len(outcomes(["1"] * MIN_PARALLEL_IMAGES, lambda *_: None, None)[1]) == cores


def test_a_runtime_failure_ends_the_classification():
    def classify(*_):
        raise InferenceError("broken")

    with pytest.raises(InferenceError, match="broken"):
        outcomes(["1"] * 50, classify, 2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")]


def test_the_output_does_not_depend_on_the_number_of_workers(bundle, photo, tmp_path, edge_run):
    for index in range(30):
        photo(("red", "green", "blue")[index % 3], name=f"many/{index:02}.png")
    (tmp_path / "many" / "99.jpg").write_bytes(b"")
    results = []
    for workers in ("1", "3"):
        code, out, err = edge_run("classify", bundle, tmp_path / "many", "--workers", workers, "--json")
        lines = [json.loads(line) for line in out]
        results.append((code, err, [(line["path"], line.get("label"), line.get("score")) for line in lines]))
    assert results[0] == results[1]
    assert results[0][0] == 1
    assert len(results[0][2]) == 31


def test_classify_reads_paths_from_standard_input(bundle, photo):
    paths = f"{photo('green')}\n{photo('blue')}\n"
    done = subprocess.run([*EDGE_RUN, "classify", bundle, "-"], input=paths, capture_output=True, text=True, check=True)
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["green", "blue"]


def test_the_progress_bar_shows_count_percentage_rate_and_remaining_time(wait_until):
    progress = Progress(io.StringIO(), lambda: 200)
    wait_until(lambda: progress.total == 200)
    for _ in range(50):
        progress.step()
    assert progress.line(10.0) == "[######..................]  25%  50 of 200  5/s  0:30 left"
    progress.total = None
    assert progress.line(10.0) == "50 images  5/s"


def test_the_progress_bar_appears_on_a_terminal_and_not_in_the_results(bundle, photo):
    """Connect stderr to a terminal and stdout to a pipe."""
    path = photo()
    leader, follower = pty.openpty()
    done = subprocess.run(
        [*EDGE_RUN, "classify", bundle, *[path] * 5], stdout=subprocess.PIPE, stderr=follower, check=True
    )
    os.close(follower)
    assert len(done.stdout.splitlines()) == 5
    shown = os.read(leader, 4096)
    os.close(leader)
    assert b"images" in shown or b"of 5" in shown
    assert shown.endswith(b"\r\x1b[K")
