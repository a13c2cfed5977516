"""Find how a model's input is computed from images, by what each common reading of it makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from edge_runtime.model.spec import ResizeMode
from export.errors import ExportError
from export.significance import SIGNIFICANCE, mcnemar_p

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from export.sources.reading import Reading

    # Probabilities, (N, classes), for uint8 pixels (N, height, width, channels) under each of some readings.
    Run = Callable[[Pixels, Sequence[Reading]], list[NDArray[np.float32]]]

# A wrong scale costs tens of percent; red and blue exchanged, or 0..1 instead of -1..1, may cost only 2%.
SEARCH_IMAGES = 200
# The difference of two mean log probabilities, in standard errors, at which a reading probably is better.
PROBABLE = 2.0
# Inverse temperatures. Each reading is compared at the temperature that suits it best (Guo et al. 2017,
# https://arxiv.org/abs/1706.04599), so that it is not preferred only because larger values make the model more certain.
SHARPNESS = np.geomspace(0.05, 20, 16)
LEAST = 1e-4  # probabilities below it count as equal; 8-bit outputs are rounded to zero
SMALLEST_GAIN = 0.002  # of the mean log probability
CERTAIN = 1 - 1e-7  # in float32 a difference of 17 between two logits
SURE = 0.95
RESAMPLES = 400


@dataclass(frozen=True)
class Better:
    """What is better than what was stated.

    Attributes:
        text: one line that names both and their accuracies.
        accuracy: of the better one, 0..1.

    """

    text: str
    accuracy: float


@dataclass(frozen=True)
class Found:
    """What the images show about a model's input.

    Attributes:
        reading: the stated one, or the best one.
        resize: the stated one, or the best one.
        accuracy: with both, on the images of the search, 0..1; None without labels.
        better: what is better than what was stated.
        notes: in one line each: how sure a choice is.

    """

    reading: Reading
    resize: ResizeMode
    accuracy: float | None
    better: tuple[Better, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """A reading and a fit, with the results on each labelled image.

    Attributes:
        reading: the reading.
        resize: the fit.
        hits: whether the top class is the true one, (n_images,).
        scores: the logarithm of the true class's probability at the best temperature, (n_images,).
        likelihood: the mean logarithm of the true class's probability as it is.
        is_saturated: whether the model is absolutely certain of most images, as with values that are too large.

    """

    reading: Reading
    resize: ResizeMode
    hits: NDArray[np.bool_]
    scores: NDArray[np.float64]
    likelihood: float
    is_saturated: bool

    @property
    def accuracy(self) -> float:
        """Return the fraction of correct images, 0..1."""
        return float(self.hits.mean())


def search_labelled(
    run: Run,
    pixels_of: Callable[[ResizeMode], Pixels],
    truth: NDArray[np.int64],
    candidates: Sequence[Reading],
    *,
    stated: Reading | None,
    resize: ResizeMode | None,
    bgr: bool = False,
) -> Found:
    """Measure the candidates on labelled images; what is stated is kept, and a better one is named.

    Args:
        run: computes probabilities for pixels under each reading.
        pixels_of: returns the images' pixels for a fit.
        truth: class indices, (N,).
        candidates: the readings to measure.
        stated: the reading that is stated; None if it is to be found.
        resize: the fit that is stated; None if it is to be found.
        bgr: whether only a reading with blue first may be found.

    """
    fit: ResizeMode = resize or "stretch"

    def measure(readings: Sequence[Reading], fit: ResizeMode) -> list[Trial]:
        outputs = run(pixels_of(fit), readings)
        return [_trial(rows, truth, reading, fit) for rows, reading in zip(outputs, readings, strict=True)]

    others = [item for item in candidates if stated is None or not item.same_values(stated)]
    trials = measure([stated, *others] if stated else others, fit)
    warnings, notes = [], []
    if stated is None:
        chosen, equal = _best([item for item in trials if item.reading.bgr or not bgr])
        notes = [_ambiguity(chosen, equal)] if equal else []
    else:
        chosen = trials[0]
    # Among all readings, the best one that was found has no better one.
    if better := _clearly_better(chosen, trials) if stated or bgr else None:
        warnings.append(_warning("the input", chosen.reading.name, better.reading.name, chosen, better))
    fits = [trial for item in get_args(ResizeMode) if item != fit for trial in measure([chosen.reading], item)]
    better = _better_fit(chosen, fits)
    if better and resize is None:
        chosen = better
    elif better:
        warnings.append(_warning("--resize", fit, better.resize, chosen, better))
    return Found(chosen.reading, chosen.resize, chosen.accuracy, tuple(warnings), tuple(notes))


def search_unlabelled(
    run: Run, pixels: Pixels, candidates: Sequence[Reading], *, resize: ResizeMode, where: str
) -> Found:
    """Choose the reading whose outputs are confident and differ from image to image.

    The measure is the entropy of the mean output minus the mean entropy of the outputs, the logarithm of the Inception
    Score (Salimans et al. 2016, https://arxiv.org/abs/1606.03498). A wrong reading gives uncertain outputs, or the same
    class for every image.

    Args:
        run: as in `search_labelled`.
        pixels: uint8 (N, height, width, channels).
        candidates: the readings to measure.
        resize: the fit of the pixels.
        where: names the model in the error.

    Raises:
        ExportError: no reading is clearly the best one.

    """
    outputs = run(pixels, candidates)
    certain = [_is_saturated(rows) for rows in outputs]
    if not all(certain):  # values that are too large make the outputs confident, whatever the images show
        candidates = [item for item, saturated in zip(candidates, certain, strict=True) if not saturated]
        outputs = [rows for rows, saturated in zip(outputs, certain, strict=True) if not saturated]
    values = np.array([_information(rows) for rows in outputs])
    best = int(values.argmax())
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(pixels), (RESAMPLES, len(pixels)))
    resampled = np.array([[_information(rows[draw]) for rows in outputs] for draw in draws])
    others = np.delete(resampled, best, axis=1)
    sure = float(np.mean(resampled[:, best] > others.max(axis=1))) if others.shape[1] else 1.0
    name = candidates[best].name
    note = (
        f"the input {name} was chosen by the entropy of the outputs of {len(pixels)} images without labels "
        f"({sure:.0%} of resamples); check it on images whose class you know"
    )
    if sure < SURE:
        raise ExportError(
            f"{where}: {len(pixels)} images without labels do not show the range of its input; {name} is likely "
            f"({sure:.0%} of resamples); pass --input-range or --normalization, or sort the images into one folder per "
            "label"
        )
    return Found(candidates[best], resize, None, notes=(note,))


def _trial(probabilities: NDArray[np.float32], truth: NDArray[np.int64], reading: Reading, fit: ResizeMode) -> Trial:
    logits = np.log(np.nan_to_num(probabilities.astype(np.float64)).clip(LEAST, 1))
    scores = max((_log_likelihood(logits * factor, truth) for factor in SHARPNESS), key=lambda row: float(row.mean()))
    likelihood = float(logits[np.arange(len(truth)), truth].mean())
    return Trial(reading, fit, probabilities.argmax(axis=1) == truth, scores, likelihood, _is_saturated(probabilities))


def _is_saturated(probabilities: NDArray[np.float32]) -> bool:
    """Return whether a model is absolutely certain of most images."""
    return bool(np.mean(probabilities.max(axis=1) >= CERTAIN) > 1 / 2)


def _log_likelihood(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted[np.arange(len(truth)), truth] - np.log(np.exp(shifted).sum(axis=1)), np.float64)


def _best(trials: Sequence[Trial]) -> tuple[Trial, list[Trial]]:
    """Return the best trial and those that the images do not distinguish from it.

    Among these, the one that is most likely is chosen, without those with which the model is absolutely certain: larger
    values than in its training make a model too certain, and smaller ones uncertain.
    """
    best = max(trials, key=lambda item: (item.scores.mean(), item.accuracy))
    better = _clearly_better(best, trials)
    best = better or best
    equal = [item for item in trials if _is_as_good(item, best)]
    chosen = max(equal, key=lambda item: (not item.is_saturated, item.likelihood))
    # Whether blue comes first does not matter for images without colours; then the usual order is taken in silence.
    return chosen, [item for item in equal if item is not chosen and item.reading.bgr == chosen.reading.bgr]


def _is_as_good(trial: Trial, best: Trial) -> bool:
    if mcnemar_p(*_exchanged(best, trial)) < SIGNIFICANCE:
        return False
    gain = best.scores - trial.scores
    error = float(gain.std() / np.sqrt(len(gain)))
    return bool(gain.mean() <= max(SMALLEST_GAIN, 2 * error))


def _clearly_better(trial: Trial, others: Sequence[Trial]) -> Trial | None:
    """Return the best of the others if it is significantly or probably better.

    Significant is a higher accuracy, by McNemar's test for as many others; probable is a higher likelihood.
    """
    if not others:
        return None
    mirrored = trial.reading.reversed()
    best = max(others, key=lambda item: (item.accuracy, item.reading.same_values(mirrored), float(item.scores.mean())))
    if mcnemar_p(*_exchanged(best, trial)) < SIGNIFICANCE / len(others):
        return best
    best = max(others, key=lambda item: float(item.scores.mean()))
    gain = best.scores - trial.scores
    error = float(gain.std() / np.sqrt(len(gain)))
    is_probable = gain.mean() > max(SMALLEST_GAIN, PROBABLE * error) and best.accuracy >= trial.accuracy
    return best if is_probable else None


def _better_fit(trial: Trial, others: Sequence[Trial]) -> Trial | None:
    """Return a clearly better fit, but only with a higher accuracy: it changes too little for a likelihood alone."""
    better = _clearly_better(trial, others)
    return better if better and better.accuracy > trial.accuracy else None


def _exchanged(best: Trial, trial: Trial) -> tuple[int, int]:
    """Return the number of images that only the first, and only the second, classifies correctly."""
    return int((best.hits & ~trial.hits).sum()), int((trial.hits & ~best.hits).sum())


def _ambiguity(chosen: Trial, equal: Sequence[Trial]) -> str:
    name, names = chosen.reading.name, ", ".join(item.reading.name for item in equal)
    return f"the images do not show whether the input is {name} or {names}; {name} is used; state it if you know it"


def _warning(what: str, stated: str, name: str, chosen: Trial, better: Trial) -> Better:
    is_significant = mcnemar_p(*_exchanged(better, chosen)) < SIGNIFICANCE
    text = (
        f"{what} is stated as {stated}, which is right for {chosen.accuracy:.1%} of {len(chosen.hits)} images; "
        f"{name} is right for {better.accuracy:.1%}{'' if is_significant else ' and fits them better'}"
    )
    return Better(text, better.accuracy)


def _information(rows: NDArray[np.float32]) -> float:
    return float(_entropies(rows.mean(axis=0, keepdims=True))[0] - _entropies(rows).mean())


def _entropies(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    limited = np.nan_to_num(rows.astype(np.float64)).clip(1e-12, 1)
    return np.asarray(-(limited * np.log(limited)).sum(axis=1), np.float64)
