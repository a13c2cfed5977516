"""From a dataset to a model, twice the same."""

from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

from edge_runtime.model.spec import ModelSpec
from trainer.data.dataset import load
from trainer.data.layout import scan
from trainer.data.split import Fractions
from trainer.errors import InterruptedEarlyError
from trainer.evaluation.scores import predict
from trainer.fitting import phases as learning
from trainer.fitting.fit import Epoch, Phase
from trainer.fitting.phases import class_weights, learn
from trainer.networks import backbone
from trainer.networks.models import build_untrained
from trainer.options import Options

CNN = Options(model="cnn", image_size=48, epochs=2, patience=5, learning_rate=1e-3, batch_size=8)
HEAD = replace(CNN, model="mobilenet_v2", weights="none", alpha=0.35)
TUNED = replace(HEAD, fine_tune_layers=6, fine_tune_epochs=1, fine_tune_rate=1e-3)


def tiny_backbone(*, weights, input_shape, alpha, include_top):
    """Stand in for MobileNetV2, which takes seconds to build; test_models and test_train use the real one."""
    assert (weights, alpha, include_top) == (None, 0.35, False)
    x = image = keras.Input(input_shape)
    for number in range(3):
        x = keras.layers.Conv2D(8, 3, strides=2, name=f"conv_{number}")(x)
        x = keras.layers.BatchNormalization(name=f"bn_{number}")(x)
        x = keras.layers.ReLU()(x)
    return keras.Model(image, x)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setitem(backbone.BACKBONES, "mobilenet_v2", tiny_backbone)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, draw_set):
    folder = draw_set(tmp_path_factory.mktemp("learn"), count=12)
    spec = ModelSpec(height=48, width=48, labels=("cat", "dog"), output="sigmoid")
    return load(scan(folder), spec, Fractions(0.2, 0.2), seed=0)


def learned(dataset, tmp_path, options):
    return learn(dataset, options, Path(mkdtemp(dir=tmp_path)))


def weights(dataset, tmp_path, options):
    return learned(dataset, tmp_path, options).model.get_weights()


# cnn_bn and mixup: test_resume holds that two runs of theirs are equal
@pytest.mark.parametrize("options", [CNN, HEAD, TUNED], ids=["cnn", "head", "fine-tune"])
def test_equal_seeds_give_equal_weights(dataset, tmp_path, options):
    first, second = (weights(dataset, tmp_path, options) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_seeds_give_other_weights(dataset, tmp_path):
    first, second = (weights(dataset, tmp_path, replace(HEAD, epochs=1, seed=seed)) for seed in (0, 1))
    assert any(not np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_augmentation_can_be_switched_off(dataset, tmp_path):
    with_it, without = (weights(dataset, tmp_path, replace(CNN, augment=how)) for how in ("standard", "none"))
    assert any(not np.array_equal(one, other) for one, other in zip(with_it, without, strict=True))


def test_plain_colours_are_learned(dataset, tmp_path):
    model = learned(dataset, tmp_path, replace(CNN, epochs=8, augment="none")).model
    photos = dataset.of("test")
    decided = predict(model, dataset.pixels[[photo.row for photo in photos]]).argmax(axis=1)
    assert decided.tolist() == dataset.targets(photos).tolist()


def test_tensorboard_finds_each_epochs_loss_and_accuracy(dataset, tmp_path):
    learned(dataset, tmp_path, replace(HEAD, tensorboard=str(tmp_path / "logs")))
    found = {split: set(logged(tmp_path / "logs" / split)) for split in ("train", "validation")}
    assert {("epoch_loss", 0), ("epoch_loss", 1), ("epoch_accuracy", 1)} <= found["train"]
    assert {("epoch_loss", 0), ("epoch_loss", 1), ("epoch_accuracy", 1)} <= found["validation"]


def logged(folder):
    """Give what is told in a folder of TensorBoard's logs, each with its epoch."""
    for record in tf.data.TFRecordDataset([str(path) for path in folder.glob("events.*")]).as_numpy_iterator():
        event = event_pb2.Event.FromString(record)
        yield from ((value.tag, event.step) for value in event.summary.value)


def test_a_backbone_without_weights_learns_whole_in_one_phase(dataset, tmp_path):
    found = learned(dataset, tmp_path, replace(HEAD, fine_tune_layers=None))
    assert [phase.epochs[0].phase for phase in found.phases] == ["all"]
    keras.utils.set_random_seed(HEAD.seed)
    start = build_untrained("mobilenet_v2", dataset.spec, alpha=0.35, dropout=0.2)
    moved = [a.path for a, b in zip(found.model.weights, start.weights, strict=True) if not np.array_equal(a, b)]
    assert len(moved) == len(start.weights)


def test_fine_tuning_follows_the_head_and_moves_the_backbone(dataset, tmp_path):
    options = replace(HEAD, epochs=1, fine_tune_layers=6, fine_tune_epochs=1, fine_tune_rate=1e-3)
    tuned = learned(dataset, tmp_path, options)
    assert [phase.epochs[0].phase for phase in tuned.phases] == ["head", "fine-tune"]
    frozen = learned(dataset, tmp_path, replace(options, fine_tune_layers=0))
    pairs = list(zip(tuned.model.weights, frozen.model.weights, strict=True))
    moved = {a.path for a, b in pairs if not np.array_equal(a, b) and "probabilities" not in a.path}
    # the last six layers are conv_1 and conv_2 with what follows them; batch-norm never moves
    assert {path.rpartition("/")[0].rpartition("/")[2] for path in moved} == {"conv_1", "conv_2"}


@pytest.mark.parametrize(("misses", "phases"), [(0.05, ["head", "fine-tune"]), (0.03, ["head"])])
def test_unless_told_the_backbone_is_fine_tuned_only_where_the_head_misses_too_many(
    dataset, tmp_path, monkeypatch, misses, phases
):
    monkeypatch.setattr(learning, "head_misses", lambda *_: misses)
    given = tmp_path / "given.weights.h5"
    tiny_backbone(weights=None, input_shape=(48, 48, 3), alpha=0.35, include_top=False).save_weights(given)
    options = replace(HEAD, weights=str(given), epochs=1, fine_tune_layers=None, fine_tune_epochs=1)
    assert [phase.epochs[0].phase for phase in learned(dataset, tmp_path, options).phases] == phases


def test_few_photographs_are_seen_from_more_sides_unless_told():
    assert [learning._views(HEAD, photographs) for photographs in (99, 100)] == [2, 0]
    assert learning._views(replace(HEAD, views=5), 1000) == 5


@pytest.mark.parametrize("outcome", ["interrupted", "worse"])
def test_fine_tuning_that_did_not_pay_keeps_the_head(dataset, tmp_path, monkeypatch, outcome):
    options = replace(HEAD, epochs=1, fine_tune_layers=6)
    head = weights(dataset, tmp_path, replace(options, fine_tune_layers=0))
    fit = learning.fit

    def spoiled(model, *args, phase, **more):
        if phase != "fine-tune":
            return fit(model, *args, phase=phase, **more)
        model.set_weights([weight * 0 for weight in model.get_weights()])
        if outcome == "interrupted":
            raise InterruptedEarlyError("stopped")
        return Phase([Epoch("fine-tune", 1, 9.0, 0.5, 9.0, 0.5, 1.0)], 0, interrupted=False)

    monkeypatch.setattr(learning, "fit", spoiled)
    kept = learned(dataset, tmp_path, options)
    assert len(kept.phases) == {"interrupted": 1, "worse": 2}[outcome]
    for one, other in zip(head, kept.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3)  # features pass the cut in half precision


def test_classes_are_weighted_above_an_imbalance_of_one_and_a_half():
    even, uneven = np.repeat([0, 1], [3, 2]), np.repeat([0, 1], [8, 2])
    assert class_weights(even, "auto") is None
    assert class_weights(uneven, "auto") == {0: 10 / 16, 1: 10 / 4}
    assert class_weights(uneven, "off") is None
    assert class_weights(even, "on") == {0: 5 / 6, 1: 5 / 4}
