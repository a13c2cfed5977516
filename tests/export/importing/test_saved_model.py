"""SavedModels: functions of every form are read as they compute, and what reaches outside of the graph is refused."""

import numpy as np
import pytest

from export.errors import ExportError
from export.importing.graph import graph_function
from export.importing.process import import_here, import_model
from export.quiet_tensorflow import keras, tf

SIDE = 16
IMAGES = tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32, name="image")


def pixels(count=5):
    return np.random.default_rng(3).integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.float32)


def outputs(imported, values):
    return np.asarray(graph_function(imported.graph.content)(tf.constant(values)))


class Scores(tf.Module):
    """Mean colour times a variable."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(np.random.default_rng(1).normal(0, 0.02, (3, 4)), dtype=tf.float32)

    def scores(self, images):
        return tf.nn.softmax(tf.reduce_mean(tf.cast(images, tf.float32), [1, 2]) @ self.weights)


def save(folder, function, spec=IMAGES, module=None, name="serving_default"):
    """Save a function of a module as a signature."""
    module = module or Scores()
    call = tf.function(lambda image: {"scores": function(module, image)}, input_signature=[spec])
    module.call = call
    tf.saved_model.save(module, str(folder), signatures={name: call})
    return module


def test_a_function_of_a_module_is_read(tmp_path):
    module = save(tmp_path / "model", Scores.scores)
    found = outputs(import_here(tmp_path / "model"), pixels())
    assert found == pytest.approx(module.scores(pixels()).numpy(), abs=1e-6)


@pytest.mark.parametrize("kind", ["uint8", "int32", "float16", "float64"])
def test_every_type_of_input_takes_the_same_pixels(tmp_path, kind):
    module = save(tmp_path / "model", Scores.scores, tf.TensorSpec(IMAGES.shape, kind, name="image"))
    imported = import_here(tmp_path / "model")
    assert imported.graph.input_type == kind
    assert outputs(imported, pixels()) == pytest.approx(module.scores(pixels()).numpy(), abs=1e-5)


def test_an_integer_input_that_is_not_only_cast_is_read(tmp_path):
    def halved(module, image):
        return module.scores(tf.cast(image // 2, tf.float32))

    module = save(tmp_path / "model", halved, tf.TensorSpec(IMAGES.shape, tf.uint8, name="image"))
    found = outputs(import_here(tmp_path / "model"), pixels())
    assert found == pytest.approx(module.scores(pixels() // 2).numpy(), abs=1e-6)


def test_a_fixed_batch_is_removed_where_the_function_allows_it(tmp_path):
    module = save(tmp_path / "model", Scores.scores, tf.TensorSpec((2, SIDE, SIDE, 3), tf.float32, name="image"))
    assert outputs(import_here(tmp_path / "model"), pixels()) == pytest.approx(
        module.scores(pixels()).numpy(), abs=1e-6
    )


def test_scores_of_rank_4_become_rank_2(tmp_path):
    module = save(tmp_path / "model", lambda module, image: module.scores(image)[:, None, None])
    assert outputs(import_here(tmp_path / "model"), pixels()) == pytest.approx(
        module.scores(pixels()).numpy(), abs=1e-6
    )


def test_the_only_signature_that_classifies_is_chosen(tmp_path):
    module = Scores()
    classify = tf.function(lambda image: {"scores": module.scores(image)}, input_signature=[IMAGES])
    decode = tf.function(
        lambda text: {"n": tf.strings.length(text)}, input_signature=[tf.TensorSpec((None,), tf.string)]
    )
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"classify": classify, "decode": decode})
    assert outputs(import_here(tmp_path / "model"), pixels()) == pytest.approx(
        module.scores(pixels()).numpy(), abs=1e-6
    )


def refused(path):
    with pytest.raises(ExportError) as refusal:
        import_here(path)
    line = str(refusal.value)
    assert line.startswith(str(path))
    assert "\n" not in line
    return line


def test_several_signatures_that_classify_are_named(tmp_path):
    module = Scores()
    functions = {
        name: tf.function(lambda image: {"scores": module.scores(image)}, input_signature=[IMAGES]) for name in "ab"
    }
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=functions)
    assert "several signatures take images and return scores (a, b)" in refused(tmp_path / "model")


def test_a_function_that_mixes_the_images_of_a_batch_is_refused(tmp_path):
    save(tmp_path / "model", lambda module, image: module.scores(10.0 * image * image[:1]))
    assert "may depend on the other images" in refused(tmp_path / "model")


def test_encoded_images_are_refused(tmp_path):
    def decoded(module, text):
        return module.scores(tf.map_fn(tf.io.decode_png, text, fn_output_signature=tf.uint8))

    save(tmp_path / "model", decoded, tf.TensorSpec((None,), tf.string, name="image"))
    assert "none of its signatures takes images" in refused(tmp_path / "model")


def test_nan_weights_are_refused(tmp_path):
    module = Scores()
    module.weights.assign(np.full((3, 4), np.nan))
    save(tmp_path / "model", Scores.scores, module=module)
    assert "contain NaN or infinity" in refused(tmp_path / "model")


def writing(path):
    def function(module, image):
        tf.io.write_file(str(path), "x")
        return module.scores(image)

    return function


def reading(path):
    return lambda module, image: (
        module.scores(image) + tf.cast(tf.strings.length(tf.io.read_file(str(path))), tf.float32)
    )


def python(path):
    def function(module, image):
        run = tf.py_function(path.touch, [], [])
        with tf.control_dependencies(run if isinstance(run, list) else [run]):
            return module.scores(image)

    return function


def printing(path):
    def function(module, image):
        tf.print("x", output_stream=f"file://{path}")
        return module.scores(image)

    return function


@pytest.mark.parametrize(
    ("function", "operation"),
    [(writing, "WriteFile"), (reading, "ReadFile"), (python, "EagerPyFunc"), (printing, "PrintV2")],
)
def test_operations_that_reach_outside_are_refused_and_not_run(tmp_path, function, operation):
    marker = tmp_path / "marker"
    save(tmp_path / "model", function(marker))
    assert f"contains the operation {operation}" in refused(tmp_path / "model")
    assert not marker.exists()


def test_operations_in_branches_are_refused(tmp_path):
    def function(module, image):
        def write():
            tf.io.write_file(str(tmp_path / "marker"), "x")
            return image

        return module.scores(tf.cond(tf.reduce_sum(image) > 0, write, lambda: image))

    save(tmp_path / "model", function)
    assert "WriteFile" in refused(tmp_path / "model")


def test_operations_that_run_while_the_model_is_loaded_are_refused(tmp_path):
    class Table(tf.Module):
        def __init__(self, words):
            super().__init__()
            source = tf.lookup.TextFileInitializer(words, tf.string, 0, tf.int64, 1, delimiter=",")
            self.table = tf.lookup.StaticHashTable(source, -1)

    (tmp_path / "words.txt").write_text("a,1\n")
    module = Scores()
    module.table = Table(str(tmp_path / "words.txt"))
    save(tmp_path / "model", Scores.scores, module=module)
    assert "InitializeTableFromTextFile" in refused(tmp_path / "model")


def test_the_functions_that_save_and_restore_are_no_reason_to_refuse(tmp_path):
    """Every SavedModel contains file operations for that."""
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(image))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    model.export(tmp_path / "model", verbose=False)
    content = (tmp_path / "model" / "saved_model.pb").read_bytes()
    assert b"SaveV2" in content
    assert b"MergeV2Checkpoints" in content
    assert outputs(import_here(tmp_path / "model"), pixels()) == pytest.approx(np.asarray(model(pixels())), rel=1e-5)


def test_a_damaged_folder_is_refused(tmp_path):
    save(tmp_path / "model", Scores.scores)
    for path in (tmp_path / "model" / "variables").glob("*data*"):
        path.write_bytes(path.read_bytes()[:10])
    assert "not a SavedModel that TensorFlow can read" in refused(tmp_path / "model")
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"\xff" * 100)
    assert "not a SavedModel that TensorFlow can read" in refused(tmp_path / "model")


def test_the_confined_process_reads_the_same_graph(tmp_path):
    module = save(tmp_path / "model", Scores.scores)
    imported = import_model(tmp_path / "model")
    assert outputs(imported, pixels()) == pytest.approx(module.scores(pixels()).numpy(), abs=1e-6)


def test_the_confined_process_is_ended_after_its_time(tmp_path):
    save(tmp_path / "model", Scores.scores)
    with pytest.raises(ExportError, match=r"reading .*model: did not end within 0.1 s"):
        import_model(tmp_path / "model", timeout_s=0.1)


def test_a_fixed_batch_in_a_flattened_tensor_is_removed(tmp_path):
    def flattened(module, image):
        return module.scores(tf.reshape(tf.reshape(image, [1, -1]), [1, SIDE, SIDE, 3]))

    module = save(tmp_path / "model", flattened, tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32, name="image"))
    found = outputs(import_here(tmp_path / "model"), pixels())
    assert found == pytest.approx(module.scores(pixels()).numpy(), abs=1e-6)


def test_a_batch_that_cannot_be_another_is_refused(tmp_path):
    def stacked(module, image):
        return module.scores(tf.stack(tf.unstack(image)))

    save(tmp_path / "model", stacked, tf.TensorSpec((2, SIDE, SIDE, 3), tf.float32, name="image"))
    assert "works only for batches of 2 images" in refused(tmp_path / "model")
