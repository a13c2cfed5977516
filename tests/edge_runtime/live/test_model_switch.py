"""Another model takes over while the loop runs: no frame is lost, and no event is caused by the change itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from recording import Recorder

from edge_runtime.classify.classifier import Classifier
from edge_runtime.live.capture import Patience
from edge_runtime.live.hooks import Hooks
from edge_runtime.live.preparation import Selection
from edge_runtime.live.sources.opening import open_source
from edge_runtime.live.stream import Stream

LONG = Patience(stall_timeout_s=30.0, give_up_s=120.0, first_wait_s=0.05)


@pytest.fixture
def red_files(photo, tmp_path):
    """Forty red pictures, which are all classified, in order."""
    for number in range(40):
        photo("red", name=f"red/{number:02d}.png")
    return lambda: open_source(str(tmp_path / "red"))


def run_with_switch(source, before, after, **settings):
    """Run the loop, switch at the tenth prediction, and return the sink."""
    recorder = Recorder()

    def on_frame(_frame, prediction):
        if prediction.frame == 9:
            stream.switch(after)

    stream = Stream(source, before, [recorder], patience=LONG, hooks=Hooks(on_frame=on_frame), **settings)
    stream.run()
    return recorder


def renamed(bundle, labels, artifact="float32.tflite"):
    """Open the classifier with other names for its classes."""
    classifier = Classifier.open(bundle, artifact=artifact, threads=1)
    classifier.spec = replace(classifier.spec, labels=labels)
    return classifier


def test_no_frame_is_lost_and_a_class_that_both_know_stays_present(bundle, red_files):
    before = Classifier.open(bundle, artifact="int8.tflite", threads=1)
    recorder = run_with_switch(red_files(), before, renamed(bundle, ("red", "green", "blue")))
    assert [prediction.frame for prediction in recorder.predictions] == list(range(40))
    assert {prediction.stable for prediction in recorder.predictions[5:]} == {"red"}
    assert recorder.kinds() == ["entered", "left"]


def test_a_class_that_the_new_model_does_not_know_leaves(bundle, red_files):
    before = Classifier.open(bundle, artifact="int8.tflite", threads=1)
    recorder = run_with_switch(red_files(), before, renamed(bundle, ("crimson", "green", "blue")))
    assert [(event.kind, event.label) for event in recorder.events] == [
        ("entered", "red"),
        ("left", "red"),
        ("entered", "crimson"),
        ("left", "crimson"),
    ]


def test_a_frame_that_the_old_model_has_prepared_runs_in_the_old_model(bundle, red_files):
    before = Classifier.open(bundle, artifact="int8.tflite", threads=1)
    recorder = run_with_switch(red_files(), before, renamed(bundle, ("crimson", "green", "blue"), "float32.onnx"))
    labels = [prediction.label for prediction in recorder.predictions]
    first = labels.index("crimson")
    assert 10 <= first <= 13  # at most the frames that were prepared or in the model
    assert set(labels[:first]) == {"red"}
    assert set(labels[first:]) == {"crimson"}


def test_an_unchanged_scene_is_classified_by_the_new_model(bundle, red_files):
    before = Classifier.open(bundle, artifact="int8.tflite", threads=1)
    recorder = Recorder()
    seen = []
    after = renamed(bundle, ("crimson", "green", "blue"))
    stream = Stream(red_files(), before, [recorder], patience=LONG, selection=Selection(motion=2.0))

    class SwitchingSink(Recorder):
        def prediction(self, prediction):
            seen.append(prediction.label)
            if len(seen) == 1:
                stream.switch(after)

    stream._sinks = (SwitchingSink(),)
    stream.run()
    assert seen[0] == "red"
    assert seen[-1] == "crimson"
