"""The live loop with a real classifier: on every fault of the simulated camera, and on files."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from recording import Recorder

from edge_runtime.classify.classifier import Classifier
from edge_runtime.errors import InferenceError, SourceError
from edge_runtime.live.capture import Patience
from edge_runtime.live.hooks import Hooks
from edge_runtime.live.preparation import Selection
from edge_runtime.live.records import Frame
from edge_runtime.live.smoothing import Rules
from edge_runtime.live.sources.opening import open_source
from edge_runtime.live.stream import Stream

SHORT = Patience(stall_timeout_s=0.4, give_up_s=60.0, first_wait_s=0.05)
LONG = Patience(stall_timeout_s=30.0, give_up_s=120.0, first_wait_s=0.05)  # no stall is reported on a busy machine


def in_order(kinds, *expected):
    """Return whether the expected kinds occur in this order, with or without others between them."""
    rest = iter(kinds)
    return all(kind in rest for kind in expected)


@pytest.fixture
def classifier(bundle):
    return Classifier.open(bundle, threads=1)


@pytest.fixture
def camera(photo, tmp_path):
    """Return a function that opens a simulated camera that shows red."""
    photo("red", name="red/1.png")
    photo("red", name="red/2.png")
    return lambda query="", folder="red": open_source(f"simulated:{tmp_path / folder}?size=64x48&{query}")


@pytest.fixture
def run(classifier):
    """Return a function that runs the loop and returns the sink that recorded everything, and the tally."""

    def start(source, **settings):
        recorder = Recorder()
        settings.setdefault("patience", LONG)
        tally = Stream(source, classifier, [recorder], **settings).run()
        return recorder, tally

    return start


def labels(recorder):
    return {prediction.label for prediction in recorder.predictions}


def test_every_prediction_has_its_frames_number_age_and_drops(run, camera):
    recorder, tally = run(camera("fps=50"), frames=20)
    assert (tally.predictions, labels(recorder)) == (20, {"red"})
    numbers = [prediction.frame for prediction in recorder.predictions]
    assert numbers == sorted(set(numbers))
    for before, after in zip(recorder.predictions, recorder.predictions[1:], strict=False):
        assert after.dropped == after.frame - before.frame - 1
        assert after.captured_at > before.captured_at
        assert 0 < after.age_ms < 30_000
    assert recorder.predictions[-1].stable == "red"
    assert recorder.kinds() == ["entered", "left"]


def test_a_slow_model_gets_only_the_newest_frames(run, camera, classifier, monkeypatch):
    fast = classifier.backend.invoke

    def slow(tensor):
        time.sleep(0.1)
        return fast(tensor)

    monkeypatch.setattr(classifier.backend, "invoke", slow)
    recorder, _ = run(camera("fps=100"), frames=8)
    assert sum(prediction.dropped for prediction in recorder.predictions) > 20
    assert np.median([prediction.age_ms for prediction in recorder.predictions]) < 1000


def test_the_model_runs_on_the_next_frame_while_a_result_is_processed(run, camera, classifier, monkeypatch):
    fast, began, again = classifier.backend.invoke, [], threading.Event()

    def invoke(tensor):
        began.append(tensor)
        if len(began) == 2:
            again.set()
        return fast(tensor)

    def wait_for_the_model(*_):
        assert again.wait(60)

    monkeypatch.setattr(classifier.backend, "invoke", invoke)
    _, tally = run(camera("fps=50"), frames=2, hooks=Hooks(on_frame=wait_for_the_model))
    assert tally.predictions == 2


def test_a_failure_of_the_model_ends_the_loop_with_its_error(run, camera, classifier, monkeypatch):
    def failing(tensor):
        raise InferenceError("out of memory")

    monkeypatch.setattr(classifier.backend, "invoke", failing)
    with pytest.raises(InferenceError, match="out of memory"):
        run(camera("fps=50"))


def test_the_loop_reports_a_stall_and_continues_after_it(run, camera):
    recorder, _ = run(camera("fps=50&stall=10:0.9"), frames=20, patience=SHORT)
    assert in_order(recorder.kinds(), "stalled", "recovered", "entered", "left")
    recovered = next(event for event in recorder.events if event.kind == "recovered")
    assert recovered.duration_s >= 0.4


def test_a_repeated_picture_is_classified_once(run, camera):
    """Forty frames at 50 per second show the same picture: this counts as a stall, although frames arrive."""
    recorder, _ = run(camera("fps=50&freeze=10:40"), frames=20, patience=SHORT)
    numbers = [prediction.frame for prediction in recorder.predictions]
    assert in_order(recorder.kinds(), "stalled", "recovered", "entered", "left")
    assert len(numbers) == 20
    shown = [p.captured_at for p in recorder.predictions]
    assert max(np.diff(shown)) > 0.4  # no prediction in between


def test_arrays_with_equal_pixels_are_classified_if_they_are_different_objects(run, camera):
    recorder, _ = run(camera("fps=50&form=array"), frames=10)
    assert (labels(recorder), recorder.kinds()) == ({"red"}, ["entered", "left"])


def test_dropped_frames_are_counted(run, camera):
    recorder, _ = run(camera("fps=100&drop=10:5"), frames=30)
    assert sum(prediction.dropped for prediction in recorder.predictions) >= 5
    assert not {10, 11, 12, 13, 14} & {prediction.frame for prediction in recorder.predictions}


@pytest.mark.parametrize("fault", ["tear", "corrupt"])
def test_a_damaged_jpeg_is_skipped(run, camera, fault):
    recorder, _ = run(camera(f"fps=100&{fault}=10:5"), frames=30)
    assert not {10, 11, 12, 13, 14} & {prediction.frame for prediction in recorder.predictions}
    assert (labels(recorder), recorder.kinds()) == ({"red"}, ["entered", "left"])


def test_a_camera_that_sends_only_damaged_jpegs_counts_as_stalled(run, camera):
    with pytest.raises(SourceError, match=r"no fresh frame for 0.6 s; gave up"):
        run(camera("fps=50&corrupt=0:1000000"), patience=replace(SHORT, give_up_s=0.6))


def test_torn_arrays_and_swapped_channels_are_classified_as_received(run, camera):
    """They cannot be distinguished from an intact picture."""
    recorder, _ = run(camera("fps=100&form=array&tear=5:5"), frames=15)
    assert labels(recorder) == {"red"}
    recorder, _ = run(camera("fps=100&swap=10:1000"), frames=25)
    seen = {prediction.frame: prediction.label for prediction in recorder.predictions}
    assert all(label == ("red" if frame < 10 else "blue") for frame, label in seen.items())


@pytest.mark.parametrize("form", ["jpeg", "array"])
def test_frames_may_change_their_size(run, camera, form):
    recorder, tally = run(camera(f"fps=50&form={form}&shape=5:20x90&shape=10:300x30"), frames=20)
    assert (labels(recorder), tally.unreadable) == ({"red"}, 0)


def test_a_jump_of_the_clock_changes_no_age_and_no_duration(run, camera):
    recorder, _ = run(camera("fps=100&jump=10:-3600"), frames=30)
    captured = [prediction.captured_at for prediction in recorder.predictions]
    assert min(np.diff(captured)) < -3500
    assert all(0 < prediction.age_ms < 30_000 for prediction in recorder.predictions)
    assert recorder.kinds() == ["entered", "left"]
    assert 0 < recorder.events[-1].duration_s < 60


def test_a_camera_that_disconnects_and_returns_is_reported(run, camera):
    recorder, _ = run(camera("fps=50&disconnect=10:0.3"), frames=20)
    assert recorder.kinds() == ["entered", "left", "lost", "recovered", "entered", "left"]
    assert recorder.events[2].detail == "disconnected"  # without the source's name, which is a field of its own
    numbers = [prediction.frame for prediction in recorder.predictions]
    assert numbers == sorted(set(numbers))
    assert recorder.events[3].duration_s >= 0.3


def test_a_simulated_camera_without_readable_images_is_an_error(run, camera, tmp_path):
    with pytest.raises(SourceError, match="no such folder; simulated:FOLDER"):
        run(camera(folder="nowhere"))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_text("not an image")
    with camera(folder="bad") as source, pytest.raises(SourceError, match=r"a\.jpg is not a readable image"):
        next(iter(source))


def test_a_camera_that_stays_away_ends_the_loop(run, camera):
    with pytest.raises(SourceError, match="gave up"):
        run(camera("fps=50&disconnect=5:1000"), patience=replace(SHORT, give_up_s=0.6))


def test_the_heartbeat_is_called_only_for_fresh_frames(run, camera):
    beats = []
    hooks = Hooks(heartbeat=lambda: beats.append(time.monotonic()))
    run(camera("fps=50&stall=10:0.9"), frames=20, patience=SHORT, hooks=hooks)
    assert max(np.diff(beats)) > 0.5  # from the end of the stall timeout until the camera is reopened


def test_a_frame_that_becomes_old_behind_a_slow_sink_is_skipped(classifier, camera):

    class Slow(Recorder):
        def prediction(self, prediction):
            super().prediction(prediction)
            time.sleep(0.6 if len(self.predictions) == 3 else 0)

    slow = Slow()
    Stream(camera("fps=50"), classifier, [slow], frames=8, patience=SHORT).run()
    assert all(prediction.age_ms - prediction.inference_ms < 600 for prediction in slow.predictions)


def test_the_motion_gate_skips_an_unchanged_scene_and_passes_a_change(run, photo, tmp_path):
    for index in range(20):
        photo("red" if index < 12 else "blue", name=f"scene/{index:02}.png")
    beats = []
    source = open_source(str(tmp_path / "scene"))
    rules = Rules((0.0, 0.0, 0.0), alpha=1.0)
    recorder, tally = run(
        source, selection=Selection(motion=5.0), rules=rules, hooks=Hooks(heartbeat=lambda: beats.append(1))
    )
    assert [(p.frame, p.label) for p in recorder.predictions] == [(0, "red"), (12, "blue")]
    assert (tally.unchanged, len(beats)) == (18, 20)
    entered = [(event.label, event.frame) for event in recorder.events if event.kind == "entered"]
    assert entered == [("red", 2), ("blue", 14)]  # at the third vote: an unchanged frame votes like the first one


def test_after_a_stall_the_motion_gate_passes_the_first_frame(run, camera):
    recorder, tally = run(camera("fps=50&stall=10:0.9"), frames=2, selection=Selection(motion=5.0), patience=SHORT)
    assert tally.predictions == 2
    assert in_order(recorder.kinds(), "entered", "stalled", "recovered")


def test_with_every_n_one_frame_in_n_is_classified(run, photo, tmp_path):
    for index in range(10):
        photo("red", name=f"ten/{index}.png")
    recorder, _ = run(open_source(str(tmp_path / "ten")), selection=Selection(every=4))
    assert [(p.frame, p.dropped) for p in recorder.predictions] == [(0, 0), (4, 3), (8, 3)]


def test_max_fps_limits_the_rate(run, camera):
    began = time.monotonic()
    run(camera("fps=200"), frames=6, selection=Selection(max_fps=20))
    assert time.monotonic() - began >= 5 / 20


def test_only_the_region_of_interest_is_classified(run):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30] = (220, 30, 20)
    pixels[:, 30:] = (20, 40, 230)

    class One:
        name, live = "one", False

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def __iter__(self):
            yield Frame("one", 0, pixels, time.time(), time.monotonic())

    for roi, label in (((0, 0, 20, 40), "red"), ((35, 10, 25, 30), "blue"), ((35, 10, 1000, 1000), "blue")):
        recorder, _ = run(One(), selection=Selection(roi=roi))
        assert labels(recorder) == {label}
    _, tally = run(One(), selection=Selection(roi=(60, 0, 10, 10)))
    assert (tally.predictions, tally.unreadable) == (0, 1)


def test_an_unreadable_file_is_reported_and_the_others_are_classified(run, photo, tmp_path):
    photo("red", name="mixed/1.png")
    (tmp_path / "mixed" / "2.jpg").write_bytes(b"")
    photo("blue", name="mixed/3.png")
    unreadable = []
    hooks = Hooks(on_unreadable=lambda *item: unreadable.append(item))
    recorder, tally = run(open_source(str(tmp_path / "mixed")), hooks=hooks)
    assert [p.label for p in recorder.predictions] == ["red", "blue"]
    assert (tally.unreadable, unreadable[0][0].number) == (1, 1)


def test_stop_ends_the_loop_and_the_present_class_leaves(run, camera):
    stop = threading.Event()
    seen = []

    def on_frame(frame, prediction):
        seen.append((frame.number, prediction.frame))
        if len(seen) == 10:
            stop.set()

    recorder, tally = run(camera("fps=50"), stop=stop, hooks=Hooks(on_frame=on_frame))
    assert (tally.predictions, recorder.kinds()) == (10, ["entered", "left"])
    assert all(frame == predicted for frame, predicted in seen)


def test_no_thread_outlives_the_loop(run, camera):
    before = threading.active_count()
    for query in ("fps=50", "fps=50&stall=2:0.6", "fps=50&disconnect=2:0.2"):
        run(camera(query), frames=5)
    assert threading.active_count() <= before + 1  # a stalled reader may still be sleeping


def test_the_rules_decide_the_stable_label(run, camera):
    recorder, _ = run(camera("fps=50"), frames=6, rules=Rules((0.0, 0.0, 0.0), alpha=1.0, k=4, n=4))
    assert [p.stable for p in recorder.predictions] == ["unknown"] * 3 + ["red"] * 3
