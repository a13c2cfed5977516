"""Files that are exported already become bundles."""

import numpy as np
import pytest

from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.replay import selftest
from export.cli import main
from export.errors import ExportError
from export.proof.runtime_process import run_on_device
from export.sources.exported_file import ModelEnds, with_pixel_input
from export.wrap import fitted_labels


def test_a_quantized_file_tells_its_own_range(shared, tmp_path, capsys):
    model, labels = shared("models/mobilenet_v1_0.25_128_quant.tflite"), shared("models/imagenet_labels.txt")
    out = tmp_path / "bundle"
    assert main(["wrap", str(model), "--labels", str(labels), "--out", str(out)]) == 0
    bundle = Bundle.open(out)
    assert (bundle.default, len(bundle.spec.labels), bundle.spec.labels[0]) == ("int8.tflite", 1001, "background")
    assert selftest(out).difference is None


@pytest.mark.parametrize("name", ["float32.tflite", "float32.onnx"])
def test_a_float_file_gets_its_scaling_into_the_graph(tiny_bundle, tmp_path, name):
    """The file takes 0..255; told that it takes 0..1, the new one must give what the old gives for 1/255 of it."""
    old, new = tiny_bundle / f"model.{name}", tmp_path / f"model.{name}"
    new.write_bytes(with_pixel_input(old, ModelEnds(24, 24, 3, quantized=False), "0..1"))
    spec = Bundle.open(tiny_bundle).spec
    pixels = np.zeros((1, 24, 24, 3), np.uint8)
    backend = "onnx" if name.endswith("onnx") else "litert"
    dark = run_on_device(old, spec, pixels, backend).probabilities
    assert run_on_device(new, spec, pixels, backend).probabilities == pytest.approx(dark, abs=1e-6)
    one = run_on_device(old, spec, pixels + 1, backend).probabilities
    assert run_on_device(new, spec, pixels + 255, backend).probabilities == pytest.approx(one, abs=1e-5)


def test_a_float_file_must_be_told_its_range(tiny_bundle, tmp_path, error_line):
    command = ["wrap", str(tiny_bundle / "model.float32.tflite"), "--labels", str(tiny_bundle / "labels.txt")]
    assert "pass --input-range" in error_line(main([*command, "--out", str(tmp_path / "b")]))
    assert list(tmp_path.iterdir()) == []


def test_background_is_added_or_left_out_where_that_makes_the_labels_fit():
    assert fitted_labels(("cat", "dog"), 3, "labels.txt") == ("background", "cat", "dog")
    assert fitted_labels(("background", "cat", "dog"), 2, "labels.txt") == ("cat", "dog")
    assert fitted_labels(("crane", "crane"), 2, "labels.txt") == ("crane", "crane (2)")
    with pytest.raises(ExportError, match=r"labels.txt: 2 labels for a model of 5 classes"):
        fitted_labels(("cat", "dog"), 5, "labels.txt")
