"""Read, check and split a data folder as the options say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.model.spec import ModelSpec
from trainer.data.corrections import corrected
from trainer.data.layout import with_background
from trainer.data.several_folders import scan_all
from trainer.data.split import SPLITS, Fractions
from trainer.errors import DataError
from trainer.images.dataset import Dataset, load
from trainer.progress import log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.data.layout import Layout
    from trainer.options import DataOptions

PROBLEMS_TOLD = 10


def read_data(data: Path | Sequence[Path], options: DataOptions, cache: Path | None = None) -> Dataset:
    """Read, check and split the photographs, and report the counts on stderr. Raise DataError.

    Args:
        data: the data folder, or several.
        options: how it is split and preprocessed.
        cache: the folder of caches; None for no cache.

    """
    if options.validation_fraction + options.test_fraction >= 1:
        raise DataError(
            "--validation-fraction and --test-fraction leave nothing for training; their sum must be below 1"
        )
    layout = scan_all([data] if isinstance(data, Path) else data)
    if options.background:
        layout = with_background(layout, Path(options.background))
    if options.corrections:
        layout = corrected(layout, Path(options.corrections))
    fractions = Fractions(options.validation_fraction, options.test_fraction)
    dataset = load(layout, spec_for(layout, options), fractions, options.seed, cache)
    _tell(dataset)
    return dataset


def spec_for(layout: Layout, options: DataOptions) -> ModelSpec:
    """Return the spec of a model for a data folder's classes. Raise SpecError."""
    return ModelSpec(
        height=options.image_size,
        width=options.image_size,
        labels=layout.labels,
        output="sigmoid" if len(layout.labels) == 2 else "softmax",
        resize=options.resize,
    )


def _tell(dataset: Dataset) -> None:
    counts = ", ".join(f"{len(dataset.of(split))} {split}" for split in SPLITS)
    log(f"{len(dataset.photos)} photographs of {len(dataset.spec.labels)} classes: {counts}")
    _tell_parts(dataset)
    if dataset.problems:
        log(f"{len(dataset.problems)} files left out:")
    for problem in dataset.problems[:PROBLEMS_TOLD]:
        log(f"  {problem.path}: {problem.reason}")
    if len(dataset.problems) > PROBLEMS_TOLD:
        log(f"  and {len(dataset.problems) - PROBLEMS_TOLD} more; the RUN's split.csv lists all")


def _tell_parts(dataset: Dataset) -> None:
    """Report, for a folder that is already divided, which split was taken from train/."""
    given = {photo.file.part for photo in dataset.photos} - {"all"}
    missing = [split for split in SPLITS if given and split not in given]
    if missing:
        log(f"the folder has no {' and no '.join(missing)} part: its photographs were taken from train/")
