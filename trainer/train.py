"""One training run, from a data folder to a RUN; what is wrong with the data is told before TensorFlow loads."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.publish import published_folder, refuse_existing
from trainer.cluster import read_cluster
from trainer.errors import DataError, TrainingError
from trainer.journal import FOLDER, Journal, begin, changed_versions, clear_if_barren, read_journal, spent_s
from trainer.options import require_weights
from trainer.progress import say
from trainer.read_data import read_data
from trainer.stopping import stop_on_sigterm
from trainer.tensorflow_setup import require_tensorflow
from trainer.versions import versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.cluster import Cluster
    from trainer.dataset import Dataset
    from trainer.evaluate import Evaluation
    from trainer.options import Options

ROOM_BYTES = 300 * 2**20  # what a RUN with its checkpoints may take


@dataclass(frozen=True)
class Ready:
    """A run that can start or go on.

    Attributes:
        out: the RUN.
        journal: what was asked for.
        dataset: the photographs.
        cluster: the machines that train together; the chief alone writes.
        started: on the performance counter, when the command began.
        resumed: whether it goes on.

    """

    out: Path
    journal: Journal
    dataset: Dataset
    cluster: Cluster
    started: float
    resumed: bool = False


def train(
    data: Path,
    out: Path,
    options: Options,
    *,
    legacy_h5: bool = False,
    overwrite: bool = False,
    cache: Path | None = None,
) -> Evaluation | None:
    """Train on a data folder and write a RUN.

    While it trains, RUN/training holds what `resume` needs; an older RUN around it stays whole until the end.

    Args:
        data: photographs in a folder per class, or divided into train/ and test/.
        out: the RUN.
        options: how.
        legacy_h5: also write model.h5.
        overwrite: replace an older RUN.
        cache: where preprocessed pixels are kept for the next time; None keeps none.

    Returns:
        The result on the test photographs; None on a machine that is not the chief of several.

    Raises:
        DataError: the data cannot be trained on.
        TrainingError: the RUN cannot be written, the weights cannot be had, or training failed.

    """
    started = time.perf_counter()
    cluster = read_cluster(options.strategy)
    if cluster.chief:
        _check_out(data, out, overwrite=overwrite)
    if options.model.startswith("mobilenet"):
        require_weights(options.weights)  # now, for a large folder takes minutes to read
    dataset = read_data(data, options, cache)
    journal = Journal(str(data.absolute()), options, legacy_h5, dataset.fingerprint(), versions())
    if cluster.chief:
        begin(out, journal)
    return _complete(Ready(out, journal, dataset, cluster, started))


def resume(out: Path, cache: Path | None = None) -> Evaluation | None:
    """Go on with a run that was stopped, from its last whole epoch, to the result that it would have had.

    Raises:
        DataError: the data cannot be read, or has changed since.
        TrainingError: there is nothing to resume, or training failed.

    """
    started = time.perf_counter()
    journal = read_journal(out)
    dataset = read_data(Path(journal.data), journal.options, cache)
    if dataset.fingerprint() != journal.fingerprint:
        raise DataError(
            f"{journal.data}: has changed since {out} began, so its epochs no longer fit; train again with --overwrite"
        )
    changed = changed_versions(journal)
    if changed:
        say(f"since the run began, versions changed, so the result may differ in its last bits: {changed}")
    return _complete(Ready(out, journal, dataset, read_cluster(journal.options.strategy), started, resumed=True))


def _complete(ready: Ready) -> Evaluation | None:
    """Train to the end and put the RUN in its place."""
    if not ready.cluster.chief:
        _assist(ready)
        return None
    with _stoppable(ready.out):
        require_tensorflow()
        from trainer.finish import finish
        from trainer.learn import learn

        earlier_s = spent_s(ready.out)
        learned = learn(ready.dataset, ready.journal.options, ready.out / FOLDER, ready.cluster)
        with published_folder(ready.out, overwrite=True, error=TrainingError) as staging:
            try:
                evaluation = finish(staging, ready, learned, earlier_s)
                if any(phase.interrupted for phase in learned.phases):
                    shutil.copytree(ready.out / FOLDER, staging / FOLDER)
                    say(f"edge-train train --resume {ready.out} would go on")
            except OSError as problem:
                raise TrainingError(
                    f"{ready.out}: cannot be written: {problem.strerror or problem}; make room, then "
                    f"edge-train train --resume {ready.out}"
                ) from None
    return evaluation


def _assist(ready: Ready) -> None:
    """Train with the chief, who alone writes the RUN; what was begun is read from it."""
    require_tensorflow()
    from trainer.learn import learn

    with tempfile.TemporaryDirectory() as folder, stop_on_sigterm(f"edge-train train --resume {ready.out}"):
        if ready.resumed:
            shutil.copytree(ready.out / FOLDER, folder, dirs_exist_ok=True)
        learn(ready.dataset, ready.journal.options, Path(folder), ready.cluster)
    say(f"{ready.cluster.name}: done; the chief writes {ready.out}")


@contextmanager
def _stoppable(out: Path) -> Iterator[None]:
    """Leave RUN resumable, or nothing where no epoch was completed, when the block is left early."""
    with stop_on_sigterm(f"edge-train train --resume {out}"):
        try:
            yield
        except BaseException:
            clear_if_barren(out)
            raise


def _check_out(data: Path, out: Path, *, overwrite: bool) -> None:
    try:
        check_place(data, out, overwrite=overwrite)
        check_room(out)
    except OSError as problem:  # such as a name that is too long
        raise TrainingError(f"{out}: cannot be written: {problem.strerror}; choose another place") from None


def check_place(data: Path, out: Path, *, overwrite: bool) -> None:
    """Raise TrainingError unless a RUN may be written at `out`."""
    if (out / FOLDER).is_dir() and not overwrite:
        raise TrainingError(f"{out}: holds an unfinished run; go on with --resume {out}, or pass --overwrite")
    refuse_existing(out, overwrite=overwrite, error=TrainingError)
    if out.exists() and not is_run(out):
        raise TrainingError(f"{out}: exists and is no RUN, so it is not overwritten; choose another place")
    inner, outer = out.resolve(), data.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise TrainingError(f"{out}: lies in the data folder or holds it; choose another place for the RUN")


def is_run(out: Path) -> bool:
    """Tell whether a path is a RUN, finished or not, or an empty folder."""
    if (out / "metrics.json").is_file() or (out / FOLDER / "job.json").is_file():
        return True
    return out.is_dir() and not any(out.iterdir())


def check_room(out: Path) -> None:
    """Raise TrainingError where the disk has no room for a RUN."""
    existing = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < ROOM_BYTES:
        raise TrainingError(
            f"{out}: only {free // 2**20} MiB are free on its disk and a RUN may take {ROOM_BYTES // 2**20}; "
            "make room or choose another place"
        )
