from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Bundle, Classifier
from edge_runtime.backends.names import installed
from edge_runtime.errors import BackendUnavailable, BundleError, InferenceError, SourceError


@pytest.mark.parametrize("artifact", ["float32.tflite", "int8.tflite", "float32.onnx"])
@pytest.mark.parametrize("color", ["red", "green", "blue"])
def test_every_artifact_classifies_an_image_correctly(bundle, photo, artifact, color):
    prediction = Classifier.open(bundle, artifact=artifact).classify(photo(color))
    assert prediction.label == color
    assert prediction.score > 0.9


def test_path_bytes_pil_image_and_array_give_the_same_result(bundle, photo):
    path = photo("green")
    classifier = Classifier.open(str(bundle))
    with Image.open(path) as image:
        sources = [path, str(path), path.read_bytes(), image.copy(), np.asarray(image)]
    assert len({classifier.classify(source).top for source in sources}) == 1


def test_open_accepts_an_opened_bundle(bundle, photo):
    assert Classifier.open(Bundle.open(bundle)).classify(photo("blue")).label == "blue"


def test_the_json_of_a_prediction_is_complete(bundle, photo):
    data = Classifier.open(bundle).classify(photo("red"), top_k=2).to_json()
    assert list(data) == ["label", "score", "top", "familiarity", "decode_ms", "preprocess_ms", "inference_ms"]
    assert data["top"][0]["label"] == "red"
    assert len(data["top"]) == 2
    assert all(data[key] >= 0 for key in data if key.endswith("_ms"))


def test_a_backend_selects_the_first_artifact_that_it_can_read(bundle):
    classifier = Classifier.open(bundle, backend="onnx")
    assert (classifier.artifact.name, classifier.backend.name) == ("float32.onnx", "onnx")


def test_the_default_artifact_runs_if_a_backend_can_read_it(bundle):
    assert Classifier.open(bundle).artifact.name == "int8.tflite"


def test_without_a_tflite_runtime_the_onnx_artifact_runs(bundle, monkeypatch):
    if not installed(("onnx",)):
        pytest.skip("needs the onnx runtime")
    for module in ("ai_edge_litert", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, module, None)
    assert Classifier.open(bundle).artifact.name == "float32.onnx"


def test_a_backend_that_can_read_no_artifact_is_refused(bundle_of, spec, models):
    folder = bundle_of(spec, {"int8.tflite": models["int8.tflite"]})
    with pytest.raises(BackendUnavailable, match="backend onnx cannot read its tflite artifacts"):
        Classifier.open(folder, backend="onnx")


def test_an_artifact_that_the_backend_cannot_read_is_refused(bundle):
    with pytest.raises(BackendUnavailable, match=r"backend onnx does not read \.tflite"):
        Classifier.open(bundle, artifact="int8.tflite", backend="onnx")


def test_a_damaged_artifact_is_never_run(bundle):
    path = bundle / "model.int8.tflite"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match="damaged"):
        Classifier.open(bundle)


def test_a_model_with_another_number_of_classes_than_the_spec_is_never_run(bundle_of, make_spec, models):
    folder = bundle_of(make_spec(labels=("a", "b")), models)
    with pytest.raises(InferenceError, match=r"output has shape \(1, 3\), but its spec says \(N, 2\)"):
        Classifier.open(folder)


def test_the_classifier_works_after_an_unreadable_image(bundle, photo, bad_images):
    classifier = Classifier.open(bundle)
    for path in bad_images.values():
        with pytest.raises(SourceError):
            classifier.classify(path)
    assert classifier.classify(photo("red")).label == "red"


def test_a_score_below_min_score_is_unknown(bundle, photo, tmp_path):
    Image.new("RGB", (40, 30), (128, 128, 128)).save(tmp_path / "grey.png")
    classifier = Classifier.open(bundle)
    assert classifier.classify(tmp_path / "grey.png", min_score=0.9).label == "unknown"
    assert classifier.classify(photo("red"), min_score=0.9).label == "red"
