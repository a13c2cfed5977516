"""Predict the accuracy with twice as many photographs from a learning curve.

A linear head is fitted to subsamples of the photographs' features and measured on photographs that it was not fitted
to. The error rate of a classifier falls about as a power of the number of photographs (Hestness et al. 2017, "Deep
Learning Scaling is Predictable, Empirically", arXiv:1712.00409), so that a doubling multiplies it by a constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from trainer.fitting.head_error import PENALTY_C
from trainer.progress import tracked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]

PARTS = (0.125, 0.25, 0.5, 1.0)  # of the training photographs
LEAST_PER_CLASS = 8  # training photographs, so that each part has a different number of them
REPEATS, FEW_REPEATS = 4, 2
MOST_WORK = 30_000  # photographs times classes, above which there are only FEW_REPEATS
SAMPLES = 2000  # of the posterior distribution
PRIOR_ERRORS = 10  # of a class: with as many, its own exponent counts as much as that of all classes
LEAST_GAIN = 0.005  # a smaller one is not worth the work


class CurvePoint(NamedTuple):
    """The accuracy with a number of training photographs.

    Attributes:
        photographs: number of training photographs.
        accuracy: mean over all classes' held-out photographs, 0..1.
        low: lower end of its 95% interval.
        high: upper end.

    """

    photographs: int
    accuracy: float
    low: float
    high: float


class Forecast(NamedTuple):
    """The recall of a class, or the accuracy of all, with as many and with twice as many photographs.

    Attributes:
        label: the class; empty for all classes.
        photographs: its training photographs now.
        now: its recall, 0..1.
        twice: its predicted recall with twice as many photographs of every class.
        low: lower end of the 95% interval of what a test on twice as many test photographs will then measure.
        high: upper end.

    """

    label: str
    photographs: int
    now: float
    twice: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurve:
    """The learning curve of a linear head.

    Attributes:
        points: in ascending order of the photographs.
        total: the forecast for all classes.
        classes: the forecast for each class, in the order of the labels.

    """

    points: tuple[CurvePoint, ...]
    total: Forecast
    classes: tuple[Forecast, ...]

    def neediest(self) -> Forecast | None:
        """Return the class whose recall gains most from more photographs; None if no gain reaches LEAST_GAIN."""
        best = max(self.classes, key=lambda one: one.twice - one.now)
        return best if best.twice - best.now >= LEAST_GAIN else None

    def advice(self) -> str:
        """Return in one sentence which class needs more photographs."""
        best = self.neediest()
        if best is None:
            return (
                f"twice as many photographs would improve no class by {100 * LEAST_GAIN:.1f} percentage points: "
                "look at the wrong decisions instead"
            )
        return (
            f"add photographs of {best.label} first: "
            f"with twice as many, its recall is predicted to rise from {best.now:.1%} to {best.twice:.1%}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "points": [point._asdict() for point in self.points],
            "total": self.total._asdict(),
            "classes": [one._asdict() for one in self.classes],
            "advice": self.advice(),
        }

    def to_text(self) -> str:
        """Return lines of text: the forecast, then the advice."""
        total = self.total
        return (
            f"with twice as many photographs: accuracy {total.twice:.1%} "
            f"(95% interval {total.low:.1%} to {total.high:.1%}), in cross-validation now {total.now:.1%}\n"
            f"{self.advice()}"
        )


class _Trials(NamedTuple):
    """What the heads of all subsamples decided.

    Attributes:
        sizes: number of training photographs of each part, shape (parts,).
        wrong: fraction of each photograph's tests that were wrong, shape (parts, N).
        tested: whether each photograph was tested, shape (N,).

    """

    sizes: Rows
    wrong: Floats
    tested: NDArray[np.bool_]


def learning_curve(
    features: NDArray[np.floating[Any]],
    targets: NDArray[np.int64],
    labels: Sequence[str],
    *,
    training: float,
    test: float,
    seed: int = 0,
) -> LearningCurve:
    """Measure the learning curve and predict the accuracy with twice as many photographs.

    Each time, as many photographs as the model had are used for training and all others for the measurement, so that
    every photograph helps to measure. The interval includes the chance in the choice of the photographs, and in that
    of the test photographs with which the prediction will be compared.

    Args:
        features: of all photographs, shape (N, D); they must not have been trained on these photographs.
        targets: class indices, shape (N,); each class occurs at least twice.
        labels: of the classes.
        training: fraction of the photographs that the model was trained on, above 0 and below 1.
        test: fraction of the photographs that it was tested on, in the same range.
        seed: of the subsamples.

    """
    trials = _measure(features.astype(np.float32), targets, training, seed)
    return _extrapolate(trials, targets, labels, training, test, np.random.default_rng(seed))


def _measure(features: NDArray[np.float32], targets: NDArray[np.int64], training: float, seed: int) -> _Trials:
    random = np.random.default_rng(seed)
    repeats = REPEATS if len(targets) * len(np.unique(targets)) <= MOST_WORK else FEW_REPEATS
    wrong, times, sizes = np.zeros((len(PARTS), len(targets))), np.zeros(len(targets)), np.zeros(len(PARTS), np.int64)
    rounds = [(repeat, number) for repeat in range(repeats) for number in range(len(PARTS))]
    everything = held_out = np.empty(0, np.int64)
    for _, number in tracked(rounds, len(rounds), "measuring the learning curve"):
        if number == 0:
            everything = _subsample(targets, np.arange(len(targets)), training, random)
            held_out = np.setdiff1d(np.arange(len(targets)), everything)
            times[held_out] += 1
        chosen = everything if PARTS[number] == 1 else _subsample(targets, everything, PARTS[number], random)
        sizes[number] = len(chosen)
        wrong[number, held_out] += _decide(features, targets, chosen, held_out) != targets[held_out]
    return _Trials(sizes, wrong / np.maximum(times, 1), times > 0)


def _subsample(targets: NDArray[np.int64], rows: Rows, part: float, random: np.random.Generator) -> Rows:
    """Return a part of the rows of each class: at least one, and not all."""
    chosen = []
    for number in np.unique(targets[rows]):
        own = random.permutation(rows[targets[rows] == number])
        chosen.append(own[: min(max(1, round(part * len(own))), max(1, len(own) - 1))])
    return np.concatenate(chosen)


def _decide(features: NDArray[np.float32], targets: NDArray[np.int64], chosen: Rows, held_out: Rows) -> Rows:
    """Return the class of each held-out photograph, decided by a head that is fitted to the chosen ones."""
    mean = features[chosen].mean(axis=0)
    fitted, decided = features[chosen] - mean, features[held_out] - mean
    if len(chosen) < features.shape[1]:  # the same head with fewer numbers: only these directions matter to it
        left, lengths, directions = np.linalg.svd(fitted, full_matrices=False)
        fitted, decided = left * lengths, decided @ directions.T
    head = LogisticRegression(C=PENALTY_C, tol=1e-2).fit(fitted, targets[chosen])
    return np.asarray(head.predict(decided))


def _extrapolate(
    trials: _Trials,
    targets: NDArray[np.int64],
    labels: Sequence[str],
    training: float,
    test: float,
    random: np.random.Generator,
) -> LearningCurve:
    count = np.bincount(targets, minlength=len(labels))
    share = count / count.sum()
    errors = _posterior(trials, targets, len(labels), random)  # (SAMPLES, parts, classes)
    slopes = _slopes(errors, share, trials, targets)
    twice = errors[:, -1] * 2.0**-slopes  # (SAMPLES, classes)
    future = np.maximum(1, np.round(2 * test * count)).astype(np.int64)
    measured = random.binomial(future, twice) / future
    low, high = np.quantile(1 - measured, [0.025, 0.975], axis=0)
    total_low, total_high = np.quantile(1 - measured @ share, [0.025, 0.975])
    now, later = (1 - np.median(values, axis=0) for values in (errors[:, -1], twice))
    total_now, total_later = (1 - float(np.median(values @ share)) for values in (errors[:, -1], twice))
    used = np.round(training * count).astype(int)
    classes = [
        Forecast(label, int(used[at]), float(now[at]), float(later[at]), float(low[at]), float(high[at]))
        for at, label in enumerate(labels)
    ]
    total = Forecast("", int(trials.sizes[-1]), total_now, total_later, float(total_low), float(total_high))
    return LearningCurve(_points(trials, errors @ share), total, tuple(classes))


def _points(trials: _Trials, errors: Floats) -> tuple[CurvePoint, ...]:
    middle, low, high = np.quantile(1 - errors, [0.5, 0.025, 0.975], axis=0)
    columns = zip(trials.sizes, middle, low, high, strict=True)
    return tuple(CurvePoint(int(size), *map(float, values)) for size, *values in columns)


def _posterior(trials: _Trials, targets: NDArray[np.int64], classes: int, random: np.random.Generator) -> Floats:
    """Return samples of each class's error rate with each part, shape (SAMPLES, parts, classes).

    The Bayesian bootstrap of Rubin 1981. Half an error is added to each class, so that no error at all does not mean
    that there will be none, together with as many correct decisions as keep the error rate of all classes: half of one,
    as in Jeffreys' prior, would add five errors to ten classes.
    """
    everyone = trials.wrong[:, trials.tested]
    rate = (everyone.sum(axis=1) + 0.5) / (everyone.shape[1] + 1)  # of all classes, shape (parts,)
    samples = np.empty((SAMPLES, len(rate), classes))
    for number in range(classes):
        wrong = trials.wrong[:, trials.tested & (targets == number)]
        weights = random.standard_gamma(1.0, (SAMPLES, wrong.shape[1]))
        added = np.minimum(0.5 / rate, max(1, wrong.shape[1]))  # decisions
        errors = random.standard_gamma(added * rate, (SAMPLES, len(rate)))
        corrects = random.standard_gamma(added * (1 - rate), (SAMPLES, len(rate)))
        samples[..., number] = (weights @ wrong.T + errors) / (weights.sum(axis=1, keepdims=True) + errors + corrects)
    return samples


def _slopes(errors: Floats, share: Floats, trials: _Trials, targets: NDArray[np.int64]) -> Floats:
    """Return samples of the exponent with which each class's error rate falls, in 0..1: shape (SAMPLES, classes).

    A class with few errors gets mostly the exponent of all classes.
    """
    position = np.log2(trials.sizes) - np.log2(trials.sizes).mean()
    weight = position / (position @ position)
    of_all = -np.log2(errors @ share) @ weight
    of_class = -np.einsum("skc,k->sc", np.log2(errors), weight)
    wrong = np.array([trials.wrong[:, targets == number].sum() for number in range(len(share))]) / len(trials.sizes)
    trust = wrong / (wrong + PRIOR_ERRORS)
    return np.asarray(np.clip(trust * of_class + (1 - trust) * of_all[:, np.newaxis], 0, 1))
