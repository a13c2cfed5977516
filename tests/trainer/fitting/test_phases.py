"""Training a model on a dataset, in the phases of each kind of network."""

from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

from edge_runtime.model.spec import ModelSpec
from trainer.data.layout import scan
from trainer.data.split import Fractions
from trainer.errors import InterruptedEarlyError
from trainer.evaluation.scores import predict
from trainer.fitting import job, transfer
from trainer.fitting.features import number_of_views
from trainer.fitting.fit import Epoch, Phase
from trainer.fitting.job import class_weights
from trainer.fitting.phases import train_model
from trainer.images.dataset import load
from trainer.networks import backbone
from trainer.networks.models import build_untrained, loss_of
from trainer.options import Options

CNN = Options(model="cnn", image_size=48, epochs=2, patience=5, learning_rate=1e-3, batch_size=8)
HEAD = replace(CNN, model="mobilenet_v2", weights="none", alpha=0.35)
TUNED = replace(HEAD, fine_tune_layers=6, fine_tune_epochs=1, fine_tune_rate=1e-3)


def tiny_backbone(*, weights, input_shape, alpha, include_top):
    """Build a small replacement for MobileNetV2, which takes seconds to build; test_models uses the real one."""
    assert (weights, alpha, include_top) == (None, 0.35, False)
    x = image = keras.Input(input_shape)
    for number in range(3):
        x = keras.layers.Conv2D(8, 3, strides=2, name=f"conv_{number}")(x)
        x = keras.layers.BatchNormalization(name=f"bn_{number}")(x)
        x = keras.layers.ReLU()(x)
    return keras.Model(image, x)


@pytest.fixture(autouse=True)
def use_tiny_backbone(monkeypatch):
    monkeypatch.setitem(backbone.BACKBONES, "mobilenet_v2", backbone.Backbone(tiny_backbone))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, draw_set):
    folder = draw_set(tmp_path_factory.mktemp("phases"), count=12)
    spec = ModelSpec(height=48, width=48, labels=("cat", "dog"), output="sigmoid")
    return load(scan(folder), spec, Fractions(0.2, 0.2), seed=0)


def trained(dataset, tmp_path, options):
    return train_model(dataset, options, Path(mkdtemp(dir=tmp_path)))


def weights(dataset, tmp_path, options):
    return trained(dataset, tmp_path, options).model.get_weights()


# test_resume checks the same for cnn_bn with mixup
@pytest.mark.parametrize("options", [CNN, HEAD, TUNED], ids=["cnn", "head", "fine-tune"])
def test_equal_seeds_give_equal_weights(dataset, tmp_path, options):
    first, second = (weights(dataset, tmp_path, options) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_different_seeds_give_different_weights(dataset, tmp_path):
    first, second = (weights(dataset, tmp_path, replace(HEAD, epochs=1, seed=seed)) for seed in (0, 1))
    assert any(not np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_augmentation_can_be_disabled(dataset, tmp_path):
    augmented, plain = (weights(dataset, tmp_path, replace(CNN, augment=name)) for name in ("standard", "none"))
    assert any(not np.array_equal(one, other) for one, other in zip(augmented, plain, strict=True))


def test_a_model_learns_to_classify_by_colour(dataset, tmp_path):
    model = trained(dataset, tmp_path, replace(CNN, epochs=8, augment="none")).model
    photos = dataset.of("test")
    predicted = predict(model, dataset.pixels[[photo.row for photo in photos]]).argmax(axis=1)
    assert predicted.tolist() == dataset.targets(photos).tolist()


def test_tensorboard_logs_contain_each_epochs_loss_and_accuracy(dataset, tmp_path):
    trained(dataset, tmp_path, replace(HEAD, tensorboard=str(tmp_path / "logs")))
    logs = {split: set(logged(tmp_path / "logs" / split)) for split in ("train", "validation")}
    assert {("epoch_loss", 0), ("epoch_loss", 1), ("epoch_accuracy", 1)} <= logs["train"]
    assert {("epoch_loss", 0), ("epoch_loss", 1), ("epoch_accuracy", 1)} <= logs["validation"]


def logged(folder):
    """Yield the name and the epoch of each value in a folder of TensorBoard logs."""
    for record in tf.data.TFRecordDataset([str(path) for path in folder.glob("events.*")]).as_numpy_iterator():
        event = event_pb2.Event.FromString(record)
        yield from ((value.tag, event.step) for value in event.summary.value)


def test_all_layers_of_a_backbone_without_weights_are_trained_in_one_phase(dataset, tmp_path):
    result = trained(dataset, tmp_path, replace(HEAD, fine_tune_layers=None))
    assert [phase.epochs[0].phase for phase in result.phases] == ["all"]
    keras.utils.set_random_seed(HEAD.seed)
    start = build_untrained("mobilenet_v2", dataset.spec, alpha=0.35, dropout=0.2)
    changed = [a.path for a, b in zip(result.model.weights, start.weights, strict=True) if not np.array_equal(a, b)]
    assert len(changed) == len(start.weights)


def test_fine_tuning_follows_the_head_phase_and_changes_the_last_layers_of_the_backbone(dataset, tmp_path):
    options = replace(HEAD, epochs=1, fine_tune_layers=6, fine_tune_epochs=1, fine_tune_rate=1e-3)
    tuned = trained(dataset, tmp_path, options)
    assert [phase.epochs[0].phase for phase in tuned.phases] == ["head", "fine-tune"]
    frozen = trained(dataset, tmp_path, replace(options, fine_tune_layers=0))
    pairs = list(zip(tuned.model.weights, frozen.model.weights, strict=True))
    changed = {a.path for a, b in pairs if not np.array_equal(a, b) and "probabilities" not in a.path}
    # the last six layers are conv_1 and conv_2 with batch normalisation, which is never trained, and ReLU
    assert {path.rpartition("/")[0].rpartition("/")[2] for path in changed} == {"conv_1", "conv_2"}


@pytest.mark.parametrize(("error_rate", "phases"), [(0.05, ["head", "fine-tune"]), (0.03, ["head"])])
def test_by_default_the_backbone_is_fine_tuned_only_if_the_head_misclassifies_too_many(
    dataset, tmp_path, monkeypatch, error_rate, phases
):
    monkeypatch.setattr(transfer, "head_error_rate", lambda *_: error_rate)
    file = tmp_path / "backbone.weights.h5"
    tiny_backbone(weights=None, input_shape=(48, 48, 3), alpha=0.35, include_top=False).save_weights(file)
    options = replace(HEAD, weights=str(file), epochs=1, fine_tune_layers=None, fine_tune_epochs=1)
    assert [phase.epochs[0].phase for phase in trained(dataset, tmp_path, options).phases] == phases


@pytest.mark.parametrize("cut", ["", "bn_1"])
def test_the_model_has_the_validation_loss_that_its_head_had_on_centred_features(dataset, tmp_path, cut):
    result = trained(dataset, tmp_path, replace(HEAD, cut=cut))
    photos = dataset.of("validation")
    result.model.compile(loss=loss_of(dataset.spec))
    pixels = dataset.pixels[[photo.row for photo in photos]].astype(np.float32)
    loss = result.model.evaluate(pixels, dataset.targets(photos)[:, np.newaxis], verbose=0)
    assert loss == pytest.approx(result.phases[0].best_epoch.val_loss, rel=1e-3)


def test_by_default_only_small_sets_get_augmented_views():
    assert [number_of_views(HEAD, photographs) for photographs in (99, 100)] == [2, 0]
    assert number_of_views(replace(HEAD, views=5), 1000) == 5


@pytest.mark.parametrize("outcome", ["interrupted", "worse"])
def test_fine_tuning_without_improvement_restores_the_model_of_the_head_phase(dataset, tmp_path, monkeypatch, outcome):
    options = replace(HEAD, epochs=1, fine_tune_layers=6)
    head = weights(dataset, tmp_path, replace(options, fine_tune_layers=0))
    fit = job.fit

    def failing_fit(model, task):
        if task.phase != "fine-tune":
            return fit(model, task)
        model.set_weights([weight * 0 for weight in model.get_weights()])
        if outcome == "interrupted":
            raise InterruptedEarlyError("stopped")
        return Phase([Epoch("fine-tune", 1, 9.0, 0.5, 9.0, 0.5, 1.0)], 0, interrupted=False)

    monkeypatch.setattr(job, "fit", failing_fit)
    kept = trained(dataset, tmp_path, options)
    assert len(kept.phases) == {"interrupted": 1, "worse": 2}[outcome]
    for one, other in zip(head, kept.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3)  # features are stored in half precision


def test_by_default_classes_are_weighted_above_an_imbalance_of_one_and_a_half():
    balanced, imbalanced = np.repeat([0, 1], [3, 2]), np.repeat([0, 1], [8, 2])
    assert class_weights(balanced, "auto") is None
    assert class_weights(imbalanced, "auto") == {0: 10 / 16, 1: 10 / 4}
    assert class_weights(imbalanced, "off") is None
    assert class_weights(balanced, "on") == {0: 5 / 6, 1: 5 / 4}
