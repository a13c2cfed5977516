"""A mistake about a published quantized classifier is named in the message, if the images have labels."""

import shutil

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.spec import ModelSpec
from export.cli import main

CANDIDATES, EACH = 120, 4


@pytest.fixture(scope="module")
def labelled(shared, tmp_path_factory):
    """Return the file, its labels, and photographs in folders by what the file itself decides, run as documented."""
    model = shared("models/mobilenet_v1_0.25_128_quant.tflite")
    names = shared("models/imagenet_labels.txt").read_text().splitlines()
    spec = ModelSpec(128, 128, tuple(f"{index}" for index in range(len(names))), "softmax")
    interpreter = Interpreter(str(model))
    interpreter.allocate_tensors()
    given, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    found = {}
    for path in sorted((shared("data/cats-dogs") / "dog").iterdir())[:CANDIDATES]:
        interpreter.set_tensor(given, preprocess(path, spec)[None])
        interpreter.invoke()
        scores = interpreter.get_tensor(result)[0]
        found.setdefault(int(np.argmax(scores)), []).append((int(scores.max()), path))
    data = tmp_path_factory.mktemp("labelled")
    for index, items in found.items():
        if len(items) < EACH:
            continue
        (data / "photos" / names[index]).mkdir(parents=True)
        for _, path in sorted(items, reverse=True)[:EACH]:
            shutil.copy(path, data / "photos" / names[index])
    assert len(list((data / "photos").iterdir())) >= EACH
    return model, names, data / "photos"


def wrapped(labelled, folder, names, *words):
    model, _, photos = labelled
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in names))
    arguments = ["--labels", folder / "labels.txt", "--data", photos, "--out", folder / "bundle", *words]
    return main(["wrap", str(model), *map(str, arguments)])


def test_what_is_right_is_published_without_a_warning(labelled, tmp_path, capsys):
    assert wrapped(labelled, tmp_path, labelled[1]) == 0
    captured = capsys.readouterr()
    assert "accuracy: 100.0% of" in captured.out
    assert "warning" not in captured.err


@pytest.mark.parametrize("stated", ["0..1", "0..255"])
def test_a_wrong_range_is_named(labelled, tmp_path, error_line, stated):
    line = error_line(wrapped(labelled, tmp_path, labelled[1], f"--input-range={stated}"))
    assert f"its quantized input represents -1..0.9922, which contradicts {stated}" in line


def test_a_wrong_order_of_channels_is_named(labelled, tmp_path, capsys):
    wrapped(labelled, tmp_path, labelled[1], "--input-range=-1..1", "--bgr")
    line = next(line for line in capsys.readouterr().err.splitlines() if "the input is stated as -1..1 BGR" in line)
    assert "-1..1 is right for 100.0%" in line


def test_shifted_labels_are_named(labelled, tmp_path, error_line):
    line = error_line(wrapped(labelled, tmp_path, [*labelled[1][1:], "another"]))
    assert "the labels are shifted by one" in line
    assert not (tmp_path / "bundle").exists()
