"""The live loop passes its pictures to the monitor and publishes what changed."""

import json

import numpy as np
import pytest
from recording import Recorder

from edge_runtime.classify.classifier import Classifier
from edge_runtime.drift.baseline import fit_baseline
from edge_runtime.drift.monitor import Monitor
from edge_runtime.drift.state_file import StateFile
from edge_runtime.image.preprocess import preprocess
from edge_runtime.live.drifting import DriftWatch
from edge_runtime.live.hooks import Hooks
from edge_runtime.live.records import FramePrediction
from edge_runtime.live.sources.opening import open_source
from edge_runtime.live.stream import Stream
from edge_runtime.storage.digest import sha256_of

START = 1_790_000_000.0


@pytest.fixture
def baseline():
    random = np.random.default_rng(0)
    pictures = (
        (random.uniform(60, 200, 3) + random.normal(0, random.uniform(20, 50), (24, 32, 3))).clip(0, 255)
        for _ in range(100)
    )
    return fit_baseline((picture.astype(np.uint8) for picture in pictures), {"red": 1.0}, None)


def prediction_at(at):
    return FramePrediction("0", 7, at, 1.0, 0, "red", 0.9, (), "red", 1.0, 1.0, 1.0)


def show(drift, pixels, begin, minutes):
    return [
        event
        for at in np.arange(begin, begin + 60 * minutes, 4.0)
        for event in drift.inspect(pixels, prediction_at(float(at)))
    ]


BLACK = np.zeros((24, 32, 3), np.uint8)


def test_the_loop_passes_the_model_input_and_publishes_the_events(bundle, photo, tmp_path):
    photo("red", name="red/1.png")
    classifier, recorder, seen = Classifier.open(bundle, threads=1), Recorder(), []

    def inspect(pixels, prediction):
        seen.append(pixels)
        return show(DriftWatch(Monitor(fitted), min_familiarity=None), BLACK, prediction.captured_at, 4)

    random = np.random.default_rng(0)
    fitted = fit_baseline(random.integers(0, 256, (30, 24, 32, 3), np.uint8), {}, None)
    source = open_source(f"simulated:{tmp_path / 'red'}?size=64x48&fps=50")
    Stream(source, classifier, [recorder], frames=2, hooks=Hooks(inspect=inspect)).run()
    np.testing.assert_allclose(seen[0], preprocess(tmp_path / "red" / "1.png", classifier.spec), atol=3)
    drifted = [event for event in recorder.events if event.kind == "drifted"]
    assert len(drifted) == 2
    assert drifted[0].detail.startswith("almost no detail: something covers the lens, or there is no light, since ")


def test_state_and_reasons_survive_a_restart_and_are_announced_again(baseline, tmp_path):
    path = tmp_path / "drift.json"
    drift = DriftWatch(Monitor(baseline), min_familiarity=None, state=StateFile(path))
    assert [event.kind for event in show(drift, BLACK, START, 5)] == ["drifted"]
    drift.close()
    again = DriftWatch(Monitor(baseline), min_familiarity=None, state=StateFile(path))
    assert [reason["name"] for reason in again.snapshot["reasons"]] == ["covered"]
    assert [event.kind for event in show(again, BLACK, START + 400, 1)] == ["drifted"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"baseline": 1}', b"\xff", b'{"state": {"version": 1}}'])
def test_a_damaged_state_is_reported_and_replaced(baseline, tmp_path, capsys, content):
    path = tmp_path / "state.json"
    path.write_bytes(content)
    drift = DriftWatch(Monitor(baseline), min_familiarity=None, state=StateFile(path))
    error = capsys.readouterr().err
    assert str(path) in error
    assert "learnt again" in error
    drift.close()
    assert json.loads(path.read_text())["baseline"] == baseline.to_json()


def test_the_state_is_written_at_most_once_a_minute_and_a_full_disk_is_reported_once(baseline, tmp_path, capsys):
    state, monitor = StateFile(tmp_path / "gone" / "state.json"), Monitor(baseline)
    for second in range(300):
        state.save(monitor, float(second))
        if state._writing:
            state._writing.join()
    assert capsys.readouterr().err.count("cannot be written") == 1
    (tmp_path / "gone").mkdir()
    state.save(monitor, 300.0)
    state.close(monitor)
    assert state.path.is_file()


def test_a_file_for_the_state_needs_a_bundle_with_a_baseline(bundle, photo, tmp_path, edge_run):
    photo("red", name="red/1.png")
    source = f"simulated:{tmp_path / 'red'}?size=64x48&fps=50"
    arguments = ["watch", bundle, "--source", source, "--frames", "1"]
    code, _, errors = edge_run(*arguments, "--drift-state", tmp_path / "state")
    assert code == 1
    assert "contains no drift.json, which --drift-state needs" in errors[-1]
    assert edge_run(*arguments)[0] == 0


def test_a_bundle_with_a_baseline_is_watched(bundle, edit_manifest, baseline, photo, tmp_path, edge_run):
    (bundle / "drift.json").write_text(json.dumps(baseline.to_json()))
    entry = {
        "path": "drift.json",
        "size_bytes": (bundle / "drift.json").stat().st_size,
        "sha256": sha256_of(bundle / "drift.json"),
    }
    edit_manifest(bundle, lambda manifest: manifest["files"].append(entry))
    photo("red", name="red/1.png")
    source = f"simulated:{tmp_path / 'red'}?size=64x48&fps=50"
    state = tmp_path / "state.json"
    assert edge_run("watch", bundle, "--source", source, "--frames", "1", "--drift-state", state)[0] == 0
    assert json.loads(state.read_text())["state"]["background"]["samples"] == 1
