"""Run a release on the live frames in a process of its own, at a bounded share of a processor; nothing of it is used.

A release that crashes its runtime ends that process, not the live loop.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from statistics import median
from typing import IO, TYPE_CHECKING, Any, cast

from edge_runtime.errors import EdgeError, InferenceError
from edge_runtime.image.limits import STREAM
from edge_runtime.image.preprocess import load_image, to_input
from edge_runtime.model.bundle import Bundle
from edge_runtime.system.child import end_of
from edge_runtime.update.trial import ShadowReport, Trial, write_report

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from edge_runtime.live.records import Frame, FramePrediction

WRITE_S = 2.0  # between two reports
MAX_TIMES = 500  # the newest inference times, of which the median is reported
MAX_CHANGES = 50


class Shadow:
    """A thread that compares a release with the current model on some of the live frames.

    Attributes:
        trial: the phase that it serves.

    """

    def __init__(self, models: Path, trial: Trial, roi: tuple[int, int, int, int] | None) -> None:
        """Start the thread.

        Args:
            models: the models folder.
            trial: what is tried, in the phase "shadow".
            roi: x, y, width and height of the region that is classified, in pixels of a frame; None for all of it.

        """
        self.trial = trial
        self._models = models
        self._roi = roi
        self._offers: queue.Queue[tuple[Frame, FramePrediction] | None] = queue.Queue(maxsize=1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def offer(self, frame: Frame, prediction: FramePrediction) -> None:
        """Offer a frame and the current model's result; it is dropped while the shadow is busy or pauses."""
        with contextlib.suppress(queue.Full):
            self._offers.put_nowait((frame, prediction))

    def close(self) -> None:
        """End the thread and its process."""
        self._stop.set()
        with contextlib.suppress(queue.Full):
            self._offers.put_nowait(None)
        self._thread.join()

    def _run(self) -> None:
        tally = _Tally(self.trial.folder)
        try:
            with _Worker(self._models / "versions" / self.trial.folder) as worker:
                self._compare(worker, tally)
        except (EdgeError, OSError) as problem:
            tally.problem = str(problem)
        write_report(self._models, tally.report())

    def _compare(self, worker: _Worker, tally: _Tally) -> None:
        written_s = float("-inf")
        while not self._stop.is_set():
            item = self._offers.get()
            if item is None:
                return
            began_s = time.monotonic()
            tally.add(item[1], worker.classify(item[0], self._roi), worker.labels)
            if began_s - written_s >= WRITE_S:
                write_report(self._models, tally.report())
                written_s = began_s
            # Working for t and pausing for t * (1 / share - 1) uses the share.
            self._stop.wait((time.monotonic() - began_s) * (1 / self.trial.share - 1))
            with contextlib.suppress(queue.Empty):
                self._offers.get_nowait()  # offered before the pause: old


class _Tally:
    """What the shadow has found until now."""

    def __init__(self, folder: str) -> None:
        self.problem = ""
        self._folder = folder
        self._frames = self._agreed = self._comparable = 0
        self._times: deque[float] = deque(maxlen=MAX_TIMES)
        self._familiarity: list[float] = [0.0, 0.0]  # sums: of the release, of the current model
        self._has_familiarity = [True, True]
        self._changes: Counter[str] = Counter()

    def add(self, prediction: FramePrediction, answer: dict[str, Any], labels: tuple[str, ...]) -> None:
        """Add one frame: the current model's result and the release's."""
        self._frames += 1
        self._times.append(answer["inference_ms"])
        for index, value in enumerate((answer["familiarity"], prediction.familiarity)):
            self._has_familiarity[index] &= value is not None
            self._familiarity[index] += value or 0.0
        if prediction.label not in {*labels, "unknown"}:
            return  # a class that the release does not have
        self._comparable += 1
        if answer["label"] == prediction.label:
            self._agreed += 1
        elif len(self._changes) < MAX_CHANGES:
            self._changes[f"{prediction.label} -> {answer['label']}"] += 1

    def report(self) -> ShadowReport:
        """Return it as a report."""
        means = [
            total / self._frames if has and self._frames else None
            for total, has in zip(self._familiarity, self._has_familiarity, strict=True)
        ]
        return ShadowReport(
            folder=self._folder,
            frames=self._frames,
            agreed=self._agreed,
            comparable=self._comparable,
            inference_ms=median(self._times) if self._times else 0.0,
            familiarity=means[0],
            current_familiarity=means[1],
            changes=tuple(self._changes.most_common()),
            problem=self.problem,
            at=time.time(),
        )


class _Worker:
    """The process that runs the release; it reads the pixels of one image and answers with one line."""

    def __init__(self, folder: Path) -> None:
        self._spec = Bundle.open(folder).spec
        self.labels = self._spec.labels
        command = [sys.executable, "-m", "edge_runtime.update.shadow_worker", str(folder)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def classify(self, frame: Frame, roi: tuple[int, int, int, int] | None) -> dict[str, Any]:
        """Return label, familiarity and inference time for a frame. Raise InferenceError if the process has ended."""
        pixels = to_input(load_image(frame.image, self._spec, roi, mount=frame.mount, limits=STREAM), self._spec)
        try:
            self._stdin.write(pixels.tobytes())
            self._stdin.flush()
            line = self._stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            _, errors = self._process.communicate()
            raise InferenceError(end_of(self._process.returncode, errors.decode(errors="replace")))
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise InferenceError(answer["error"])
        return answer
