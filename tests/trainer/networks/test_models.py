"""The networks' form, and what they refuse."""

import keras
import numpy as np
import pytest

from edge_runtime.model.spec import ModelSpec
from trainer.errors import TrainingError
from trainer.networks import backbone
from trainer.networks.backbone import unfreeze_last
from trainer.networks.models import build_cnn, build_cnn_bn, build_transfer, build_untrained, loss_of, right

TWO = ModelSpec(height=48, width=64, labels=("cat", "dog"), output="sigmoid")
THREE = ModelSpec(height=48, width=64, labels=("a", "b", "c"), output="softmax")
PIXELS = np.random.default_rng(0).uniform(0, 255, (3, 48, 64, 3)).astype(np.float32)


def small_transfer(spec, name="mobilenet_v2", **options):
    return build_transfer(name, spec, **{"weights": "none", "alpha": 0.35, "dropout": 0.2, **options})


@pytest.fixture(scope="module")
def transfer():
    keras.utils.set_random_seed(0)
    return small_transfer(THREE)


def test_cnn_is_the_baseline_cnn():
    model = build_cnn(THREE)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "Rescaling", *["Conv2D", "MaxPooling2D"] * 3, "Flatten", *["Dense"] * 4]
    assert [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)] == [64, 128, 256]
    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [158, 256, 128, 3]


def test_cnn_without_pooling_has_none():
    assert not any(isinstance(layer, keras.layers.MaxPooling2D) for layer in build_cnn(THREE, pooling="none").layers)


@pytest.mark.parametrize(("spec", "width", "activation"), [(TWO, 1, "sigmoid"), (THREE, 3, "softmax")])
def test_input_and_output_are_as_the_contract_says(spec, width, activation):
    model = build_cnn(spec)
    assert model.inputs[0].name == "image"
    assert model.inputs[0].dtype == "float32"
    assert model.inputs[0].shape == (None, 48, 64, 3)
    assert model.output.shape == (None, width)
    assert model.layers[-1].name == "probabilities"
    assert model.layers[-1].activation.__name__ == activation


def test_outputs_are_probabilities_of_raw_pixels():
    outputs = build_cnn(THREE)(PIXELS).numpy()
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-5)


def test_cnn_bn_is_small_batch_normalised_and_pools_globally():
    model = build_cnn_bn(THREE)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert model.count_params() <= 500_000
    assert {"BatchNormalization", "GlobalAveragePooling2D"} <= set(kinds)
    assert kinds[-3:] == ["GlobalAveragePooling2D", "Dropout", "Dense"]
    np.testing.assert_allclose(model(PIXELS).numpy().sum(axis=1), 1, atol=1e-5)


def test_neck_and_tail_go_on_where_the_frozen_layers_end(transfer):
    tuned = small_transfer(THREE, learning=30)
    below = tuned.lower(PIXELS)
    assert below.shape[1:3] == (2, 2)
    np.testing.assert_allclose(tuned.neck(below), tuned.trunk(PIXELS), atol=1e-5)
    np.testing.assert_allclose(tuned.tail(below), tuned.whole(PIXELS), atol=1e-5)
    unfreeze_last(tuned.backbone, 30)
    assert tuned.tail.trainable_weights


@pytest.mark.parametrize(("build", "least"), [(build_cnn, 43), (build_cnn_bn, 32)])
def test_networks_from_scratch_name_the_smallest_input(build, least):
    fits, small = (
        ModelSpec(height=side, width=side, labels=("a", "b"), output="sigmoid") for side in (least, least - 1)
    )
    assert build(fits).output.shape == (None, 1)
    with pytest.raises(TrainingError, match=f"pass --image-size {least} or more"):
        build(small)


def first_class(spec):
    return np.zeros((3, 1)) if spec.output == "sigmoid" else np.eye(3)[[0, 0, 0]]


@pytest.mark.parametrize("spec", [TWO, THREE])
def test_the_loss_of_a_sure_mistake_is_computed_from_logits(spec):
    model = build_cnn(spec)
    kernel, bias = model.layers[-1].get_weights()
    push = np.zeros_like(bias)
    push[-1] = 50.0  # sure of the last class, for every image; probabilities alone would be clipped to a loss of 16
    model.layers[-1].set_weights([kernel * 0, push])
    model.compile(loss=loss_of(spec))
    assert model.evaluate(PIXELS, first_class(spec), verbose=0) == pytest.approx(50, rel=1e-3)


def test_a_transfer_model_has_one_normalisation_and_frozen_statistics(transfer):
    kinds = [type(layer).__name__ for layer in transfer.whole.layers]
    assert kinds.count("Rescaling") == 1
    assert transfer.whole.layers[1](np.array([[0.0, 127.5, 255.0]], np.float32)).numpy().tolist() == [[-1.0, 0.0, 1.0]]
    before = transfer.backbone.get_weights()
    transfer.whole(PIXELS, training=True)
    for old, new in zip(before, transfer.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [weight.path for weight in transfer.whole.trainable_weights] == [
        "probabilities/kernel",
        "probabilities/bias",
    ]


def test_trunk_and_head_together_are_the_whole(transfer):
    together = transfer.head(transfer.trunk(PIXELS), training=False)
    np.testing.assert_allclose(together, transfer.whole(PIXELS, training=False), atol=1e-6)


def test_unfreezing_leaves_batch_norm_frozen():
    transfer = small_transfer(TWO)
    unfreeze_last(transfer.backbone, 9)
    learning = [layer for layer in transfer.backbone.layers if layer.trainable]
    assert learning == [
        layer for layer in transfer.backbone.layers[-9:] if not isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert transfer.backbone.trainable_weights


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "mobilenet_v3_large"])
def test_mobilenet_v3_takes_the_same_pixels_and_normalises_once(name):
    transfer = small_transfer(TWO, name, alpha=0.75)
    assert transfer.whole.output.shape == (None, 1)
    assert not any(isinstance(layer, keras.layers.Rescaling) for layer in transfer.backbone.layers)


@pytest.mark.parametrize(("name", "alpha"), [("mobilenet_v2", 0.35), ("mobilenet_v3_small", 0.75)])
def test_a_backbone_without_weights_learns_whole_and_its_moving_averages_keep_up(name, alpha):
    model = build_untrained(name, THREE, alpha=alpha, dropout=0.0)
    assert all(layer.trainable for layer in model.layers)
    norm = next(
        layer for layer in model.get_layer(index=2).layers if isinstance(layer, keras.layers.BatchNormalization)
    )
    before = norm.moving_variance.numpy()
    model(PIXELS, training=True)
    seen = (norm.moving_variance.numpy() - 0.9 * before) / 0.1
    model(PIXELS, training=True)
    np.testing.assert_allclose(norm.moving_variance, 0.81 * before + 0.19 * seen, rtol=1e-3)


def test_weights_of_the_same_network_are_loaded(transfer, tmp_path):
    transfer.backbone.save_weights(tmp_path / "own.weights.h5")
    again = small_transfer(THREE, weights=str(tmp_path / "own.weights.h5"))
    np.testing.assert_allclose(again.trunk(PIXELS), transfer.trunk(PIXELS), atol=1e-5)


def test_weights_of_another_alpha_are_refused_in_one_line(transfer, tmp_path):
    transfer.backbone.save_weights(tmp_path / "narrow.weights.h5")
    with pytest.raises(TrainingError, match=r"narrow\.weights\.h5: holds no weights of mobilenet_v2 with --alpha 0\.5"):
        small_transfer(THREE, weights=str(tmp_path / "narrow.weights.h5"), alpha=0.5)


def test_a_missing_or_wrong_weights_file_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"none\.weights\.h5: no such file"):
        small_transfer(TWO, weights=str(tmp_path / "none.weights.h5"))
    (tmp_path / "text.weights.h5").write_text("no weights")
    with pytest.raises(TrainingError, match=r"text\.weights\.h5: holds no weights"):
        small_transfer(TWO, weights=str(tmp_path / "text.weights.h5"))


def test_offline_the_download_says_how_to_pass_a_file(monkeypatch):
    def fail(**options):
        raise Exception("URL fetch failure on https://weights: None -- Name resolution")  # noqa: TRY002 - as Keras does

    monkeypatch.setitem(backbone.BACKBONES, "mobilenet_v2", fail)
    with pytest.raises(TrainingError, match=r"the download failed .*pass a file of weights: --weights FILE"):
        small_transfer(TWO, weights="imagenet")


def test_an_input_too_small_for_a_backbone_is_refused():
    spec = ModelSpec(height=16, width=16, labels=("a", "b"), output="sigmoid")
    with pytest.raises(TrainingError, match="mobilenet_v2: "):
        small_transfer(spec)


@pytest.mark.parametrize(
    ("targets", "probabilities", "told"),
    [
        ([[0.8], [0.2], [1.0]], [[0.9], [0.9], [0.4]], [1, 0, 0]),
        ([[0.8, 0.2, 0.0], [0.3, 0.0, 0.7]], [[0.5, 0.4, 0.1], [0.6, 0.1, 0.3]], [1, 0]),
    ],
    ids=["sigmoid", "softmax"],
)
def test_of_a_mixed_target_the_greater_part_decides_what_is_right(targets, probabilities, told):
    assert np.asarray(right(np.array(targets, np.float32), np.array(probabilities, np.float32))).tolist() == told
