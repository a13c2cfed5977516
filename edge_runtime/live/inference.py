"""Run the model in its own thread, on the next frame while the previous result is processed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.live.handoff import Ended, Handoff
from edge_runtime.live.preparation import Prepared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.live.preparation import Preparation, Unreadable
    from edge_runtime.live.records import Event


class Inferred(NamedTuple):
    """A prepared frame, the graph's output for it, and the duration of the inference in milliseconds."""

    item: Prepared
    output: NDArray[Any]
    inference_ms: float


class Inference:
    """A thread that runs the model on prepared frames; everything else is passed on in order.

    Attributes:
        done: holds the next item: Inferred, Prepared if the scene had not changed or the frame was too old, Unreadable
            or Event.
        is_running: whether the model runs at this moment.

    """

    def __init__(self, preparation: Preparation, longest_wait_s: float) -> None:
        """Start the thread.

        Args:
            preparation: provides the inputs and the model that runs each; it is closed together with this object. The
                models' backends are used only by this thread until `close` returns.
            longest_wait_s: a frame that was captured longer ago is not classified; infinite for files.

        """
        self.done: Handoff[Inferred | Prepared | Unreadable | Event] = Handoff(newest_only=False)
        self.is_running = False
        self._preparation = preparation
        self._longest_wait_s = longest_wait_s
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is done at this moment except waiting for the camera or for the time of the next frame."""
        return self._preparation.is_waiting and not self.is_running

    def switch(self, classifier: Classifier) -> None:
        """Run another model from the next frame on; frames that are prepared already still run in the old one."""
        self._preparation.classifier = classifier

    def forget_scene(self) -> None:
        """Treat the next frame as changed; see `Preparation.forget_scene`."""
        self._preparation.forget_scene()

    def close(self) -> None:
        """End this thread and the preparation's, and wait until the model is not in use."""
        self.done.end()
        self._preparation.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._process_next():
                pass
        except Ended:
            self.done.end()
        except Exception as problem:  # noqa: BLE001 - raised again in the thread that takes the items
            self.done.end(problem)

    def _process_next(self) -> bool:
        """Take an item, run the model if needed, and hand it on; return False if the other side has ended."""
        waited = self._preparation.ready.empty
        item = self._preparation.ready.get()
        if not isinstance(item, Prepared) or item.tensor is None:
            return self.done.put(item)
        if self.done.ended:
            return False
        old = time.monotonic() - item.frame.captured_s > self._longest_wait_s
        return self.done.put(item if old else self._infer(item, item.tensor, waited=waited))

    def _infer(self, item: Prepared, tensor: NDArray[Any], *, waited: bool) -> Inferred:
        pace = self._preparation.pace
        pace.inference_began(waited=waited)
        began = time.perf_counter()
        self.is_running = True
        output = item.classifier.backend.invoke(tensor)
        self.is_running = False
        inference_ms = (time.perf_counter() - began) * 1e3
        pace.inference_ended()
        return Inferred(item, output, inference_ms)
