"""Keras files of both generations: they compute what the library that wrote them computes, and code is refused."""

import json
import os
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from export.errors import ExportError
from export.importing.graph import graph_function
from export.importing.graph_model import final_operation
from export.importing.process import import_here
from export.quiet_tensorflow import keras, tf

tf_keras = pytest.importorskip("tf_keras")
SIDE = 16


def images(count=5):
    return np.random.default_rng(3).uniform(0, 1, (count, SIDE, SIDE, 3)).astype(np.float32)


def outputs(imported, pixels):
    return np.asarray(graph_function(imported.graph.content)(tf.constant(pixels)))


def separable(layers, taken):
    """Return the scores of a small network as MobileNets are built."""
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(taken)
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.GlobalAveragePooling2D()(x)


def teachable_machine(path):
    """Write a model built as Teachable Machine does: Sequential models in a Sequential model."""
    layers = tf_keras.layers
    taken = layers.Input((SIDE, SIDE, 3))
    backbone = tf_keras.Sequential([tf_keras.Model(taken, separable(layers, taken))])
    head = tf_keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(3, "softmax", use_bias=False)])
    model = tf_keras.Sequential([backbone, head])
    model(images())
    model.save(path)
    return model


def with_operations(path):
    """Write a model with operators of Python, calls of TensorFlow, augmentation and slices."""
    layers = tf_keras.layers
    taken = layers.Input((SIDE, SIDE, 3))
    x = layers.RandomFlip()(taken / 0.5 - 1.0)
    x = tf.nn.relu6(layers.DepthwiseConv2D(3)(x[:, 1:]))
    x = layers.Dense(3, activation="softmax")(tf.reduce_mean(x, [1, 2]))
    model = tf_keras.Model(taken, x)
    model.save(path)
    return model


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize("write", [teachable_machine, with_operations])
def test_a_file_of_keras_2_computes_what_it_did(tmp_path, write, form):
    model = write(tmp_path / f"model.{form}")
    found = outputs(import_here(tmp_path / f"model.{form}"), images())
    assert found == pytest.approx(model(images(), training=False).numpy(), abs=1e-6)


def test_the_form_of_a_file_is_found_by_its_content(tmp_path):
    model = teachable_machine(tmp_path / "model.h5")
    (tmp_path / "model.h5").rename(tmp_path / "model.keras")
    found = outputs(import_here(tmp_path / "model.keras"), images())
    assert found == pytest.approx(model(images(), training=False).numpy(), abs=1e-6)


def test_groups_of_a_depthwise_convolution_are_accepted(tmp_path):
    """Keras 2 wrote them, Keras 3 refuses them."""
    taken = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(taken, separable(keras.layers, taken))
    model.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)
    found = outputs(import_here(tmp_path / "model.h5"), images())
    assert found == pytest.approx(model(images(), training=False).numpy(), abs=1e-6)


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_mixed_precision_model_computes_in_float32(tmp_path, library, policy):
    layers = library.layers
    library.utils.set_random_seed(1)
    taken = layers.Input((SIDE, SIDE, 3))

    def network(kind):
        x = layers.Conv2D(8, 3, activation="relu", dtype=kind)(taken)
        x = layers.BatchNormalization(dtype=kind)(x)
        x = layers.GlobalAveragePooling2D(dtype=kind)(x)
        return library.Model(taken, layers.Dense(3, activation="softmax", dtype="float32")(x))

    mixed = network(library.mixed_precision.Policy(policy) if library is tf_keras else policy)
    exact = network("float32")
    exact.set_weights(mixed.get_weights())
    mixed.save(tmp_path / "model.keras")
    imported = import_here(tmp_path / "model.keras")
    assert outputs(imported, images()) == pytest.approx(np.asarray(exact(images(), training=False)), abs=1e-5)
    assert "compute in float32" in imported.graph.notes[0]
    assert b"edgewise_output" in imported.graph.content
    graph = tf.compat.v1.GraphDef.FromString(imported.graph.content)
    halves = {tf.float16.as_datatype_enum, tf.bfloat16.as_datatype_enum}
    assert not [node for node in graph.node for value in node.attr.values() if value.type in halves]


def refused(path):
    with pytest.raises(ExportError) as refusal:
        import_here(path)
    line = str(refusal.value)
    assert line.startswith(str(path))
    assert "\n" not in line
    return line


def marked(library, path):
    """Write a model whose Lambda layer creates a file named `marker` when it is read or run."""
    marker = str(path.parent / "marker")

    def mark(x):

        os.close(os.open(marker, os.O_CREAT))
        return x

    taken = library.layers.Input((SIDE, SIDE, 3))
    x = library.layers.Lambda(mark, output_shape=(SIDE, SIDE, 3))(taken)
    scores = library.layers.Dense(3, activation="softmax")(library.layers.GlobalAveragePooling2D()(x))
    library.Model(taken, scores).save(path)
    Path(marker).unlink(missing_ok=True)
    return Path(marker)


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("form", ["h5", "keras"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, library, form):
    marker = marked(library, tmp_path / f"model.{form}")
    assert "its layer Lambda contains code" in refused(tmp_path / f"model.{form}")
    assert not marker.exists()


def changed(source, path, change):
    """Copy a .keras file with changed text of its configuration."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content.decode()).encode() if name == "config.json" else content)
    return path


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"function": "nn.relu6"', '"function": "io.write_file"', "calls io.write_file"),
        ('"function": "nn.relu6"', '"function": "py_function"', "calls py_function"),
        ('"function": "nn.relu6"', '"function": "io.gfile.remove"', "calls io.gfile.remove"),
        ('"function": "nn.relu6"', '"function": "keras.utils.get_file"', "calls keras.utils.get_file"),
        ('"module": "keras.layers", "class_name": "RandomFlip"', '"module": "os", "class_name": "RandomFlip"', "of os"),
    ],
)
def test_a_file_that_calls_more_than_computations_is_refused(tmp_path, old, new, why):
    with_operations(tmp_path / "sound.keras")
    path = changed(tmp_path / "sound.keras", tmp_path / "model.keras", lambda text: text.replace(old, new))
    assert why in refused(path)


def test_a_custom_layer_is_refused_with_the_way_out(tmp_path):
    class Own(tf_keras.layers.Layer):
        def call(self, x):
            return x

    taken = tf_keras.layers.Input((SIDE, SIDE, 3))
    tf_keras.Model(taken, tf_keras.layers.Flatten()(Own()(taken))).save(tmp_path / "model.h5")
    line = refused(tmp_path / "model.h5")
    assert "Own" in line
    assert "SavedModel" in line


def test_an_unbuilt_model_is_refused(tmp_path):
    keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]).save(tmp_path / "model.keras")
    assert "begin it with keras.Input" in refused(tmp_path / "model.keras")


def test_a_sequential_model_that_was_built_by_a_call_is_read(tmp_path):
    model = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)])
    expected = np.asarray(model(images()))
    model.save(tmp_path / "model.keras")
    imported = import_here(tmp_path / "model.keras")
    assert outputs(imported, images()) == pytest.approx(expected, abs=1e-6)
    assert final_operation(imported.graph.content) == "BiasAdd"


def test_a_file_of_weights_alone_is_refused(tmp_path):
    teachable_machine(tmp_path / "model.h5").save_weights(tmp_path / "weights.h5")
    assert "contains only weights" in refused(tmp_path / "weights.h5")


def test_files_of_other_formats_are_refused(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"TFL3")
    assert "use edge-export wrap" in refused(tmp_path / "model.tflite")
    (tmp_path / "model.h5").write_bytes(b"no HDF5 at all")
    assert "not a Keras model" in refused(tmp_path / "model.h5")


@pytest.mark.parametrize("form", ["h5", "keras"])
def test_a_truncated_file_is_refused(tmp_path, form):
    teachable_machine(tmp_path / f"model.{form}")
    content = (tmp_path / f"model.{form}").read_bytes()
    (tmp_path / f"model.{form}").write_bytes(content[: len(content) // 2])
    refused(tmp_path / f"model.{form}")


def test_without_tf_keras_the_install_command_is_named(tmp_path, monkeypatch):
    teachable_machine(tmp_path / "model.h5")
    monkeypatch.setattr("export.importing.keras_files.find_spec", lambda _: None)
    assert "pip install 'edgewise[keras2]'" in refused(tmp_path / "model.h5")


def test_tensorflows_optimizer_changes_no_slope(tmp_path):
    """TensorFlow 2.21 with oneDNN fuses a convolution, an addition and a LeakyReLU with a slope of its own."""
    keras.utils.set_random_seed(2)
    taken = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(taken)
    x = keras.layers.LeakyReLU(0.3)(keras.layers.Add()([x, keras.layers.Conv2D(4, 3, padding="same")(x)]))
    model = keras.Model(taken, keras.layers.GlobalAveragePooling2D()(x))
    model.save(tmp_path / "model.keras")
    exact = np.asarray(model(images(), training=False))
    assert model.predict_on_batch(images()) == pytest.approx(exact, abs=1e-5)
    assert outputs(import_here(tmp_path / "model.keras"), images()) == pytest.approx(exact, abs=1e-5)
