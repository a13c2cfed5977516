"""What follows on training: calibrate, measure on the test photographs, write the RUN."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from trainer.calibrate import (
    Calibration,
    divide_logits,
    fit_temperature,
    logits_of,
    probabilities_of,
    reliability,
    thresholds_for,
)
from trainer.evaluate import score
from trainer.progress import say
from trainer.run_dir import write_run

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from trainer.calibrate import Floats
    from trainer.dataset import Dataset
    from trainer.evaluate import Evaluation
    from trainer.learn import Learned
    from trainer.models import Model
    from trainer.split import Split
    from trainer.train import Ready


def finish(folder: Path, ready: Ready, learned: Learned, earlier_s: float) -> Evaluation:
    """Calibrate the model, measure it, and fill an empty folder with everything that a RUN holds.

    Args:
        folder: where to.
        ready: what was asked for, and the photographs.
        learned: the model, which gets its temperature here, and its phases.
        earlier_s: seconds that earlier sessions trained.

    """
    dataset, options = ready.dataset, ready.journal.options
    logits, targets = _logits(learned.model, dataset, "validation")
    temperature = fit_temperature(logits, targets)
    if options.precision:
        thresholds = thresholds_for(options.precision, probabilities_of(logits / temperature), targets)
        _tell_hopeless(dataset, thresholds, options.precision)
        dataset = replace(dataset, spec=replace(dataset.spec, thresholds=thresholds))
    unseen, truth = _logits(learned.model, dataset, "test")
    divide_logits(learned.model, temperature)
    probabilities = probabilities_of(unseen / temperature)
    calibration = Calibration(
        temperature, reliability(probabilities_of(unseen), truth), reliability(probabilities, truth)
    )
    evaluation = score(probabilities, truth, dataset.spec.labels)
    wall_s = earlier_s + time.perf_counter() - ready.started
    write_run(folder, dataset, ready.journal, learned, evaluation, calibration, wall_s=wall_s)
    return evaluation


def _logits(model: Model, dataset: Dataset, split: Split) -> tuple[Floats, NDArray[np.int64]]:
    photos = dataset.of(split)
    return logits_of(model, dataset.pixels, np.array([photo.row for photo in photos])), dataset.targets(photos)


def _tell_hopeless(dataset: Dataset, thresholds: tuple[float, ...], precision: float) -> None:
    for label, threshold in zip(dataset.spec.labels, thresholds, strict=True):
        if threshold == 1:
            say(f"no score of {label!r} reaches a precision of {precision:g} on the validation photographs")
