"""The structure of the networks, and the inputs and weights that they reject."""

import keras
import numpy as np
import pytest

from edge_runtime.model.spec import ModelSpec
from trainer.errors import TrainingError
from trainer.networks import backbone
from trainer.networks.backbone import possible_ends, unfreeze_last
from trainer.networks.models import build_cnn, build_cnn_bn, build_transfer, build_untrained, is_correct, loss_of

TWO = ModelSpec(height=48, width=64, labels=("cat", "dog"), output="sigmoid")
THREE = ModelSpec(height=48, width=64, labels=("a", "b", "c"), output="softmax")
PIXELS = np.random.default_rng(0).uniform(0, 255, (3, 48, 64, 3)).astype(np.float32)


def small_transfer(spec, name="mobilenet_v2", **options):
    return build_transfer(name, spec, **{"weights": "none", "alpha": 0.35, "dropout": 0.2, **options})


@pytest.fixture(scope="module")
def transfer():
    keras.utils.set_random_seed(0)
    return small_transfer(THREE)


def test_cnn_has_the_layers_of_the_baseline_cnn():
    model = build_cnn(THREE)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "Rescaling", *["Conv2D", "MaxPooling2D"] * 3, "Flatten", *["Dense"] * 4]
    assert [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)] == [64, 128, 256]
    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [158, 256, 128, 3]


def test_cnn_can_be_built_without_pooling():
    assert not any(isinstance(layer, keras.layers.MaxPooling2D) for layer in build_cnn(THREE, pooling="none").layers)


@pytest.mark.parametrize(("spec", "width", "activation"), [(TWO, 1, "sigmoid"), (THREE, 3, "softmax")])
def test_input_and_output_have_the_documented_names_shapes_and_types(spec, width, activation):
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


def test_cnn_bn_is_small_and_has_batch_normalisation_and_global_pooling():
    model = build_cnn_bn(THREE)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert model.count_params() <= 500_000
    assert {"BatchNormalization", "GlobalAveragePooling2D"} <= set(kinds)
    assert kinds[-3:] == ["GlobalAveragePooling2D", "Dropout", "Dense"]
    np.testing.assert_allclose(model(PIXELS).numpy().sum(axis=1), 1, atol=1e-5)


def test_neck_and_tail_continue_from_the_outputs_of_the_frozen_layers(transfer):
    tuned = small_transfer(THREE, trainable_layers=30)
    below = tuned.lower(PIXELS)
    assert below.shape[1:3] == (2, 2)
    np.testing.assert_allclose(tuned.neck(below), tuned.trunk(PIXELS), atol=1e-5)
    np.testing.assert_allclose(tuned.tail(below), tuned.model(PIXELS), atol=1e-5)
    unfreeze_last(tuned.backbone, 30)
    assert tuned.tail.trainable_weights


@pytest.mark.parametrize(("build", "smallest"), [(build_cnn, 43), (build_cnn_bn, 32)])
def test_an_input_that_is_too_small_is_rejected_with_the_smallest_size(build, smallest):
    valid, too_small = (
        ModelSpec(height=side, width=side, labels=("a", "b"), output="sigmoid") for side in (smallest, smallest - 1)
    )
    assert build(valid).output.shape == (None, 1)
    with pytest.raises(TrainingError, match=f"pass --image-size {smallest} or more"):
        build(too_small)


def first_class(spec):
    return np.zeros((3, 1)) if spec.output == "sigmoid" else np.eye(3)[[0, 0, 0]]


@pytest.mark.parametrize("spec", [TWO, THREE])
def test_the_loss_of_a_confident_mistake_is_computed_from_logits(spec):
    model = build_cnn(spec)
    kernel, bias = model.layers[-1].get_weights()
    bias = np.zeros_like(bias)
    bias[-1] = 50.0  # always predicts the last class; from clipped probabilities, the loss would be 16
    model.layers[-1].set_weights([kernel * 0, bias])
    model.compile(loss=loss_of(spec))
    assert model.evaluate(PIXELS, first_class(spec), verbose=0) == pytest.approx(50, rel=1e-3)


def test_a_transfer_model_has_one_normalisation_layer_and_frozen_statistics(transfer):
    kinds = [type(layer).__name__ for layer in transfer.model.layers]
    assert kinds.count("Rescaling") == 1
    assert transfer.model.layers[1](np.array([[0.0, 127.5, 255.0]], np.float32)).numpy().tolist() == [[-1.0, 0.0, 1.0]]
    before = transfer.backbone.get_weights()
    transfer.model(PIXELS, training=True)
    for old, new in zip(before, transfer.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [weight.path for weight in transfer.model.trainable_weights] == [
        "probabilities/kernel",
        "probabilities/bias",
    ]


def test_trunk_and_head_together_equal_the_model(transfer):
    together = transfer.head(transfer.trunk(PIXELS), training=False)
    np.testing.assert_allclose(together, transfer.model(PIXELS, training=False), atol=1e-6)


def test_unfreezing_keeps_batch_normalisation_frozen():
    transfer = small_transfer(TWO)
    unfreeze_last(transfer.backbone, 9)
    trainable = [layer for layer in transfer.backbone.layers if layer.trainable]
    assert trainable == [
        layer for layer in transfer.backbone.layers[-9:] if not isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert transfer.backbone.trainable_weights


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "mobilenet_v3_large"])
def test_mobilenet_v3_has_no_normalisation_layer_of_its_own(name):
    transfer = small_transfer(TWO, name, alpha=0.75)
    assert transfer.model.output.shape == (None, 1)
    assert not any(isinstance(layer, keras.layers.Rescaling) for layer in transfer.backbone.layers)


@pytest.mark.parametrize(("name", "alpha"), [("mobilenet_v2", 0.35), ("mobilenet_v3_small", 0.75)])
def test_a_backbone_without_weights_is_trainable_and_its_moving_averages_adapt_quickly(name, alpha):
    model = build_untrained(name, THREE, alpha=alpha, dropout=0.0)
    assert all(layer.trainable for layer in model.layers)
    norm = next(
        layer for layer in model.get_layer(index=2).layers if isinstance(layer, keras.layers.BatchNormalization)
    )
    before = norm.moving_variance.numpy()
    model(PIXELS, training=True)
    batch_variance = (norm.moving_variance.numpy() - 0.9 * before) / 0.1
    model(PIXELS, training=True)
    np.testing.assert_allclose(norm.moving_variance, 0.81 * before + 0.19 * batch_variance, rtol=1e-3)


def test_weights_of_the_same_network_are_loaded(transfer, tmp_path):
    transfer.backbone.save_weights(tmp_path / "own.weights.h5")
    again = small_transfer(THREE, weights=str(tmp_path / "own.weights.h5"))
    np.testing.assert_allclose(again.trunk(PIXELS), transfer.trunk(PIXELS), atol=1e-5)


def test_weights_of_another_alpha_are_rejected(transfer, tmp_path):
    transfer.backbone.save_weights(tmp_path / "narrow.weights.h5")
    with pytest.raises(
        TrainingError, match=r"narrow\.weights\.h5: does not contain weights of mobilenet_v2 with --alpha 0\.5"
    ):
        small_transfer(THREE, weights=str(tmp_path / "narrow.weights.h5"), alpha=0.5)


def test_a_missing_or_invalid_weights_file_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"none\.weights\.h5: no such file"):
        small_transfer(TWO, weights=str(tmp_path / "none.weights.h5"))
    (tmp_path / "text.weights.h5").write_text("no weights")
    with pytest.raises(TrainingError, match=r"text\.weights\.h5: does not contain weights"):
        small_transfer(TWO, weights=str(tmp_path / "text.weights.h5"))


def test_a_failed_download_says_how_to_pass_a_file(monkeypatch):
    def fail(**options):
        raise Exception("URL fetch failure on https://weights: None -- Name resolution")  # noqa: TRY002 - as Keras does

    monkeypatch.setitem(backbone.BACKBONES, "mobilenet_v2", backbone.Backbone(fail))
    with pytest.raises(TrainingError, match=r"the download failed .*pass a file of weights: --weights FILE"):
        small_transfer(TWO, weights="imagenet")


def test_an_input_that_is_too_small_for_a_backbone_is_rejected():
    spec = ModelSpec(height=16, width=16, labels=("a", "b"), output="sigmoid")
    with pytest.raises(TrainingError, match="mobilenet_v2: "):
        small_transfer(spec)


@pytest.mark.parametrize(
    ("targets", "probabilities", "expected"),
    [
        ([[0.8], [0.2], [1.0]], [[0.9], [0.9], [0.4]], [1, 0, 0]),
        ([[0.8, 0.2, 0.0], [0.3, 0.0, 0.7]], [[0.5, 0.4, 0.1], [0.6, 0.1, 0.3]], [1, 0]),
    ],
    ids=["sigmoid", "softmax"],
)
def test_the_correct_class_of_a_mixed_target_is_the_larger_part(targets, probabilities, expected):
    assert (
        np.asarray(is_correct(np.array(targets, np.float32), np.array(probabilities, np.float32))).tolist() == expected
    )


def test_a_cut_backbone_computes_the_values_after_the_named_layer(transfer, tmp_path):
    transfer.backbone.save_weights(tmp_path / "whole.weights.h5")
    shorter = small_transfer(THREE, weights=str(tmp_path / "whole.weights.h5"), last="block_6_expand_relu")
    whole = keras.Model(transfer.backbone.input, transfer.backbone.get_layer("block_6_expand_relu").output)
    values = whole(transfer.model.layers[1](PIXELS), training=False)
    np.testing.assert_allclose(shorter.trunk(PIXELS), np.mean(values, axis=(1, 2)), atol=1e-5)
    assert shorter.backbone.layers[-1].name == "block_6_expand_relu"
    assert shorter.model.count_params() < transfer.model.count_params() / 4


def test_a_cut_backbone_is_divided_into_frozen_and_trainable_layers_like_a_whole_one():
    shorter = small_transfer(THREE, last="block_6_expand_relu", trainable_layers=12)
    np.testing.assert_allclose(shorter.tail(shorter.lower(PIXELS)), shorter.model(PIXELS), atol=1e-5)
    unfreeze_last(shorter.backbone, 12)
    assert shorter.tail.trainable_weights


def test_a_cut_backbone_can_be_trained_from_scratch():
    model = build_untrained("mobilenet_v2", THREE, alpha=0.35, dropout=0.0, last="block_2_add")
    assert model.output.shape == (None, 3)
    assert all(layer.trainable for layer in model.layers)


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("block_6_expand_rel", r"has no such layer; pass the name of another layer, such as block_6_expand_relu, "),
        ("block_2_expand_relu", r"can only end with .* that no branch bypasses; pass .*block_\d+_expand_relu"),
        ("block_1_project", r"can only end with an activation .*, an addition or a batch normalisation"),
    ],
)
def test_a_layer_that_a_backbone_cannot_end_with_is_rejected_with_the_closest_ones(last, reason):
    with pytest.raises(TrainingError, match=f"--cut {last}: mobilenet_v2 {reason}"):
        small_transfer(THREE, last=last)


def test_a_backbone_ends_with_no_layer_whose_name_depends_on_the_process():
    ends, again = (possible_ends(small_transfer(TWO, "mobilenet_v3_small", alpha=0.75).backbone) for _ in range(2))
    assert ends == again
    assert {"expanded_conv_2_add", "conv_1_bn"} <= set(ends)
