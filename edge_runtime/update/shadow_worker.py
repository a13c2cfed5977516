"""The process that `edge_runtime.update.shadow` starts: BUNDLE.

It reads images from standard input, each as uint8 of shape (height, width, channels), and prints for each a JSON object
with `label`, `familiarity` and `inference_ms`, or with `error`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.classify.classifier import Classifier
from edge_runtime.classify.decision import decide
from edge_runtime.command_line.standard_output import results_stream
from edge_runtime.errors import EdgeError

if TYPE_CHECKING:
    from typing import TextIO

NICENESS = 10  # the live loop goes first


def main(bundle: str) -> None:
    """Classify images until standard input ends."""
    os.nice(NICENESS)
    with results_stream() as stream:
        try:
            _answer(bundle, stream)
        except EdgeError as problem:
            print(json.dumps({"error": str(problem)}), file=stream, flush=True)


def _answer(bundle: str, stream: TextIO) -> None:
    classifier = Classifier.open(bundle, threads=1)
    spec = classifier.spec
    shape = (1, spec.height, spec.width, spec.channels)
    size = int(np.prod(shape))
    while len(content := sys.stdin.buffer.read(size)) == size:
        began = time.perf_counter()
        probabilities = classifier.backend.run(np.frombuffer(content, np.uint8).reshape(shape))[0]
        inference_ms = (time.perf_counter() - began) * 1e3
        decision = decide(probabilities, spec)
        answer = {"label": decision.label, "familiarity": decision.familiarity, "inference_ms": inference_ms}
        print(json.dumps(answer), file=stream, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
