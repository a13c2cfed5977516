"""A release is tried in the shadow of the running model, and taken back if it fails in its probation."""

import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import SourceError
from edge_runtime.update.follow import MAX_FAILURES, Follower
from edge_runtime.update.models import Models
from edge_runtime.update.trial import (
    ShadowReport,
    ShadowRules,
    Trial,
    end_trial,
    judge,
    read_trial,
    write_trial,
)
from edge_runtime.update.update import Steps
from export.release.release import add_release, change_release

SHADOW = Steps(shadow_s=12.0, share=0.5, rules=ShadowRules(min_frames=20), probation_s=3600.0)


@pytest.fixture(scope="module")
def mixed_up_bundle(tmp_path_factory, tiny_run, trained_model):
    """Export a network of the same form whose classes are exchanged: as sound a file as any, and always wrong."""
    from export.pipeline import export_run
    from export.proof.plan import Plan
    from export.quiet_tensorflow import keras

    model = keras.models.clone_model(trained_model)
    model.set_weights(trained_model.get_weights())
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([np.roll(kernel, 1, axis=1), np.roll(bias, 1)])
    folder = tmp_path_factory.mktemp("mixed-up")
    shutil.copytree(tiny_run.folder, folder / "run")
    model.save(folder / "run" / "model.keras")
    export_run(folder / "run", folder / "bundle", Plan(("float32.tflite",), jobs=0))
    return folder / "bundle"


@pytest.fixture
def watching(tmp_path, tiny_run):
    """Give a function that starts edge-run watch on MODELS/current and a simulated camera."""
    processes = []
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    with np.load(tiny_run.folder / "holdout.npz") as arrays:
        pixels = arrays["pixels"][:12]
    for number, image in enumerate(pixels):
        enlarged = Image.fromarray(image).resize((96, 96), Image.Resampling.NEAREST)
        enlarged.save(pictures / f"{number:02d}.png")

    def start(models):
        command = [sys.executable, "-m", "edge_runtime.cli", "watch", str(models / "current"), "--json"]
        command += ["--source", f"simulated:{pictures}?fps=30"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        rows, errors = [], []
        for stream, lines in ((process.stdout, rows), (process.stderr, errors)):
            threading.Thread(target=lambda s=stream, t=lines: t.extend(s), daemon=True).start()
        return rows, errors

    yield start
    for process in processes:
        process.terminate()
        process.wait(timeout=30)


def wait_for(condition, timeout_s=60.0):
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "the condition never held"
        time.sleep(0.05)


def test_a_good_release_is_switched_to_and_a_wrong_one_is_refused(
    repository, bundle_named, mixed_up_bundle, device, watching, tmp_path
):
    models = tmp_path / "models"
    add_release(repository, bundle_named("one"), "stable", 100, "")
    device()
    rows, errors = watching(models)
    wait_for(lambda: len(rows) > 30)
    add_release(repository, bundle_named("two"), "stable", 100, "")
    good = device(steps=SHADOW)
    assert good.state == "switched", good.message
    assert "shadow: agreement 100.0% on" in good.message
    wait_for(lambda: any("now running versions/stable-2-" in line for line in errors))
    assert read_trial(models).phase == "probation"
    add_release(repository, mixed_up_bundle, "stable", 100, "")
    assert "on probation for 60 more minutes; then stable 3 is tried" in device(steps=SHADOW).message
    end_trial(models)
    wrong = device(steps=SHADOW)
    assert wrong.state == "refused"
    assert "shadow: it agrees with the current model on" in wrong.message
    assert Models(models).current().startswith("stable-2-")
    before = len(rows)
    wait_for(lambda: len(rows) > before + 30)
    frames = [json.loads(row) for row in list(rows)]
    assert max(row["dropped"] for row in frames if "dropped" in row) < 30  # of 30 a second: never a second of silence


def test_without_a_running_command_the_release_waits(repository, bundle_named, device, tmp_path, monkeypatch):
    monkeypatch.setattr("edge_runtime.update.update.SILENCE_S", 0.5)
    add_release(repository, bundle_named("one"), "stable", 100, "")
    device()
    add_release(repository, bundle_named("two"), "stable", 100, "")
    outcome = device(steps=SHADOW)
    assert outcome.state == "waiting"
    assert "start one, or pass --shadow 0" in outcome.message
    assert read_trial(tmp_path / "models") is None
    assert device(steps=Steps(shadow_s=0)).fetched_bytes == 0  # it is on the device already


@pytest.fixture
def on_probation(repository, bundle_named, device, tmp_path):
    """A device whose second release is on probation; return its models folder."""
    add_release(repository, bundle_named("one"), "stable", 100, "")
    device()
    add_release(repository, bundle_named("two"), "stable", 100, "")
    device(steps=Steps(shadow_s=0))
    assert read_trial(tmp_path / "models").phase == "probation"
    return Models(tmp_path / "models")


@pytest.fixture
def crash(on_probation):
    """Give a function that starts a command on the current model and kills it."""
    code = (
        "import os, sys; from pathlib import Path; from edge_runtime.update.follow import Follower\n"
        "Follower(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )

    def run():
        command = [sys.executable, "-c", code, str(on_probation.folder / "current")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == -9, done.stderr

    return run


def test_a_crash_loop_in_the_probation_takes_the_release_back(on_probation, device, crash, capsys):
    for _ in range(MAX_FAILURES):
        crash()
        assert on_probation.current().startswith("stable-2-")
    Follower(on_probation.folder / "current")
    assert on_probation.current().startswith("stable-1-")
    assert "stable 2 is taken back" in capsys.readouterr().err
    assert read_trial(on_probation.folder) is None
    assert device().state == "current"  # and it is not tried again
    assert "probation" in on_probation.refused("stable")[2]


def test_a_power_failure_is_no_crash_of_the_release(on_probation, crash, monkeypatch, tmp_path):
    for _ in range(MAX_FAILURES):
        crash()
    (tmp_path / "boot_id").write_text("another start of the device\n")
    monkeypatch.setattr("edge_runtime.update.running.BOOT_ID", tmp_path / "boot_id")
    Follower(on_probation.folder / "current")
    assert on_probation.current().startswith("stable-2-")


@pytest.mark.parametrize("end", [None, SourceError("the camera is away")])
def test_commands_that_run_stop_or_lose_their_camera_do_not_count_as_crashes(on_probation, end):
    current = on_probation.folder / "current"
    side_by_side = [Follower(current) for _ in range(2 * MAX_FAILURES)]  # as many cameras
    for follower in side_by_side:
        try:
            with follower.running(lambda: None, lambda _: None):
                if end:
                    raise end
        except SourceError:
            pass
    Follower(current)
    assert on_probation.current().startswith("stable-2-")


def test_a_release_that_is_too_slow_in_its_probation_is_taken_back(on_probation):
    trial = read_trial(on_probation.folder)
    write_trial(on_probation.folder, Trial(**{**vars(trial), "max_ms": 5.0}))
    prediction = type("Prediction", (), {"inference_ms": 9.0})
    follower = Follower(on_probation.folder / "current")
    for _ in range(200):
        follower.on_frame(None, prediction)
    follower.look(lambda: None, lambda _: None)
    assert on_probation.current().startswith("stable-1-")
    assert "one inference takes 9.00 ms" in on_probation.refused("stable")[2]


def test_a_shadow_whose_update_was_interrupted_ends_with_its_time(on_probation):
    now = time.time()
    trial = Trial("shadow", on_probation.previous(), "stable", 1, now, now + 60, None)
    write_trial(on_probation.folder, trial)
    follower = Follower(on_probation.folder / "current")
    follower.look(lambda: None, lambda _: None)
    assert follower._shadow.trial == trial
    write_trial(on_probation.folder, replace(trial, until=now - 1))
    follower.look(lambda: None, lambda _: None)
    assert follower._shadow is None


def test_a_withdrawn_release_is_left_although_it_is_on_probation(on_probation, repository, device):
    change_release(repository, "stable", 2, withdrawn=True)
    outcome = device()
    assert (outcome.state, outcome.release.version) == ("switched", 1)


def test_a_probation_that_is_over_ends(on_probation):
    trial = read_trial(on_probation.folder)
    write_trial(on_probation.folder, Trial(**{**vars(trial), "until": time.time() - 1}))
    follower = Follower(on_probation.folder / "current")
    follower.look(lambda: None, lambda _: None)
    assert read_trial(on_probation.folder) is None
    assert on_probation.current().startswith("stable-2-")


def test_a_release_that_crashes_its_runtime_ends_only_its_own_process(on_probation, tmp_path, monkeypatch):
    from edge_runtime.live.records import Frame, FramePrediction
    from edge_runtime.update import shadow
    from edge_runtime.update.trial import read_report

    crash = "import os, sys, signal; sys.stdin.buffer.read(100); os.kill(os.getpid(), signal.SIGSEGV)"
    real = subprocess.Popen

    def start(_command, **pipes):
        return real([sys.executable, "-c", crash], **pipes)

    monkeypatch.setattr(shadow.subprocess, "Popen", start)
    trial = Trial("shadow", on_probation.current(), "stable", 2, time.time(), time.time() + 60, None)
    running = shadow.Shadow(on_probation.folder, trial, None)
    image = np.zeros((24, 24, 3), np.uint8)
    frame = Frame(image=image, source="camera", number=0, captured_at=0.0, captured_s=0.0)
    prediction = FramePrediction("camera", 0, 0.0, 0.0, 0, "red", 1.0, (), "red", 0.0, 0.0, 1.0, None)
    running.offer(frame, prediction)
    wait_for(lambda: read_report(on_probation.folder) is not None, 20.0)
    running.close()
    assert "SIGSEGV" in judge(read_report(on_probation.folder), ShadowRules(), None)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (ShadowReport("x", 99, 99, 99), "only 99 frames were compared; 100 are needed"),
        (ShadowReport("x", 200, 100, 200, changes=(("cat -> dog", 100),)), "agrees with the current model on 50.0%"),
        (ShadowReport("x", 200, 200, 200, inference_ms=12.0), "one inference takes 12.00 ms; the limit is 10.00 ms"),
        (ShadowReport("x", 200, 200, 200, familiarity=0.5, current_familiarity=0.9), "less familiar"),
        (ShadowReport("x", 200, 0, 0, problem="the runtime crashed (SIGSEGV)"), "SIGSEGV"),
        (ShadowReport("x", 200, 150, 200, familiarity=0.9, current_familiarity=0.9), ""),
    ],
)
def test_the_rules_of_the_shadow(report, reason):
    found = judge(report, ShadowRules(), 10.0)
    assert reason in found
    assert bool(reason) == bool(found)
