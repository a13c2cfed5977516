"""Temperature, calibration error and thresholds, compared with values computed by hand."""

import keras
import numpy as np
import pytest

from trainer.evaluation.calibration import (
    Bin,
    calibrate,
    calibration_error,
    cross_validated_losses,
    divide_logits,
    features_of,
    fit_temperature,
    logits_of,
    probabilities_of,
    reliability,
    thresholds_for,
)


def sampled(count, scale, classes, seed=0):
    """Return targets, and calibrated logits for them multiplied by `scale`."""
    random = np.random.default_rng(seed)
    calibrated = random.normal(0, 2, (count, 1 if classes == 2 else classes))
    chances = probabilities_of(calibrated).cumsum(axis=1)
    return calibrated * scale, (random.uniform(size=(count, 1)) > chances).sum(axis=1)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_is_the_factor_by_which_the_logits_are_too_large(classes, scale):
    assert fit_temperature(*sampled(20_000, scale, classes)) == pytest.approx(scale, rel=0.05)


def test_a_few_correctly_classified_photographs_do_not_lead_to_extreme_probabilities():
    logits = np.array([[4.0], [-4.0], [5.0]])
    probabilities = probabilities_of(logits / fit_temperature(logits, np.array([1, 0, 1])))
    assert probabilities.max() < 0.95


@pytest.mark.parametrize("classes", [2, 4])
def test_a_temperature_that_helps_on_other_photographs_is_applied(classes):
    calibration = calibrate(sampled(2000, 3.0, classes), sampled(2000, 3.0, classes, seed=1))
    assert calibration.temperature == calibration.fitted == pytest.approx(3, rel=0.15)
    assert calibration_error(calibration.after) < calibration_error(calibration.before) / 2
    assert calibration.reason == ""


def test_a_temperature_that_raises_the_error_of_the_test_photographs_is_not_applied():
    calibration = calibrate(sampled(2000, 3.0, 4), sampled(2000, 1.0, 4, seed=1))
    assert (calibration.temperature, calibration.after) == (1.0, calibration.before)
    assert calibration.reason.startswith("the calibration error of the test photographs is 0.")
    assert calibration.to_json()["fitted_temperature"] == pytest.approx(3, rel=0.15)


@pytest.mark.parametrize("seed", range(8))
def test_calibration_never_raises_the_calibration_error(seed):
    calibration = calibrate(sampled(40, 1.1, 3, seed), sampled(80, 1.1, 3, seed + 100))
    assert calibration_error(calibration.after) <= calibration_error(calibration.before)
    if calibration.reason:
        assert calibration.temperature == 1.0


def test_a_temperature_of_few_photographs_that_does_not_help_in_cross_validation_is_not_applied():
    few = sampled(20, 1.0, 3, seed=0)
    plain, tempered = cross_validated_losses(*few)
    assert plain < tempered
    calibration = calibrate(few, sampled(500, 1.0, 3, seed=50))
    assert calibration.temperature == 1.0 != calibration.fitted
    assert calibration.reason == f"in cross-validation the loss is {tempered:.3f} with it and {plain:.3f} without"


def test_without_photographs_to_compare_no_temperature_is_applied():
    one = (np.array([[1.5]]), np.array([1]))
    assert calibrate(one, one).temperature == 1.0


@pytest.mark.parametrize(("units", "activation"), [(1, "sigmoid"), (3, "softmax")])
def test_the_temperature_is_applied_without_an_additional_layer(units, activation):
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(units, activation=activation)]
    )
    pixels = np.random.default_rng(0).integers(0, 8, (5, 4, 4, 3), np.uint8)
    logits, count = logits_of(model, features_of(model, pixels, np.arange(5), "computing features")), len(model.layers)
    divide_logits(model, 2.5)
    outputs = model.predict(pixels.astype(np.float32), verbose=0)
    np.testing.assert_allclose(outputs, probabilities_of(logits / 2.5)[:, -units:], atol=1e-5)
    assert len(model.layers) == count


def test_calibration_error_is_the_gap_of_confidence_and_accuracy_weighted_by_photographs():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]])
    bins = reliability(probabilities, np.array([0, 1, 1, 1]))
    assert [one for one in bins if one.images] == [Bin(2, pytest.approx(0.7), 1.0), Bin(2, pytest.approx(0.9), 0.5)]
    assert calibration_error(bins) == pytest.approx((2 * 0.3 + 2 * 0.4) / 4)
    assert calibration_error([Bin(0, 0.0, 0.0)]) == 0


def test_a_probability_of_one_belongs_to_the_last_bin():
    assert reliability(np.array([[1.0, 0.0]]), np.array([0]))[-1] == Bin(1, 1.0, 1.0)


def test_a_threshold_is_the_lowest_score_that_reaches_the_precision():
    scores = np.array([0.95, 0.9, 0.8, 0.7, 0.6])
    probabilities = np.stack([scores, 1 - scores], axis=1)
    targets = np.array([0, 0, 0, 1, 1])
    assert thresholds_for(0.95, probabilities, targets) == (
        pytest.approx(0.75),
        1.0,
    )  # no image is predicted as class 1
    assert thresholds_for(0.6, probabilities, targets)[0] == 0.0  # 3 of 5: all predictions are accepted
    assert thresholds_for(0.75, probabilities, targets)[0] == pytest.approx(0.65)  # 3 of 4


def test_the_threshold_is_one_if_no_score_reaches_the_precision():
    assert thresholds_for(0.95, np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([1, 0]))[0] == 1.0
