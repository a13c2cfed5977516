"""Familiarity on drawn features: known ones lie near a subspace of six dimensions, others do not."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.familiarity.subspace import (
    MIN_FAMILIARITY,
    Familiarity,
    fit_familiarity,
    kept_interval,
    principal_directions,
    share_within,
)
from trainer.evaluation.familiarity import kept_share, separation

DIMENSIONS = 60
SIX = np.linalg.qr(np.random.default_rng(0).normal(size=(6, DIMENSIONS)).T)[0]  # the directions of known features


def known_features(count, seed):
    random = np.random.default_rng(seed)
    basis = np.random.default_rng(0).normal(size=(6, DIMENSIONS))
    return random.uniform(0.2, 1, (count, 6)) @ basis + random.normal(0, 0.3, (count, DIMENSIONS))


def other_features(count, seed):
    return np.random.default_rng(seed).normal(size=(count, DIMENSIONS))


@pytest.fixture(scope="module")
def fitted():
    return fit_familiarity(known_features(400, 1), known_features(60, 2), keep=0.95, classes=2, frozen=True)


def test_other_features_are_unfamiliar_and_known_ones_familiar(fitted):
    found = separation(fitted.of(known_features(500, 3)), fitted.of(other_features(500, 4)))
    assert (found.images, found.accepted, found.fpr95) == (500, 0.0, 0.0)
    assert found.auroc > 0.999


@pytest.mark.parametrize("keep", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("frozen", [True, False])
def test_the_wanted_share_of_unseen_photographs_is_kept(keep, frozen):
    shares = [
        kept_share(
            fit_familiarity(
                known_features(400, seed), known_features(100, seed + 50), keep=keep, classes=2, frozen=frozen
            ).of(known_features(1000, seed + 100))
        )
        for seed in range(1, 6)
    ]
    assert np.mean(shares) == pytest.approx(keep, abs=0.02 if frozen else 0.05)
    if frozen:
        assert np.abs(np.array(shares) - keep).max() < 0.035


def test_few_validation_photographs_of_a_trained_network_keep_nearly_the_wanted_share():
    """A trained network pulls its training photographs towards the subspace, so that only validation shows the rest."""
    shares = []
    for seed in range(1, 13):
        training = known_features(150, seed) * 1.0
        training += 0.25 * (training @ SIX @ SIX.T - training)
        fitted = fit_familiarity(training, known_features(20, seed + 50), keep=0.95, classes=2, frozen=False)
        shares.append(kept_share(fitted.of(known_features(1000, seed + 100))))
    assert np.mean(shares) == pytest.approx(0.95, abs=0.03)
    assert np.std(shares) < 0.035
    assert min(shares) > 0.85


@pytest.mark.parametrize(
    ("training", "validation", "frozen", "margin"), [(800, 100, True, 0.014), (140, 20, False, 0.043)]
)
def test_the_kept_share_is_stated_less_exactly_with_fewer_photographs(training, validation, frozen, margin):
    low, high = kept_interval(0.95, training, validation, frozen=frozen)
    assert (0.95 - low, high - 0.95) == (pytest.approx(margin, abs=1e-3), pytest.approx(margin, abs=1e-3))


def test_the_kept_share_is_within_its_interval():
    for frozen in (True, False):
        low, high = kept_interval(0.95, 100, 20, frozen=frozen)
        shares = [
            kept_share(
                fit_familiarity(
                    known_features(100, seed), known_features(20, seed + 50), keep=0.95, classes=2, frozen=frozen
                ).of(known_features(500, seed + 100))
            )
            for seed in range(1, 13)
        ]
        assert np.mean([low - 0.01 <= share <= high + 0.01 for share in shares]) >= 0.8


def test_most_photographs_are_clearly_familiar(fitted):
    assert np.median(fitted.of(known_features(500, 3))) == pytest.approx(0.98, abs=0.01)


def test_the_length_of_the_features_has_no_influence(fitted):
    features = known_features(20, 3)
    assert fitted.of(features * 7) == pytest.approx(fitted.of(features))
    assert np.isfinite(fitted.of(np.zeros((1, DIMENSIONS)))).all()


def test_the_basis_is_orthonormal_and_contains_the_largest_part_of_the_features():
    features = known_features(200, 1)
    basis = principal_directions(features, 6)
    assert basis.T @ basis == pytest.approx(np.eye(6), abs=1e-9)
    assert share_within(features, basis).mean() > share_within(features, np.eye(DIMENSIONS)[:, :6]).mean()
    assert share_within(features, np.eye(DIMENSIONS)) == pytest.approx(np.ones(200))


@pytest.mark.parametrize(("photographs", "validation"), [(2, 1), (8, 2), (30, 4)])
def test_a_few_photographs_are_enough_to_fit_it(photographs, validation):
    fitted = fit_familiarity(
        known_features(photographs, 1), known_features(validation, 2), keep=0.95, classes=2, frozen=True
    )
    assert np.isfinite(fitted.of(known_features(5, 3))).all()
    assert fitted.slope > 0


def test_it_is_the_same_after_writing_and_reading(fitted, tmp_path):
    fitted.write(tmp_path / "familiarity.npz")
    again = Familiarity.read(tmp_path / "familiarity.npz")
    features = known_features(20, 3)
    assert (again.of(features) == fitted.of(features)).all()
    assert (again.keep, MIN_FAMILIARITY) == (0.95, 0.5)
