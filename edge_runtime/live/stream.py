"""The live loop: it decides on each frame and calls the sinks.

Three other threads capture the frames, prepare them and run the model.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

from edge_runtime.classify.decision import decide
from edge_runtime.live.capture import Capture, Patience
from edge_runtime.live.events import EventTracker
from edge_runtime.live.handoff import Ended
from edge_runtime.live.hooks import Hooks, Tally
from edge_runtime.live.inference import Inference, Inferred
from edge_runtime.live.liveness import MEANINGS, StateSink
from edge_runtime.live.preparation import Preparation, Prepared, Selection, Unreadable
from edge_runtime.live.records import Event, FramePrediction
from edge_runtime.live.smoothing import Rules, State, advance, candidate, label_of, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.live.liveness import State as SourceState
    from edge_runtime.live.records import Frame, Sink, Source

POLL_S = 0.2  # maximum delay until a request to stop is noticed


class Stream:
    """One run of the loop, in the thread that calls `run`; sinks and hooks are called only in that thread.

    Attributes:
        tally: counts so far.

    """

    def __init__(
        self,
        source: Source,
        classifier: Classifier,
        sinks: Iterable[Sink],
        *,
        selection: Selection | None = None,
        rules: Rules | None = None,
        patience: Patience | None = None,
        top_k: int = 3,
        frames: int | None = None,
        stop: threading.Event | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        """Store the settings; nothing is opened before `run`.

        Args:
            source: a camera or files.
            classifier: classifies each frame; its thresholds decide a frame's label.
            sinks: receive the predictions and events; the caller closes them.
            selection: which frames are classified.
            rules: combine the results of several frames; None uses the defaults, with the thresholds of the spec.
            patience: how long to wait for a camera.
            top_k: number of classes in each prediction.
            frames: end after this number of predictions.
            stop: ends the run when it is set, for example by a signal handler.
            hooks: called for each frame; None calls none.

        """
        self.tally = Tally()
        self._source = source
        self._classifier = classifier
        self._inference: Inference | None = None
        self._next: list[tuple[Classifier, Rules]] = []  # models that were switched to and have decided nothing yet
        self._sinks = tuple(sinks)
        self._state_sinks = [sink for sink in self._sinks if isinstance(sink, StateSink)]
        self._source_state: SourceState | None = None
        self._selection = selection or Selection()
        self._rules = rules or rules_of(classifier.spec)
        self._patience = patience or Patience()
        self._top_k = top_k
        self._frames = frames
        self._stop = stop or threading.Event()
        self._hooks = hooks or Hooks()
        self._state = State()
        self._probabilities: NDArray[np.float32] | None = None  # of the last classified scene
        self._tracker = EventTracker()
        self._last_number = -1
        self._longest_wait_s = self._patience.stall_timeout_s if source.live else math.inf

    def candidate(self) -> tuple[str, int, int] | None:
        """Return the label that may become stable next, its votes and the votes that it needs; None if there is none.

        Call it only from a hook or a sink.
        """
        found = candidate(self._state, self._rules)
        return found and (label_of(found.label, self._classifier.spec.labels), found.votes, found.needed)

    def switch(self, classifier: Classifier, rules: Rules | None = None) -> None:
        """Decide with another model from the next frame on, without closing the source; any thread may call it.

        A class that is present stays present if the new model has a class of that name; otherwise it leaves.

        Args:
            classifier: warmed up, and used by nothing else.
            rules: as for the constructor.

        """
        self._next.append((classifier, rules or rules_of(classifier.spec)))
        if self._inference is None:
            self._adopt(classifier)
        else:
            self._inference.switch(classifier)

    def _adopt(self, classifier: Classifier) -> None:
        """Continue with the decisions of another model."""
        present, labels = self._stable(), classifier.spec.labels
        while self._classifier is not classifier:  # a model may be replaced before it has decided anything
            self._classifier, self._rules = self._next.pop(0)
        stable = labels.index(present) if present in labels else -1
        self._state = State(votes=(stable,) * self._rules.k, stable=stable)
        self._probabilities = None

    def run(self) -> Tally:
        """Run until the source ends, `frames` predictions are made, or `stop` is set.

        Raises:
            SourceError: the source cannot be opened or read, or a camera sent no fresh frame for too long.
            InferenceError: the runtime failed.

        """
        stop_reading = threading.Event()
        capture = Capture(self._source, self._patience, stop_reading)
        preparation = Preparation(capture, self._classifier, self._selection, stop_reading)
        self._inference = inference = Inference(preparation, self._longest_wait_s)
        try:
            self._run(capture, inference)
        finally:
            inference.close()
            self._publish(self._tracker.end())
            self._count_skipped(capture)
        return self.tally

    def _run(self, capture: Capture, inference: Inference) -> None:
        while not self._stop.is_set() and self.tally.predictions != self._frames:
            try:
                self._handle(inference.done.get(POLL_S), inference)
            except TimeoutError:
                self._follow(capture.state(), inference)
            except Ended:
                self.tally.has_ended = True
                self._set_state("ended")
                return
            self._count_skipped(capture)

    def _follow(self, state: SourceState, inference: Inference) -> None:
        """Follow the state of the source while the loop does nothing but wait for it."""
        if not MEANINGS[state].is_alive:
            self._set_state(state)
        elif inference.is_idle:
            self._set_state("unchanged" if self._source_state == "unchanged" else state)

    def _set_state(self, state: SourceState) -> None:
        """Inform the watchdog and the sinks that the source is alive, or that its state has changed."""
        if MEANINGS[state].is_alive:
            self._hooks.heartbeat()
        elif state == self._source_state:
            return
        self._source_state = state
        for sink in self._state_sinks:
            sink.state_changed(state)

    def _count_skipped(self, capture: Capture) -> None:
        skipped = capture.record.skipped.copy()
        if skipped != self.tally.skipped:
            self.tally.skipped = skipped
            self._hooks.on_skipped(skipped)

    def _handle(self, item: Inferred | Prepared | Unreadable | Event, inference: Inference) -> None:
        if isinstance(item, Inferred):
            if self._is_outdated(item.item.frame, item.inference_ms):
                self._forget_scene(inference)
            else:
                self._handle_output(*item)
        elif isinstance(item, Prepared):
            if item.tensor is not None:
                self._forget_scene(inference)
            elif not self._is_outdated(item.frame):
                self._handle_unchanged(item)
        elif isinstance(item, Unreadable):
            self.tally.unreadable += 1
            self._hooks.on_unreadable(*item)
        else:
            if item.kind in {"stalled", "lost"}:
                self._set_state("stale")
                # The scene may change while the camera sends nothing.
                self._publish(self._tracker.end())
                self._state, self._probabilities = State(), None
            self._publish([item])

    def _forget_scene(self, inference: Inference) -> None:
        """Make the motion gate pass the next frame: the skipped frame was not classified, so nothing may repeat it."""
        inference.forget_scene()
        self._probabilities = None

    def _handle_unchanged(self, item: Prepared) -> None:
        """Count the last result as this frame's vote, because the frame shows the same scene."""
        self.tally.unchanged += 1
        self._set_state("unchanged")
        if self._probabilities is not None:
            self._advance(self._probabilities)
            self._publish(self._new_events(item))

    def _handle_output(self, item: Prepared, output: NDArray[Any], inference_ms: float) -> None:
        frame = item.frame
        if item.classifier is not self._classifier:
            self._adopt(item.classifier)
        probabilities = self._classifier.backend.probabilities(output)[0]
        self._advance(probabilities)
        decision = decide(probabilities, self._classifier.spec, top_k=self._top_k)
        prediction = FramePrediction(
            source=frame.source,
            frame=frame.number,
            captured_at=frame.captured_at,
            age_ms=(time.monotonic() - frame.captured_s) * 1e3,
            dropped=frame.number - self._last_number - 1,
            label=decision.label,
            score=decision.score,
            top=decision.top,
            stable=self._stable(),
            decode_ms=item.decode_ms,
            preprocess_ms=item.preprocess_ms,
            inference_ms=inference_ms,
            familiarity=decision.familiarity,
        )
        self._last_number = frame.number
        self.tally.predictions += 1
        self._set_state("fresh")
        self._hooks.on_frame(frame, prediction)
        for sink in self._sinks:
            sink.prediction(prediction)
        self._publish(self._new_events(item))
        self._publish(self._hooks.inspect(item.pixels, prediction))

    def _advance(self, probabilities: NDArray[np.float32]) -> None:
        self._probabilities = probabilities
        self._state = advance(self._state, probabilities, self._rules)

    def _stable(self) -> str:
        return label_of(self._state.stable, self._classifier.spec.labels)

    def _new_events(self, item: Prepared) -> list[Event]:
        """Return the events that a frame causes."""
        smoothed = self._state.smoothed
        score = 0.0 if smoothed is None or self._state.stable == -1 else float(smoothed[self._state.stable])
        familiarity = None
        if smoothed is not None and self._classifier.spec.min_familiarity is not None:
            familiarity = min(float(smoothed.sum()), 1.0)
        # A camera's monotonic clock or a video's own time: neither of them jumps.
        at_s = item.frame.captured_s if self._source.live else item.frame.captured_at
        return self._tracker.update(self._stable(), score, item.frame, item.image, at_s, familiarity)

    def _is_outdated(self, frame: Frame, inference_ms: float = 0.0) -> bool:
        """Return whether a hook or a sink delayed this loop so long that a camera's frame is out of date."""
        return time.monotonic() - frame.captured_s - inference_ms / 1e3 > self._longest_wait_s

    def _publish(self, events: Iterable[Event]) -> None:
        for event in events:
            self.tally.events[event.kind] = self.tally.events.get(event.kind, 0) + 1
            for sink in self._sinks:
                sink.event(event)
