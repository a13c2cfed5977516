from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.backends.interface import class_probabilities
from edge_runtime.backends.names import BACKENDS_BY_FORMAT, choose_backend, default_threads, installed
from edge_runtime.backends.opening import open_backend
from edge_runtime.backends.quiet import without_info_lines
from edge_runtime.backends.tflite import _input_levels
from edge_runtime.errors import BackendUnavailable, InferenceError
from edge_runtime.model.bundle import ModelFile
from edge_runtime.model.spec import ModelSpec

PAIRS = [
    ("float32.tflite", "litert"),
    ("int8.tflite", "litert"),
    ("float32.tflite", "tflite-runtime"),
    ("int8.tflite", "tflite-runtime"),
    ("float32.onnx", "onnx"),
]


@pytest.fixture
def colours():
    """Plain images and a random one, uint8 of shape (4, 24, 32, 3)."""
    pixels = np.zeros((4, 24, 32, 3), np.uint8)
    for index in range(3):
        pixels[index, :, :, index] = 255
    pixels[3] = np.random.default_rng(0).integers(0, 256, (24, 32, 3))
    return pixels


@pytest.fixture
def run(tmp_path):
    """Give a function that runs batches of pixels through a backend and gives its results.

    tflite-runtime runs in a process of its own, for other tests may have brought TensorFlow into this one.
    """

    def in_this_process(model, spec, name, batches):
        backend = open_backend(ModelFile.read(model), spec, backend=name)
        assert backend.name == name
        return [backend.run(batch) for batch in batches]

    def in_its_own(model, spec, name, batches):
        files = [tmp_path / "spec.json", name, tmp_path / "batches.npz", tmp_path / "results.npz"]
        spec.write(files[0])
        np.savez(files[2], *batches)
        script = Path(__file__).with_name("run_backend.py")
        done = subprocess.run([sys.executable, script, model, *files], capture_output=True, text=True, check=False)
        if done.returncode == 1 and done.stderr.startswith("InferenceError: "):
            raise InferenceError(done.stderr)
        assert (done.returncode, done.stderr) == (0, "")
        with np.load(files[3]) as results:
            return [results[key] for key in results.files]

    def run(model, spec, name, *batches):
        if name not in installed():
            pytest.skip(f"needs the {name} runtime")
        runner = in_its_own if name == "tflite-runtime" else in_this_process
        return runner(model, spec, name, batches)

    return run


@pytest.mark.parametrize(("artifact", "name"), PAIRS)
def test_each_runtime_gives_float32_probabilities_in_the_labels_order(run, models, spec, colours, artifact, name):
    (probabilities,) = run(models[artifact], spec, name, colours)
    assert (probabilities.shape, probabilities.dtype) == ((4, 3), np.float32)
    assert probabilities[:3].argmax(axis=1).tolist() == [0, 1, 2]
    assert np.allclose(probabilities.sum(axis=1), 1, atol=0.02)


@pytest.mark.parametrize(("artifact", "name"), PAIRS)
def test_each_runtime_gives_what_the_formula_gives(run, models, spec, colours, artifact, name):
    logits = 20 * colours.mean(axis=(1, 2)) / 255
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    tolerance = 0.06 if artifact.startswith("int8") else 1e-4
    (probabilities,) = run(models[artifact], spec, name, colours)
    assert np.abs(probabilities - expected).max() < tolerance


@pytest.mark.parametrize(("artifact", "name"), PAIRS)
def test_results_stay_when_the_backend_runs_again(run, models, spec, colours, artifact, name):
    first, second, again = run(models[artifact], spec, name, colours[:1], colours[1:2], colours[:1])
    assert first.argmax() != second.argmax()
    assert (first == again).all()


@pytest.mark.parametrize(("artifact", "name"), PAIRS)
@pytest.mark.parametrize("changes", [{"height": 32, "width": 24}, {"labels": ("a", "b", "c", "d")}])
def test_a_model_that_does_not_fit_its_spec_is_refused(run, models, make_spec, artifact, name, changes):
    with pytest.raises(InferenceError, match="but its spec says"):
        run(models[artifact], make_spec(**changes), name)


@pytest.mark.parametrize("name", ["litert", "tflite-runtime", "onnx"])
@pytest.mark.parametrize("content", [b"", b"no model at all", bytes(4096)], ids=["empty", "text", "zeros"])
def test_a_file_that_is_no_model_is_one_clear_error(run, tmp_path, spec, name, content):
    file_format = next(key for key, names in BACKENDS_BY_FORMAT.items() if name in names)
    path = tmp_path / f"model.{file_format}"
    path.write_bytes(content)
    with pytest.raises(InferenceError, match="cannot load it"):
        run(path, spec, name)


def test_loading_keeps_the_runtimes_own_lines_off_stderr(models, spec, capfd):
    open_backend(ModelFile.read(models["float32.tflite"]), spec, backend="litert")
    assert capfd.readouterr() == ("", "")


def test_only_info_lines_are_kept_off_stderr(capfd):
    with without_info_lines():
        os.write(2, b"INFO: Created a delegate.\nERROR: something real\n")
    assert capfd.readouterr().err == "ERROR: something real\n"


def test_a_quantized_input_that_stands_for_scaled_pixels_gets_their_levels(run, shared, tmp_path):
    """Someone else's export: its uint8 input stands for -1..1, in which pixels 0..255 would all count as white."""
    from edge_runtime.image.quantize import dequantize

    detail = {"dtype": np.uint8, "quantization": (2 / 256, 128)}
    levels = _input_levels(tmp_path / "model.int8.tflite", detail)
    assert dequantize(levels, *detail["quantization"]) == pytest.approx(np.linspace(-1, 1, 256), abs=2 / 256)
    spec = ModelSpec(height=128, width=128, labels=tuple(map(str, range(1001))), output="softmax")
    pixels = np.arange(128 * 128 * 3).reshape(1, 128, 128, 3).astype(np.uint8)
    (outputs,) = run(shared("models/mobilenet_v1_0.25_128_quant.tflite"), spec, "litert", pixels)
    assert outputs.shape == (1, 1001)


@pytest.mark.parametrize("scale", [1 / 128, 2 / 255])
@pytest.mark.parametrize(("dtype", "zero_point"), [(np.uint8, 128), (np.int8, 0)])
def test_a_quantized_input_with_a_level_for_each_pixel_gets_the_pixels_themselves(tmp_path, dtype, zero_point, scale):
    """TensorFlow's and Coral's quantized files: -1..1 with 255 steps would be one level off in the brighter half."""
    detail = {"dtype": dtype, "quantization": (scale, zero_point)}
    levels = _input_levels(tmp_path / "model.int8.tflite", detail)
    assert levels.dtype == dtype
    assert np.array_equal(levels.astype(int) - np.iinfo(dtype).min, np.arange(256))


def test_pixels_between_two_levels_are_all_rounded_in_the_same_direction(tmp_path):
    """The converter's quantization of -1..1: (p / 127.5 - 1) / (2 / 255) - 1 = p - 128.5, between two integers."""
    detail = {"dtype": np.int8, "quantization": (float(np.float32(2 / 255)), -1)}
    levels = _input_levels(tmp_path / "model.int8.tflite", detail)
    assert levels[[0, 1, 127, 128, 254, 255]].tolist() == [-128, -127, -1, 0, 126, 127]
    assert len(set(levels.tolist())) == 256  # no two pixels get the same level


def test_a_published_quantized_file_computes_what_its_documented_loop_does(run, shared):
    """The pixels are the input as they are, as in TensorFlow's label_image."""
    from ai_edge_litert.interpreter import Interpreter

    path = shared("models/mobilenet_v1_0.25_128_quant.tflite")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4, 4, 3)).astype(np.uint8).repeat(32, 1).repeat(32, 2)
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    expected = []
    for image in pixels:
        interpreter.set_tensor(taken["index"], image[None])
        interpreter.invoke()
        expected.append(interpreter.get_tensor(given["index"])[0] * given["quantization"][0])
    spec = ModelSpec(height=128, width=128, labels=tuple(map(str, range(1001))), output="softmax")
    (outputs,) = run(path, spec, "litert", pixels)
    assert np.array_equal(np.argmax(outputs, axis=1), np.argmax(expected, axis=1))
    assert outputs == pytest.approx(np.asarray(expected), abs=1e-6)


def test_a_quantized_input_of_an_unknown_range_is_refused(tmp_path):
    detail = {"dtype": np.uint8, "quantization": (0.02, 100)}
    with pytest.raises(InferenceError, match=r"represents -2\.\.3.1, not pixels"):
        _input_levels(tmp_path / "model.tflite", detail)


def test_litert_is_preferred_where_both_tflite_runtimes_are(models, spec):
    if len(installed(("litert", "tflite-runtime"))) < 2:
        pytest.skip("needs both TFLite runtimes")
    assert open_backend(ModelFile.read(models["int8.tflite"]), spec).name == "litert"


def test_tflite_runtime_serves_where_litert_is_missing(monkeypatch):
    if not installed(("tflite-runtime",)):
        pytest.skip("needs the tflite-runtime runtime")
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    assert choose_backend("tflite") == "tflite-runtime"


@pytest.mark.parametrize(
    ("file_format", "wanted", "line"),
    [
        ("tflite", None, r"backend litert is not installed; install it with: pip install 'edgewise\[pi\]'"),
        ("tflite", "tflite-runtime", r"pip install 'edgewise\[tflite-runtime\]'"),
        ("onnx", None, r"backend onnx is not installed; install it with: pip install 'edgewise\[onnx\]'"),
    ],
)
def test_a_missing_runtime_is_answered_with_its_install_line(monkeypatch, file_format, wanted, line):
    for module in ("ai_edge_litert", "tflite_runtime", "onnxruntime"):
        monkeypatch.setitem(sys.modules, module, None)
    assert installed() == ()
    with pytest.raises(BackendUnavailable, match=line):
        choose_backend(file_format, wanted)


def test_a_backend_does_not_read_the_other_format():
    with pytest.raises(
        BackendUnavailable, match=r"backend onnx does not read \.tflite files; litert or tflite-runtime"
    ):
        choose_backend("tflite", "onnx")


def test_tflite_runtime_under_numpy_2_says_what_to_install(models, spec, monkeypatch):
    if not installed(("tflite-runtime",)):
        pytest.skip("needs the tflite-runtime runtime")
    monkeypatch.setattr(np, "__version__", "2.1.0")
    with pytest.raises(BackendUnavailable, match=r"cannot use numpy 2\.1\.0; pip install 'numpy<2'"):
        open_backend(ModelFile.read(models["int8.tflite"]), spec, backend="tflite-runtime")


def test_a_sigmoid_is_widened_to_both_classes(make_spec):
    spec = make_spec(labels=("no", "yes"), output="sigmoid")
    probabilities = class_probabilities(np.array([[0.25], [1.0]], np.float32), spec)
    assert probabilities.tolist() == [[0.75, 0.25], [0.0, 1.0]]
    assert probabilities.dtype == np.float32


def test_threads_are_bounded():
    assert 1 <= default_threads() <= 4


def test_tflite_runtime_does_not_join_tensorflow_in_one_process(models, spec, monkeypatch):
    if not installed(("tflite-runtime",)):
        pytest.skip("needs the tflite-runtime runtime")
    monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
    monkeypatch.setattr(np, "__version__", "1.26.4")
    monkeypatch.delitem(sys.modules, "tflite_runtime", raising=False)
    with pytest.raises(BackendUnavailable, match="run it in a process of its own"):
        open_backend(ModelFile.read(models["int8.tflite"]), spec, backend="tflite-runtime")


@pytest.mark.parametrize(("artifact", "name"), [pair for pair in PAIRS if pair[1] != "tflite-runtime"])
@pytest.mark.parametrize("damage", ["truncated", "overwritten", "removed"])
def test_a_model_file_that_is_changed_while_it_runs_does_not_change_the_results(
    models, spec, colours, tmp_path, artifact, name, damage
):
    path = tmp_path / models[artifact].name
    path.write_bytes(models[artifact].read_bytes())
    backend = open_backend(ModelFile.read(path), spec, backend=name)
    before = backend.run(colours)
    if damage == "removed":
        path.unlink()
    else:
        with path.open("r+b") as stream:
            stream.truncate(0)
            stream.write(b"" if damage == "truncated" else bytes(path.stat().st_size))
    assert (backend.run(colours) == before).all()


def external(model, path):
    import onnx

    for tensor in model.graph.initializer:  # only raw data can be external
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), tensor.name))
    onnx.save_model(model, path, save_as_external_data=True, location="weights", size_threshold=0)


def external_in_a_subgraph(model, path):
    import onnx

    tensor = onnx.helper.make_tensor("weights", onnx.TensorProto.FLOAT, [1], [1.0])
    tensor.ClearField("float_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights")
    branch = onnx.helper.make_graph([onnx.helper.make_node("Constant", [], ["c"], value=tensor)], "branch", [], [])
    model.graph.node.append(onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))
    onnx.save(model, path)


@pytest.mark.parametrize("save", [external, external_in_a_subgraph])
def test_an_onnx_file_whose_weights_are_in_another_file_is_refused(models, spec, tmp_path, save):
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "model.onnx"
    save(onnx.load(models["float32.onnx"]), path)
    with pytest.raises(InferenceError, match="its weights are in another file"):
        open_backend(ModelFile.read(path), spec, backend="onnx")


def test_a_file_in_onnx_runtimes_own_format_is_refused(spec, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"\x18\x00\x00\x00ORTM" + bytes(64))
    with pytest.raises(InferenceError, match="not a readable ONNX file"):
        open_backend(ModelFile.read(tmp_path / "model.onnx"), spec, backend="onnx")
