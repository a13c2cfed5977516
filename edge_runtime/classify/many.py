"""Classify many images on all cores, in order and in constant memory."""

from __future__ import annotations

import os
from collections import deque
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edge_runtime.classify.classifier import Classifier, Prediction

MIN_PARALLEL_IMAGES = 16  # fewer images take less time than opening another classifier
QUEUED_PER_WORKER = 4  # so that a slow image does not delay the other workers


class Outcome(NamedTuple):
    """The result for one image, or for an argument without images: a prediction or a problem."""

    path: str
    prediction: Prediction | None
    problem: SourceError | None


def expand_arguments(arguments: Iterable[str]) -> Iterator[str | Outcome]:
    """Yield the path of each image in the given files, folders and globs.

    Yield an outcome with the problem for an argument that contains no image or cannot be read.
    """
    from edge_runtime.image.files import paths

    for argument in arguments:
        try:
            yield from paths(argument)
        except SourceError as problem:
            yield Outcome(argument, None, problem)


def classify_many(
    items: Iterable[str | Outcome],
    open_classifier: Callable[[bool], Classifier],
    classify: Callable[[Classifier, str], Prediction],
    workers: int | None = None,
) -> Iterator[Outcome]:
    """Classify images in parallel, in constant memory. Items are consumed only as needed.

    Args:
        items: paths, and outcomes that are passed through.
        open_classifier: opens a classifier; its argument is True if several classifiers will run in parallel.
        classify: classifies one image.
        workers: number of threads, each with its own classifier. None uses one for each core, or a single one for
            fewer than MIN_PARALLEL_IMAGES images.

    Returns:
        An outcome for each item, in the same order.

    Raises:
        EdgeError: a classifier cannot be opened, or the runtime failed.

    """
    items = iter(items)
    if workers is None:
        first = list(islice(items, MIN_PARALLEL_IMAGES))
        workers = len(os.sched_getaffinity(0)) if len(first) == MIN_PARALLEL_IMAGES else 1
        items = chain(first, items)
    if workers == 1:
        classifier = open_classifier(False)
        return (_outcome(item, classifier, classify) for item in items)
    return _in_threads(items, [open_classifier(True) for _ in range(workers)], classify)


def _in_threads(
    items: Iterator[str | Outcome], classifiers: list[Classifier], classify: Callable[[Classifier, str], Prediction]
) -> Iterator[Outcome]:
    # Imported here because the import takes milliseconds, which would delay a single image.
    from concurrent.futures import ThreadPoolExecutor
    from queue import SimpleQueue

    free: SimpleQueue[Classifier] = SimpleQueue()
    for classifier in classifiers:
        free.put(classifier)

    def with_free_classifier(item: str | Outcome) -> Outcome:
        """Wait for a free classifier and classify the item with it."""
        classifier = free.get()
        try:
            return _outcome(item, classifier, classify)
        finally:
            free.put(classifier)

    # Decoding and inference release the interpreter lock, so threads suffice; they take far less memory than processes.
    with ThreadPoolExecutor(len(classifiers)) as pool:
        waiting = deque(
            pool.submit(with_free_classifier, item) for item in islice(items, QUEUED_PER_WORKER * len(classifiers))
        )
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(with_free_classifier, item) for item in islice(items, 1))
        finally:
            for future in waiting:
                future.cancel()


def _outcome(item: str | Outcome, classifier: Classifier, classify: Callable[[Classifier, str], Prediction]) -> Outcome:
    if isinstance(item, Outcome):
        return item
    try:
        return Outcome(item, classify(classifier, item), None)
    except SourceError as problem:
        return Outcome(item, None, problem)
