"""Measure a written file in the runtimes of devices, and compare it with the trained model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, KERNELS, default_threads, installed
from export.errors import ExportError, ParityError
from export.proof.familiar import Familiar, compare_familiar
from export.proof.parity import Parity, compare
from export.proof.significance import collapse
from export.runtimes.compatibility import requirements, shortfalls
from export.runtimes.process import DeviceRun, DeviceTask, run_tasks
from export.sources.calibration import balanced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge_runtime.backends.names import BackendName
    from export.artifacts import Candidate
    from export.runtimes.compatibility import Floor, Requirements
    from export.sources.source_model import SourceModel

# In addition to its preferred runtime, every file runs in the others and with other kernels, on fewer images, balanced
# over the classes: tflite-runtime's int8 kernels take twenty times as long on x86-64, the reference kernels a hundred
# times.
OTHER_RUNTIME_IMAGES = 64
REFERENCE_KERNEL_IMAGES = 16
# The one precision without fast kernels: seconds per image for a MobileNet.
SLOW_PRECISION, SLOW_IMAGES = "int16x8", 48


@dataclass(frozen=True)
class Measured:
    """The measurements of a candidate.

    Attributes:
        candidate: the file.
        parity: on all held-out images, in the candidate's own backend.
        elsewhere: on fewer images, in each other installed runtime and with each other set of kernels, by names such as
            "tflite-runtime" and "litert:reference".
        latency_ms: median time of one image in the backend, one thread, on this machine.
        images: indices of the held-out images of `parity`: all, except for the slowest precision.
        probabilities: the outputs for them, float32 (n_images, n_classes).
        collapse: how its outputs collapsed, or None.
        requirements: the operator and format versions that the file requires.
        shortfalls: what it requires beyond the oldest supported runtimes.
        size_bytes: the file's size.
        golden: its backend's results for the sample images.
        golden_spread: for each sample image, the largest difference of a probability between the installed runtimes,
            shape (n_samples,).
        familiar: what it recognizes as familiar, in its own backend; None if the model computes no familiarity.

    """

    candidate: Candidate
    parity: Parity
    elsewhere: dict[str, Parity]
    latency_ms: float
    images: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    collapse: str | None
    requirements: Requirements
    shortfalls: tuple[str, ...]
    size_bytes: int
    golden: DeviceRun
    golden_spread: NDArray[np.float64]
    familiar: Familiar | None = None


def measure(
    candidate: Candidate,
    source: SourceModel,
    reference: NDArray[np.float32],
    floors: Sequence[Floor] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Measured:
    """Run a written file on the held-out images and compare it with the trained model's probabilities.

    Args:
        candidate: the file.
        source: the held-out images and their labels.
        reference: the trained model's probabilities on them, (n_images, n_classes).
        floors: the oldest runtimes that must support the file.
        progress: called with a line for each runtime.

    Raises:
        ExportError: a runtime cannot load the file or fails on it.
        ParityError: its outputs cannot be compared.

    """
    demanded = requirements(candidate.path)
    missing = [why for floor in floors if floor.format == candidate.format for why in shortfalls(demanded, floor)]
    chosen = _some(source, SLOW_IMAGES if candidate.precision == SLOW_PRECISION else len(source.holdout))
    # A file whose operators the oldest runtime lacks would only fail to load in it, which would report the same again.
    runs = _run(candidate, source, chosen, progress, is_alone=bool(missing))
    return Measured(
        candidate=candidate,
        parity=_compare(candidate, source, reference, runs.own, chosen),
        elsewhere={
            name: _compare(candidate, source, reference, found, _some(source, len(found.probabilities)))
            for name, found in runs.others.items()
        },
        latency_ms=runs.own.latency_ms,
        images=chosen,
        probabilities=runs.own.probabilities,
        collapse=collapse(reference[chosen], runs.own.probabilities),
        requirements=demanded,
        shortfalls=tuple(missing),
        size_bytes=candidate.path.stat().st_size,
        golden=runs.golden,
        golden_spread=runs.golden_spread,
        familiar=_familiar(source, (reference[chosen], runs.own.probabilities), runs.unfamiliar),
    )


class _Runs(NamedTuple):
    """The results of a candidate: of the held-out images, the samples and the unfamiliar images in its own backend.

    `others` has those of fewer held-out images with other kernels and in other runtimes, and `golden_spread` how far
    the runtimes differ for the samples.
    """

    own: DeviceRun
    golden: DeviceRun
    unfamiliar: DeviceRun | None
    others: dict[str, DeviceRun]
    golden_spread: NDArray[np.float64]


def _run(
    candidate: Candidate,
    source: SourceModel,
    chosen: NDArray[np.int64],
    progress: Callable[[str], None],
    *,
    is_alone: bool,
) -> _Runs:
    """Run a candidate in its own backend and, unless it is alone, with other kernels and in the other runtimes.

    Its own backend runs alone, because its latency counts; the others run in parallel.
    """
    own = [DeviceTask(source.holdout[chosen]), DeviceTask(source.sample_pixels)]
    if source.unfamiliar is not None:
        own.append(DeviceTask(source.unfamiliar[: SLOW_IMAGES if candidate.precision == SLOW_PRECISION else None]))
    progress(f"  {candidate.name} in {candidate.backend}")
    run, golden, *of_other = run_tasks(candidate.path, source.spec, candidate.backend, own)
    others: dict[str, DeviceRun] = {}
    spread = np.zeros(len(source.samples))
    if not is_alone:
        backends, kernels = _other_backends(candidate), _kernels(candidate)
        progress(f"  {candidate.name} with other kernels{''.join(f', in {name}' for name in backends)}")
        with ThreadPoolExecutor(default_threads()) as pool:  # each waits for its own process
            few = [pool.submit(_run_few, candidate, source, backend) for backend in backends]
            plain = [pool.submit(_run_kernels, candidate, source, name, count) for name, count in kernels]
            found = {f"{candidate.backend}:{name}": one.result() for (name, _), one in zip(kernels, plain, strict=True)}
            others = {name: one for name, one in found.items() if len(one.probabilities)}
            for backend, (known, samples) in zip(backends, (one.result() for one in few), strict=True):
                others[backend] = known
                spread = np.maximum(spread, np.abs(samples.probabilities - golden.probabilities).max(axis=1))
    return _Runs(run, golden, of_other[0] if of_other else None, others, spread)


def _run_kernels(candidate: Candidate, source: SourceModel, kernels: str, count: int) -> DeviceRun:
    """Run some held-out images with other kernels of the candidate's backend."""
    tasks = [DeviceTask(source.holdout[_some(source, count)], kernels)]
    (run,) = run_tasks(candidate.path, source.spec, candidate.backend, tasks)
    return run


def _run_few(candidate: Candidate, source: SourceModel, backend: BackendName) -> list[DeviceRun]:
    """Run some held-out images, and the sample images, in another runtime."""
    few = source.holdout[_some(source, _few(candidate, OTHER_RUNTIME_IMAGES))]
    return run_tasks(candidate.path, source.spec, backend, [DeviceTask(few), DeviceTask(source.sample_pixels)])


def _familiar(
    source: SourceModel, known: tuple[NDArray[np.float32], NDArray[np.float32]], unfamiliar: DeviceRun | None
) -> Familiar | None:
    limit = source.spec.min_familiarity
    if limit is None or unfamiliar is None:
        return None
    reference = source.unfamiliar_reference[: len(unfamiliar.probabilities)]
    return compare_familiar(known, (reference, unfamiliar.probabilities), limit)


def _kernels(candidate: Candidate) -> list[tuple[str, int]]:
    """Return the other kernels of the candidate's backend, with the number of images for each."""
    counts = {"reference": REFERENCE_KERNEL_IMAGES}
    names = KERNELS[candidate.backend][1:]
    return [(name, _few(candidate, counts.get(name, OTHER_RUNTIME_IMAGES))) for name in names]


def _other_backends(candidate: Candidate) -> list[BackendName]:
    return [name for name in installed(BACKENDS_BY_FORMAT[candidate.format]) if name != candidate.backend]


def _few(candidate: Candidate, count: int) -> int:
    return REFERENCE_KERNEL_IMAGES if candidate.precision == SLOW_PRECISION else count


def _some(source: SourceModel, count: int) -> NDArray[np.int64]:
    return balanced(source.holdout_labels, count)


def _compare(
    candidate: Candidate,
    source: SourceModel,
    reference: NDArray[np.float32],
    run: DeviceRun,
    images: NDArray[np.int64],
) -> Parity:
    """Compare a run on the given held-out images with the trained model's probabilities of all of them."""
    limit = source.spec.min_familiarity
    try:
        return compare(reference[images], run.probabilities, source.holdout_labels[images], limit)
    except ParityError as problem:
        raise ParityError(f"{candidate.name}: {problem}") from None
    except ValueError as problem:
        raise ExportError(f"{candidate.name}: {problem}") from None
