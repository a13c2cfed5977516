"""Classify frames repeatedly and mark each stage for the plugin that counts instructions.

    python frame_cost.py BUNDLE ARTIFACT TIMES FILE...

A FILE is an encoded photograph, or an .npy file with a camera's RGB pixels. Each frame starts with the mark START, and
each stage ends with its own mark.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime import Classifier
from edge_runtime.classify import classifier as stages

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = 0x7E570000
START, DECODE, RESIZE, INPUT, INVOKE, OUTPUT, DECIDE = range(7)


def mark(number: int) -> None:
    """Set a mark: the plugin recognizes the system call, which fails because there is no such process."""
    with suppress(OSError):
        os.getsid(MARK + number)


def marked(function: Callable[..., Any], number: int) -> Callable[..., Any]:
    """Return a function that calls `function` and then sets a mark."""

    def call(*arguments: Any, **settings: Any) -> Any:
        result = function(*arguments, **settings)
        mark(number)
        return result

    return call


def main(bundle: str, artifact: str, times: int, files: list[str]) -> None:
    """Classify each file `times` times, with marks between the stages of `Classifier.classify`."""
    classifier = Classifier.open(bundle, artifact=artifact, threads=1)
    interpreter = classifier.backend._interpreter  # type: ignore[attr-defined]
    invoke = marked(interpreter.invoke, INVOKE)
    interpreter.invoke = lambda: (mark(INPUT), invoke())
    stages.load_image = marked(stages.load_image, DECODE)
    stages.to_input = marked(stages.to_input, RESIZE)
    classifier.backend.run = marked(classifier.backend.run, OUTPUT)  # type: ignore[method-assign]
    for file in files:
        frame = np.load(file) if file.endswith(".npy") else Path(file).read_bytes()
        for _ in range(times):
            mark(START)
            classifier.classify(frame)
            mark(DECIDE)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
