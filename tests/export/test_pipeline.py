import subprocess
import sys
import time

import numpy as np
import pytest

from edge_runtime.model.bundle import Bundle
from edge_runtime.storage.json_files import read_json
from export.artifacts import ALL_NAMES, ARTIFACT_NAMES
from export.cli import main
from export.convert.converter import Converter
from export.errors import ExportError
from export.pipeline import export_run
from export.proof.plan import Plan
from export.proof.verify import verify_bundle
from export.quiet_tensorflow import keras


def test_a_bundle_holds_every_artifact_with_its_parity(tiny_bundle):
    bundle = Bundle.open(tiny_bundle)
    bundle.check_files()
    assert tuple(bundle.artifacts) == ARTIFACT_NAMES
    assert bundle.default == "int8.tflite"
    for artifact in bundle.artifacts.values():
        assert artifact.parity["images"] == 60
        assert artifact.parity["top1_agreement"] >= 0.98
        assert artifact.parity["accuracy"] > 0.95
    assert bundle.artifact("float32.tflite").parity["max_abs_diff"] < 1e-4
    assert bundle.versions["tensorflow"].startswith("2.")


def test_a_bundle_holds_labels_golden_images_and_a_report(tiny_bundle):
    assert (tiny_bundle / "labels.txt").read_text() == "blue\ngreen\nred\n"
    files = Bundle.open(tiny_bundle).files
    assert "golden/golden.json" in files
    assert sum(path.endswith(".png") for path in files) == 8
    assert "int8.tflite" in (tiny_bundle / "report.html").read_text()


def test_every_file_was_also_run_in_other_runtimes_and_with_other_kernels(tiny_bundle):
    pytest.importorskip("tflite_runtime", reason="has wheels up to CPython 3.11 only")
    report = read_json(tiny_bundle / "report.json", ExportError)
    expected = {
        "tflite": {"tflite-runtime", "litert:plain", "litert:reference"},
        "onnx": {"onnx:disabled", "onnx:basic", "onnx:extended"},
    }
    for item in report["artifacts"]:
        assert set(item["elsewhere"]) == expected[item["name"].split(".")[1]]


def test_two_exports_of_one_run_are_byte_equal_but_for_times(tiny_run, tiny_bundle, tmp_path):
    again, lines = tmp_path / "again", []
    plan = Plan(ARTIFACT_NAMES, jobs=1)  # in a child, the first was not
    export_run(tiny_run.folder, again, plan, progress=lines.append)
    names = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(tiny_bundle) for path in tiny_bundle.rglob("*") if path.is_file())
    differing = [str(name) for name in names if (again / name).read_bytes() != (tiny_bundle / name).read_bytes()]
    assert set(differing) <= {"report.json", "report.html"}
    converted = [line.split()[0] for line in lines if line.startswith("  ") and line.endswith(" of 6)")]
    assert set(converted) <= set(ARTIFACT_NAMES)
    assert "int8.onnx: measuring (6 of 6)" in lines
    assert "  int8.tflite in litert" in lines
    assert "  mirrored (4 of 7)" in lines
    assert any(
        line.endswith(f" ({len(verified)} of {len(verified)})") for verified in [verify_bundle(again)] for line in lines
    )


def broken_converter(change):
    """Give a converter whose files come from a model that `change` has made wrong."""

    class Broken(Converter):
        def __init__(self, model, *rest, **options):
            super().__init__(change(keras.models.clone_model(model), model), *rest, **options)

    return Broken


def perturbed(copy, original):
    rng = np.random.default_rng(0)
    copy.set_weights([weight + rng.normal(0, 0.5, weight.shape) for weight in original.get_weights()])
    return copy


def channels_swapped(copy, original):
    copy.set_weights(original.get_weights())
    image = keras.Input(original.input_shape[1:])
    return keras.Model(image, copy(image[..., ::-1]))


@pytest.mark.parametrize("change", [perturbed, channels_swapped])
@pytest.mark.parametrize("name", ["float32.tflite", "int8.tflite"])
def test_a_broken_artifact_is_refused_with_the_reason(tiny_run, tmp_path, monkeypatch, error_line, change, name):
    monkeypatch.setattr("export.convert.processes.Converter", broken_converter(change))
    out = tmp_path / "bundle"
    line = error_line(
        main(["export", str(tiny_run.folder), "--out", str(out), "--jobs", "0", "--no-ladder", "--formats", name])
    )
    assert "nothing is published" in line
    assert f"{name}: " in line
    assert "accuracy falls from" in line
    assert ("collapsed" in line) == (change is perturbed)
    assert "--max-accuracy-loss 0." in line
    assert "images change class" in line
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def broken_dynamic(monkeypatch):
    """A converter whose dynamic form, and no other, comes from a model that was made wrong."""

    class Broken(Converter):
        def write(self, name, **how):
            if name != "dynamic.tflite":
                return super().write(name, **how)
            wrong = perturbed(keras.models.clone_model(self.model), self.model)
            return Converter(wrong, self.spec, self.calibration, self.folder, self.settings).write(name)

    monkeypatch.setattr("export.convert.processes.Converter", Broken)


def test_a_failed_form_that_a_bundle_can_do_without_is_left_out_and_the_report_says_why(
    tiny_run, tmp_path, broken_dynamic, capsys
):
    out = tmp_path / "bundle"
    assert main(["export", str(tiny_run.folder), "--out", str(out), "--jobs", "0", "--formats", "tflite"]) == 0
    assert "dynamic.tflite: " in capsys.readouterr().err
    bundle = Bundle.open(out)
    bundle.check_files()
    assert set(bundle.artifacts) == {"float32.tflite", "float16.tflite", "int8.tflite"}
    assert {path.name for path in out.glob("model.*")} == {f"model.{name}" for name in bundle.artifacts}
    (left_out,) = read_json(out / "report.json", ExportError)["left_out"]
    assert left_out["artifact"] == "dynamic.tflite"
    assert left_out["failures"]
    assert "Left out" in (out / "report.html").read_text()


@pytest.mark.parametrize("jobs", ["0", "2"])
def test_a_form_that_no_converter_makes_of_a_model_is_left_out_with_the_converters_reason(
    hard_swish_run, tmp_path, capsys, jobs
):
    out = tmp_path / "bundle"
    assert main(["export", str(hard_swish_run), "--out", str(out), "--jobs", jobs, "--formats", "all"]) == 0
    told = next(line for line in capsys.readouterr().err.splitlines() if line.endswith("it is left out of the bundle"))
    assert "int16x8" in told
    assert "HARD_SWISH" in told
    bundle = Bundle.open(out)
    bundle.check_files()
    assert tuple(bundle.artifacts) == tuple(name for name in ALL_NAMES if name != "int16x8.tflite")
    (left_out,) = read_json(out / "report.json", ExportError)["left_out"]
    assert left_out["artifact"] == "int16x8.tflite"
    assert left_out["size_bytes"] is None
    assert "HARD_SWISH" in (out / "report.html").read_text()


def test_a_form_that_no_converter_makes_is_refused_where_it_was_asked_for_by_name(hard_swish_run, tmp_path, error_line):
    names = ["float32.tflite", "int16x8.tflite"]
    line = error_line(main(["export", str(hard_swish_run), "--out", str(tmp_path / "b"), "--formats", *names]))
    assert "HARD_SWISH" in line
    assert list(tmp_path.iterdir()) == []


def test_a_failed_form_that_was_asked_for_by_name_is_refused(tiny_run, tmp_path, broken_dynamic, error_line):
    names = ["float32.tflite", "dynamic.tflite"]
    command = ["export", str(tiny_run.folder), "--out", str(tmp_path / "b"), "--jobs", "0", "--formats", *names]
    assert "nothing is published, because dynamic.tflite: " in error_line(main(command))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_old_bundle_whole(tiny_run, copied_bundle, monkeypatch, error_line):
    before = {path: path.read_bytes() for path in copied_bundle.rglob("*") if path.is_file()}
    monkeypatch.setattr("export.convert.processes.Converter", broken_converter(perturbed))
    arguments = ["--out", str(copied_bundle), "--jobs", "0", "--formats", "float32.tflite", "--overwrite"]
    error_line(main(["export", str(tiny_run.folder), *arguments]))
    assert {path: path.read_bytes() for path in copied_bundle.rglob("*") if path.is_file()} == before
    assert list(copied_bundle.parent.iterdir()) == [copied_bundle]


def test_an_export_that_is_killed_leaves_the_old_bundle_whole_and_the_next_one_cleans_up(tiny_run, copied_bundle):
    before = {path: path.read_bytes() for path in copied_bundle.rglob("*") if path.is_file()}
    command = [
        "export",
        str(tiny_run.folder),
        "--out",
        str(copied_bundle),
        "--overwrite",
        "--formats",
        "float32.tflite",
    ]
    process = subprocess.Popen([sys.executable, "-m", "export.cli", *command], stderr=subprocess.DEVNULL)
    while not list(copied_bundle.parent.glob(".bundle.*.partial/.convert.*/*/work.json")):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert {path: path.read_bytes() for path in copied_bundle.rglob("*") if path.is_file()} == before
    assert len(list(copied_bundle.parent.iterdir())) == 2
    assert main([*command, "--jobs", "0"]) == 0
    assert list(copied_bundle.parent.iterdir()) == [copied_bundle]


def test_an_artifact_passes_with_a_wider_tolerance(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr("export.convert.processes.Converter", broken_converter(channels_swapped))
    wide = ["--min-agreement", "0", "--max-accuracy-loss", "1", "--max-recall-loss", "1"]
    out = tmp_path / "bundle"
    assert (
        main(["export", str(tiny_run.folder), "--out", str(out), "--jobs", "0", "--formats", "int8.tflite", *wide]) == 0
    )
    assert Bundle.open(out).default == "int8.tflite"


def test_an_existing_bundle_is_not_overwritten_unless_asked(tiny_run, copied_bundle, error_line):
    line = error_line(main(["export", str(tiny_run.folder), "--out", str(copied_bundle)]))
    assert "exists already" in line
    assert "--overwrite" in line


def test_int8_onnx_alone_leaves_no_float_file_behind(tiny_run, tmp_path):
    out = tmp_path / "bundle"
    assert main(["export", str(tiny_run.folder), "--out", str(out), "--jobs", "0", "--formats", "int8.onnx"]) == 0
    assert {path.name for path in out.glob("model.*")} == {"model.int8.onnx"}


def test_a_converter_that_crashes_is_an_error_that_names_the_signal(tiny_run, tmp_path, replace_worker, error_line):
    replace_worker("export.convert.processes", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    out = tmp_path / "bundle"
    line = error_line(main(["export", str(tiny_run.folder), "--out", str(out), "--formats", "int8.tflite"]))
    assert "converting int8.tflite: the converter crashed (SIGSEGV)" in line
    assert list(tmp_path.iterdir()) == []


def test_a_converter_that_crashes_at_an_expendable_form_ends_no_other(tiny_run, tmp_path, replace_worker, capsys):
    program = """
import os, signal, sys
from pathlib import Path
from export.convert.worker import Converter, main

def write(converter, name, **how):
    if name == "dynamic.tflite":
        (converter.folder / "model.dynamic.tflite").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGSEGV)
    return whole(converter, name, **how)

whole, Converter.write = Converter.write, write
sys.exit(main(Path(sys.argv[1])))
"""
    replace_worker("export.convert.processes", program)
    out = tmp_path / "bundle"
    assert main(["export", str(tiny_run.folder), "--out", str(out), "--jobs", "1"]) == 0
    reason = "dynamic.tflite: converting dynamic.tflite: the converter crashed (SIGSEGV); it is left out of the bundle"
    assert reason in capsys.readouterr().err.splitlines()
    bundle = Bundle.open(out)
    bundle.check_files()
    assert tuple(bundle.artifacts) == tuple(name for name in ARTIFACT_NAMES if name != "dynamic.tflite")
    assert {path.name for path in out.glob("model.*")} == {f"model.{name}" for name in bundle.artifacts}
