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

MANY = 16  # fewer images are finished before another worker has started
AHEAD = 4  # images that may wait for each worker, so that a slow one does not delay the others


class Outcome(NamedTuple):
    """The result for one image, or for an argument that names no image: a prediction or a problem."""

    path: str
    prediction: Prediction | None
    problem: SourceError | None


def given_images(arguments: Iterable[str]) -> Iterator[str | Outcome]:
    """Yield the images that the arguments name.

    An argument that names none, or that fails midway, yields an outcome.
    """
    from edge_runtime.image.files import paths

    for given in arguments:
        try:
            yield from paths(given)
        except SourceError as problem:
            yield Outcome(given, None, problem)


def classify_many(
    items: Iterable[str | Outcome],
    open_classifier: Callable[[bool], Classifier],
    classify: Callable[[Classifier, str], Prediction],
    workers: int | None = None,
) -> Iterator[Outcome]:
    """Classify images in parallel. Outcomes have the order of the items, which are consumed only as needed.

    Args:
        items: paths, and outcomes that are passed through.
        open_classifier: opens a classifier; its argument says whether several will run in parallel.
        classify: classifies one image.
        workers: number of threads, each with its own classifier; None takes one for each core if there are many images.

    Raises:
        EdgeError: a classifier cannot be opened, or the runtime failed.

    """
    items = iter(items)
    if workers is None:
        first = list(islice(items, MANY))
        workers = len(os.sched_getaffinity(0)) if len(first) == MANY else 1
        items = chain(first, items)
    if workers == 1:
        classifier = open_classifier(False)
        return (_outcome(item, classifier, classify) for item in items)
    return _in_threads(items, [open_classifier(True) for _ in range(workers)], classify)


def _in_threads(
    items: Iterator[str | Outcome], classifiers: list[Classifier], classify: Callable[[Classifier, str], Prediction]
) -> Iterator[Outcome]:
    from concurrent.futures import (
        ThreadPoolExecutor,
    )  # this import takes milliseconds, which a single image need not wait for
    from queue import SimpleQueue

    free: SimpleQueue[Classifier] = SimpleQueue()
    for classifier in classifiers:
        free.put(classifier)

    def work(item: str | Outcome) -> Outcome:
        classifier = free.get()
        try:
            return _outcome(item, classifier, classify)
        finally:
            free.put(classifier)

    # Decoding and inference release the interpreter lock, so threads suffice; they take far less memory than processes.
    with ThreadPoolExecutor(len(classifiers)) as pool:
        waiting = deque(pool.submit(work, item) for item in islice(items, AHEAD * len(classifiers)))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(items, 1))
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
