"""Follow a models folder while a command runs: take the new model without a restart, try releases, take one back."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.errors import EdgeError, SourceError, one_line
from edge_runtime.update.models import CURRENT, Models, locked
from edge_runtime.update.running import Running, count_failures
from edge_runtime.update.shadow import Shadow
from edge_runtime.update.trial import Trial, end_trial, probation_of, read_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.live.records import Frame, FramePrediction

LOOK_S = 1.0  # between two looks at the folder
MAX_FAILURES = 3  # in a probation, after which the release counts as the cause
MIN_TIMES = 100  # frames after which the median inference time is compared with the limit
MAX_TIMES = 500


class Follower:
    """Follows the link MODELS/current.

    Create it before the bundle is opened; the live loop runs within `running`.
    """

    def __init__(self, current: Path, roi: tuple[int, int, int, int] | None = None) -> None:
        """Look at the link. A release on probation whose commands have failed too often is taken back first.

        Args:
            current: the link.
            roi: x, y, width and height of the region that is classified, in pixels of a frame; None for all of it.

        """
        self._models = Models(current.parent)
        self._roi = roi
        self._shadow: Shadow | None = None
        self._times: deque[float] = deque(maxlen=MAX_TIMES)
        self._running: Running | None = None
        with self._reported():
            trial = probation_of(self._models.folder, self._models.current())
            if trial and count_failures(self._models.folder, trial.folder) >= MAX_FAILURES:
                _take_back(self._models, trial, f"it ended {MAX_FAILURES} times without being stopped")
        self._seen = self._models.current()
        with self._reported():
            self._running = Running(self._models.folder, self._seen or "")

    @contextmanager
    def running(self, open_model: Callable[[], Classifier], switch: Callable[[Classifier], None]) -> Iterator[None]:
        """Follow the folder in a thread of its own while the block runs.

        Args:
            open_model: opens the bundle to which the link leads.
            switch: makes the opened and warmed up model the one that decides.

        """
        end = threading.Event()

        def follow() -> None:
            """Look at the folder until the block ends."""
            while not end.wait(LOOK_S):
                with self._reported():
                    self.look(open_model, switch)

        thread = threading.Thread(target=follow, name="follow", daemon=True)
        thread.start()
        is_failure = True
        try:
            yield
            is_failure = False
        except SourceError:  # of the camera, not of the model
            is_failure = False
            raise
        finally:
            end.set()
            thread.join()
            if self._shadow:
                self._shadow.close()
            if self._running and not is_failure:
                self._running.stopped()

    def on_frame(self, frame: Frame, prediction: FramePrediction) -> None:
        """Take note of a classified frame; called in the live loop, so it never waits."""
        self._times.append(prediction.inference_ms)
        if shadow := self._shadow:
            shadow.offer(frame, prediction)

    def look(self, open_model: Callable[[], Classifier], switch: Callable[[Classifier], None]) -> None:
        """Look at the folder once; the arguments are those of `running`. Raise EdgeError or OSError."""
        name = self._models.current()
        if name not in {None, self._seen}:
            self._seen = name  # also if it cannot be opened: it is not tried again every second
            self._take(open_model, switch)
        trial = read_trial(self._models.folder)
        # Not for ever, if the update that began it was interrupted.
        in_shadow = trial and trial.phase == "shadow" and time.time() < trial.until
        self._follow_shadow(trial if in_shadow else None)
        if trial := probation_of(self._models.folder, name):
            self._follow_probation(trial)

    def _take(self, open_model: Callable[[], Classifier], switch: Callable[[Classifier], None]) -> None:
        try:
            classifier = open_model()
            spec = classifier.spec
            # The first run allocates memory and would delay a frame.
            classifier.backend.run(np.full((1, spec.height, spec.width, spec.channels), 128, np.uint8))
            switch(classifier)
        except EdgeError as problem:
            _say(f"{self._seen}: not taken: {one_line(problem)}")
            return
        self._times.clear()
        if self._running:
            self._running.runs(self._seen or "")
        _say(f"now running {self._models.versions.name}/{self._seen}")

    def _follow_shadow(self, wanted: Trial | None) -> None:
        """Run the shadow while there is something to try."""
        if self._shadow and self._shadow.trial != wanted:
            self._shadow.close()
            self._shadow = None
        if wanted and not self._shadow:
            self._shadow = Shadow(self._models.folder, wanted, self._roi)

    def _follow_probation(self, trial: Trial) -> None:
        if time.time() >= trial.until:
            with locked(self._models.folder):
                end_trial(self._models.folder)
            _say(f"{trial.channel} {trial.version} has passed its probation")
        elif trial.max_ms is not None and len(self._times) >= MIN_TIMES and median(self._times) > trial.max_ms:
            reason = f"one inference takes {median(self._times):.2f} ms; the limit is {trial.max_ms:.2f} ms"
            _take_back(self._models, trial, reason)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Report a problem of the folder; a card that cannot be written must not stop the camera."""
        try:
            yield
        except (EdgeError, OSError) as problem:
            _say(f"{self._models.folder}: {' '.join(str(problem).split())}")


def is_followed(bundle: str) -> bool:
    """Return whether a bundle is the link of a models folder."""
    path = Path(bundle)
    return path.name == CURRENT and path.is_symlink() and Models(path.parent).versions.is_dir()


def _take_back(models: Models, trial: Trial, reason: str) -> None:
    """Make the previous version the current one again, and remember why. Raise UpdateError."""
    with locked(models.folder):
        before = models.take_back()
        models.refuse(trial.channel, trial.version, f"probation: {reason}")
        end_trial(models.folder)
    _say(f"{trial.channel} {trial.version} is taken back: {reason}; {before} is current again")


def _say(line: str) -> None:
    print(f"edge-run: {line}", file=sys.stderr, flush=True)
