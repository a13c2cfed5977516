"""What a file states about itself is read, and contradictions are named."""

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.model.spec import ModelSpec
from export.convert.flatbuffer import finish
from export.errors import ExportError
from export.sources.exported.choice import known_input, known_labels
from export.sources.exported.ends import ModelEnds
from export.sources.exported.statements import Statements, reading_of
from export.sources.exported_file import read_statements
from export.sources.reading import PRESETS, RANGES, StatedInput

from .onnx_models import LABELS, colour_onnx
from .tflite_models import colour_tflite

ENDS = ModelEnds(16, 16, 3)
MODEL = Path("model.tflite")
FORMAT, RANGE = "Image.BitmapPixelFormat", "Image.NominalPixelRange"


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_tflite_metadata_is_read(tmp_path, resize):
    path = colour_tflite(tmp_path / "model.tflite")
    assert read_statements(path) == Statements()
    path.write_bytes(finish(path.read_bytes(), ModelSpec(16, 16, LABELS, "softmax", resize)))
    assert read_statements(path) == Statements("metadata", LABELS, RANGES["0..255"], resize, states_order=True)


def test_damaged_tflite_metadata_states_nothing(tmp_path):
    path = colour_tflite(tmp_path / "model.tflite")
    content = bytearray(finish(path.read_bytes(), ModelSpec(16, 16, LABELS, "softmax")))
    at = content.rindex(b"M001")
    content[at + 4 : at + 40] = b"\xff" * 36
    path.write_bytes(content)
    assert read_statements(path).labels is None


@pytest.mark.parametrize(
    ("properties", "labels", "reading"),
    [
        ({"names": "{0: 'red', 1: 'green', 2: 'blue'}", "imgsz": "[16, 16]"}, LABELS, None),
        ({"labels": '["red", "green", "blue"]'}, LABELS, None),
        (
            {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_0_1"},
            None,
            RANGES["0..1"].reversed(),
        ),
        ({"Image.BitmapPixelFormat": "Rgb8", "Image.NominalPixelRange": "Normalized_1_1"}, None, RANGES["-1..1"]),
        ({"labels": "[1, 2, 3]", "names": "{0: 'a', 2: 'b'}", "input": "[[["}, None, None),
    ],
    ids=["Ultralytics", "JSON list", "Windows ML BGR", "Windows ML RGB", "damaged"],
)
def test_onnx_metadata_props_are_read(tmp_path, properties, labels, reading):
    found = read_statements(colour_onnx(tmp_path / "model.onnx", properties=properties))
    assert (found.labels, found.reading) == (labels, reading)


def test_a_mean_and_std_of_metadata_get_their_common_names():
    assert reading_of((127.5,), (127.5,), "metadata") == RANGES["-1..1"]
    own = reading_of((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "metadata")
    assert own is not None
    assert own.same_values(PRESETS["imagenet"])
    assert reading_of((), (), "metadata") is None


def known(says, *, ends=ENDS, has_labels=False, order=True, **stated):
    return known_input(
        ends,
        StatedInput(**stated),
        Statements(reading=says, states_order=order),
        MODEL,
        has_labels=has_labels,
        has_images=has_labels,
    )


def test_a_stated_range_that_contradicts_the_file_needs_images_that_decide():
    assert known(RANGES["-1..1"]).reading == RANGES["-1..1"]
    with pytest.raises(ExportError, match=r"--input-range states 0\.\.1, but its metadata states -1\.\.1"):
        known(RANGES["-1..1"], input_range="0..1")
    with pytest.raises(ExportError, match="--bgr contradicts its metadata"):
        known(RANGES["-1..1"], bgr=True)
    assert known(RANGES["-1..1"], bgr=True, order=False).reading.same_values(RANGES["-1..1"].reversed())
    assert known(RANGES["-1..1"], input_range="-1..1", bgr=True, order=False).reading.bgr
    found = known(RANGES["-1..1"], input_range="0..1", has_labels=True)
    assert found.reading == RANGES["0..1"]
    assert "its metadata states -1..1" in found.warnings[0]
    pixels = ModelEnds(16, 16, 3, represented=(0.0, 255.0), input_type="uint8")
    assert known(RANGES["-1..1"], ends=pixels, input_range="0..255").reading == RANGES["0..255"]
    with pytest.raises(ExportError, match=r"represents 0\.\.255, which contradicts -1\.\.1"):
        known(RANGES["-1..1"], ends=pixels)


def labels_of(folder, names, says=LABELS, *, has_images=False):
    path = folder / "labels.txt"
    path.write_text("".join(f"{name}\n" for name in names))
    return known_labels(path, Statements(labels=says), ENDS, MODEL, has_images=has_images)


def test_labels_of_the_file_are_used_and_a_contradiction_is_named(tmp_path):
    assert known_labels(None, Statements(labels=LABELS), ENDS, MODEL, has_images=False) == (LABELS, ())
    with pytest.raises(ExportError, match="contains no labels; pass --labels"):
        known_labels(None, Statements(), ENDS, MODEL, has_images=False)
    assert labels_of(tmp_path, LABELS) == (LABELS, ())
    names, (warning,) = labels_of(tmp_path, ("rouge", "vert", "bleu"))
    assert names == ("rouge", "vert", "bleu")
    assert "label 0 is 'rouge', but the metadata of model.tflite says 'red'" in warning
    with pytest.raises(ExportError, match="another order"):
        labels_of(tmp_path, LABELS[::-1])
    assert labels_of(tmp_path, LABELS[::-1], has_images=True)[0] == LABELS[::-1]


def test_the_readings_of_grey_inputs_have_one_channel():
    grey = ModelEnds(16, 16, 3, channels=1)
    with pytest.raises(ExportError, match="its input is grey, but imagenet is for three channels"):
        known(None, ends=grey, normalization="imagenet")
    assert [item.name for item in known(None, ends=grey, has_labels=True).candidates] == ["-1..1", "0..1", "0..255"]
    assert np.all(known(None, ends=grey, input_range="0..1").reading.apply(np.full((1, 2, 2, 1), 255, np.uint8)) == 1)
