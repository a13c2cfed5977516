"""What is done in addition to the converter's int8: it changes what it should, and nothing else."""

import numpy as np
import pytest

from edge_runtime.model.spec import ModelSpec
from export.convert.bias_correction import bias_corrected
from export.convert.equalization import equalized
from export.convert.float_tensors import inner_tensors
from export.convert.ranges import best_range
from export.convert.tflite import freeze, to_tflite
from export.errors import ExportError
from export.quiet_tensorflow import keras
from export.settings import Settings

SIDE = 20
SPEC = ModelSpec(SIDE, SIDE, ("a", "b", "c"), "softmax")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (24, SIDE, SIDE, 3)).astype(np.uint8)


def separable(activation, spread=1.0):
    """Return a network of separable convolutions whose channels differ in range by a factor."""
    keras.utils.set_random_seed(7)
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(image)
    x = keras.layers.Conv2D(12, 3, strides=2, name="first", bias_initializer="random_normal")(x)
    x = keras.layers.Activation(activation)(x)
    x = keras.layers.ZeroPadding2D(1)(x)
    x = keras.layers.DepthwiseConv2D(3, name="depthwise", depth_multiplier=2)(x)
    x = keras.layers.Activation(activation)(x)
    x = keras.layers.Conv2D(16, 1, name="point")(x)
    x = keras.layers.Activation(activation)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(3, name="scores")(x))
    factors = np.geomspace(1, spread, 12).astype(np.float32)
    kernel, bias = model.get_layer("first").get_weights()
    model.get_layer("first").set_weights([kernel * factors, bias * factors])
    kernel, bias = model.get_layer("depthwise").get_weights()
    model.get_layer("depthwise").set_weights([kernel / factors[:, None], bias])
    return model


def outputs(content, images):
    """Return real outputs, (N, 3)."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_output_details()
    index, (scale, zero) = given["index"], given["quantization"]
    values = np.concatenate([item[index] for item in inner_tensors(content, [index], images)])
    return (values.astype(np.float64) - zero) * scale if scale else values


def files(model, images, *improvements):
    """Return the float file and an int8 file with float output."""
    frozen, settings = freeze(model, SPEC), Settings(int8_output="float32")
    exact = to_tflite(frozen, "float32", images, spec=SPEC)
    return exact, to_tflite(frozen, "int8", images, spec=SPEC, settings=settings, improvements=improvements)


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_equalization_changes_no_output(images, activation):
    exact = to_tflite(freeze(separable(activation, 100), SPEC), "float32", images, spec=SPEC)
    changed = equalized(exact, images)
    assert changed != exact
    assert outputs(changed, images) == pytest.approx(outputs(exact, images), abs=1e-5)


def test_equalization_repairs_channels_of_unlike_ranges(images):
    model = separable("relu", 1000)
    exact, plain = files(model, images)
    _, better = files(model, images, "equalized")
    wanted = outputs(exact, images)
    spoiled, repaired = (np.abs(outputs(content, images) - wanted).mean() for content in (plain, better))
    assert repaired < spoiled / 5


def test_relu6_is_not_equalized(images):
    exact = to_tflite(freeze(separable("relu6"), SPEC), "float32", images, spec=SPEC)
    with pytest.raises(ExportError, match="no convolutions follow each other"):
        equalized(exact, images)


def test_corrected_biases_remove_the_shift_of_the_mean(images):
    model = separable("relu6")
    exact, plain = files(model, images)
    wanted = outputs(exact, images)
    corrected = bias_corrected(plain, exact, images)
    before, after = (np.abs((outputs(content, images) - wanted).mean(axis=0)).max() for content in (plain, corrected))
    assert after < before / 2


def test_the_best_range_clips_rare_values_alone():
    values = np.random.default_rng(0).normal(0, 1, 100_000).astype(np.float32)
    assert best_range(np.clip(values, -2, 2)) == pytest.approx((-2, 2))
    low, high = best_range(np.append(values, [20.0, -20.0]).astype(np.float32))
    assert -20 < low < -3
    assert 3 < high < 20
    assert best_range(np.zeros(5, np.float32)) == (0, 0)
    assert best_range(np.full(5, 3.0, np.float32)) == pytest.approx((0, 3))


def test_all_improvements_together_give_a_file_that_decides_alike(images):
    exact, better = files(separable("relu"), images, "equalized", "narrow ranges", "corrected biases")
    wanted, found = outputs(exact, images), outputs(better, images)
    assert np.corrcoef(wanted.ravel(), found.ravel())[0, 1] > 0.99
