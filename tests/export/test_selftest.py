"""The runtime's self-test on an exported bundle, with an error introduced in one stage at a time."""

import json

import numpy as np
import pytest
from PIL import Image, ImageChops

from edge_runtime.backends.names import installed
from edge_runtime.cli import main
from edge_runtime.image.preprocess import load_image
from edge_runtime.selftest.replay import selftest
from edge_runtime.storage.digest import sha256_of
from edge_runtime.storage.json_files import read_json, write_json
from export.errors import ExportError
from export.proof.preprocessing_mistakes import costs
from export.sources.run import read_run


def edit_manifest(bundle, change):
    manifest = read_json(bundle / "manifest.json", ExportError)
    change(manifest)
    write_json(bundle / "manifest.json", manifest)


def update_digest(bundle, name):
    """Write the size and digest of an artifact's changed file into the manifest."""
    path = bundle / f"model.{name}"

    def change(manifest):
        (artifact,) = (item for item in manifest["artifacts"] if item["name"] == name)
        artifact["file"].update(size_bytes=path.stat().st_size, sha256=sha256_of(path))

    edit_manifest(bundle, change)


@pytest.mark.parametrize("name", ["float32.tflite", "dynamic.tflite", "int8.tflite", "float32.onnx", "int8.onnx"])
def test_this_machine_passes_with_every_artifact(tiny_bundle, name):
    found = selftest(tiny_bundle, artifact=name)
    assert (found.artifact, found.images, found.difference, found.explanation) == (name, 8, None, None)


def test_the_command_reports_success_as_text_and_as_json(tiny_bundle, capsys):
    assert main(["selftest", str(tiny_bundle)]) == 0
    assert (
        "OK, 8 golden images through int8.tflite in litert: same results as on the workstation"
        in capsys.readouterr().out
    )
    assert main(["selftest", str(tiny_bundle), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True


def test_a_changed_decoder_is_reported_as_decode_with_the_difference(tiny_bundle, monkeypatch):
    def brighter(path, spec):
        image = load_image(path, spec)
        return ImageChops.add(image, Image.new("RGB", image.size, (2, 2, 2)))

    monkeypatch.setattr("edge_runtime.selftest.replay.load_image", brighter)
    difference = selftest(tiny_bundle).difference
    assert difference.stage == "decode"
    assert difference.amount == pytest.approx(2, abs=0.3)
    assert (
        "decode: golden/00-blue.png: other pixels than at the export, the mean of a part differs by up to"
        in difference.message
    )


def swapped(path, spec):
    return Image.fromarray(np.asarray(load_image(path, spec))[..., ::-1].copy())


def test_swapped_channels_are_reported_as_colour_and_explained(tiny_bundle, monkeypatch):
    monkeypatch.setattr("edge_runtime.selftest.replay.load_image", swapped)
    found = selftest(tiny_bundle, explain=True)
    assert found.difference.message == "colour: golden/00-blue.png: red and blue are swapped (BGR)"
    assert "your outputs match this mistake: red and blue swapped (BGR)" in found.explanation


def test_another_resize_is_reported_as_resize(tiny_bundle, monkeypatch):
    def coarse(image, spec):
        half = image.resize((spec.width // 2, spec.height // 2), Image.Resampling.NEAREST)
        return np.asarray(half.resize((spec.width, spec.height), Image.Resampling.NEAREST))

    monkeypatch.setattr("edge_runtime.selftest.replay.to_input", coarse)
    difference = selftest(tiny_bundle).difference
    assert difference.stage == "resize"
    assert difference.amount > 1


def test_a_wrong_zero_point_is_reported_as_quantize(copied_bundle):
    from tensorflow.lite.tools import flatbuffer_utils

    path = copied_bundle / "model.int8.tflite"
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(path.read_bytes()))
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].quantization.zeroPoint = [7]
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    update_digest(copied_bundle, "int8.tflite")
    assert selftest(copied_bundle).difference.stage == "quantize"


def test_changed_weights_are_reported_as_infer_with_the_difference(copied_bundle):
    path = copied_bundle / "model.float32.tflite"
    content = bytearray(path.read_bytes())
    weights = np.frombuffer(content, np.float32, count=len(content) // 4)
    middle = slice(len(weights) // 2, len(weights) // 2 + 2000)
    weights[middle] = weights[middle][::-1].copy()
    path.write_bytes(content)
    update_digest(copied_bundle, "float32.tflite")
    difference = selftest(copied_bundle, artifact="float32.tflite").difference
    assert difference.stage == "infer"
    assert difference.amount > 1e-4


@pytest.mark.parametrize("digest_updated", [False, True])
def test_a_truncated_model_file_is_reported_as_files(copied_bundle, digest_updated):
    path = copied_bundle / "model.int8.tflite"
    path.write_bytes(path.read_bytes()[:4000])
    if digest_updated:
        update_digest(copied_bundle, "int8.tflite")
    difference = selftest(copied_bundle).difference
    assert (difference.stage, difference.image) == ("files", "model.int8.tflite")


def test_labels_in_another_order_are_reported_as_decide(copied_bundle):
    edit_manifest(copied_bundle, lambda manifest: manifest["spec"].update(labels=["green", "blue", "red"]))
    difference = selftest(copied_bundle).difference
    assert difference.stage == "decide"
    assert "the decision is green, but blue at the export; check the order of the labels" in difference.message


def test_the_command_prints_the_difference_in_one_line(copied_bundle, capsys):
    edit_manifest(copied_bundle, lambda manifest: manifest["spec"].update(labels=["green", "blue", "red"]))
    assert main(["selftest", str(copied_bundle), "--explain"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"edge-run: {copied_bundle}: decide: golden/")
    assert "your outputs match no common mistake" in line
    assert main(["selftest", str(copied_bundle), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["difference"]["stage"] == "decide"


def crashing(path):
    """Write a quantized TFLite file whose scales are 0, on which the runtimes die of a signal."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(path.read_bytes()))
    for tensor in model.subgraphs[0].tensors:
        if tensor.quantization and tensor.quantization.scale is not None:
            tensor.quantization.scale = [0.0 for _ in tensor.quantization.scale]
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))


@pytest.mark.parametrize("command", [["selftest"], ["inspect", "--time"]])
def test_a_model_file_that_crashes_the_runtime_is_one_error_line(copied_bundle, capsys, command):
    crashing(copied_bundle / "model.int8.tflite")
    update_digest(copied_bundle, "int8.tflite")
    assert main([*command, str(copied_bundle)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "model.int8.tflite" in line
    assert "the runtime crashed (SIG" in line


def test_another_runtime_passes_within_the_tolerance(tiny_bundle):
    if "tflite-runtime" not in installed():
        pytest.skip("tflite-runtime has wheels up to CPython 3.11 only")
    import subprocess
    import sys

    command = [sys.executable, "-m", "edge_runtime.cli", "selftest", str(tiny_bundle), "--backend", "tflite-runtime"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, f"next: edge-run bench {tiny_bundle} --keep\n")


def test_a_preprocessing_mistake_reduces_the_accuracy(tiny_run):
    source = read_run(tiny_run.folder)
    found = {cost.mistake: cost for cost in costs(source, source.probabilities(source.holdout))}
    swap = found["red and blue swapped (BGR)"]
    assert swap.right_accuracy > 0.95
    assert swap.accuracy < 0.5
    assert found["mirrored"].accuracy > 0.9
    assert len(found) == 7
