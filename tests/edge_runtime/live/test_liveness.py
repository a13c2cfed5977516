"""Every state of a source has the meaning that docs/cameras.md shows, for the loop, the watchdog and the sinks."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from recording import Recorder

from edge_runtime.classify.classifier import Classifier
from edge_runtime.errors import SourceError
from edge_runtime.live.capture import Patience
from edge_runtime.live.hooks import Hooks
from edge_runtime.live.liveness import MEANINGS
from edge_runtime.live.preparation import Selection
from edge_runtime.live.sources.opening import open_source
from edge_runtime.live.stream import Stream

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cameras.md"
PATIENCE = Patience(stall_timeout_s=0.5, give_up_s=1.2, first_wait_s=0.05)


class States(Recorder):
    """A sink that also records the states."""

    def __init__(self):
        super().__init__()
        self.states = []

    def state_changed(self, state):
        self.states.append((state, time.monotonic()))

    def seen(self):
        """Return the states without repetitions."""
        names = [state for state, _ in self.states]
        return [name for name, before in zip(names, [None, *names], strict=False) if name != before]


@pytest.fixture
def run(bundle, photo, tmp_path):
    """Return a function that plays a simulated camera; it returns the sink and the times of the watchdog's beats."""
    photo("red", name="red/1.png")

    def play(query, *, source=None, **settings):
        sink, beats = States(), []
        source = source or f"simulated:{tmp_path / 'red'}?size=64x48&{query}"
        hooks = Hooks(heartbeat=lambda: beats.append(time.monotonic()))
        stream = Stream(
            open_source(source), Classifier.open(bundle, threads=1), [sink], patience=PATIENCE, hooks=hooks, **settings
        )
        try:
            stream.run()
        except SourceError as problem:
            sink.problem = str(problem)
        return sink, beats

    return play


def test_the_page_shows_the_meaning_of_each_state():
    rows = []
    for name, meaning in MEANINGS.items():
        alive = "notified; 200" if meaning.is_alive else "not notified; 503"
        rows.append(f"| {name} | {meaning.when} | {meaning.stream} | {alive} | {meaning.camera} | {meaning.page} |")
    assert "\n".join(rows) in PAGE.read_text(encoding="utf-8")


def test_fresh_a_camera_that_is_looked_at_rarely_is_alive_all_the_time(run):
    """Two looks are further apart than the time after which a camera has stalled."""
    sink, beats = run("fps=20", selection=Selection(max_fps=1.2), frames=3)
    assert (len(sink.predictions), sink.seen(), sink.kinds()) == (3, ["fresh"], ["entered", "left"])
    assert max(np.diff(beats)) < PATIENCE.stall_timeout_s


def test_fresh_a_camera_of_which_few_frames_are_selected_is_alive_all_the_time(run):
    _, beats = run("fps=20", selection=Selection(every=20), frames=2)
    assert max(np.diff(beats)) < PATIENCE.stall_timeout_s


def test_unchanged_a_still_scene_is_alive_and_votes_again(run):
    sink, beats = run("fps=20&freeze=30:1000", selection=Selection(motion=5.0))
    assert sink.seen()[:3] == ["fresh", "unchanged", "repeated"]
    assert len(sink.predictions) == 1  # the model ran once
    assert sink.kinds()[0] == "entered"  # by the votes of the unchanged frames
    alive = [at for state, at in sink.states if state == "unchanged"]
    assert 1.0 < alive[-1] - alive[0] < 3.0
    assert len(beats) > 20


def test_repeated_and_stale_a_frozen_camera_is_not_alive_and_is_given_up(run):
    sink, beats = run("fps=20&freeze=10:100000")
    assert sink.seen() == ["fresh", "repeated", "stale"]
    assert sink.kinds() == ["entered", "left", "stalled"]
    assert len(sink.predictions) <= 11
    assert "no fresh frame for 1.2 s; gave up: " in sink.problem
    last_alive = max(at for state, at in sink.states if state == "fresh")
    assert beats[-1] <= last_alive + 0.1


def test_stale_a_silent_camera_is_not_alive_until_it_returns(run):
    sink, beats = run("fps=20&stall=10:0.8", frames=20)
    assert sink.seen() == ["fresh", "stale", "fresh"]
    assert max(np.diff(beats)) > 0.3


def test_stale_a_camera_that_is_away_at_the_start_is_stale_until_it_is_given_up(run, tmp_path):
    sink, beats = run("", source=f"/dev/v4l/by-id/{tmp_path.name}")
    assert (sink.seen(), sink.kinds(), beats) == (["stale"], ["lost"], [])
    assert "gave up: cannot be opened: No such file or directory" in sink.problem


def test_ended_the_end_of_a_file_is_a_state(run, tmp_path):
    sink, _ = run("", source=str(tmp_path / "red"))
    assert sink.seen() == ["fresh", "ended"]


def test_a_model_that_hangs_is_not_alive_although_the_camera_is(bundle, photo, tmp_path, monkeypatch):
    photo("red", name="red/1.png")
    classifier, beats = Classifier.open(bundle, threads=1), []
    fast = classifier.backend.invoke

    def hang(tensor):
        time.sleep(0.8 if len(beats) > 5 else 0)
        return fast(tensor)

    monkeypatch.setattr(classifier.backend, "invoke", hang)
    source = open_source(f"simulated:{tmp_path / 'red'}?fps=20&size=64x48")
    hooks = Hooks(heartbeat=lambda: beats.append(time.monotonic()))
    Stream(source, classifier, [States()], frames=8, hooks=hooks).run()
    assert max(np.diff(beats)) > 0.6
