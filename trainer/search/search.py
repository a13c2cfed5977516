"""The whole search on one page: screen the candidates, train and export the best ones, write the state after each."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.latency.operator_times import read_operator_times
from edge_runtime.storage.json_files import write_json
from trainer.errors import TrainingError
from trainer.images.read_data import read_data
from trainer.networks.weights import require_weights
from trainer.options import BACKBONE_RECIPES, DataOptions, ModelName
from trainer.progress import log
from trainer.search.candidates import Budget, Candidate, Screened, Trial
from trainer.search.choice import best, next_candidate, reason, worth_training
from trainer.search.trial import try_candidate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.images.dataset import Dataset
    from trainer.options import Augmentation

STATE, FORMAT = "search.json", 1


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What decides the result of a search, except the data and the time.

    Attributes:
        models: the networks.
        sizes: the image sizes in pixels.
        weights: of the backbones, as for `edge-train train`.
        augment: as for `edge-train train`.
        seed: of the split, the training and the folds.
        device: a file of `edge-run bench --operators` that predicts the time on a device; empty for this machine.

    """

    models: tuple[ModelName, ...]
    sizes: tuple[int, ...]
    weights: str
    augment: Augmentation
    seed: int
    device: str = ""


class Found(NamedTuple):
    """The result of a search.

    Attributes:
        screened: all candidates.
        trials: those that were trained.
        budget: the limits.
        best: the best one within the limits; None if there is none.
        reason: why, in one sentence.

    """

    screened: tuple[Screened, ...]
    trials: tuple[Trial, ...]
    budget: Budget
    best: Trial | None
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "screened": [{**one._asdict(), "candidate": one.candidate._asdict()} for one in self.screened],
            "trials": [one._asdict() for one in self.trials],
            "budget": self.budget._asdict(),
            "best": self.best and self.best.name,
            "reason": self.reason,
        }


def search(
    data: Sequence[Path],
    out: Path,
    settings: SearchSettings,
    budget: Budget,
    *,
    minutes: float,
    overwrite: bool = False,
    cache: Path | None = None,
) -> Found:
    """Search, and write the candidates' folders and search.json into a folder; a search in it is continued.

    Args:
        data: the data folders, as for `edge-train train`.
        out: the folder.
        settings: what is searched.
        budget: the limits of the device.
        minutes: no further candidate begins if it would probably end after this time. The first always begins.
        overwrite: replace another search.
        cache: folder of preprocessed pixels; None for no cache.

    Raises:
        DataError: the data cannot be used for training.
        TrainingError: the folder contains something else, weights are not available, or a training fails.

    """
    ends_s = time.monotonic() + 60 * minutes
    for model in settings.models:
        if model in BACKBONE_RECIPES:
            require_weights(model, settings.weights)
    device = read_operator_times(Path(settings.device)) if settings.device else None
    dataset = _read(data, settings, settings.sizes[0], cache)
    own = json.loads(json.dumps(asdict(settings)))
    origin = {"format": FORMAT, "fingerprint": dataset.fingerprint(), "settings": own}
    screened, trials = _earlier(out, origin, overwrite=overwrite)
    out.mkdir(parents=True, exist_ok=True)
    screened = screened or _screen(data, settings, dataset, cache)
    known, validation = {one.candidate.name: one for one in screened}, len(dataset.of("validation"))
    images = len(dataset.of("train")) + validation
    left = worth_training(screened, images)
    log(f"{len(screened)} candidates, {len(left)} of them worth training")
    caching = ["--cache", str(cache)] if cache else ["--no-cache"]
    training = ["--augment", settings.augment, "--seed", str(settings.seed), *caching]
    while True:
        chosen = best(known, trials, budget, validation)
        found = Found(tuple(screened), tuple(trials), budget, chosen, reason(chosen, trials, budget))
        write_json(out / STATE, {**origin, **found.to_json()})
        following = next_candidate(left, trials, budget, images)
        if following is None or (trials and time.monotonic() + max(one.seconds for one in trials) > ends_s):
            return found
        folder = out / following.candidate.name
        trial = try_candidate(
            following.candidate, data, folder, weights=settings.weights, training=training, device=device
        )
        trials.append(trial)
        log(_line(trial))


def _line(trial: Trial) -> str:
    if trial.ms is None:
        return f"{trial.name}: {trial.accuracy:.1%}, not exported: {trial.problem}"
    return f"{trial.name}: {trial.accuracy:.1%}, {trial.ms:.1f} ms, {trial.kb:.0f} kB, after {trial.seconds:.0f} s"


def _read(data: Sequence[Path], settings: SearchSettings, size: int, cache: Path | None) -> Dataset:
    options = DataOptions(image_size=size, augment=settings.augment, seed=settings.seed)
    return read_data(data, options, cache)


def _screen(data: Sequence[Path], settings: SearchSettings, first: Dataset, cache: Path | None) -> list[Screened]:
    """Return all candidates with their costs and estimated accuracies; `first` has the first image size."""
    from trainer.search.screening import screen_backbone, screen_untrained

    found: list[Screened] = []
    for size in settings.sizes:
        dataset = first if size == first.spec.width else _read(data, settings, size, cache)
        for model in settings.models:
            if model in BACKBONE_RECIPES:
                found += screen_backbone(dataset, model, settings.weights, seed=settings.seed)
            else:
                found.append(screen_untrained(dataset.spec, model))
    return found


def _earlier(out: Path, origin: dict[str, Any], *, overwrite: bool) -> tuple[list[Screened], list[Trial]]:
    """Return what an earlier search in the folder has found; nothing if there is none.

    Raises:
        TrainingError: the folder contains something else, or a search of other data or with other settings.

    """
    if overwrite and (out / STATE).is_file():
        shutil.rmtree(out)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return [], []
    try:
        state = json.loads((out / STATE).read_text(encoding="utf-8"))
        same = all(state[name] == value for name, value in origin.items())
        screened = [Screened(**{**one, "candidate": Candidate(**one["candidate"])}) for one in state["screened"]]
        trials = [Trial(**{**one, "interval": tuple(one["interval"])}) for one in state["trials"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise TrainingError(f"{out}: exists and is not a search that can be continued; choose another place") from None
    if not same:
        raise TrainingError(f"{out}: contains a search of other data or with other settings; pass --overwrite")
    log(f"{out}: continuing a search with {len(trials)} trained candidates")
    return screened, trials
