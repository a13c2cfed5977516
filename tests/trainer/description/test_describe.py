"""The results of `edge-train describe`, compared with values from independent sources."""

import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image

from edge_runtime.model.spec import ModelSpec
from trainer.cli import main
from trainer.description.graph import Step
from trainer.description.pictures import features_of
from trainer.description.summary import describe
from trainer.description.windows import multiply_adds, windows_of
from trainer.errors import TrainingError
from trainer.networks.models import build_cnn, build_cnn_bn, build_transfer

THREE = ModelSpec(height=96, width=96, labels=("a", "b", "c"), output="softmax")


def step(layer, shape):
    output_shape = layer.compute_output_shape((None, *shape))
    return Step(layer, "", (0,), (1,), (shape,), (output_shape[1:],), first_call=True)


def small():
    """Build a model with batch normalisation, merged padding, a branch, and a nested model that is called twice."""
    inner_image = keras.Input((8, 8, 6))
    y = layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same", use_bias=False)(inner_image))
    inner = keras.Model(inner_image, layers.Add()([inner_image, layers.ReLU()(y)]), name="block")
    image = keras.Input((33, 33, 3), name="image")
    x = layers.Conv2D(4, 3, 2, "same", activation="relu", name="first")(image)
    x = layers.ZeroPadding2D(((1, 1), (1, 1)), name="pad")(x)
    x = layers.DepthwiseConv2D(3, 2, name="depthwise")(x)
    x = layers.Conv2D(6, 2, name="valid")(x)
    x = inner(inner(x))
    return keras.Model(image, layers.Dense(3, name="probabilities")(layers.GlobalAveragePooling2D()(x)))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.keras"
    keras.utils.set_random_seed(0)
    small().save(path)
    return path


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("n", [11, 16])
@pytest.mark.parametrize("f", [1, 2, 3, 5])
@pytest.mark.parametrize("s", [1, 2, 3])
def test_the_formula_gives_the_output_size_that_keras_reports(n, f, s, padding):
    for layer in (
        layers.Conv2D(2, f, s, padding),
        layers.DepthwiseConv2D(f, s, padding),
        layers.MaxPooling2D(f, s, padding),
        *([layers.Conv2D(2, f, 1, padding, dilation_rate=2)] if s == 1 else []),
    ):
        one = step(layer, (n, n + 3, 2))
        assert tuple(window.output for window in windows_of(one)) == one.output_shapes[0][:2]


def test_same_padding_with_stride_two_adds_its_only_zero_after_the_axis():
    down, _ = windows_of(step(layers.Conv2D(64, 3, 2, "same"), (96, 96, 3)))
    assert (down.before, down.after, str(down)) == (0, 1, "(96-3+1)/2+1")


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Conv2D(10, 3, groups=2, padding="same"), 8 * 8 * 10 * 9 * 2),
        (layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), 8 * 8 * 8 * 9),
        (layers.SeparableConv2D(10, 3, padding="same"), 8 * 8 * 4 * 9 + 8 * 8 * 4 * 10),
        (layers.Conv2DTranspose(10, 3, 2), 8 * 8 * 4 * 9 * 10),
        (layers.Dense(10), 8 * 8 * 4 * 10),
        (layers.BatchNormalization(), 0),
        (layers.EinsumDense("abcd,de->abce", (8, 8, 5)), None),
    ],
)
def test_multiply_adds_equal_values_computed_by_hand(layer, expected):
    layer.build((None, 8, 8, 4))
    assert multiply_adds(step(layer, (8, 8, 4))) == expected


def test_the_description_of_the_baseline_cnn_equals_values_computed_by_hand():
    model = build_cnn(THREE)
    described = describe(model)
    assert described.parameters == model.count_params()
    convolutions = 48 * 48 * 64 * 27 + 12 * 12 * 128 * 576 + 3 * 3 * 256 * 1152
    assert described.multiply_adds == convolutions + 256 * 158 + 158 * 256 + 256 * 128 + 128 * 3
    assert [row.formula for row in described.rows if row.windows][-1] == (1, 1)
    assert described.peak.kind == "MaxPooling2D"
    assert (
        described.peak.memory == 96 * 96 * 3 + 48 * 48 * 64 + 24 * 24 * 64
    )  # the model's input, the layer's input and its output


def assert_sizes(model):
    described = describe(model)
    windowed = [row for row in described.rows if row.windows]
    assert len(windowed) >= 7
    assert [row.formula for row in windowed] == [row.output[:2] for row in windowed]
    assert described.parameters == model.count_params()
    assert described.uncounted == []
    return described


def test_every_layer_has_the_size_that_the_formula_gives():
    assert_sizes(build_cnn_bn(THREE))
    assert_sizes(build_transfer("mobilenet_v3_small", THREE, weights="none", alpha=1.0, dropout=0.2).model)


def test_mobilenet_v2_has_the_300_million_multiply_adds_of_its_paper():
    described = assert_sizes(keras.applications.MobileNetV2(weights=None))
    assert described.multiply_adds == pytest.approx(300e6, rel=0.01)  # Sandler et al. 2018, table 4


def test_a_nested_model_is_flattened_and_its_parameters_are_counted_once():
    model = small()
    described = describe(model)
    inside = [row for row in described.rows if row.name.startswith("block/")]
    assert len(inside) == 8
    assert inside[0].parameters == 6 * 6 * 9
    assert inside[4].parameters == 0
    assert inside[0].multiply_adds == inside[4].multiply_adds == 8 * 8 * 6 * 9 * 6
    assert described.parameters == model.count_params()


def test_the_peak_equals_the_size_of_tensorflow_lites_arena(capfd):
    model = small()
    interpreter = tf.lite.Interpreter(
        model_content=tf.lite.TFLiteConverter.from_keras_model(model).convert(),
        # these kernels need no temporary memory
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    capfd.readouterr()  # the converter prints
    written = {one["index"] for one in interpreter.get_input_details()}
    written |= {at for operation in interpreter._get_ops_details() for at in operation["outputs"]}
    views = [interpreter.tensor(at)() for at in written]
    spans = [(view.__array_interface__["data"][0], view.nbytes) for view in views]
    arena = max(start + size for start, size in spans) - min(start for start, _ in spans)
    assert 0 <= arena - 4 * describe(model).peak.memory < 3 * 64  # each of the three tensors is aligned


def test_feature_maps_are_the_outputs_of_the_layers():
    model = small()
    pixels = np.random.default_rng(0).integers(0, 256, (33, 33, 3), np.uint8)
    maps = features_of(model, pixels)
    names = [one.layer.name for one, _ in maps]
    assert names[:4] == ["image", "pad", "depthwise", "valid"]  # the convolution and its padding are merged
    outputs = keras.Model(model.inputs, [model.get_layer(name).output for name in names[2:4]])
    for (_, values), expected in zip(maps[2:4], outputs(pixels[None].astype(np.float32)), strict=True):
        np.testing.assert_allclose(values, expected[0], rtol=1e-4)
    block = model.get_layer("block")  # called twice, with different results
    once = block(maps[3][1][None])
    np.testing.assert_allclose(maps[5][1], once[0], rtol=1e-4)
    np.testing.assert_allclose(maps[7][1], block(once)[0], rtol=1e-4)


def test_describe_prints_text_and_json_and_draws_pictures(saved, tmp_path, capsys):
    Image.new("RGB", (50, 40), (200, 30, 60)).save(tmp_path / "photo.png")
    assert main(["describe", str(saved)]) == 0
    text = capsys.readouterr().out
    assert "(33-3+2)/2+1  17x17    17x17x4" in text
    pictures = ["--filters", "--features", str(tmp_path / "photo.png"), "--out", str(tmp_path / "out")]
    assert main(["describe", str(saved), "--json", *pictures]) == 0
    out, err = capsys.readouterr()
    described = json.loads(out)
    assert described["layers"][1]["formula"] == described["layers"][1]["output"][:2] == [17, 17]
    assert described["peak_activations"]["float32_bytes"] == 4 * described["peak_activations"]["int8_bytes"]
    assert "is stretched to 33x33" in err
    assert len(list((tmp_path / "out" / "filters").iterdir())) == 4
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'src="([^"]+)"', page)) == {
        f"{folder}/{path.name}" for folder in ("filters", "features") for path in (tmp_path / "out" / folder).iterdir()
    }
    assert "<span>6 feature maps of 8x8</span>" in page  # a caption
    assert f"next: xdg-open {tmp_path / 'out' / 'index.html'}" in err
    shown = sorted((tmp_path / "out" / "features").iterdir())
    assert shown[0].name == "001-image.png"
    for path in shown:
        assert np.asarray(Image.open(path).convert("L")).std() > 5  # the picture is not empty
    assert main(["describe", str(saved), *pictures, "--overwrite"]) == 0
    assert main(["describe", str(saved), *pictures]) == 1
    assert "--overwrite" in capsys.readouterr().err


def test_a_path_that_cannot_be_described_is_named_in_one_line(saved, tmp_path, capsys):
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "saved_model.pb").touch()
    (tmp_path / "text.keras").write_text("no model")
    keras.models.load_model(saved).save_weights(tmp_path / "only.weights.h5")
    for name, message in (
        ("none.keras", "no such RUN or model"),
        ("saved_model", "describe the .keras or .h5 file"),
        ("text.keras", "text.keras: not readable"),
        ("only.weights.h5", "of a complete model"),
        ("", "so it is not a RUN"),
    ):
        assert main(["describe", str(tmp_path / name)]) == 1
        lines = capsys.readouterr().err.strip().splitlines()
        assert message in lines[-1]
        assert len(lines) == 1
    with pytest.raises(TrainingError, match=r"has no fixed size, \(None, None, None, 3\)"):
        describe(keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(2, 3)]))


def test_pictures_and_out_are_only_accepted_together(saved, tmp_path, capsys):
    assert main(["describe", str(saved), "--filters"]) == 2
    assert main(["describe", str(saved), "--out", str(tmp_path / "x")]) == 2
    assert "--out DIR goes with" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    assert main(["describe", str(saved), "--filters", "--out", str(tmp_path / "mine"), "--overwrite"]) == 1
    assert "contains other files than pictures" in capsys.readouterr().err
