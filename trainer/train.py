"""One training run, from a data folder to a RUN; what is wrong with the data is told before TensorFlow loads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.command import published_folder, refuse_existing
from edge_runtime.spec import ModelSpec
from trainer.dataset import Dataset, load
from trainer.errors import DataError, TrainingError
from trainer.layout import scan
from trainer.progress import say
from trainer.split import SPLITS, Fractions
from trainer.tensorflow_setup import require_tensorflow

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.evaluate import Evaluation
    from trainer.learn import Learned
    from trainer.options import Options

PROBLEMS_TOLD = 10


def train(data: Path, out: Path, options: Options, *, legacy_h5: bool = False, overwrite: bool = False) -> Evaluation:
    """Train on a data folder and write a RUN.

    Args:
        data: photographs in a folder per class, or divided into train/ and test/.
        out: the RUN; appears whole or not at all.
        options: how.
        legacy_h5: also write model.h5.
        overwrite: replace an older RUN.

    Returns:
        The result on the test photographs.

    Raises:
        DataError: the data cannot be trained on.
        TrainingError: the RUN cannot be written, the weights cannot be had, or training failed.

    """
    started = time.perf_counter()
    check_place(data, out, overwrite=overwrite)
    dataset = read_data(data, options)
    require_tensorflow()
    with published_folder(out, overwrite=overwrite, error=TrainingError) as staging:
        from trainer.learn import learn
        from trainer.run_dir import write_run

        checkpoint = staging / "best.weights.h5"
        learned = learn(dataset, options, checkpoint)
        evaluation = _evaluate(learned, dataset)
        checkpoint.unlink(missing_ok=True)
        wall_s = time.perf_counter() - started
        try:
            write_run(staging, dataset, options, learned, evaluation, wall_s=wall_s, legacy_h5=legacy_h5)
        except OSError as problem:
            raise TrainingError(f"{out}: cannot be written: {problem.strerror or problem}") from None
    return evaluation


def check_place(data: Path, out: Path, *, overwrite: bool) -> None:
    """Raise TrainingError unless a RUN may be written at `out`."""
    refuse_existing(out, overwrite=overwrite, error=TrainingError)
    if out.exists() and not (out / "metrics.json").is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise TrainingError(f"{out}: exists and is no RUN, so it is not overwritten; choose another place")
    inner, outer = out.resolve(), data.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise TrainingError(f"{out}: lies in the data folder or holds it; choose another place for the RUN")


def read_data(data: Path, options: Options) -> Dataset:
    """Read, check and divide the photographs, and tell of them on stderr. Raises DataError."""
    if options.validation_fraction + options.test_fraction >= 1:
        raise DataError(
            "--validation-fraction and --test-fraction leave nothing to train on; their sum must be below 1"
        )
    layout = scan(data)
    spec = ModelSpec(
        height=options.image_size,
        width=options.image_size,
        labels=layout.labels,
        output="sigmoid" if len(layout.labels) == 2 else "softmax",
        resize=options.resize,
    )
    dataset = load(layout, spec, Fractions(options.validation_fraction, options.test_fraction), options.seed)
    _tell(dataset)
    return dataset


def _tell(dataset: Dataset) -> None:
    counts = ", ".join(f"{len(dataset.of(split))} {split}" for split in SPLITS)
    say(f"{len(dataset.photos)} photographs of {len(dataset.spec.labels)} classes: {counts}")
    if dataset.problems:
        say(f"{len(dataset.problems)} files left out:")
    for problem in dataset.problems[:PROBLEMS_TOLD]:
        say(f"  {problem.path}: {problem.reason}")
    if len(dataset.problems) > PROBLEMS_TOLD:
        say(f"  and {len(dataset.problems) - PROBLEMS_TOLD} more; the RUN's split.csv lists all")


def _evaluate(learned: Learned, dataset: Dataset) -> Evaluation:
    from trainer.evaluate import predict, score

    photos = dataset.of("test")
    rows = np.array([photo.row for photo in photos])
    return score(predict(learned.model, dataset.pixels[rows]), dataset.targets(photos), dataset.spec.labels)
