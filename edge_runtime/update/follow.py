"""Follow a models folder while a command runs: take the new model without a restart, try releases, take one back."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from edge_runtime.errors import EdgeError, one_line
from edge_runtime.update.models import CURRENT, Models, locked
from edge_runtime.update.trial import MAX_STARTS, Trial, count_start, end_trial, forget_start, read_trial

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.live.records import Frame, FramePrediction
    from edge_runtime.update.shadow import Shadow

LOOK_S = 1.0  # between two looks at the folder
MIN_TIMES = 100  # frames after which the median inference time is compared with the limit
MAX_TIMES = 500


class Follower:
    """Follows the link of a command's bundle; a bundle that is a folder is not followed.

    Create it before the bundle is opened, and enter it while the live loop runs.
    """

    def __init__(self, bundle: str, roi: tuple[int, int, int, int] | None = None) -> None:
        """Look at the link. A model on probation whose starts have failed too often is taken back first.

        Args:
            bundle: the bundle of the command line.
            roi: x, y, width and height of the region that is classified, in pixels of a frame; None for all of it.

        """
        path = Path(bundle)
        is_models = path.name == CURRENT and path.is_symlink() and (path.parent / "versions").is_dir()
        self._models = Models(path.parent) if is_models else None
        self._bundle = bundle
        self._roi = roi
        self._shadow: Shadow | None = None
        self._times: deque[float] = deque(maxlen=MAX_TIMES)
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        if self._models:
            self._guard_start(self._models)
        self._seen = self._target()

    def start(self, open_model: Callable[[], Classifier], switch: Callable[[Classifier], None]) -> Self:
        """Set what the follower does when the link leads elsewhere.

        Args:
            open_model: opens the bundle.
            switch: makes the opened and warmed up model the one that decides.

        """
        self._open_model, self._switch = open_model, switch
        return self

    def __enter__(self) -> Self:
        if self._seen is not None:
            self._thread = threading.Thread(target=self._run, name="follow", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        if self._thread:
            self._thread.join()
        if self._shadow:
            self._shadow.close()
        if kind is None and self._models and self._probation(self._models):
            forget_start(self._models.folder)

    def on_frame(self, frame: Frame, prediction: FramePrediction) -> None:
        """Take note of a classified frame; called in the live loop, so it never waits."""
        self._times.append(prediction.inference_ms)
        if shadow := self._shadow:
            shadow.offer(frame, prediction)

    def _run(self) -> None:
        while not self._end.wait(LOOK_S):
            self._follow_link()
            if self._models:
                try:
                    self._follow_trial(self._models)
                except (EdgeError, OSError) as problem:
                    _say(f"{self._models.folder}: {' '.join(str(problem).split())}")

    def _target(self) -> str | None:
        """Return where the link leads; None for a folder."""
        try:
            return str(Path(self._bundle).readlink())
        except OSError:
            return None

    def _follow_link(self) -> None:
        import numpy as np  # loaded by the model already; at the top it would slow down --help

        target = self._target()
        if target in {None, self._seen}:
            return
        try:
            classifier = self._open_model()
            spec = classifier.spec
            # The first run allocates memory and would delay a frame.
            classifier.backend.run(np.full((1, spec.height, spec.width, 3), 128, np.uint8))
            self._switch(classifier)
        except EdgeError as problem:
            _say(f"{target}: not taken: {one_line(problem)}")
        else:
            _say(f"now running {target}")
        self._times.clear()
        self._seen = target

    def _follow_trial(self, models: Models) -> None:
        trial = read_trial(models.folder)
        self._follow_shadow(models, trial)
        if not (trial and self._probation(models)):
            return
        if time.time() >= trial.until:
            with locked(models.folder):
                end_trial(models.folder)
            _say(f"{trial.channel} {trial.version} has passed its probation")
        elif trial.max_ms is not None and len(self._times) >= MIN_TIMES and median(self._times) > trial.max_ms:
            reason = f"one inference takes {median(self._times):.2f} ms; the limit is {trial.max_ms:.2f} ms"
            _take_back(models, trial, reason)

    def _follow_shadow(self, models: Models, trial: Trial | None) -> None:
        """Run the shadow while there is something to try."""
        wanted = trial if trial and trial.phase == "shadow" else None
        if self._shadow and self._shadow.trial != wanted:
            self._shadow.close()
            self._shadow = None
        if wanted and not self._shadow:
            from edge_runtime.update.shadow import Shadow

            self._shadow = Shadow(models.folder, wanted, self._roi)

    def _probation(self, models: Models) -> Trial | None:
        """Return the trial if the current model is on probation."""
        trial = read_trial(models.folder)
        return trial if trial and trial.phase == "probation" and models.current() == trial.folder else None

    def _guard_start(self, models: Models) -> None:
        try:
            trial = self._probation(models)
            if trial and count_start(models.folder, trial.folder) > MAX_STARTS:
                _take_back(models, trial, f"of {MAX_STARTS} starts in its probation none ended as it should")
        except (EdgeError, OSError) as problem:  # a card that cannot be written must not stop the camera
            _say(f"{models.folder}: {' '.join(str(problem).split())}")


def _take_back(models: Models, trial: Trial, reason: str) -> None:
    """Make the previous version the current one again, and remember why. Raise UpdateError."""
    with locked(models.folder):
        before = models.take_back()
        models.refuse(trial.channel, trial.version, f"probation: {reason}")
        end_trial(models.folder)
    _say(f"{trial.channel} {trial.version} is taken back: {reason}; {before} is current again")


def _say(line: str) -> None:
    print(f"edge-run: {line}", file=sys.stderr, flush=True)
