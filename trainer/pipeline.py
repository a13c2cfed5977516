"""The whole path of a training run on one page: read the data, train, calibrate, evaluate, write the RUN.

Everything that can be wrong with the input is reported before TensorFlow is imported.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.storage.publish import published_folder
from trainer.data.split import SPLITS
from trainer.errors import DataError, TrainingError
from trainer.fitting.cluster import read_cluster
from trainer.fitting.stopping import stop_on_sigterm
from trainer.images.read_data import read_data
from trainer.networks.weights import require_weights
from trainer.options import BACKBONE_RECIPES, is_pretrained
from trainer.progress import log
from trainer.runs.journal import FOLDER, Journal, begin, changed_versions, discard_if_empty, read_journal, spent_s
from trainer.runs.output import check_output
from trainer.runs.versions import versions
from trainer.tensorflow_setup import require_tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trainer.data.split import Split
    from trainer.evaluation.scores import Evaluation
    from trainer.fitting.cluster import Cluster
    from trainer.fitting.phases import TrainingResult
    from trainer.images.dataset import Dataset
    from trainer.options import Options


@dataclass(frozen=True)
class PreparedRun:
    """A run whose data is read, ready to start or to be resumed.

    Attributes:
        out: the RUN folder.
        journal: the options and the data.
        dataset: the photographs.
        cluster: the machines that train together; only the chief writes.
        started: time.perf_counter() when the command began.
        resumed: whether the run is resumed.

    """

    out: Path
    journal: Journal
    dataset: Dataset
    cluster: Cluster
    started: float
    resumed: bool = False


def train(
    data: Path | Sequence[Path],
    out: Path,
    options: Options,
    *,
    legacy_h5: bool = False,
    overwrite: bool = False,
    cache: Path | None = None,
) -> Evaluation | None:
    """Train on one or more data folders and write a RUN.

    During training, RUN/training contains what `resume` needs. An older RUN stays complete until the end.

    Args:
        data: photographs in one folder per class, or in train/, validation/ and test/ with such folders; or several
            such folders, see `trainer.data.several_folders`.
        out: the RUN folder.
        options: the settings.
        legacy_h5: also write model.h5.
        overwrite: replace an older RUN.
        cache: folder of preprocessed pixels for the next run; None for no cache.

    Returns:
        The result on the test photographs; None on a machine that is not the chief of several.

    Raises:
        DataError: the data cannot be used for training.
        TrainingError: the RUN cannot be written, the weights are not available, or training failed.

    """
    started = time.perf_counter()
    folders = [data] if isinstance(data, Path) else data
    cluster = read_cluster(options.strategy)
    if cluster.chief:
        check_output(folders, out, overwrite=overwrite)
    if options.model in BACKBONE_RECIPES:
        require_weights(options.model, options.weights)  # before the data is read, which takes minutes
    dataset = read_data(folders, options, cache)
    first, *more = (str(folder.absolute()) for folder in folders)
    journal = Journal(first, options, legacy_h5, dataset.fingerprint(), versions(), tuple(more))
    if cluster.chief:
        begin(out, journal)
    return _complete(PreparedRun(out, journal, dataset, cluster, started))


def resume(out: Path, cache: Path | None = None) -> Evaluation | None:
    """Continue an interrupted run after its last completed epoch; the result is the same as without interruption.

    Raises:
        DataError: the data cannot be read, or has changed since the run began.
        TrainingError: there is nothing to resume, or training failed.

    """
    started = time.perf_counter()
    journal = read_journal(out)
    dataset = read_data(journal.folders, journal.options, cache)
    if dataset.fingerprint() != journal.fingerprint:
        raise DataError(
            f"{', '.join(map(str, journal.folders))}: has changed since {out} began, so its epochs no longer fit; "
            "train again with --overwrite"
        )
    changed = changed_versions(journal)
    if changed:
        log(f"versions have changed since the run began, so the result may differ slightly: {changed}")
    return _complete(PreparedRun(out, journal, dataset, read_cluster(journal.options.strategy), started, resumed=True))


def _complete(run: PreparedRun) -> Evaluation | None:
    """Train to the end and publish the RUN."""
    if not run.cluster.chief:
        _assist(run)
        return None
    with _resumable(run.out):
        require_tensorflow()
        from trainer.fitting.phases import train_model

        earlier_s = spent_s(run.out)
        trained = train_model(run.dataset, run.journal.options, run.out / FOLDER, run.cluster)
        with published_folder(run.out, overwrite=True, error=TrainingError) as staging:
            try:
                evaluation = _finish(staging, run, trained, earlier_s)
                if any(phase.interrupted for phase in trained.phases):
                    shutil.copytree(run.out / FOLDER, staging / FOLDER)
                    log(f"to continue training: edge-train train --resume {run.out}")
            except OSError as problem:
                raise TrainingError(
                    f"{run.out}: cannot be written: {problem.strerror or problem}; make room, then "
                    f"edge-train train --resume {run.out}"
                ) from None
    return evaluation


def _assist(run: PreparedRun) -> None:
    """Train together with the chief. Only the chief writes the RUN; a resumed run's state is read from it."""
    require_tensorflow()
    from trainer.fitting.phases import train_model

    with tempfile.TemporaryDirectory() as folder, stop_on_sigterm(f"edge-train train --resume {run.out}"):
        if run.resumed:
            shutil.copytree(run.out / FOLDER, folder, dirs_exist_ok=True)
        train_model(run.dataset, run.journal.options, Path(folder), run.cluster)
    log(f"{run.cluster.name}: done; the chief writes {run.out}")


@contextmanager
def _resumable(out: Path) -> Iterator[None]:
    """Keep RUN resumable if the block is left early; remove it if no epoch was completed."""
    with stop_on_sigterm(f"edge-train train --resume {out}"):
        try:
            yield
        except BaseException:
            discard_if_empty(out)
            raise


def _finish(folder: Path, run: PreparedRun, trained: TrainingResult, earlier_s: float) -> Evaluation:
    """Calibrate the model, evaluate it on the test photographs, and write everything that a RUN contains.

    Args:
        folder: an empty folder.
        run: the options and the photographs.
        trained: the model, which gets its temperature here, and its training phases.
        earlier_s: seconds that earlier, interrupted sessions trained.

    """
    from trainer.evaluation.calibration import (
        calibrate,
        divide_logits,
        logits_of,
        probabilities_of,
        thresholds_for,
    )
    from trainer.evaluation.scores import score
    from trainer.runs.label_mistakes import write_label_mistakes
    from trainer.runs.recognition import features_of_split, recognize
    from trainer.runs.run_folder import write_run
    from trainer.runs.saved_features import write_features

    dataset, options, model = run.dataset, run.journal.options, trained.model
    features = {split: features_of_split(model, dataset, split) for split in SPLITS}
    measured: tuple[Split, ...] = ("validation", "test")
    targets = {split: dataset.targets(dataset.of(split)) for split in measured}
    logits = {split: logits_of(model, features[split]) for split in measured}
    calibration = calibrate(*((logits[split], targets[split]) for split in measured))
    if calibration.reason:
        log(f"the temperature {calibration.fitted:.2f} is not applied: {calibration.reason}")
    correct = probabilities_of(logits["test"]).argmax(axis=1) == targets["test"]
    frozen = _is_frozen(run, trained)
    recognition = recognize(model, dataset, features, correct, options, frozen=frozen)
    if options.precision:
        scores = probabilities_of(logits["validation"] / calibration.temperature) * recognition.factor(
            features["validation"]
        )
        thresholds = thresholds_for(options.precision, scores, targets["validation"])
        _report_unreachable(dataset, thresholds, options.precision)
        dataset = replace(dataset, spec=replace(dataset.spec, thresholds=thresholds))
    divide_logits(model, calibration.temperature)
    evaluation = score(probabilities_of(logits["test"] / calibration.temperature), targets["test"], dataset.spec.labels)
    wall_s = earlier_s + time.perf_counter() - run.started
    write_run(folder, dataset, run.journal, trained, evaluation, calibration, recognition, wall_s=wall_s)
    if frozen:
        write_features(folder, dataset, features)
    _report_label_mistakes(run.out, write_label_mistakes(folder, dataset, features, options.seed))
    return evaluation


def _is_frozen(run: PreparedRun, trained: TrainingResult) -> bool:
    """Return whether the layers below the features were not trained on the training photographs."""
    options = run.journal.options
    return is_pretrained(options.model, options.weights) and len(trained.phases) == 1


def _report_unreachable(dataset: Dataset, thresholds: tuple[float, ...], precision: float) -> None:
    for label, threshold in zip(dataset.spec.labels, thresholds, strict=True):
        if threshold == 1:
            log(f"no score of {label!r} reaches a precision of {precision:g} on the validation photographs")


def _report_label_mistakes(out: Path, found: int) -> None:
    if found:
        log(
            f"{found} photographs may have a wrong label; {out / 'label_mistakes.csv'} lists them, "
            f"edge-train evaluate {out} --html REPORT shows them"
        )
